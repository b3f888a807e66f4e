/** The members of an ensemble as text: what votes and NEWLEADER carry, and /zookeeper/config holds. */
import { SetDataTxn, TxnHeader } from '../../protocol/records.js';
import { OpCode } from '../../protocol/opcodes.js';
import { Writer } from '../../protocol/writer.js';
import type { Tree } from '../../tree/tree.js';
import type { EnsembleConfig } from '../config/ensemble-config.js';

const CONFIG_PATH = '/zookeeper/config';

/**
 * Shows clients the configuration in force. Each server does that for itself, with no transaction:
 * the znode is outside of the digest, and a reconfiguration writes it over.
 */
export function showConfig(tree: Tree, config: EnsembleConfig, nowMs: number): void {
  if (tree.findPath(CONFIG_PATH) === 0) return;
  const { lastZxidHigh, lastZxidLow } = tree;
  const writer = new Writer();
  const time = BigInt(nowMs);
  TxnHeader.write(writer, {
    clientId: 0n,
    cxid: 0,
    zxid: config.version,
    time,
    type: OpCode.setData,
  });
  const data = new TextEncoder().encode(configText(config));
  SetDataTxn.write(writer, { path: CONFIG_PATH, data, version: -1 });
  tree.apply(writer.bytes, 0, writer.pos);
  tree.setLastZxid(lastZxidHigh, lastZxidLow);
}

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
