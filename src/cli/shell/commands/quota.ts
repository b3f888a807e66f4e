/**
 * Quotas: setquota, listquota, delquota. A quota is two znodes below /zookeeper/quota and the path
 * that it is for; the servers keep the second up to date. No path may have one where a path above or
 * below it has one.
 */
import { pathArgument } from './arguments.js';
import { done, type Answer, type Call } from '../command.js';
import { CommandFailure, CommandUsageError } from '../failure.js';
import {
  limitsNode,
  noQuota,
  quotaJson,
  quotaRoot,
  quotaText,
  readQuota,
  statsNode,
  type Quota,
} from '../quota-text.js';
import { walk } from '../subtree.js';
import { ErrorCode, ZkError } from '../../../protocol/errors.js';
import { parentOf } from '../../../protocol/paths.js';
import type { ZkClient } from '../../../client/types.js';

/** The flags, and what each limits. */
const kinds = [
  { flag: 'n', key: 'count', least: 1n, name: 'num' },
  { flag: 'b', key: 'bytes', least: 0n, name: 'bytes' },
  { flag: 'N', key: 'countHardLimit', least: 1n, name: 'num' },
  { flag: 'B', key: 'byteHardLimit', least: 0n, name: 'bytes' },
] as const;

type Key = (typeof kinds)[number]['key'];

export async function setQuota(call: Call): Promise<Answer> {
  const { client, signal } = call;
  const limit = limitOf(call);
  const path = quotaPathArgument(call);
  if (path === quotaRoot || path.startsWith(`${quotaRoot}/`)) {
    throw new CommandUsageError(`cannot set a quota under the path: ${quotaRoot}`);
  }
  if ((await client.exists(path, { signal })) === null) {
    throw new CommandFailure(`${path} does not exist.`);
  }
  await refuseNested(call, path);
  const place = `${quotaRoot}${path}`;
  const old = await dataAt(client, `${place}/${limitsNode}`, signal);
  const quota = { ...(old === null ? noQuota : readQuota(old)), ...limit };
  if (old === null) {
    await createParents(client, place, signal);
    await client
      .transaction()
      .create(`${place}/${limitsNode}`, quotaText(quota))
      .create(`${place}/${statsNode}`, quotaText({ count: 0n, bytes: 0n }))
      .commit({ signal });
  } else {
    await client.setData(`${place}/${limitsNode}`, quotaText(quota), { signal });
  }
  const used = readQuota((await dataAt(client, `${place}/${statsNode}`, signal)) ?? '');
  for (const warning of warningsOf(quota, used)) call.tell(warning);
  return { ...done, json: { path, quota: quotaJson(quota), used: quotaJson(used) } };
}

/** Every path has its place but the root, whose quota would have no name. */
function quotaPathArgument(call: Call): string {
  const path = pathArgument(call);
  if (path === '/') throw new CommandUsageError('the root cannot have a quota');
  return path;
}

function limitOf({ flags }: Call): Partial<Record<Key, bigint>> {
  const given = kinds.filter(({ flag }) => flags.has(flag));
  const [kind] = given;
  if (kind === undefined || given.length > 1) {
    throw new CommandUsageError('one of -n, -b, -N and -B is needed, and not more');
  }
  const text = flags.text(kind.flag) ?? '';
  if (!/^-?\d+$/.test(text)) throw new CommandUsageError(`'${text}' is not a number`);
  const value = BigInt(text);
  if (value < kind.least) {
    const bound = kind.least === 0n ? 'greater than or equal to zero' : 'greater than zero';
    throw new CommandUsageError(`the ${kind.name} quota must be ${bound}`);
  }
  return { [kind.key]: value };
}

async function refuseNested({ client, signal }: Call, path: string): Promise<void> {
  const place = `${quotaRoot}${path}`;
  try {
    await walk(
      place,
      (at) => client.getChildren(at, { signal }),
      (at, { children }) => {
        if (at === place || !children.includes(limitsNode)) return;
        const below = at.slice(quotaRoot.length);
        throw new CommandFailure(`${path} has a child ${below} which has a quota`);
      },
      { signal },
    );
  } catch (error) {
    if (!isNoNode(error)) throw error;
  }
  for (let above = parentOf(path); above !== '/'; above = parentOf(above)) {
    if ((await client.exists(`${quotaRoot}${above}/${limitsNode}`, { signal })) === null) continue;
    throw new CommandFailure(`${path} has a parent ${above} which has a quota`);
  }
}

async function createParents(client: ZkClient, place: string, signal: AbortSignal): Promise<void> {
  try {
    await client.create(place, '', { makePath: true, signal });
  } catch (error) {
    if (!(error instanceof ZkError) || error.code !== ErrorCode.nodeExists) throw error;
  }
}

async function dataAt(client: ZkClient, path: string, signal: AbortSignal): Promise<string | null> {
  try {
    const { data } = await client.getData(path, { signal });
    return data.toString('utf8');
  } catch (error) {
    if (isNoNode(error)) return null;
    throw error;
  }
}

function warningsOf(quota: Quota, used: Quota): string[] {
  const isOver = (limit: bigint | undefined, value: bigint): boolean =>
    limit !== undefined && limit > -1n && limit < value;
  const warnings: string[] = [];
  if (isOver(quota.count, used.count) || isOver(quota.countHardLimit, used.count)) {
    warnings.push(
      `[Warning]: the count quota you create is less than the existing count:${used.count}`,
    );
  }
  if (isOver(quota.bytes, used.bytes) || isOver(quota.byteHardLimit, used.bytes)) {
    warnings.push(
      `[Warning]: the bytes quota you create is less than the existing bytes:${used.bytes}`,
    );
  }
  return warnings;
}

export async function listQuota(call: Call): Promise<Answer> {
  const { client, signal } = call;
  const path = quotaPathArgument(call);
  const place = `${quotaRoot}${path}`;
  if (!call.isJson) call.tell(`absolute path is ${place}/${limitsNode}`);
  const [limits, stats] = await Promise.all([
    dataAt(client, `${place}/${limitsNode}`, signal),
    dataAt(client, `${place}/${statsNode}`, signal),
  ]);
  if (limits === null || stats === null) {
    throw new CommandFailure(`quota for ${path} does not exist.`);
  }
  const [quota, used] = [readQuota(limits), readQuota(stats)];
  return {
    text: `Output quota for ${path} ${quotaText(quota)}\nOutput stat for ${path} ${quotaText(used)}`,
    json: { path, quota: quotaJson(quota), used: quotaJson(used) },
  };
}

export async function delQuota(call: Call): Promise<Answer> {
  const { client, signal, flags } = call;
  const path = quotaPathArgument(call);
  const place = `${quotaRoot}${path}`;
  const limits = await dataAt(client, `${place}/${limitsNode}`, signal);
  if (limits === null) throw new CommandFailure(`Quota does not exist for ${path}`);
  const given = kinds.filter(({ flag }) => flags.has(flag));
  if (given.length > 1) throw new CommandUsageError('of -n, -b, -N and -B, one at most');
  const [kind] = given;
  if (kind !== undefined) {
    const quota = { ...readQuota(limits), [kind.key]: -1n };
    await client.setData(`${place}/${limitsNode}`, quotaText(quota), { signal });
    return { ...done, json: { path, quota: quotaJson(quota) } };
  }
  const { children } = await client.getChildren(place, { signal });
  const tx = client.transaction();
  for (const name of children) tx.delete(`${place}/${name}`);
  await tx.commit({ signal });
  await removeEmpty(client, place, signal);
  return { ...done, json: { path, quota: null } };
}

/** What held nothing but this quota goes with it. */
async function removeEmpty(client: ZkClient, place: string, signal: AbortSignal): Promise<void> {
  for (let at = place; at !== quotaRoot; at = parentOf(at)) {
    try {
      await client.delete(at, { signal });
    } catch (error) {
      if (error instanceof ZkError && error.code === ErrorCode.notEmpty) return;
      throw error;
    }
  }
}

function isNoNode(error: unknown): boolean {
  return error instanceof ZkError && error.code === ErrorCode.noNode;
}
