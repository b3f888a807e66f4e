import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drain, said, settle } from './leader.fixture.js';
import { CommittedLog } from './committed-log.js';
import { Leader } from './leader.js';
import { hasHistory } from './promise.js';
import { majorityQuorum } from './quorum.js';

const nothing = { high: 0, low: 0 };

function leaderOf(own: { readonly hasHistory: boolean; readonly isBeginning?: boolean }): Leader {
  const quorum = majorityQuorum([1, 2, 3], 0n);
  const leader = new Leader({
    sid: 1,
    tickMs: 100,
    initLimit: 10,
    syncLimit: 5,
    acceptedEpoch: own.hasHistory ? 4 : 0,
    currentEpoch: own.hasHistory ? 4 : 0,
    lastLogged: own.hasHistory ? { high: 4, low: 9 } : nothing,
    ...own,
    committedLog: new CommittedLog(500, () => undefined),
    quorums: () => [quorum],
    nowMs: 0,
  });
  settle(leader);
  return leader;
}

/** Whether the epoch begins by it. */
function promise(leader: Leader, sid: number, currentEpoch: number, last = nothing): boolean {
  leader.onLearnerInfo(sid, { sid, isObserver: false, acceptedEpoch: 0 }, 0);
  settle(leader);
  leader.onAckEpoch(sid, currentEpoch, last, 0);
  const readys = drain(leader);
  for (const { seq, persist } of readys) if (persist !== null) leader.persisted(seq);
  return said(settle(leader)).some((line) => line.startsWith('sync'));
}

test('what tells a history from its loss', () => {
  assert.equal(hasHistory(4, nothing), true);
  assert.equal(hasHistory(0, { high: 0, low: 7 }), true, 'of a server that was alone');
  assert.equal(hasHistory(0, nothing), false);
  assert.equal(hasHistory(0, { high: 5, low: 3 }), false, 'a first synchronisation broken off');
});

test('phase 1: a server that lost its disk promises nothing that counts, unless all promise', () => {
  const leader = leaderOf({ hasHistory: true });
  assert.equal(promise(leader, 2, 0), false);
  assert.equal(promise(leader, 3, 0), true, 'nobody is left who could know more');
});

test('phase 1: one that knows what it acknowledged counts', () => {
  const leader = leaderOf({ hasHistory: true });
  assert.equal(promise(leader, 2, 4, { high: 4, low: 9 }), true);
});

test('phase 1: a promise made to another leader of the same epoch is none', () => {
  const leader = leaderOf({ hasHistory: true });
  assert.equal(promise(leader, 2, -1, { high: 4, low: 9 }), false);
});

test('phase 1: a new ensemble begins when all are there, or by the word of its operator', () => {
  const leader = leaderOf({ hasHistory: false });
  assert.equal(promise(leader, 2, 0), false);
  assert.equal(promise(leader, 3, 0), true);
  assert.equal(promise(leaderOf({ hasHistory: false, isBeginning: true }), 2, 0), true);
});
