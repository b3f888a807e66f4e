/** The real world as a client needs it. */
import { lookup, resolveSrv } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { ClientOptions } from '../client/types.js';
import type { ClientWorld, HostNames } from '../client/world.js';
import { tlsClientNetwork } from './client-tls.js';
import { nodeClock } from './clock.js';
import { nodeCrypto } from './crypto.js';
import { nodeNetwork } from './network.js';

const names: HostNames = {
  async addresses(host) {
    if (isIP(host) !== 0) return [host];
    const found = await lookup(host, { all: true });
    return found.map(({ address }) => address);
  },
  async srv(name) {
    const records = await resolveSrv(name);
    return records
      .sort((a, b) => a.priority - b.priority || b.weight - a.weight)
      .map((record) => ({ host: record.name, port: record.port }));
  },
};

/** Throws `ArgumentError` where the options of TLS cannot be meant. */
export function clientWorld({ tls }: ClientOptions): ClientWorld {
  return {
    clock: nodeClock,
    network: tls === undefined ? nodeNetwork : tlsClientNetwork(tls),
    names,
    crypto: nodeCrypto,
    random: () => Math.random(),
  };
}
