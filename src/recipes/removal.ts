/**
 * Deletion that is certain to happen. A recipe that gives something back (or gives up waiting for it)
 * while there is no connection must not leave its znode behind: as long as the session lives, everyone
 * else would wait for it. So deleting goes on, in the background if nobody waits for it, until the
 * znode is gone or the session that owns it is: then the servers delete it.
 *
 * Only for names that are nobody else's (they hold a UUID): a second delete of such a name can harm
 * nobody.
 */
import { NoNodeError, SessionExpiredError } from '../client/errors.js';
import type { ZkClient } from '../client/types.js';
import { join } from './parents.js';
import { isSessionOver, patiently } from './patience.js';

/** Resolves when the ephemeral znode is gone or its session is over. */
export async function removeForSure(
  client: ZkClient,
  path: string,
  sessionId: bigint,
): Promise<void> {
  await untilOver(client, sessionId, async () => {
    await client.delete(path);
  });
}

/**
 * As `removeForSure`, for a znode that may or may not have been created: it is known by how its name
 * begins. After `sync` whatever was created before the last connection was lost is seen.
 */
export async function removeUnsure(
  client: ZkClient,
  directory: string,
  prefix: string,
  sessionId: bigint,
): Promise<void> {
  await untilOver(client, sessionId, async () => {
    const names = await findByPrefix(client, directory, prefix);
    await Promise.all(names.map((name) => removeForSure(client, join(directory, name), sessionId)));
  });
}

/** What was created under a name that begins so, by a call whose answer did not come. */
export async function findByPrefix(
  client: ZkClient,
  directory: string,
  prefix: string,
): Promise<string[]> {
  // another server may not have heard yet what the last one did for us
  await client.sync(directory);
  const { children } = await client.getChildren(directory);
  return children.filter((child) => child.startsWith(prefix));
}

async function untilOver(
  client: ZkClient,
  sessionId: bigint,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await patiently(client, undefined, async () => {
      if (!isSessionOver(client, sessionId)) await work();
    });
  } catch (problem) {
    if (problem instanceof NoNodeError || problem instanceof SessionExpiredError) return;
    // a closed client has ended its session, or left it to somebody who knows what is in it
    if (client.state === 'closed') return;
    throw problem;
  }
}
