import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  compareSequences,
  lineUp,
  parseContender,
  prefixOf,
  sequenceText,
  type Layout,
} from './contender-names.js';
import { parseUtcText, utcText } from './utc-text.js';

const id = '01234567-89ab-4def-8123-456789abcdef';
const hex = id.replaceAll('-', '');

test('names of all layouts are written and read', () => {
  const cases: readonly [Layout, 'lock' | 'read' | 'write' | 'latch' | 'lease', string, string][] =
    [
      ['curator', 'lock', `_c_${id}-lock-`, 'exclusive'],
      ['curator', 'read', `_c_${id}-__READ__`, 'shared'],
      ['curator', 'write', `_c_${id}-__WRIT__`, 'exclusive'],
      ['curator', 'latch', `_c_${id}-latch-`, 'latch'],
      ['curator', 'lease', `_c_${id}-lease-`, 'lease'],
      ['go', 'lock', `_c_${hex}-lock-`, 'exclusive'],
      ['kazoo', 'lock', `${hex}__lock__`, 'exclusive'],
      ['kazoo', 'read', `${hex}__rlock__`, 'shared'],
    ];
  for (const [layout, kind, prefix, claim] of cases) {
    assert.equal(prefixOf(layout, kind, id), prefix);
    const name = `${prefix}0000000042`;
    assert.deepEqual(parseContender(name), { name, claim, sequence: 42 });
  }
});

test('what is no contender is none', () => {
  for (const name of ['lease_holder', 'lock-', 'x-lock-12', 'x-lock-00000000xx', '', '0000000001'])
    assert.equal(parseContender(name), null);
});

test('numbers are read as the server writes them, with their sign', () => {
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (sequence) => {
      for (const prefix of [prefixOf('curator', 'lock', id), prefixOf('kazoo', 'lock', id)])
        assert.equal(parseContender(prefix + sequenceText(sequence))?.sequence, sequence);
    }),
  );
  assert.equal(sequenceText(7), '0000000007');
  assert.equal(sequenceText(-7), '-000000007');
  assert.equal(sequenceText(-(2 ** 31)), '-2147483648');
});

test('the line stays in order when the number wraps', () => {
  fc.assert(
    fc.property(fc.integer(), fc.uniqueArray(fc.nat(1_000_000)), (start, steps) => {
      const sequences = steps.map((step) => (start + step) | 0);
      const names = sequences.map((sequence) => `_c_${id}-lock-${sequenceText(sequence)}`);
      const line = lineUp(names, new Set(['exclusive']));
      const expected = [...steps].sort((a, b) => a - b).map((step) => (start + step) | 0);
      assert.deepEqual(
        line.map(({ sequence }) => sequence),
        expected,
      );
    }),
  );
  assert.ok(compareSequences(2 ** 31 - 1, -(2 ** 31)) < 0);
  assert.ok(compareSequences(-1, 0) < 0);
});

test('times in UTC are those of the calendar', () => {
  fc.assert(
    fc.property(
      fc.date({ min: new Date(0), max: new Date('2399-12-31'), noInvalidDate: true }),
      (date) => {
        const text = date.toISOString().slice(0, 19);
        assert.equal(utcText(date.getTime()), text);
        assert.equal(parseUtcText(text), Math.floor(date.getTime() / 1000) * 1000);
      },
    ),
  );
  for (const text of ['', '2026-13-01T00:00:00', '2026-01-01 00:00:00', 'x'])
    assert.ok(Number.isNaN(parseUtcText(text)));
});
