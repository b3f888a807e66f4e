/** Commands that change znodes: create, set, delete, deleteall, setAcl. */
import { noNode, pathArgument, versionArgument, versionFlag } from './arguments.js';
import { aclEntryText, aclOf } from '../acl-text.js';
import { done, type Answer, type Call } from '../command.js';
import { bytesOfBase64 } from '../data-text.js';
import { checkedPath, CommandFailure, CommandUsageError, sentenceOf } from '../failure.js';
import { statJson, statText } from '../stat-text.js';
import { walk } from '../subtree.js';
import type { Acl, CreateOptions, Data, NodeMode } from '../../../client/types.js';
import { ttlMaxMs } from '../../../protocol/limits.js';

export async function create(call: Call): Promise<Answer> {
  const { flags, args, client, signal } = call;
  const { mode, isSequential } = modeOf(call);
  const ttlMs = flags.has('t') ? ttlOf(flags.text('t') ?? '') : undefined;
  const [, data = '', acl] = args;
  const options: CreateOptions = {
    mode,
    signal,
    makePath: flags.has('p'),
    ...(ttlMs === undefined ? {} : { ttlMs }),
    ...(acl === undefined ? {} : { acl: aclOf(acl) }),
  };
  const path = checkedPath(args[0] ?? '', isSequential);
  const created = await client.create(path, dataOf(call, data), options);
  // the line is zkCli's, and so is the place where it goes
  if (!call.isJson) call.tell(`Created ${created.path}`);
  return { text: null, json: { path: created.path, stat: statJson(created.stat) } };
}

function modeOf({ flags }: Call): { mode: NodeMode; isSequential: boolean } {
  const [isEphemeral, isSequential, isContainer] = [flags.has('e'), flags.has('s'), flags.has('c')];
  const hasTtl = flags.has('t');
  if (isContainer && (isEphemeral || isSequential)) {
    throw new CommandUsageError(
      '-c cannot be combined with -s or -e: containers are neither ephemeral nor sequential',
    );
  }
  if (hasTtl && (isEphemeral || isContainer)) {
    const kind = isEphemeral ? 'Ephemeral' : 'Container';
    throw new CommandUsageError(`TTLs cannot be used with ${kind} znodes`);
  }
  if (isContainer) return { mode: 'container', isSequential };
  if (isEphemeral) {
    return { mode: isSequential ? 'ephemeral-sequential' : 'ephemeral', isSequential };
  }
  if (hasTtl) {
    return { mode: isSequential ? 'persistent-sequential-ttl' : 'persistent-ttl', isSequential };
  }
  return { mode: isSequential ? 'persistent-sequential' : 'persistent', isSequential };
}

function ttlOf(text: string): number {
  const ttlMs = Number(text);
  if (!/^-?\d+$/.test(text)) {
    throw new CommandUsageError('-t argument must be a long value: milliseconds');
  }
  if (ttlMs <= 0 || ttlMs > ttlMaxMs) {
    throw new CommandUsageError(`ttl must be positive and cannot be larger than: ${ttlMaxMs}`);
  }
  return ttlMs;
}

function dataOf({ flags }: Call, text: string): Data {
  if (!flags.has('b')) return text;
  const bytes = bytesOfBase64(text);
  if (bytes === null) throw new CommandUsageError('with -b the data is base64, and this is not');
  return bytes;
}

export async function set(call: Call): Promise<Answer> {
  const path = pathArgument(call);
  const [, text = ''] = call.args;
  const stat = await call.client.setData(path, dataOf(call, text), {
    ...versionFlag(call),
    signal: call.signal,
  });
  return {
    text: call.flags.has('s') ? await statText(stat) : null,
    json: { path, stat: statJson(stat) },
  };
}

export async function remove(call: Call): Promise<Answer> {
  const path = pathArgument(call);
  const [, old] = call.args;
  if (old !== undefined) {
    call.tell('A version behind the path is deprecated: put -v and the version before it.');
  }
  const version = old === undefined ? versionFlag(call) : versionArgument(old);
  await call.client.delete(path, { ...version, signal: call.signal });
  return { ...done, json: { path, deleted: 1 } };
}

const batchDefault = 1000;
const batchBytesMax = 512 * 1024;
const batchesUnderWay = 10;

export async function removeAll(call: Call): Promise<Answer> {
  const { client, signal } = call;
  const batch = call.flags.number('b', 0, 1_000_000) ?? batchDefault;
  const root = pathArgument(call);
  if (root === '/') {
    throw new CommandUsageError('the root itself cannot be deleted: name what is below it');
  }
  const paths: string[] = [];
  await walk(
    root,
    (path) => client.getChildren(path, { signal }),
    (path) => void paths.push(path),
    { signal },
  );
  // parents come before their children: from behind, leaves go first
  paths.reverse();
  const underWay = new Set<Promise<void>>();
  let deleted = 0;
  let failure: unknown = null;
  for (const group of groupsOf(paths, batch)) {
    if (failure !== null) break;
    const tx = client.transaction();
    for (const path of group) tx.delete(path);
    const sent = tx.commit({ signal }).then(
      () => {
        deleted += group.length;
        if (paths.length > group.length) call.progress(`${deleted} of ${paths.length} deleted`);
      },
      (error: unknown) => {
        failure ??= error;
      },
    );
    const tracked: Promise<void> = sent.then(() => void underWay.delete(tracked));
    underWay.add(tracked);
    if (underWay.size >= batchesUnderWay) await Promise.race(underWay);
  }
  await Promise.all(underWay);
  if (failure !== null) {
    signal.throwIfAborted();
    throw new CommandFailure(
      'Failed to delete some node(s) in the subtree!',
      [sentenceOf(failure), `${deleted} of ${paths.length} are deleted; the same again goes on`],
      { cause: failure },
    );
  }
  return { ...done, json: { path: root, deleted } };
}

function* groupsOf(paths: readonly string[], batch: number): Generator<string[]> {
  let group: string[] = [];
  let bytes = 0;
  for (const path of paths) {
    group.push(path);
    bytes += Buffer.byteLength(path) + 17;
    if (group.length >= batch || bytes >= batchBytesMax) {
      yield group;
      group = [];
      bytes = 0;
    }
  }
  if (group.length > 0) yield group;
}

export async function setAcl(call: Call): Promise<Answer> {
  const { client, signal, flags } = call;
  const path = pathArgument(call);
  const acl = aclOf(call.args[1] ?? '');
  const options = { ...versionFlag(call), signal };
  if (flags.has('R')) return await setAclBelow(call, path, acl);
  const stat = await client.setACL(path, acl, options);
  return {
    text: flags.has('s') ? await statText(stat) : null,
    json: { path, acl: acl.map(aclEntryText), stat: statJson(stat) },
  };
}

/** Those that refuse are told, and the others are changed all the same. */
async function setAclBelow(call: Call, root: string, acl: readonly Acl[]): Promise<Answer> {
  const { client, signal } = call;
  const options = { ...versionFlag(call), signal };
  if ((await client.exists(root, { signal })) === null) throw noNode(root);
  const changes: Promise<string | null>[] = [];
  await walk(
    root,
    (path) => client.getChildren(path, { signal }),
    (path) => {
      changes.push(client.setACL(path, acl, options).then(() => null, sentenceOf));
    },
    { signal },
  );
  const refusals = (await Promise.all(changes)).filter((refusal) => refusal !== null);
  const changed = changes.length - refusals.length;
  if (refusals.length > 0) {
    throw new CommandFailure(refusals.join('\n'), [`${changed} of ${changes.length} are changed`]);
  }
  return { ...done, json: { path: root, acl: acl.map(aclEntryText), changed } };
}
