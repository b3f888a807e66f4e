/** What is in a subtree, at a glance: `tree` draws it, `du` tells where the bytes are. */
import { pathArgument } from './arguments.js';
import type { Answer, Call } from '../command.js';
import { hex } from '../stat-text.js';
import { walk } from '../subtree.js';
import type { NodeChildren, Stat } from '../../../client/types.js';
import { baseName } from '../../../protocol/paths.js';

interface Seen {
  readonly path: string;
  readonly depth: number;
  readonly stat: Stat;
}

const depthLimit = 1_000_000;

export async function tree(call: Call): Promise<Answer> {
  const root = call.args[0] === undefined ? '/' : pathArgument(call);
  const depthMax = call.flags.number('depth', 0, depthLimit) ?? Infinity;
  const withSizes = call.flags.has('sizes');
  const seen: Seen[] = [];
  await eachBelow(call, root, depthMax, (path, { stat }, depth) => {
    seen.push({ path, depth, stat });
  });
  const guides = guidesOf(seen);
  for (const [index, { path, depth, stat }] of seen.entries()) {
    const name = depth === 0 ? path : baseName(path);
    const hidden = depth >= depthMax && stat.numChildren > 0 ? [`${stat.numChildren} below`] : [];
    const notes = [...notesOf(stat), ...(withSizes ? [bytesText(stat.dataLength)] : []), ...hidden];
    const note = notes.length === 0 ? '' : `  (${notes.join(', ')})`;
    call.item(`${guides[index] ?? ''}${name}${note}`, {
      path,
      depth,
      dataLength: stat.dataLength,
      numChildren: stat.numChildren,
      ephemeralOwner: hex(stat.ephemeralOwner),
    });
  }
  return { text: null };
}

/** The lines before the names: from behind, it is known which sibling is the last. */
function guidesOf(seen: readonly Seen[]): string[] {
  const guides: string[] = [];
  const hasMore: boolean[] = [];
  for (let index = seen.length - 1; index >= 0; index--) {
    const depth = seen[index]?.depth ?? 0;
    hasMore.length = depth + 1;
    let guide = '';
    for (let level = 1; level < depth; level++) guide += hasMore[level] === true ? '│   ' : '    ';
    if (depth > 0) guide += hasMore[depth] === true ? '├── ' : '└── ';
    hasMore[depth] = true;
    guides[index] = guide;
  }
  return guides;
}

function notesOf({ ephemeralOwner }: Stat): string[] {
  return ephemeralOwner === 0n ? [] : [`ephemeral of ${hex(ephemeralOwner)}`];
}

interface Share {
  readonly path: string;
  bytes: number;
  nodes: number;
}

export async function du(call: Call): Promise<Answer> {
  const root = call.args[0] === undefined ? '/' : pathArgument(call);
  const shares: Share[] = [];
  const total: Share = { path: root, bytes: 0, nodes: 0 };
  await eachBelow(call, root, Infinity, (path, { stat }, depth) => {
    if (depth === 1) shares.push({ path, bytes: 0, nodes: 0 });
    const share = shares.at(-1);
    for (const one of depth > 0 && share !== undefined ? [share, total] : [total]) {
      one.bytes += stat.dataLength;
      one.nodes++;
    }
  });
  shares.sort((one, other) => other.bytes - one.bytes || other.nodes - one.nodes);
  const all = [...shares, total];
  const width = Math.max(...all.map(({ bytes }) => String(bytes).length));
  const nodesWidth = Math.max(...all.map(({ nodes }) => String(nodes).length));
  for (const { path, bytes, nodes } of all) {
    const columns = `${String(bytes).padStart(width)}  ${String(nodes).padStart(nodesWidth)}`;
    call.item(`${columns}  ${path}`, { path, bytes, nodes });
  }
  return { text: null };
}

async function eachBelow(
  call: Call,
  root: string,
  depthMax: number,
  enter: (path: string, node: NodeChildren, depth: number) => void,
): Promise<void> {
  const { client, signal } = call;
  await walk(root, (path) => client.getChildren(path, { signal }), enter, { signal, depthMax });
}

function bytesText(bytes: number): string {
  return bytes === 1 ? '1 byte' : `${bytes} bytes`;
}
