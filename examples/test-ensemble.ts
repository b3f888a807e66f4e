/** Three servers for your own tests: the leader dies, and the others go on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestEnsemble } from 'zabra/testing';

test('my service lives through the death of a leader', async () => {
  const zk = await TestEnsemble.start(3);
  try {
    // give zk.connectString to your client here
    assert.equal(zk.connectString.split(',').length, 3);

    const { leader } = zk;
    assert.ok(leader !== null);
    await zk.kill(leader); // as kill -9 would
    await zk.untilServing(); // the other two have elected
    assert.notEqual(zk.leader, leader);

    await zk.restart(leader); // with the data that it had
    assert.equal(zk.servers[leader - 1]?.state, 'follower');
  } finally {
    await zk.stop();
  }
});
