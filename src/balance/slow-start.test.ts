import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { slowStartFactor, type SlowStartOptions } from './slow-start.js';

const options: fc.Arbitrary<SlowStartOptions> = fc.record({
  windowMs: fc.integer({ min: 1, max: 600_000 }),
  aggression: fc.double({ min: 0.5, max: 10, noNaN: true }),
  minWeightPercent: fc.integer({ min: 1, max: 100 }),
});

test('the factor rises from its least to one and stays there', () => {
  fc.assert(
    fc.property(options, fc.array(fc.nat({ max: 700_000 })), (rules, ages) => {
      const factors = [...ages].sort((a, b) => a - b).map((age) => slowStartFactor(rules, age));
      for (const [index, factor] of factors.entries()) {
        assert.ok(factor >= rules.minWeightPercent / 100 && factor <= 1);
        assert.ok(index === 0 || factor >= factors[index - 1]!);
      }
      assert.equal(slowStartFactor(rules, rules.windowMs), 1);
    }),
  );
});

test("Envoy's formula: linear with aggression 1, quick at first with more", () => {
  const rules = { windowMs: 60_000, aggression: 1, minWeightPercent: 10 };
  assert.equal(slowStartFactor(rules, 0), 0.1);
  assert.equal(slowStartFactor(rules, 30_000), 0.5);
  assert.equal(slowStartFactor({ ...rules, aggression: 2 }, 15_000), 0.5);
});
