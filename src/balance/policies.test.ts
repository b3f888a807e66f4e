import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hash32 } from './hash.js';
import { createPolicy, policyNames } from './policies.js';
import { ConsistentHash } from './policies/consistent-hash.js';
import { LeastConnections } from './policies/least-connections.js';
import { P2cEwma } from './policies/p2c-ewma.js';
import { RandomPolicy } from './policies/random.js';
import { RoundRobin } from './policies/round-robin.js';
import { WeightedRoundRobin } from './policies/weighted-round-robin.js';
import type { Policy } from './policy.js';
import { dice, requestOf, targetsOf } from './targets.fixture.js';
import type { Target } from './target.js';

const weights = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 12 });

function countsOf(policy: Policy, targets: readonly Target[], picks: number): number[] {
  const random = dice(7);
  const counts = new Map(targets.map((target) => [target, 0]));
  for (let i = 0; i < picks; i++) {
    const target = policy.pick(requestOf({ random }));
    assert.ok(target !== null);
    counts.set(target, (counts.get(target) ?? 0) + 1);
  }
  return [...counts.values()];
}

for (const name of policyNames) {
  test(`${name}: nothing to choose from gives nothing`, () => {
    const policy = createPolicy(name);
    assert.equal(policy.pick(requestOf()), null);
    policy.update([]);
    assert.equal(policy.pick(requestOf()), null);
  });

  test(`${name}: never an excluded one, and one as long as there is any`, () => {
    fc.assert(
      fc.property(weights, fc.infiniteStream(fc.boolean()), fc.nat(), (list, coins, seed) => {
        const targets = targetsOf(list);
        const policy = createPolicy(name);
        policy.update(targets);
        const excluded = new Set(targets.filter(() => coins.next().value));
        const random = dice(seed);
        for (let i = 0; i < 20; i++) {
          const target = policy.pick(requestOf({ excluded, random }));
          if (excluded.size === targets.length) assert.equal(target, null);
          else assert.ok(target !== null && !excluded.has(target));
        }
      }),
    );
  });
}

test('smooth weighted round robin: over any cycle each has exactly its share', () => {
  fc.assert(
    fc.property(weights, fc.integer({ min: 1, max: 4 }), (list, cycles) => {
      const policy = new WeightedRoundRobin();
      const targets = targetsOf(list);
      policy.update(targets);
      const cycle = list.reduce((sum, weight) => sum + weight, 0);
      for (let i = 0; i < cycles; i++) assert.deepEqual(countsOf(policy, targets, cycle), list);
    }),
  );
});

test('smooth weighted round robin spreads the turns of a heavy one', () => {
  const policy = new WeightedRoundRobin();
  policy.update(targetsOf([5, 1, 1]));
  const turns = Array.from({ length: 7 }, () => policy.pick(requestOf())?.id.at(-1));
  assert.equal(turns.join(''), '0010200');
});

test('weighted round robin keeps its place when others come and go', () => {
  const policy = new WeightedRoundRobin();
  const targets = targetsOf([1, 1, 1]);
  policy.update(targets);
  const first = policy.pick(requestOf());
  policy.update(targets.slice());
  assert.notEqual(policy.pick(requestOf()), first);
});

test('round robin: each in turn, whoever begins', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.nat(), (count, seed) => {
      const policy = new RoundRobin();
      const targets = targetsOf(new Array<number>(count).fill(3));
      policy.update(targets);
      const first = policy.pick(requestOf({ random: dice(seed) }));
      const at = targets.indexOf(first!);
      for (let i = 1; i <= 2 * count; i++) {
        assert.equal(policy.pick(requestOf()), targets[(at + i) % count]);
      }
    }),
  );
});

test('round robin goes on with the next one when the list changes', () => {
  const policy = new RoundRobin();
  const targets = targetsOf([1, 1, 1, 1]);
  policy.update(targets);
  const at = targets.indexOf(policy.pick(requestOf())!);
  const next = targets[(at + 1) % 4]!;
  policy.update(targets.filter((_, index) => index !== at));
  assert.equal(policy.pick(requestOf()), next);
});

test('random: shares come out in proportion', () => {
  const policy = new RandomPolicy();
  const targets = targetsOf([1, 2, 7]);
  policy.update(targets);
  const [one = 0, two = 0, seven = 0] = countsOf(policy, targets, 20_000);
  assert.ok(Math.abs(one / 20_000 - 0.1) < 0.01);
  assert.ok(Math.abs(two / 20_000 - 0.2) < 0.015);
  assert.ok(Math.abs(seven / 20_000 - 0.7) < 0.015);
});

test('least connections is the least of all, whatever starts and ends', () => {
  const events = fc.array(fc.nat({ max: 99 }), { maxLength: 200 });
  fc.assert(
    fc.property(weights, events, (list, steps) => {
      const policy = new LeastConnections();
      const targets = targetsOf(list);
      policy.update(targets);
      const running: Target[] = [];
      const load = (target: Target): number => target.pending / target.share;
      for (const step of steps) {
        if (step < 60 || running.length === 0) {
          const target = policy.pick(requestOf())!;
          const least = Math.min(...targets.map(load));
          assert.ok(load(target) <= least * (1 + 1e-12));
          target.pending++;
          policy.onLoad(target);
          running.push(target);
        } else {
          const [target] = running.splice(step % running.length, 1);
          target!.pending--;
          policy.onLoad(target!);
        }
      }
    }),
  );
});

test('least connections serves an idle set in turn', () => {
  const policy = new LeastConnections();
  const targets = targetsOf([1, 1, 1, 1]);
  policy.update(targets);
  assert.deepEqual(countsOf(policy, targets, 40), [10, 10, 10, 10]);
});

test('least connections serves an idle set by weight, and a newcomer catches nothing up', () => {
  const policy = new LeastConnections();
  const targets = targetsOf([1, 2, 5]);
  policy.update(targets.slice(0, 2));
  countsOf(policy, targets.slice(0, 2), 300);
  policy.update(targets);
  for (const [index, count] of countsOf(policy, targets, 800).entries()) {
    assert.ok(Math.abs(count - 100 * targets[index]!.weight) <= 6, `${index}: ${count}`);
  }
});

test('p2c by peak EWMA avoids the slow one, and tries it again when its peak is forgotten', () => {
  const policy = new P2cEwma();
  const targets = targetsOf([1, 1, 1]);
  for (const [index, target] of targets.entries()) {
    target.latency.observe(index === 0 ? 500 : 5, 0);
  }
  policy.update(targets);
  const [slow = 0, ...others] = countsOf(policy, targets, 3_000);
  assert.equal(slow, 0); // two of three are drawn: the slow one is never the better of two
  assert.ok(others.every((count) => count > 1_000));
  assert.ok(targets[0]!.latency.costMs(60_000) < 2);
});

test('p2c sends an idle set its shares', () => {
  const policy = new P2cEwma();
  const targets = targetsOf([1, 3]);
  policy.update(targets);
  const [one = 0, three = 0] = countsOf(policy, targets, 8_000);
  assert.ok(three / one > 2, `${three} to ${one}`);
});

const ids = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), {
  minLength: 2,
  maxLength: 12,
});
const keys = Array.from({ length: 500 }, (_, i) => hash32(`key ${i}`));

function ringOf(targets: readonly Target[]): (key: number) => string {
  const policy = new ConsistentHash();
  policy.update([...targets].sort((a, b) => (a.id < b.id ? -1 : 1)));
  return (key) => policy.pick(requestOf({ keyHash: key }))!.id;
}

test('consistent hash: when one goes only its keys move, when it comes they come back', () => {
  fc.assert(
    fc.property(ids, (names) => {
      const targets = names.map((id) => Object.assign(targetsOf([1])[0]!, { id }));
      const all = ringOf(targets);
      const less = ringOf(targets.slice(1));
      for (const key of keys) {
        if (all(key) === targets[0]!.id) assert.notEqual(less(key), targets[0]!.id);
        else assert.equal(less(key), all(key));
      }
    }),
    { numRuns: 40 },
  );
});

test('consistent hash: a ring of the heaviest there may be is made all the same', () => {
  const place = ringOf(targetsOf([1, 1e6, 1e6]));
  const ids = new Set(keys.map(place));
  assert.deepEqual([...ids].sort(), ['t001', 't002']);
});

test('consistent hash: keys are spread by weight', () => {
  const targets = targetsOf([1, 1, 2, 4]);
  const place = ringOf(targets);
  const counts = new Map<string, number>();
  for (let i = 0; i < 20_000; i++) {
    const id = place(hash32(`object ${i}`));
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  for (const { id, weight } of targets) {
    const part = (counts.get(id) ?? 0) / 20_000 / (weight / 8);
    assert.ok(part > 0.75 && part < 1.25, `${id} has ${part} of its part`);
  }
});

test('consistent hash with bounded loads: none has more than its part times the factor', () => {
  fc.assert(
    fc.property(weights, fc.integer({ min: 1, max: 60 }), (list, requests) => {
      const loadFactor = 1.25;
      const policy = new ConsistentHash({ loadFactor });
      const targets = targetsOf(list);
      policy.update(targets);
      const total = list.reduce((sum, weight) => sum + weight, 0);
      for (let i = 1; i <= requests; i++) {
        const target = policy.pick(requestOf({ keyHash: hash32('one hot key') }))!;
        target.pending++;
        policy.onLoad(target, 1);
        for (const { pending, weight } of targets) {
          assert.ok(pending <= Math.ceil((loadFactor * i * weight) / total));
        }
      }
    }),
  );
});
