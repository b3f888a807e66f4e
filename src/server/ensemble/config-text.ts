/** The members of an ensemble as text: what votes and NEWLEADER carry, and /zookeeper/config holds. */
import type { EnsembleConfig } from '../config/ensemble-config.js';

/** As Apache writes it: a line a server in the order of their names, then the version. */
export function configText(config: EnsembleConfig): string {
  const lines: string[] = [];
  for (const { sid, addresses, role, client } of config.servers.values()) {
    const places = addresses.map(
      ({ host, quorumPort, electionPort }) =>
        `${bracketed(host)}:${quorumPort}:${electionPort}:${role}`,
    );
    const where = client === null ? '' : `;${bracketed(client.host)}:${client.port}`;
    lines.push(`server.${sid}=${places.join('|')}${where}`);
  }
  lines.sort();
  for (const [gid, members] of groups(config)) lines.push(`group.${gid}=${members.join(':')}`);
  for (const [sid, weight] of config.weightOf) lines.push(`weight.${sid}=${weight}`);
  lines.push(`version=${config.version.toString(16)}`);
  return lines.join('\n');
}

function groups(config: EnsembleConfig): Map<number, number[]> {
  const members = new Map<number, number[]>();
  for (const [sid, group] of config.groupOf) {
    members.set(group, [...(members.get(group) ?? []), sid]);
  }
  return members;
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
