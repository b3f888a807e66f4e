import assert from 'node:assert/strict';
import { test } from 'node:test';
import { notificationVersion, type Notification } from '../protocol/peer/notification.js';
import type { ElectionOutcome } from './election-options.js';
import { Mandate } from './mandate.js';

const vote = { leader: 1n, zxid: 7n, peerEpoch: 1n, electionEpoch: 4n };
const led: ElectionOutcome = { role: 'leading', leader: 1, vote };
const joined: ElectionOutcome = { role: 'following', leader: 3, vote: { ...vote, leader: 3n } };
const isQuorum = (sids: ReadonlySet<number>): boolean => sids.size >= 2;

function looking(electionEpoch: bigint): Notification {
  return {
    ...vote,
    leader: 2n,
    electionEpoch,
    state: 'looking',
    version: notificationVersion,
    config: '',
  };
}

test('a leader is deserted once no quorum is left of those who are for it', () => {
  const mandate = new Mandate();
  mandate.begin([1, 2, 3]);
  mandate.onLooking(2, looking(5n), led, isQuorum);
  assert.equal(mandate.isDeserted, false);
  mandate.onLooking(3, looking(5n), led, isQuorum);
  assert.equal(mandate.isDeserted, true);
});

test('of those who were never for it, and of earlier rounds, a leader hears nothing new', () => {
  const mandate = new Mandate();
  mandate.begin([1, 2]);
  mandate.onLooking(3, looking(5n), led, isQuorum);
  mandate.onLooking(2, looking(3n), led, isQuorum);
  assert.equal(mandate.isDeserted, false);
});

test('whoever is gone counts when the next looks for a leader, and not before', () => {
  const mandate = new Mandate();
  mandate.begin([1, 2]);
  mandate.withdraw(2);
  assert.equal(mandate.isDeserted, false);
  mandate.onLooking(3, looking(3n), led, isQuorum);
  assert.equal(mandate.isDeserted, true);
});

test('whoever joins a leader is left by that leader alone, until another is decided on', () => {
  const mandate = new Mandate();
  mandate.begin([1, 2, 3]);
  mandate.onLooking(2, looking(5n), joined, isQuorum);
  assert.equal(mandate.isDeserted, false);
  mandate.onLooking(3, looking(5n), joined, isQuorum);
  assert.equal(mandate.isDeserted, true);
  mandate.end();
  assert.equal(mandate.isDeserted, false);
});
