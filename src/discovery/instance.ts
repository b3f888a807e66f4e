/**
 * One instance of a service, whatever layout its znode was written in: Curator's, a ServerSet's or
 * Dubbo's. What a layout does not have, its reader fills with the defaults here.
 */

/** 'starting' and 'draining' get nothing new; 'down' does only when too few others are up (panic). */
export type Health = 'up' | 'starting' | 'draining' | 'down';

export interface ServiceInstance {
  readonly service: string;
  /** Unique within the service, and the same for everybody: subsets and hash rings follow from it. */
  readonly id: string;
  readonly host: string;
  /** Null: none without TLS. */
  readonly port: number | null;
  /** Null: none with TLS. */
  readonly sslPort: number | null;
  /** Relative to the others'; 0 drains it. */
  readonly weight: number;
  /** Higher numbers are only used when there is not enough of the lower ones. */
  readonly priority: number;
  readonly health: Health;
  readonly metadata: Readonly<Record<string, string>>;
  /** Milliseconds since 1970; null: not told. */
  readonly registeredMs: number | null;
  /** What the layout carries beyond this, as it was read. */
  readonly payload: unknown;
  /** Curator's uriSpec, as a template such as `{scheme}://{address}:{port}`; null: none. */
  readonly uriTemplate: string | null;
}

/** What is needed to register one; the rest has defaults. */
export type InstanceSpec = Pick<ServiceInstance, 'service' | 'host'> &
  Partial<Omit<ServiceInstance, 'service' | 'host' | 'registeredMs'>>;

export const instanceDefaults = {
  port: null,
  sslPort: null,
  weight: 1,
  priority: 0,
  health: 'up',
  metadata: {},
  registeredMs: null,
  payload: null,
  uriTemplate: null,
} as const satisfies Partial<ServiceInstance>;

/** `host:port` with brackets around an IPv6 address; null: it has no such port. */
export function authorityOf(instance: ServiceInstance, isSecure: boolean): string | null {
  const port = isSecure ? instance.sslPort : instance.port;
  if (port === null) return null;
  return `${instance.host.includes(':') ? `[${instance.host}]` : instance.host}:${port}`;
}
