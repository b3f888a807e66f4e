import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sequenceText } from './contender-names.js';
import {
  compareEntries,
  delayNames,
  framedNames,
  kazooNames,
  prefixOfEntry,
  priorityNames,
  simpleNames,
  type EntryNames,
} from './entry-names.js';
import { LayoutError } from './errors.js';
import { frame, unframe } from './item-frame.js';

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const kinds: readonly (readonly [EntryNames, fc.Arbitrary<number>])[] = [
  [simpleNames, fc.constant(0)],
  [framedNames, fc.constant(0)],
  [priorityNames, int32],
  [delayNames, fc.integer({ min: 1, max: 2 ** 52 - 1 })],
  [kazooNames, fc.integer({ min: 0, max: 999 })],
];

test('names are read as they are written, whatever the number', () => {
  for (const [names, ranks] of kinds) {
    fc.assert(
      fc.property(ranks, int32, (rank, sequence) => {
        const prefix = names.prefix(rank);
        const name = prefix + sequenceText(sequence);
        assert.deepEqual(names.parse(name), { name, rank, sequence });
        assert.equal(prefixOfEntry({ name, rank, sequence }), prefix);
      }),
    );
  }
});

test('texts of Curator sort as its numbers do', () => {
  fc.assert(
    fc.property(int32, int32, (a, b) => {
      const [first, second] = [priorityNames.prefix(a), priorityNames.prefix(b)];
      assert.equal(first < second, a < b);
    }),
  );
  assert.equal(priorityNames.prefix(5), 'queue-100000005');
  assert.equal(priorityNames.prefix(-1), 'queue-0FFFFFFFF');
});

test('the smallest rank is first, then the number, also where it wraps', () => {
  const entry = (rank: number, sequence: number) => ({ name: '', rank, sequence });
  assert.ok(compareEntries(entry(1, 9), entry(2, 1)) < 0);
  assert.ok(compareEntries(entry(1, 2 ** 31 - 1), entry(1, -(2 ** 31))) < 0);
  assert.ok(compareEntries(entry(-(2 ** 31), 0), entry(2 ** 31 - 1, 0)) < 0);
});

test('what is no entry is none', () => {
  for (const name of ['', 'qn-', 'qn-12', 'queue-', 'entry-1-0000000001', 'qn-00000000xx', 'x']) {
    for (const [names] of kinds) assert.equal(names.parse(name), null);
  }
});

test('frames are read as they are written', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 5 }), (items) => {
      const read = unframe(Buffer.from(frame(items)), '/x');
      assert.deepEqual(
        read.map((item) => [...item]),
        items.map((item) => [...item]),
      );
    }),
  );
});

test('whatever else is in a frame is a LayoutError', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 3 }),
      fc.nat(60),
      fc.nat(255),
      (items, at, byte) => {
        const bytes = Buffer.from(frame(items));
        bytes[at % bytes.length] = byte;
        const cut = bytes.subarray(0, byte % (bytes.length + 1));
        for (const broken of [bytes, cut]) {
          try {
            unframe(broken, '/x');
          } catch (problem) {
            assert.ok(problem instanceof LayoutError);
          }
        }
      },
    ),
  );
});
