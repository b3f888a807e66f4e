import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Ready } from './ready.js';
import { committed, drain, follow, newLeader, propose, said, settle } from './leader.fixture.js';

test('phase 3: a proposal leaves before the own flush and is committed after it and a quorum', () => {
  const leader = newLeader([1, 2, 3]);
  follow(leader, 7, 2);
  propose(leader, 2);
  const proposing = drain(leader);
  assert.deepEqual(said(proposing), ['propose 7']);
  leader.onAck(7, 5, 1, 0);
  leader.onAck(7, 5, 2, 0);
  assert.equal(committed(drain(leader)), 0, 'not on its own disk');
  leader.persisted(proposing.at(-1)?.seq ?? 0);
  const done = drain(leader);
  assert.equal(committed(done), 2);
  assert.deepEqual(said(done), ['commit 7']);
});

test('phase 3: the own flush alone commits nothing', () => {
  const leader = newLeader([1, 2, 3]);
  follow(leader, 7, 2);
  propose(leader, 1);
  assert.equal(committed(settle(leader)), 0);
  leader.onAck(7, 5, 1, 0);
  assert.equal(committed(settle(leader)), 1);
});

test('an acknowledgement ends with its connection', () => {
  const leader = newLeader([1, 2, 3, 4, 5]);
  const links = [7, 8];
  for (const link of links) {
    leader.onLearnerInfo(link, { sid: link - 5, isObserver: false, acceptedEpoch: 4 }, 0);
  }
  settle(leader);
  for (const link of links) leader.onAckEpoch(link, 4, { high: 4, low: 9 }, 0);
  settle(leader);
  for (const link of links) leader.onAck(link, leader.epoch, 0, 0);
  settle(leader);
  assert.equal(leader.isServing, true);
  const epoch = leader.epoch;
  propose(leader, 1);
  settle(leader);
  leader.onAck(7, epoch, 1, 0);
  leader.onLinkDown(7);
  leader.onAck(8, epoch, 1, 0);
  assert.equal(committed(settle(leader)), 0, 'server 2 may have cut off what it acknowledged');
});

/** What leaves for one learner, in order; commits by how many. */
const toLearner = (readys: readonly Ready[]): string[] =>
  readys.flatMap(({ messagesAfterPersist }) =>
    messagesAfterPersist.map((message) =>
      message.kind === 'commit' ? `commit ${message.to - message.from}` : message.kind,
    ),
  );

test('a learner’s sync is answered between the commits before it and those after it', () => {
  const leader = newLeader([1, 2, 3]);
  follow(leader, 7, 2);
  propose(leader, 2);
  leader.requestSyncFor(7);
  settle(leader);
  propose(leader, 3);
  leader.requestSyncFor(7);
  settle(leader);
  assert.equal(leader.pendingSyncCount, 2);
  for (let low = 1; low <= 5; low++) leader.onAck(7, 5, low, 0);
  leader.onPong(7, 0);
  leader.onPong(7, 0);
  assert.deepEqual(toLearner(settle(leader)), ['commit 2', 'synced', 'commit 3', 'synced']);
  assert.equal(leader.pendingSyncCount, 0);
});

test('acknowledgements that come in one turn let no commit overtake a sync', () => {
  const leader = newLeader([1, 2, 3]);
  follow(leader, 7, 2);
  propose(leader, 2);
  leader.requestSyncFor(7);
  settle(leader);
  propose(leader, 1);
  settle(leader);
  leader.onPong(7, 0);
  leader.onAck(7, 5, 3, 0);
  assert.deepEqual(toLearner(settle(leader)), ['commit 2', 'synced', 'commit 1']);
});

test('whoever has acknowledged what was proposed after a sync has heard the leader since', () => {
  const leader = newLeader([1, 2, 3]);
  follow(leader, 7, 2);
  leader.requestSyncFor(7);
  propose(leader, 1);
  settle(leader);
  // the echo is late
  leader.onAck(7, 5, 1, 0);
  assert.deepEqual(toLearner(settle(leader)), ['synced', 'commit 1']);
  leader.onPong(7, 0);
  assert.deepEqual(toLearner(settle(leader)), []);
});

test('a sync is answered after a quorum’s echo and what was proposed before it', () => {
  const leader = newLeader([1, 2, 3]);
  follow(leader, 7, 2);
  propose(leader, 1);
  settle(leader);
  leader.requestSync(99);
  assert.deepEqual(said(drain(leader)), ['ping 7']);
  leader.onPong(7, 0);
  assert.deepEqual(
    settle(leader).flatMap(({ results }) => results),
    [],
  );
  leader.onAck(7, 5, 1, 0);
  assert.deepEqual(
    settle(leader).flatMap(({ results }) => results),
    [{ kind: 'synced', token: 99 }],
  );
});
