/**
 * Whom the autopilot has out of the configuration, as a znode: `/zookeeper/autopilot`. It is written by
 * ordinary transactions of the leader, before it takes a server out and after it has let one in again,
 * so every member has it, of whatever make, and the next leader goes on where this one ended. Its data
 * is text as in zoo.cfg: the server's whole line, and since when it is out.
 */
import type { Tree } from '../../tree/tree.js';
import { parseEnsembleServer, type EnsembleServer } from '../config/ensemble-config.js';
import { parseProperties } from '../config/java-properties.js';
import { configText } from './config-text.js';

export const recordPath = '/zookeeper/autopilot';

export interface TakenOut {
  /** As it is to be again: its places, its role, its client port. */
  readonly server: EnsembleServer;
  /** By the wall clock of the leader that took it out. */
  readonly sinceMs: number;
}

const decoder = new TextDecoder();

/** `server.N=…`, as a reconfiguration asks for it. */
export function serverLine(server: EnsembleServer): string {
  const servers = new Map([[server.sid, server]]);
  const text = configText({ servers, groupOf: new Map(), weightOf: new Map(), version: 0n });
  return text.slice(0, text.indexOf('\n'));
}

/** In the order of their numbers. */
export function recordText(out: readonly TakenOut[]): string {
  return [...out]
    .sort((one, other) => one.server.sid - other.server.sid)
    .map(({ server, sinceMs }) => `${serverLine(server)}\nsince.${server.sid}=${sinceMs}\n`)
    .join('');
}

/** What makes no sense is passed over: a client may have written it before there was an autopilot. */
export function readRecord(text: string): TakenOut[] {
  const out: TakenOut[] = [];
  const values = new Map(parseProperties(text).entries.map(({ key, value }) => [key, value]));
  for (const [key, value] of values) {
    const sidText = /^server\.(\d{1,3})$/.exec(key)?.[1];
    const since = values.get(`since.${sidText ?? ''}`);
    if (sidText === undefined || since === undefined || !/^\d{1,15}$/.test(since)) continue;
    const reading = parseEnsembleServer(Number(sidText), value);
    if (reading.ok) out.push({ server: reading.server, sinceMs: Number(since) });
  }
  return out.sort((one, other) => one.server.sid - other.server.sid);
}

/** Null: there has been no autopilot. */
export function recordIn(tree: Tree): TakenOut[] | null {
  const node = tree.findPath(recordPath);
  if (node === 0) return null;
  return readRecord(decoder.decode(tree.data(node) ?? new Uint8Array(0)));
}
