/**
 * Makes a plan come true: in one transaction where it fits into a request, so that it happens all or
 * not at all, and else in several, each of which is all or nothing. What was compared is what is
 * changed: a znode that somebody else changed since makes its transaction fail. ACLs of znodes that
 * exist cannot be part of a transaction; they are set last, one by one.
 */
import { OutcomeUnknownError } from '../../../client/errors.js';
import type { Acl, CreateOptions, ZkClient } from '../../../client/types.js';
import { parentOf } from '../../../protocol/paths.js';
import { CommandFailure, sentenceOf } from '../failure.js';
import type { Change, Plan } from './plan.js';

type Write = Exclude<Change, { readonly type: 'acl' }>;

/** jute.maxbuffer of the servers, unless they are told otherwise. */
export const requestBytesDefault = 0xfffff;

/** What a proposal of the same changes is longer at most, so that servers can pass it on, too. */
const marginBytes = 4096;

/** Of each transaction, where one is not enough: others want to write, too. */
const chunkBytesMax = 256 * 1024;
const chunkChangesMax = 1000;

const aclsUnderWay = 64;

export interface Steps {
  readonly chunks: readonly (readonly Write[])[];
  readonly acls: readonly (Change & { readonly type: 'acl' })[];
  readonly bytes: number;
}

export function stepsOf({ changes }: Plan, rootBytes: number, requestBytes: number): Steps {
  const writes = changes.filter((change) => change.type !== 'acl');
  const acls = changes.filter((change) => change.type === 'acl');
  const sizes = writes.map((write) => bytesOf(write, rootBytes));
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  const max = requestBytes - marginBytes;
  if (bytes <= max) return { chunks: writes.length === 0 ? [] : [writes], acls, bytes };
  const chunks: Write[][] = [];
  let room = 0;
  for (const [index, write] of writes.entries()) {
    const size = sizes[index] ?? 0;
    if (size > max) {
      throw new CommandFailure(`${write.path} with its data is longer than a request may be`, [
        `jute.maxbuffer is ${requestBytes} bytes here; --max-bytes tells another`,
      ]);
    }
    const chunk = chunks.at(-1);
    if (chunk === undefined || size > room || chunk.length >= chunkChangesMax) {
      chunks.push([write]);
      room = Math.min(chunkBytesMax, max) - size;
    } else {
      chunk.push(write);
      room -= size;
    }
  }
  return { chunks, acls, bytes };
}

/** In a request, with all that goes around it. */
function bytesOf(write: Write, rootBytes: number): number {
  const path = 9 + 4 + rootBytes + Buffer.byteLength(write.path);
  switch (write.type) {
    case 'create':
      return path + 4 + write.node.data.length + aclBytes(write.node.acl) + 12;
    case 'data':
      return path + 4 + write.to.length + 4;
    case 'delete':
      return path + 4;
  }
}

function aclBytes(acl: readonly Acl[]): number {
  const entries = acl.map(
    ({ scheme, id }) => 12 + Buffer.byteLength(scheme) + Buffer.byteLength(id),
  );
  return 4 + entries.reduce((sum, size) => sum + size, 0);
}

export interface ApplyOptions {
  readonly signal: AbortSignal;
  readonly progress: (line: string) => void;
}

/** Rejects with what happened, how far it came, and how to go on. */
export async function applySteps(
  client: ZkClient,
  root: string,
  steps: Steps,
  { signal, progress }: ApplyOptions,
): Promise<void> {
  const { chunks, acls } = steps;
  const total = chunks.reduce((sum, chunk) => sum + chunk.length, acls.length);
  let made = 0;
  const makes = (count: number): void => {
    made += count;
    if (chunks.length > 1) progress(`${made} of ${total} changes are made`);
  };
  try {
    if (chunks[0]?.[0]?.path === root) await makeParents(client, root, signal);
    for (const chunk of chunks) {
      await commit(client, chunk, signal);
      makes(chunk.length);
    }
    for (let at = 0; at < acls.length; at += aclsUnderWay) {
      const some = acls.slice(at, at + aclsUnderWay);
      const set = await Promise.allSettled(
        some.map(({ path, to, version }) => client.setACL(path, to, { version, signal })),
      );
      makes(set.filter(({ status }) => status === 'fulfilled').length);
      const refused = set.find((one) => one.status === 'rejected');
      if (refused !== undefined) throw refused.reason as Error;
    }
  } catch (error) {
    const reason = signal.aborted ? 'stopped' : sentenceOf(error);
    throw new CommandFailure(reason, [hintAfter(error, made, total)], { cause: error });
  }
}

function hintAfter(error: unknown, made: number, total: number): string {
  if (made > 0) {
    return `${made} of ${total} changes are made; the same again goes on where this one stopped`;
  }
  return error instanceof OutcomeUnknownError
    ? 'no answer came: it is not known whether it happened; the same again compares anew'
    : 'nothing is changed';
}

async function makeParents(client: ZkClient, root: string, signal: AbortSignal): Promise<void> {
  const parent = parentOf(root);
  if (parent === '/' || (await client.exists(parent, { signal })) !== null) return;
  await client.create(parent, '', { makePath: true, signal });
}

async function commit(
  client: ZkClient,
  chunk: readonly Write[],
  signal: AbortSignal,
): Promise<void> {
  const tx = client.transaction();
  for (const write of chunk) {
    if (write.type === 'create') tx.create(write.path, write.node.data, optionsOf(write));
    else if (write.type === 'data') tx.setData(write.path, write.to, { version: write.version });
    else tx.delete(write.path, { version: write.version });
  }
  await tx.commit({ signal });
}

function optionsOf({
  node,
}: Write & { readonly type: 'create' }): Pick<CreateOptions, 'mode' | 'acl' | 'ttlMs'> {
  const { acl, kind, ttlMs } = node;
  if (kind === 'ttl') return { acl, mode: 'persistent-ttl', ttlMs };
  return { acl, mode: kind };
}
