/** `host:port` out of a command line, with brackets around an IPv6 address. */
export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** Null: that it is not. */
export function hostAndPortOf(text: string): HostAndPort | null {
  const [, bracketed, plain, portText] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(portText);
  return host === undefined || port < 1 || port > 65_535 ? null : { host, port };
}
