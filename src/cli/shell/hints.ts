/**
 * What helps after a refusal: the state of the tree that led to it. Asked of the server after the
 * fact, so it may be newer than the refusal; whoever cannot be told is told nothing.
 */
import { OutcomeUnknownError } from '../../client/errors.js';
import type { ZkClient } from '../../client/types.js';
import { ErrorCode, ZkError } from '../../protocol/errors.js';
import { join, parentOf } from '../../protocol/paths.js';
import { nearest } from '../nearest.js';
import { aclEntryText } from './acl-text.js';
import { CommandFailure } from './failure.js';
import { hex } from './stat-text.js';

const patienceMs = 2000;

export async function hintsFor(
  error: unknown,
  client: ZkClient | null,
): Promise<readonly string[]> {
  if (error instanceof CommandFailure) return error.hints;
  if (error instanceof OutcomeUnknownError) {
    return ['it was sent, and no answer came: it may have happened, or may happen yet'];
  }
  if (!(error instanceof ZkError) || client?.state !== 'connected') return [];
  try {
    return await hintsOf(error, client, AbortSignal.timeout(patienceMs));
  } catch {
    // the refusal stands without them
    return [];
  }
}

async function hintsOf(
  { code, path }: ZkError,
  client: ZkClient,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (code === ErrorCode.notReadOnly) {
    return ['the server has no quorum and reads only; with one it goes on writing by itself'];
  }
  if (path === undefined || path === '') return [];
  switch (code) {
    case ErrorCode.noNode:
      return await ofMissing(path, client, signal);
    case ErrorCode.badVersion: {
      const stat = await client.exists(path, { signal });
      if (stat === null) return [`${path} is gone`];
      return [`its data is at version ${stat.version} now, its ACL at ${stat.aversion}`];
    }
    case ErrorCode.notEmpty: {
      const stat = await client.exists(path, { signal });
      const count = stat?.numChildren ?? 0;
      return [`it has ${count} ${count === 1 ? 'child' : 'children'}; deleteall deletes them, too`];
    }
    case ErrorCode.nodeExists: {
      const stat = await client.exists(path, { signal });
      if (stat === null) return ['it is gone again'];
      return stat.ephemeralOwner === client.sessionId
        ? ['this session made it; set changes its data']
        : ['set changes its data'];
    }
    case ErrorCode.noChildrenForEphemerals: {
      const parent = parentOf(path);
      const stat = await client.exists(parent, { signal });
      return stat === null ? [] : [`${parent} belongs to session ${hex(stat.ephemeralOwner)}`];
    }
    case ErrorCode.noAuth:
      return await ofForbidden(path, client, signal);
    case ErrorCode.invalidACL:
      return ['scheme:id:perms, as world:anyone:cdrwa; auth::cdrwa after addauth'];
    default:
      return [];
  }
}

/** The deepest that is there, and what beside it has nearly that name. */
async function ofMissing(
  path: string,
  client: ZkClient,
  signal: AbortSignal,
): Promise<readonly string[]> {
  let missing = path;
  while (missing !== '/') {
    const parent = parentOf(missing);
    if ((await client.exists(parent, { signal })) !== null) {
      const { children } = await client.getChildren(parent, { signal });
      const name = missing.slice(missing.lastIndexOf('/') + 1);
      const meant = nearest(name, children);
      const guess = meant === null ? '' : `; did you mean ${join(parent, meant)}?`;
      if (missing === path && guess === '') return [`${parent} is there`];
      return [`${missing} is missing, ${parent} is there${guess}`];
    }
    missing = parent;
  }
  return [];
}

async function ofForbidden(
  path: string,
  client: ZkClient,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const [acl, you] = await Promise.allSettled([
    client.getACL(path, { signal }),
    client.whoAmI({ signal }),
  ]);
  return [
    ...(acl.status === 'fulfilled'
      ? [`its ACL: ${acl.value.acl.map(aclEntryText).join(',')}`]
      : []),
    ...(you.status === 'fulfilled'
      ? [`you are ${you.value.map(({ scheme, id }) => `${scheme}:${id}`).join(', ')}`]
      : []),
  ];
}
