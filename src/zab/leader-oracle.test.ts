import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommittedLog } from './committed-log.js';
import { committed, drain, follow, propose, said, settle } from './leader.fixture.js';
import { Leader } from './leader.js';
import { oracleQuorum } from './quorum.js';

/** Server 1 of two; `oracle.allows` is what the third party says now. */
function leaderOfTwo(oracle: { allows: boolean; asked: number }): Leader {
  const quorum = oracleQuorum([1, 2], 0n, () => {
    oracle.asked++;
    return oracle.allows;
  });
  return new Leader({
    sid: 1,
    tickMs: 100,
    initLimit: 10,
    syncLimit: 5,
    acceptedEpoch: 4,
    currentEpoch: 4,
    lastLogged: { high: 4, low: 9 },
    committedLog: new CommittedLog(500, () => undefined),
    quorums: () => [quorum],
    nowMs: 0,
  });
}

test('alone it waits a tick for the other, then asks until it may lead', () => {
  const oracle = { allows: false, asked: 0 };
  const leader = leaderOfTwo(oracle);
  leader.tick(50);
  assert.deepEqual(settle(leader), []);
  const before = oracle.asked;
  assert.equal(before, 0, 'too early to ask');
  leader.tick(100);
  assert.deepEqual(settle(leader), []);
  assert.notEqual(oracle.asked, before);
  oracle.allows = true;
  leader.tick(200);
  settle(leader);
  assert.equal(leader.isServing, true);
  assert.equal(leader.epoch, 5);
  propose(leader, 2);
  assert.equal(committed(settle(leader)), 2, 'its own disk is enough');
});

test('a refused server gives up when its time is over', () => {
  const leader = leaderOfTwo({ allows: false, asked: 0 });
  leader.tick(1000);
  assert.match(drain(leader).at(-1)?.stop ?? '', /no quorum in time/);
});

test('with both, nothing is committed by one alone, whatever the oracle says', () => {
  const oracle = { allows: true, asked: 0 };
  const leader = leaderOfTwo(oracle);
  follow(leader, 7, 2);
  assert.equal(leader.isServing, true);
  propose(leader, 1);
  assert.equal(committed(settle(leader)), 0);
  leader.tick(150);
  assert.equal(committed(settle(leader)), 0);
  assert.equal(oracle.asked, 0);
  leader.onAck(7, leader.epoch, 1, 150);
  assert.equal(committed(settle(leader)), 1);
});

test('the other goes: with a yes it goes on, and what waited for the other is committed', () => {
  const oracle = { allows: true, asked: 0 };
  const leader = leaderOfTwo(oracle);
  follow(leader, 7, 2);
  propose(leader, 3);
  assert.equal(committed(settle(leader)), 0);
  leader.onLinkDown(7);
  assert.equal(committed(settle(leader)), 3);
  leader.tick(400);
  assert.equal(leader.isStopped, false);
  oracle.allows = false;
  leader.tick(500);
  assert.match(drain(leader).at(-1)?.stop ?? '', /fewer than a quorum/);
});

test('the other goes: with a no the role ends at once and commits nothing', () => {
  const leader = leaderOfTwo({ allows: false, asked: 0 });
  follow(leader, 7, 2);
  propose(leader, 1);
  settle(leader);
  leader.onLinkDown(7);
  const readys = settle(leader);
  assert.equal(committed(readys), 0);
  assert.match(readys.at(-1)?.stop ?? '', /fewer than a quorum/);
});

test('the other comes back: until it is up to date the oracle counts, then its acknowledgement', () => {
  const oracle = { allows: true, asked: 0 };
  const leader = leaderOfTwo(oracle);
  leader.tick(100);
  settle(leader);
  propose(leader, 1);
  assert.equal(committed(settle(leader)), 1);
  leader.onLearnerInfo(8, { sid: 2, isObserver: false, acceptedEpoch: 4 }, 150);
  settle(leader);
  propose(leader, 1);
  assert.equal(committed(settle(leader)), 1, 'it has not even promised');
  const readys = follow(leader, 9, 2);
  assert.ok(said(readys).includes('upToDate 9'));
  propose(leader, 1);
  assert.equal(committed(settle(leader)), 0);
  leader.onAck(9, leader.epoch, 3, 200);
  assert.equal(committed(settle(leader)), 1);
});
