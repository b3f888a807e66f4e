/** A server for your own tests: in this process, on a free port, with faults at hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestServer } from 'zabra/testing';

test('my service finds its registry', async () => {
  const zk = await TestServer.start();
  try {
    // give zk.connectString to your client here
    assert.match(zk.connectString, /^127\.0\.0\.1:\d+$/);
    zk.dropConnections(); // every client is cut off, its session lives on
    assert.equal(zk.expireSession(1n), false); // true once a client has that session
  } finally {
    await zk.stop();
  }
});
