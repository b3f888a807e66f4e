import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LatencyHistogram } from './latency-histogram.js';
import { LoadBand, loadBandDefaults } from './load-band.js';
import { policyNames } from './policies.js';
import { priorityLoad } from './priority-load.js';
import { TargetPool, type TargetPoolOptions } from './target-pool.js';
import { dice } from './targets.fixture.js';
import type { TargetSpec } from './target.js';

function poolOf(specs: readonly TargetSpec[], options: Partial<TargetPoolOptions> = {}) {
  const pool = new TargetPool({ policy: 'round-robin', random: dice(3), ...options });
  pool.update(specs, 0);
  return pool;
}

function specsOf(count: number, weight = 1): TargetSpec[] {
  return Array.from({ length: count }, (_, index) => ({ id: `s${index}`, weight }));
}

/** Ends requests to `id` with errors until it is out, or cannot be. */
function breakTarget(pool: TargetPool, id: string, nowMs = 0): void {
  const target = pool.target(id)!;
  for (let i = 0; i < 5; i++) {
    pool.start(target);
    pool.finish(target, nowMs, 1, 'failure');
  }
}

function countsOf(pool: TargetPool, picks: number, nowMs = 0): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i < picks; i++) {
    const id = pool.pick(nowMs)?.id ?? 'none';
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
}

for (const policy of policyNames) {
  test(`${policy} never picks one that is ejected or sick, unless in panic`, () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.array(fc.nat({ max: 3 }), { minLength: 12, maxLength: 12 }),
        (count, fates) => {
          const pool = poolOf(specsOf(count), { policy });
          for (let i = 0; i < count; i++) {
            const fate = fates[i];
            if (fate === 0) breakTarget(pool, `s${i}`);
            if (fate === 1) pool.setHealth(`s${i}`, false, 0);
          }
          const { targets, isPanicking } = pool.status(0);
          const fit = targets.filter(({ isEjected, isHealthy }) => isHealthy && !isEjected);
          assert.equal(isPanicking, fit.length * 2 < count);
          for (let i = 0; i < 20; i++) {
            const picked = pool.pick(0, { key: `k${i}` });
            assert.ok(picked !== null);
            if (!isPanicking) assert.ok(fit.some(({ id }) => id === picked.id));
          }
        },
      ),
      { numRuns: 60 },
    );
  });
}

test('in panic all are used; without a threshold the last healthy one carries everything', () => {
  const sick = (pool: TargetPool) => {
    for (const id of ['s0', 's1', 's2']) pool.setHealth(id, false, 0);
    return pool;
  };
  assert.equal(countsOf(sick(poolOf(specsOf(4))), 40).size, 4);
  const bold = sick(poolOf(specsOf(4), { panicThresholdPercent: 0 }));
  assert.deepEqual([...countsOf(bold, 40)], [['s3', 40]]);
});

test('an ejected one comes back when its time is over', () => {
  const story: string[] = [];
  const pool = poolOf(specsOf(3), {
    onEjection: (id, reason) => story.push(`${id} ${reason ?? 'back'}`),
  });
  pool.pick(0);
  breakTarget(pool, 's1', 100);
  assert.equal(countsOf(pool, 30, 200).has('s1'), false);
  assert.equal(countsOf(pool, 30, 30_100).get('s1'), 10);
  assert.deepEqual(story, ['s1 consecutive-errors', 's1 back']);
});

test('weight 0 drains: nothing new goes there, and it counts in no panic', () => {
  const pool = poolOf([...specsOf(2), { id: 'gone', weight: 0 }]);
  assert.deepEqual([...countsOf(pool, 20).keys()].sort(), ['s0', 's1']);
  pool.update([{ id: 'gone', weight: 0 }], 1);
  assert.equal(pool.pick(1), null);
});

test('a newcomer starts slowly, and its share only rises', () => {
  const pool = poolOf(specsOf(3), {
    policy: 'weighted-round-robin',
    slowStart: { windowMs: 1000 },
  });
  assert.equal(countsOf(pool, 30).get('s0'), 10);
  pool.update(specsOf(4), 100);
  let before = 0;
  for (let now = 100; now <= 1200; now += 20) {
    const share = pool.status(now).targets.find(({ id }) => id === 's3')!.share;
    assert.ok(share >= before && share >= 0.1);
    before = share;
  }
  assert.equal(before, 1);
});

test('the next priority gets what the first cannot take', () => {
  const specs = Array.from({ length: 20 }, (_, index) => ({
    ...{ id: `s${String(index).padStart(2, '0')}`, weight: 1 },
    priority: index < 10 ? 0 : 1,
  }));
  const pool = poolOf(specs, { policy: 'random' });
  const second = (): number =>
    [...countsOf(pool, 4000)].reduce((sum, [id, n]) => sum + (id >= 's10' ? n : 0), 0) / 4000;
  assert.equal(second(), 0);
  for (let i = 0; i < 5; i++) pool.setHealth(`s0${i}`, false, 0);
  assert.ok(Math.abs(second() - 0.3) < 0.03); // 5 of 10, times 1.4, is 70 percent
  for (let i = 5; i < 10; i++) pool.setHealth(`s0${i}`, false, 0);
  assert.equal(second(), 1);
});

test('percents of levels are 100 in sum, and a whole first level takes all', () => {
  const level = fc
    .record({ total: fc.nat({ max: 20 }), part: fc.double({ min: 0, max: 1, noNaN: true }) })
    .map(({ total, part }) => ({ total, available: Math.round(total * part) }));
  fc.assert(
    fc.property(fc.array(level, { minLength: 1, maxLength: 5 }), (levels) => {
      const { percents } = priorityLoad(levels);
      const sum = percents.reduce((all, percent) => all + percent, 0);
      if (levels.some(({ total }) => total > 0)) assert.ok(Math.abs(sum - 100) < 1e-6);
      const [first] = levels;
      if (first!.total > 0 && first!.available === first!.total) assert.equal(percents[0], 100);
    }),
  );
});

test('subsets of peers: each uses few, all are used alike', () => {
  const peers = 10;
  const counts = new Map<string, number>();
  for (let index = 0; index < peers; index++) {
    const pool = poolOf(specsOf(40), { policy: 'weighted-round-robin', subset: {} });
    pool.setPosition({ index, count: peers });
    const own = countsOf(pool, 4000);
    assert.ok(own.size <= 5, `${own.size} of 40 are used by one`);
    for (const [id, count] of own) counts.set(id, (counts.get(id) ?? 0) + count);
  }
  const loads = [...counts.values()];
  assert.equal(loads.length, 40);
  assert.ok(Math.max(...loads) / Math.min(...loads) < 1.02);
});

test('a subset whose targets are sick grows until it has enough that are not', () => {
  const pool = poolOf(specsOf(40), { subset: {} });
  pool.setPosition({ index: 0, count: 20 });
  for (const { id, isChosen } of pool.status(0).targets) if (isChosen) pool.setHealth(id, false, 0);
  const { size, targets } = pool.status(0);
  assert.ok(size >= 2);
  assert.ok(targets.every(({ isChosen, isHealthy }) => !isChosen || isHealthy));
});

test('the load band widens under load and narrows when it is gone', () => {
  const band = new LoadBand(loadBandDefaults);
  let now = 0;
  for (let i = 0; i < 30; i++) band.look(5 * band.wanted, band.wanted, 20, (now += 500));
  assert.ok(band.wanted > 10);
  for (let i = 0; i < 100; i++) band.look(0, band.wanted, 20, (now += 500));
  assert.equal(band.wanted, 2);
});

test('what is known about a target stays while it stays', () => {
  const pool = poolOf(specsOf(2));
  const before = pool.target('s0')!;
  pool.start(before);
  pool.update(specsOf(3, 5), 10);
  assert.equal(pool.target('s0'), before);
  assert.equal(before.weight, 5);
  pool.update([{ id: 's2', weight: 1 }], 20);
  pool.finish(before, 30, 1, 'failure'); // it has gone: nothing to eject
  assert.equal(pool.target('s0'), null);
  assert.equal(pool.size, 1);
});

test('quantiles are right to a fifth, and old latencies fade', () => {
  const histogram = new LatencyHistogram(1000);
  assert.equal(histogram.quantileMs(0.95), null);
  for (let i = 1; i <= 100; i++) histogram.observe(i, 0);
  const p95 = histogram.quantileMs(0.95)!;
  assert.ok(p95 >= 95 && p95 <= 95 * 1.2);
  for (let i = 0; i < 100; i++) histogram.observe(1, 20_000);
  assert.ok(histogram.quantileMs(0.95)! < 1.3);
});

test('who sleeps gets nothing, and a part of the weight gets that part', () => {
  const pool = poolOf(specsOf(4), { policy: 'weighted-round-robin' });
  pool.setParts(
    new Map([
      ['s1', 1],
      ['s3', 0.5],
    ]),
  );
  assert.deepEqual([...countsOf(pool, 30)].sort(), [
    ['s1', 20],
    ['s3', 10],
  ]);
  pool.setParts(null);
  assert.equal(countsOf(pool, 40).size, 4);
});

test('a level whose fit ones all sleep leaves it to the next, and its sleepers are no failures', () => {
  const pool = poolOf([
    { id: 'a', weight: 1 },
    { id: 'b', weight: 1 },
    { id: 'c', weight: 1, priority: 1 },
  ]);
  pool.setParts(new Map([['a', 1]]));
  assert.deepEqual([...countsOf(pool, 20)], [['a', 20]]); // b sleeps: c need not help
  pool.setParts(new Map([['c', 1]]));
  assert.deepEqual([...countsOf(pool, 20)], [['c', 20]]);
});

test('what is near in one view is far in the other, and loads are the same in both', () => {
  const pool = poolOf(specsOf(4), {
    policy: 'least-connections',
    priorityIn: ({ id }, view) => (id < 's2' === (view === 'east') ? 0 : 1),
  });
  const picks = (view: string): string[] => {
    const ids = Array.from({ length: 8 }, () => {
      const target = pool.pick(0, { view })!;
      pool.start(target);
      return target.id;
    });
    return [...new Set(ids)].sort();
  };
  assert.deepEqual(picks('east'), ['s0', 's1']);
  assert.deepEqual(picks('west'), ['s2', 's3']);
  assert.deepEqual(
    pool.status(0).targets.map(({ pending }) => pending),
    [4, 4, 4, 4],
  );
  pool.setHealth('s2', false, 0);
  assert.equal(pool.pick(0, { view: 'west' })!.id, 's3');
});

test('a near group that carries too much for its part spills over to the next distance', () => {
  const pool = poolOf(specsOf(3), {
    policy: 'least-connections',
    priorityIn: ({ id }) => (id === 's0' ? 0 : 1),
    spill: { factor: 1.5, floor: 20, distanceOf: (priority) => priority },
  });
  const counts = new Map<string, number>();
  let firstFar = Infinity;
  for (let i = 0; i < 300; i++) {
    const target = pool.pick(0)!;
    pool.start(target);
    if (target.id !== 's0') firstFar = Math.min(firstFar, i);
    counts.set(target.id, (counts.get(target.id) ?? 0) + 1);
  }
  assert.ok(firstFar >= 20, `${firstFar}`); // what is hardly a load stays near
  // 1.5 times the third that would be its part
  assert.ok(Math.abs(counts.get('s0')! - 150) <= 3, `${counts.get('s0')}`);
  assert.ok(Math.abs(counts.get('s1')! - counts.get('s2')!) <= 1);
});

test('another policy takes over with the loads that there are', () => {
  const pool = poolOf(specsOf(3), { policy: 'round-robin' });
  for (const id of ['s0', 's1']) pool.start(pool.target(id)!);
  pool.setPolicy('least-connections');
  assert.equal(pool.policy, 'least-connections');
  assert.equal(pool.pick(0)!.id, 's2');
});

test('the owner decides on panic: the sick and the ejected are used again', () => {
  const pool = poolOf(specsOf(3), { panicThresholdPercent: 0 });
  breakTarget(pool, 's1');
  pool.setHealth('s2', false, 0);
  assert.deepEqual([...countsOf(pool, 12).keys()], ['s0']);
  pool.setPanicking(true);
  assert.equal(countsOf(pool, 12).size, 3);
  pool.setPanicking(null);
  assert.deepEqual([...countsOf(pool, 12).keys()], ['s0']);
});

test('pardoned, it is back before its time', () => {
  const pool = poolOf(specsOf(3));
  breakTarget(pool, 's1');
  assert.equal(countsOf(pool, 12).has('s1'), false);
  pool.pardon('s1', 10);
  assert.equal(countsOf(pool, 12, 10).get('s1'), 4);
});
