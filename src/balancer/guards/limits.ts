/**
 * What clients may do, as an operator says it. Everything is off unless it is given: a balancer that is
 * only put in between changes nothing for anybody.
 */
import type { RateOptions } from './token-bucket.js';

/** Of all that has one address, one identity or one class. */
export interface ClientLimits {
  readonly connections?: number;
  readonly rate?: RateOptions;
  /** That are held at one time. */
  readonly watches?: number;
  /** Of one request, its header included. */
  readonly requestBytes?: number;
}

/** Of a rule: operations by name, or all that read, or all that write. */
export type OpSelector = string;

/** Who is meant is at or below `prefix`; the first rule that names a request's path and operation counts. */
export interface PathRule {
  readonly prefix: string;
  /** All of them unless given. */
  readonly ops?: readonly OpSelector[];
  /** `deny`: NOAUTH. `allow`: as if no rule named it. Not given: the limits below. */
  readonly action?: 'deny' | 'allow';
  /** Of all clients together. */
  readonly rate?: RateOptions;
  /** Of all clients together: that are held at one time at or below `prefix`. */
  readonly watches?: number;
  readonly requestBytes?: number;
}

export interface GuardOptions {
  /** In all. */
  readonly connections?: number;
  /** Of each client address; its `connections` is Apache's maxClientCnxns. */
  readonly perAddress?: ClientLimits;
  /** Of each identity: "digest:bob", "x509:CN=bob". Sessions without one have none of these. */
  readonly perIdentity?: ClientLimits;
  /** Of all clients of a class together, by its name. */
  readonly perClass?: Readonly<Record<string, ClientLimits>>;
  readonly paths?: readonly PathRule[];
  /** Nobody may ask for these: NOAUTH. */
  readonly denyOps?: readonly OpSelector[];
}

/** All rates that the options name. */
export function ratesIn({ perAddress, perIdentity, perClass, paths }: GuardOptions): RateOptions[] {
  const limits = [perAddress, perIdentity, ...Object.values(perClass ?? {}), ...(paths ?? [])];
  return limits.flatMap((one) => one?.rate ?? []);
}

/** Some limit is about watches, so that they have to be counted. */
export function limitsWatches({ perAddress, perIdentity, perClass, paths }: GuardOptions): boolean {
  const limits = [perAddress, perIdentity, ...Object.values(perClass ?? {}), ...(paths ?? [])];
  return limits.some((one) => one?.watches !== undefined);
}
