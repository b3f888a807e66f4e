/** Services by DNS SRV records. */
import { Resolver } from 'node:dns/promises';
import type { ServiceNames, ServicePlace } from '../ports/service-names.js';

export interface SrvRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/** Lower priorities first; among equal ones the greater weight, for which there is no need of dice. */
export function inOrderOfPreference(records: readonly SrvRecord[]): ServicePlace[] {
  return [...records]
    .sort((one, other) => one.priority - other.priority || other.weight - one.weight)
    .map(({ name, port }) => ({ host: name.replace(/\.$/, ''), port }));
}

/** `servers`: whom to ask, `host:port`; the system's name servers unless given. */
export function dnsServiceNames(servers: readonly string[] = []): ServiceNames {
  const resolver = new Resolver();
  if (servers.length > 0) resolver.setServers(servers);
  return {
    async lookUp(name) {
      const records = await resolver.resolveSrv(name).catch((error: unknown) => {
        const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
        const reason =
          code === 'ENOTFOUND' || code === 'ENODATA'
            ? 'has no SRV record'
            : `is not found (${code})`;
        throw new Error(`${name} ${reason}`);
      });
      // a single root as target says that there is no such service
      const places = inOrderOfPreference(records.filter((record) => record.name !== ''));
      if (places.length === 0) throw new Error(`${name} names no server`);
      return places;
    },
  };
}
