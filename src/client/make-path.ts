/**
 * A znode and the parents that it lacks. The znode alone is tried first, which is right nearly every
 * time; where a parent is missing all of them are created on the way down, in one write, and those
 * that are there by now say so.
 */
import { NoNodeError, NodeExistsError } from './errors.js';
import type { CreateOptions, Created, Data, ZkClient } from './types.js';

export async function createWithParents(
  client: ZkClient,
  path: string,
  data: Data,
  pathOptions: CreateOptions,
): Promise<Created> {
  const options = { ...pathOptions, makePath: false };
  try {
    return await client.create(path, data, options);
  } catch (error) {
    if (!(error instanceof NoNodeError)) throw error;
  }
  const { acl, signal } = options;
  const parentOptions = {
    ...(acl === undefined ? {} : { acl }),
    ...(signal === undefined ? {} : { signal }),
  };
  const parents = parentsOf(path).map((parent) =>
    client.create(parent, '', parentOptions).then(
      () => null,
      (error: unknown) => (error instanceof NodeExistsError ? null : error),
    ),
  );
  const created = client.create(path, data, options);
  created.catch(() => {
    // told below, unless there is a better reason
  });
  const problem = (await Promise.all(parents)).find((one) => one !== null);
  if (problem === undefined) return await created;
  try {
    return await created;
  } catch (error) {
    throw error instanceof NoNodeError ? problem : error;
  }
}

/** From the top down, without the root. */
function parentsOf(path: string): string[] {
  const parents: string[] = [];
  for (let at = path.indexOf('/', 1); at > 0; at = path.indexOf('/', at + 1)) {
    parents.push(path.slice(0, at));
  }
  return parents;
}
