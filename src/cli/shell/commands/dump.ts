/** Subtrees in files: export writes one, diff compares, import adds, apply makes the tree like it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { pathArgument } from './arguments.js';
import type { Answer, Call } from '../command.js';
import { applySteps, requestBytesDefault, stepsOf } from '../dump/apply-plan.js';
import { dumpOf, DumpFormatError, readDump, type Dump } from '../dump/dump.js';
import { readLivePaths, readLiveTree } from '../dump/live-tree.js';
import { planOf, type Change, type Plan } from '../dump/plan.js';
import { planJson, planLines } from '../dump/plan-text.js';
import { checkedPath, CommandFailure, CommandUsageError } from '../failure.js';
import { hex } from '../stat-text.js';
import { exitCodes } from '../../terminal.js';
import { ErrorCode, ZkError } from '../../../protocol/errors.js';
import { parentOf } from '../../../protocol/paths.js';

export async function exportTree(call: Call): Promise<Answer> {
  const { client, signal, flags } = call;
  const root = pathArgument(call);
  const [, file = '-'] = call.args;
  const format = formatOf(call, file);
  const { nodes, zxid, changed } = await readLiveTree(client, root, signal, (count) => {
    if (count % 1000 === 0) call.progress(`${count} znodes read`);
  });
  if (nodes.size === 0) throw new ZkError(ErrorCode.noNode, root);
  const kept = [];
  for (const [path, { data, acl, isEphemeral }] of nodes) {
    if (!isEphemeral) kept.push({ path, data, acl, kind: 'persistent' as const, ttlMs: 0 });
  }
  const dump = dumpOf(root, kept);
  const skipped = nodes.size - kept.length;
  const counts = `${countOf(kept.length, 'znode')}; ${countOf(skipped, 'ephemeral')} left out`;
  const written = await writtenForm(dump, format, [
    `zabra export of ${root} at ${hex(zxid)}, ${new Date().toISOString()}`,
    counts,
  ]);
  if (file !== '-') writeTo(file, written, flags.has('force'));
  call.tell(`${root}: ${counts}`);
  if (changed > 0) {
    call.tell(`${countOf(changed, 'znode')} changed while this was read: it is no snapshot`);
  }
  const json = { root, file, nodes: kept.length, ephemerals: skipped, changed, zxid: hex(zxid) };
  if (file !== '-') return { text: null, json };
  // the dump itself is the result
  const { dumpJson } = await import('../dump/dump-json.js');
  return { text: written.replace(/\n$/, ''), json: call.isJson ? dumpJson(dump) : undefined };
}

function formatOf({ flags, isJson }: Call, file: string): 'text' | 'json' {
  const given = flags.text('format') ?? (file.endsWith('.json') || isJson ? 'json' : 'text');
  if (given === 'text' || given === 'json') return given;
  throw new CommandUsageError(`--format is text or json, not '${given}'`);
}

function writeTo(file: string, text: string, isForced: boolean): void {
  try {
    writeFileSync(file, text, { flag: isForced ? 'w' : 'wx' });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const hints = code === 'EEXIST' ? ['--force writes over it'] : [];
    throw new CommandFailure(`${file} cannot be written: ${message}`, hints, { cause: error });
  }
}

async function writtenForm(
  dump: Dump,
  format: 'text' | 'json',
  comments: readonly string[],
): Promise<string> {
  if (format === 'json') return (await import('../dump/dump-json.js')).writeDumpJson(dump);
  return (await import('../dump/dump-text.js')).writeDumpText(dump, comments);
}

export async function diff(call: Call): Promise<Answer> {
  const { dump, root } = await dumpArgument(call);
  const { nodes } = await readLiveTree(call.client, root, call.signal);
  const plan = planOf(dump, root, nodes, { prunes: true });
  const isSame = plan.changes.length === 0 && plan.conflicts.length === 0;
  for (const line of call.isJson ? [] : planLines(plan)) call.item(line, null);
  return {
    text: null,
    json: { root, ...planJson(plan) },
    exitCode: isSame ? exitCodes.finished : exitCodes.unexpected,
  };
}

export async function apply(call: Call): Promise<Answer> {
  const { dump, root } = await dumpArgument(call);
  const prunes = call.flags.has('prune');
  const { nodes } = await readLiveTree(call.client, root, call.signal);
  const plan = planOf(dump, root, nodes, { prunes });
  if (!prunes && plan.extra.length > 0) {
    call.tell(`${countOf(plan.extra.length, 'znode')} only in the tree; --prune deletes them`);
  }
  return await carryOut(call, root, plan);
}

export async function importTree(call: Call): Promise<Answer> {
  const { client, signal, flags } = call;
  if (flags.has('overwrite') && flags.has('skip')) {
    throw new CommandUsageError('--overwrite or --skip: not both');
  }
  const { dump, root } = await dumpArgument(call);
  const live = await readLivePaths(client, root, withAncestors(dump), signal);
  const plan = planOf(dump, root, live, { prunes: false });
  return await carryOut(call, root, flags.has('overwrite') ? plan : additionsOf(plan, call));
}

/** What has no parent in the file may have one in the tree. */
function withAncestors({ nodes }: Dump): string[] {
  const paths = new Set<string>();
  for (const { path } of nodes) {
    for (let at = path; !paths.has(at); at = parentOf(at)) paths.add(at);
  }
  return [...paths];
}

/** What is there and otherwise is in the way, or is left as it is. */
function additionsOf(plan: Plan, { flags, tell }: Call): Plan {
  const isNew = (change: Change): boolean => change.type === 'create';
  const changes = plan.changes.filter(isNew);
  const others = plan.changes.filter((change) => !isNew(change));
  if (flags.has('skip')) {
    const paths = new Set(others.map(({ path }) => path));
    if (paths.size > 0) tell(`${countOf(paths.size, 'znode')} otherwise in the tree: left so`);
    return { ...plan, changes };
  }
  const conflicts = others.map(({ path, type }) => {
    return { path, reason: `it is there with ${type === 'acl' ? 'another ACL' : 'other data'}` };
  });
  return { ...plan, changes, conflicts: [...plan.conflicts, ...conflicts] };
}

async function carryOut(call: Call, root: string, plan: Plan): Promise<Answer> {
  const { client, flags, signal } = call;
  const requestBytes = flags.number('max-bytes', 16_384, 0x7fff_ffff) ?? requestBytesDefault;
  const isDry = flags.has('dry-run');
  const steps = stepsOf(plan, Buffer.byteLength(client.root), requestBytes);
  const json = { root, dryRun: isDry, transactions: steps.chunks.length, ...planJson(plan) };
  const lines = planLines(isDry ? plan : { ...plan, changes: [] });
  for (const line of call.isJson ? [] : lines) call.item(line, null);
  const count = countOf(plan.changes.length, 'change');
  const apart =
    steps.acls.length === 0 ? '' : `, and ${countOf(steps.acls.length, 'ACL')} one by one`;
  const how = `${count} in ${countOf(steps.chunks.length, 'transaction')}${apart}`;
  const same = plan.same === 0 ? '' : `; ${countOf(plan.same, 'znode')} as in the file already`;
  if (plan.conflicts.length > 0) {
    call.tell(`${countOf(plan.conflicts.length, 'conflict')}: nothing is changed`);
    if (
      !flags.has('overwrite') &&
      plan.conflicts.some(({ reason }) => /^it is there/.test(reason))
    ) {
      call.tell('--overwrite makes them as in the file, --skip leaves them as they are');
    }
    return { text: null, json: { ...json, changed: 0 }, exitCode: exitCodes.unexpected };
  }
  if (isDry) {
    call.tell(`would make ${how}${same}`);
    return { text: null, json: { ...json, changed: 0 } };
  }
  if (steps.chunks.length > 1) {
    call.tell(`${steps.bytes} bytes do not fit into one transaction: ${how}`);
  }
  await applySteps(client, root, steps, { signal, progress: call.progress });
  call.tell(`${how}${same}`);
  return { text: null, json: { ...json, changed: plan.changes.length } };
}

async function dumpArgument(call: Call): Promise<{ dump: Dump; root: string }> {
  const [file = '-', path] = call.args;
  let text: string;
  try {
    text = file === '-' ? await call.readInput() : readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandFailure(`${file} cannot be read: ${(error as Error).message}`);
  }
  try {
    const dump = await readDump(text);
    return { dump, root: checkedPath(path ?? dump.root) };
  } catch (error) {
    if (!(error instanceof DumpFormatError)) throw error;
    throw new CommandUsageError(`${file}: ${error.message}`);
  }
}

function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
