/**
 * Directories of recipes. As Curator does, they are container znodes, which the server deletes some
 * time after their last child has gone, so that a lock per order number does not fill the tree; on a
 * server without containers, and where a layout has always had persistent ones, they are persistent.
 * A container may therefore vanish between two calls: whoever gets NoNode for a child makes the
 * parents again and repeats.
 */
import {
  BadArgumentsError,
  NodeExistsError,
  NoNodeError,
  UnimplementedError,
} from '../client/errors.js';
import type { Acl, ZkClient } from '../client/types.js';
import { acrossSessions } from './patience.js';

export type ParentMode = 'container' | 'persistent';

/** Resolves when `path` has existed: it, and what is above it, was created where it was missing. */
export async function makeDirectory(
  client: ZkClient,
  path: string,
  options: { readonly mode: ParentMode; readonly acl?: readonly Acl[] | undefined },
  signal?: AbortSignal,
): Promise<void> {
  if (path === '/' || path === '') return;
  const { mode, acl } = options;
  for (;;) {
    try {
      await acrossSessions(client, signal, () =>
        client.create(path, '', { mode, ...(acl === undefined ? {} : { acl }) }),
      );
      return;
    } catch (problem) {
      if (problem instanceof NodeExistsError) return;
      // the root of a handle is not ours to create
      if (problem instanceof NoNodeError && parentOf(path) !== '/') {
        await makeDirectory(client, parentOf(path), options, signal);
      } else if (mode === 'container' && isTooOld(problem)) {
        await makeDirectory(client, path, { ...options, mode: 'persistent' }, signal);
        return;
      } else throw problem;
    }
  }
}

export function parentOf(path: string): string {
  const end = path.lastIndexOf('/');
  return end <= 0 ? '/' : path.slice(0, end);
}

/** `path` is absolute; `/` has children like any other. */
export function join(path: string, name: string): string {
  return path === '/' ? `/${name}` : `${path}/${name}`;
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function isTooOld(problem: unknown): boolean {
  return problem instanceof UnimplementedError || problem instanceof BadArgumentsError;
}
