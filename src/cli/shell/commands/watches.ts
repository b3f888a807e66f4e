/** Watches: addWatch and removewatches as zkCli has them, and `watch`, which prints what happens. */
import { pathArgument } from './arguments.js';
import { done, type Answer, type Call } from '../command.js';
import { CommandUsageError } from '../failure.js';
import { hex } from '../stat-text.js';
import type { WatchEvent, WatchKind } from '../../../client/types.js';

export async function addWatch(call: Call): Promise<Answer> {
  const path = pathArgument(call);
  const mode = (call.flags.text('m') ?? 'PERSISTENT_RECURSIVE').toUpperCase();
  if (mode !== 'PERSISTENT' && mode !== 'PERSISTENT_RECURSIVE') {
    throw new CommandUsageError(`a mode is PERSISTENT or PERSISTENT_RECURSIVE, not '${mode}'`);
  }
  const recursive = mode === 'PERSISTENT_RECURSIVE';
  await call.client.addWatch(path, { recursive, signal: call.signal }, call.watched);
  return { ...done, json: { path, mode } };
}

const kindOfFlag: readonly (readonly [flag: string, kind: WatchKind])[] = [
  ['c', 'children'],
  ['d', 'data'],
  ['p', 'persistent'],
  ['r', 'persistent-recursive'],
];

export async function removeWatches(call: Call): Promise<Answer> {
  const path = pathArgument(call);
  const kind = kindOfFlag.find(([flag]) => call.flags.has(flag))?.[1] ?? 'any';
  const local = call.flags.has('l');
  await call.client.removeWatches(path, { kind, local, signal: call.signal });
  return { ...done, json: { path, kind } };
}

export async function watch(call: Call): Promise<Answer> {
  const { client, flags } = call;
  const path = pathArgument(call);
  const countMax = flags.number('count', 1, 1_000_000_000) ?? Infinity;
  const recursive = flags.has('R');
  const ended = new AbortController();
  const signal = AbortSignal.any([call.signal, ended.signal]);
  let count = 0;
  try {
    for await (const event of client.watch(path, { recursive, signal })) {
      const at = new Date();
      call.item(lineOf(at, event), jsonOf(at, event));
      if (++count >= countMax) break;
    }
  } catch (error) {
    // Ctrl-C is how it is meant to end
    if (!call.signal.aborted) throw error;
  } finally {
    ended.abort();
  }
  return { text: null };
}

function lineOf(at: Date, { type, path, zxid }: WatchEvent): string {
  const change = zxid === undefined ? '-' : hex(zxid);
  return `${at.toISOString()} ${type.padEnd(8)} ${change} ${path}`;
}

function jsonOf(at: Date, { type, path, zxid }: WatchEvent): unknown {
  return { time: at.toISOString(), type, path, zxid: zxid === undefined ? null : hex(zxid) };
}
