/**
 * A subtree outside of the servers: what `export` writes and `import`, `diff` and `apply` read. Two
 * forms say the same, one for people who edit it and JSON for programs; which one a file is, it shows
 * by its first character. What cannot be brought back is not in it: ephemeral znodes, stats, quotas.
 */
import type { Acl } from '../../../client/types.js';

/** Servers do not tell a container or a time to live to clients: they are for who writes a dump. */
export type NodeKind = 'persistent' | 'container' | 'ttl';

export interface DumpedNode {
  /** Below the root of the dump, which is "/" itself. */
  readonly path: string;
  readonly data: Buffer;
  readonly acl: readonly Acl[];
  readonly kind: NodeKind;
  /** Of the kind 'ttl'; 0 for others. */
  readonly ttlMs: number;
}

export interface Dump {
  /** Where it was, and where it goes unless another place is named. */
  readonly root: string;
  /** Parents before their children. */
  readonly nodes: readonly DumpedNode[];
}

/** A file is not what `export` writes. */
export class DumpFormatError extends Error {
  override readonly name = 'DumpFormatError';
}

export function readDump(text: string): Promise<Dump> {
  return /^\s*\{/.test(text)
    ? import('./dump-json.js').then(({ readDumpJson }) => readDumpJson(text))
    : import('./dump-text.js').then(({ readDumpText }) => readDumpText(text));
}

/** Refuses what is there twice; puts parents before children. */
export function dumpOf(root: string, nodes: readonly DumpedNode[]): Dump {
  const paths = new Set<string>();
  for (const { path } of nodes) {
    if (paths.has(path)) throw new DumpFormatError(`${path} is there twice`);
    paths.add(path);
  }
  return { root, nodes: [...nodes].sort((one, other) => (one.path < other.path ? -1 : 1)) };
}
