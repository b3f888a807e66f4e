/**
 * Who belongs to the ensemble: what the first server that answers tells every client that asks for
 * the configuration. Where members are named by a host alone, that is where their clients go, too.
 */
import type { Address } from './sight.js';

export interface Ensemble {
  readonly servers: readonly Address[];
  readonly voters: number;
}

/**
 * Null: it names nobody, as that of a server that stands alone. Members whose port for clients is in
 * their own configuration have the one of who was asked, where each has a host of its own.
 */
export function membersIn(config: string, portAsked: number): Ensemble | null {
  const members: { host: string; client: Address | null }[] = [];
  let voters = 0;
  for (const [, value = ''] of config.matchAll(/^server\.\d+=(.*)$/gm)) {
    const [peers = '', client = ''] = value.trim().split(';');
    const [first = ''] = peers.split('|');
    const [, host = ''] = /^\[?(.*?)\]?:\d+:\d+/.exec(first) ?? [];
    if (!/:observer$/.test(peers)) voters++;
    if (host !== '') members.push({ host, client: clientAddressOf(host, client) });
  }
  if (members.length === 0) return null;
  const hosts = new Set(members.map(({ host }) => host));
  const isSpread = hosts.size === members.length;
  const servers = members.flatMap(({ host, client }) => {
    if (client !== null) return [client];
    return isSpread ? [{ host, port: portAsked }] : [];
  });
  return { servers, voters };
}

function clientAddressOf(host: string, text: string): Address | null {
  const [, own = '', port = ''] = /^(?:\[?(.*?)\]?:)?(\d+)$/.exec(text) ?? [];
  if (port === '') return null;
  const isAnywhere = own === '' || own === '0.0.0.0' || own === '::' || own === '0:0:0:0:0:0:0:0';
  return { host: isAnywhere ? host : own, port: Number(port) };
}
