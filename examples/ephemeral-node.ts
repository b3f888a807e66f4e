/**
 * A znode that lives as long as its session: somebody watches it, its data changes only from the version
 * that was read, and it is gone when its owner is.
 */
import assert from 'node:assert/strict';
import { BadVersionError, Client } from 'zabra/client';
import { TestServer } from 'zabra/testing';

const server = await TestServer.start();
const owner = await new Client(server.connectString).connect();
const watcher = await new Client(server.connectString).connect();
try {
  await owner.create('/worker', 'idle', { mode: 'ephemeral' });

  const seen: string[] = [];
  const end = new AbortController();
  const watching = (async () => {
    for await (const { type } of watcher.watch('/worker', { signal: end.signal })) {
      seen.push(type);
      if (type === 'deleted') break;
    }
  })();
  await watcher.sync('/');

  const { stat } = await owner.getData('/worker');
  await owner.setData('/worker', 'busy', { version: stat.version });
  // somebody who read the same version comes too late, and is told so
  await assert.rejects(
    watcher.setData('/worker', 'taken', { version: stat.version }),
    BadVersionError,
  );

  await owner.close(); // the session ends, and with it its znodes
  await watching;
  assert.deepEqual(seen, ['changed', 'deleted']);
  console.log('/worker:', seen.join(', '));
} finally {
  await owner.close();
  await watcher.close();
  await server.stop();
}
