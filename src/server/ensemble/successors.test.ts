import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Capability } from '../../protocol/peer/extension.js';
import { LearnerLink } from '../../zab/learner-link.js';
import { Successors, type KnownLearner } from './successors.js';

interface Traits {
  readonly priority?: number;
  readonly ackedLow?: number;
  readonly isObserver?: boolean;
  readonly isSynchronising?: boolean;
  readonly isApache?: boolean;
}

function known(sid: number, traits: Traits = {}): KnownLearner {
  const { priority = 0, ackedLow = 0, isObserver = false } = traits;
  const learner = new LearnerLink(sid * 10, { sid, isObserver, acceptedEpoch: 1 }, 0);
  learner.phase = traits.isSynchronising === true ? 'synchronised' : 'active';
  learner.ackedLow = ackedLow;
  const extension = { capabilities: Capability.handOver, priority };
  return { learner, extension: traits.isApache === true ? null : extension };
}

function successors(given: { readonly priority?: number; readonly rotationMs?: number } = {}) {
  const { priority = 0, rotationMs = 0 } = given;
  return new Successors({ sid: 2, priority, rotationMs, probationMs: 100, nowMs: 0 });
}

test('the best is the one with the greatest priority, then the longest history, then number', () => {
  const others = [known(1, { ackedLow: 5 }), known(3, { ackedLow: 4 }), known(4, { priority: 1 })];
  assert.deepEqual(successors().candidates(others), [4, 1, 3]);
  assert.deepEqual(successors().candidates([known(1), known(3)]), [3, 1]);
});

test('neither observers nor who is still synchronising; nobody beside a server of Apache', () => {
  const others = [known(1, { isObserver: true }), known(3, { isSynchronising: true }), known(4)];
  assert.deepEqual(successors().candidates(others), [4]);
  assert.deepEqual(successors().candidates([...others, known(5, { isApache: true })]), []);
});

test('a greater priority leads after its probation, an equal one never', () => {
  const plan = successors({ priority: 1 });
  const others = [known(1, { priority: 1 }), known(3, { priority: 2 })];
  assert.equal(plan.wanted(others, 0), null);
  assert.equal(plan.wanted(others, 99), null);
  assert.equal(plan.wanted(others, 100), 3);
  assert.equal(plan.wanted([known(1, { priority: 1 })], 200), null);
  assert.equal(plan.wanted(others, 300), null, 'it was away, and begins again');
});

test('leadership goes round where that is wanted', () => {
  const plan = successors({ rotationMs: 1000 });
  const others = [known(1), known(3)];
  assert.equal(plan.wanted(others, 0), null);
  assert.equal(plan.wanted(others, 999), null);
  assert.equal(plan.wanted(others, 1000), 3);
  assert.equal(plan.wanted([known(1)], 1000), 1, 'and begins again with the least');
});
