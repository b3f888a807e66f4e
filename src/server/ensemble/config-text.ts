/** The members of an ensemble as text: what votes and NEWLEADER carry, and /zookeeper/config holds. */
import type { EnsembleServer } from '../config/ensemble-config.js';
import type { Members } from '../config/members.js';

/** As Apache writes it, byte for byte: a line a server, groups and weights, then the version. */
export function configText(config: Members): string {
  const lines: string[] = [];
  for (const { sid, addresses, role, client } of inApachesOrder(config)) {
    const places = [...addresses]
      .sort((a, b) => (a.host < b.host ? -1 : Number(a.host > b.host)))
      .map(
        ({ host, quorumPort, electionPort }) => `${bracketed(host)}:${quorumPort}:${electionPort}`,
      );
    const where = client === null ? '' : `;${bracketed(client.host)}:${client.port}`;
    lines.push(`server.${sid}=${places.join('|')}:${role}${where}`);
  }
  for (const [gid, members] of groups(config)) lines.push(`group.${gid}=${members.join(':')}`);
  for (const [sid, weight] of weights(config)) lines.push(`weight.${sid}=${weight}`);
  lines.push(`version=${config.version.toString(16)}`);
  return lines.join('\n');
}

/** A hash table of Java's: by the number modulo the table's size, which is 16 for up to 12 servers. */
function inApachesOrder({ servers }: Members): EnsembleServer[] {
  let size = 16;
  while (servers.size > size * 0.75) size *= 2;
  return [...servers.values()].sort((a, b) => (a.sid % size) - (b.sid % size) || a.sid - b.sid);
}

function groups(config: Members): Map<number, number[]> {
  const members = new Map<number, number[]>();
  for (const [sid, group] of config.groupOf) {
    members.set(group, [...(members.get(group) ?? []), sid]);
  }
  return new Map([...members].map(([gid, sids]) => [gid, sids.sort((a, b) => a - b)]));
}

/** With groups, who votes has a weight, said or not. */
function weights({ servers, groupOf, weightOf }: Members): [sid: number, weight: number][] {
  const all = new Map(weightOf);
  if (groupOf.size > 0) {
    for (const { sid, role } of servers.values()) {
      if (role === 'participant' && !all.has(sid)) all.set(sid, 1);
    }
  }
  return [...all].sort(([a], [b]) => a - b);
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
