import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { arcOf, ringOrder, sharesUnder, wider } from './aperture.js';
import { targetsOf } from './targets.fixture.js';

test('the arcs of all peers together give every target its weight times the same', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 12 }),
      fc.nat({ max: 3 }),
      (weights, peers, wanted, growth) => {
        const ring = ringOrder(targetsOf(weights));
        const loads = new Float64Array(ring.length);
        for (let index = 0; index < peers; index++) {
          let arc = arcOf({ index, count: peers }, ring.length, wanted, 0);
          for (let i = 0; i < growth; i++) arc = wider(arc);
          for (const [at, share] of sharesUnder(ring, arc).entries()) loads[at]! += share;
        }
        const perWeight = ring.map(({ weight }, at) => loads[at]! / weight);
        assert.ok(Math.max(...perWeight) / Math.min(...perWeight) < 1 + 1e-6);
      },
    ),
  );
});

test('an arc holds at least as many targets as wanted, where they weigh the same', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 10 }),
      fc.nat(),
      (count, peers, wanted, seed) => {
        const ring = ringOrder(targetsOf(new Array<number>(count).fill(1)));
        const arc = arcOf({ index: seed % peers, count: peers }, count, wanted, 0);
        const under = sharesUnder(ring, arc).filter((share) => share > 0).length;
        assert.ok(under >= Math.min(wanted, count));
      },
    ),
  );
});

test('many clients of many servers each use few', () => {
  const ring = ringOrder(targetsOf(new Array<number>(1000).fill(1)));
  for (let index = 0; index < 100; index++) {
    const arc = arcOf({ index, count: 100 }, ring.length, 2, 0);
    assert.ok(sharesUnder(ring, arc).filter((share) => share > 0).length <= 11);
  }
});

test('without peers the arc begins by lot and runs over the end of the ring', () => {
  const ring = ringOrder(targetsOf([1, 1, 1, 1]));
  const shares = sharesUnder(ring, arcOf(null, 4, 2, 0.75));
  assert.deepEqual([...shares], [1, 0, 0, 1]);
});
