/**
 * The configuration as clients read it, `/zookeeper/config`. Every server writes it there by itself
 * when it begins to serve: no transaction tells it, no digest covers it, and what a snapshot or
 * another server's transaction left there is written over. A reconfiguration is a transaction, and
 * writes the same text.
 */
import type { Tree } from '../../tree/tree.js';
import { readMembers } from '../config/members.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const configPath = encoder.encode('/zookeeper/config');

/** `version`: of the configuration, which is the zxid that it was made at; 0 for one out of a file. */
export function showConfig(
  tree: Tree,
  config: { readonly text: string; readonly version: bigint },
  wallMs: number,
): void {
  const stat = { version: -1, mzxid: config.version, mtimeMs: BigInt(Math.floor(wallMs)) };
  tree.setDataAside(configPath, encoder.encode(config.text), stat);
}

/** Of the configuration that the history speaks of last; 0 when it speaks of none. */
export function versionInHistory(tree: Tree): bigint {
  const data = tree.data(tree.findPath('/zookeeper/config'));
  const reading = readMembers(decoder.decode(data ?? new Uint8Array(0)));
  return reading.ok ? reading.members.version : 0n;
}
