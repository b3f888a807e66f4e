import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fairShares, Rebalance, type ViewLoad } from './rebalance.js';

function viewOf(
  counts: Readonly<Record<string, number>>,
  view = '',
  near: readonly string[] = Object.keys(counts),
  shares: Readonly<Record<string, number>> = {},
): ViewLoad {
  const ids = Object.keys(counts);
  const level = (distance: number, of: readonly string[]) => ({
    distance,
    percent: distance === 0 ? 100 : 0,
    targets: of.map((id) => ({ id, share: shares[id] ?? 1 })),
  });
  const far = ids.filter((id) => !near.includes(id));
  return {
    view,
    sessions: new Map(Object.entries(counts)),
    spread: far.length > 0 ? [level(0, near), level(1, far)] : [level(0, near)],
  };
}

test('after a rolling restart: who has more than its share gives up the difference', () => {
  const rebalance = new Rebalance({ movesPerSecond: 1000 });
  const views = [viewOf({ a: 45, b: 27, c: 0 })];
  assert.deepEqual(rebalance.plan(views, 0), []); // no time has passed: nothing may move yet
  assert.deepEqual(rebalance.plan(views, 1000), [
    { id: 'a', view: '', count: 21 },
    { id: 'b', view: '', count: 3 },
  ]);
});

test('a little unevenness is left alone', () => {
  const rebalance = new Rebalance({ tolerance: 0.1 });
  const plan = (a: number, b: number, nowMs: number) => rebalance.plan([viewOf({ a, b })], nowMs);
  assert.deepEqual(plan(100, 100, 0), []);
  assert.deepEqual(plan(109, 91, 1000), []);
  assert.deepEqual(plan(110, 90, 2000), [{ id: 'a', view: '', count: 10 }]);
});

test('moves are bounded in every second, and none are saved up over a calm hour', () => {
  const rebalance = new Rebalance({ movesPerSecond: 10 });
  rebalance.plan([viewOf({ a: 0, b: 0 })], 0);
  const sessions = { a: 1000, b: 0 };
  let moved = 0;
  for (let now = 3_600_000; now < 3_610_000; now += 100) {
    for (const { count } of rebalance.plan([viewOf(sessions)], now)) {
      sessions.a -= count;
      sessions.b += count;
      moved += count;
    }
  }
  assert.ok(moved <= 110 && moved >= 99, `${moved}`);
});

test('it ends: repeated, it comes to rest within the tolerance, and nothing moves any more', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat({ max: 300 }), { minLength: 1, maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 8, maxLength: 8 }),
      (counts, weights) => {
        const rebalance = new Rebalance({ movesPerSecond: 100 });
        const sessions = Object.fromEntries(counts.map((count, i) => [`s${i}`, count]));
        const shares = Object.fromEntries(counts.map((_, i) => [`s${i}`, weights[i] ?? 1]));
        const view = (): ViewLoad => viewOf(sessions, '', Object.keys(sessions), shares);
        const fair = fairShares([view()], null).get('')!;
        for (let now = 0; now <= 60_000; now += 500) {
          for (const { id, count } of rebalance.plan([view()], now)) {
            sessions[id]! -= count;
            for (let i = 0; i < count; i++) {
              const least = [...fair].sort(
                ([x, a], [y, b]) => sessions[x]! - a - (sessions[y]! - b),
              )[0]![0];
              sessions[least]! += 1;
            }
          }
        }
        assert.deepEqual(rebalance.plan([view()], 61_000), []);
        for (const [id, should] of fair) {
          assert.ok(sessions[id]! - should < Math.max(1, 0.1 * should) + 1e-6);
        }
      },
    ),
    { numRuns: 50 },
  );
});

test('sessions of a server that is not used any more are all over', () => {
  const rebalance = new Rebalance();
  const view = viewOf({ a: 5, b: 5 });
  const views = [{ ...view, sessions: new Map([...view.sessions, ['gone', 4]]) }];
  rebalance.plan(views, 0);
  assert.deepEqual(rebalance.plan(views, 1000), [{ id: 'gone', view: '', count: 4 }]);
});

test('clients stay near: uneven numbers of clients in two regions are no unevenness', () => {
  const rebalance = new Rebalance({ movesPerSecond: 1000 });
  const views = [viewOf({ a: 60, b: 0 }, 'east', ['a']), viewOf({ a: 0, b: 20 }, 'west', ['b'])];
  rebalance.plan(views, 0);
  assert.deepEqual(rebalance.plan(views, 1000), []);
});

test('what has spilled over by load is fair where it is, and what is beyond it is not', () => {
  const views = [viewOf({ a: 90, b: 0 }, 'east', ['a']), viewOf({ a: 0, b: 10 }, 'west', ['b'])];
  const fair = fairShares(views, { factor: 1.5, floor: 1 });
  assert.equal(fair.get('east')!.get('a'), 75);
  assert.equal(fair.get('east')!.get('b'), 15);
  assert.equal(fairShares(views, { factor: 1.5, floor: 100 }).get('east')!.get('b') ?? 0, 0);
  const rebalance = new Rebalance({ movesPerSecond: 1000, spill: { factor: 1.5, floor: 1 } });
  rebalance.plan(views, 0);
  assert.deepEqual(rebalance.plan(views, 1000), [{ id: 'a', view: 'east', count: 15 }]);
});

test('a server that starts slowly is owed little at first', () => {
  const fair = fairShares([viewOf({ a: 60, b: 60, c: 0 }, '', ['a', 'b', 'c'], { c: 0.1 })], null);
  assert.ok(Math.abs(fair.get('')!.get('c')! - 120 * (0.1 / 2.1)) < 1e-9);
});
