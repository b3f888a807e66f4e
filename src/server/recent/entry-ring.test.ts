import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BodyForm, EntryAt, shapeOf } from './entry.js';
import { EntryRing } from './entry-ring.js';
import { Dice } from './stage.fixture.js';

interface Kept {
  readonly zxid: number;
  readonly session: number;
  readonly cxid: number;
  readonly words: readonly number[];
  readonly holdsAcls: boolean;
}

const wordsIn = (ring: EntryRing, entry: number): number[] => {
  const from = entry + EntryAt.events;
  return [...ring.words.subarray(from, entry + (ring.words[entry] ?? 0))];
};

function append(ring: EntryRing, { zxid, session, cxid, words, holdsAcls }: Kept, step: number) {
  ring.open();
  for (let at = 0; at < words.length; at += step) {
    const part = words.slice(at, at + step);
    if (!ring.reserve(part.length)) return false;
    ring.words.set(part, ring.at);
    ring.at += part.length;
  }
  if (!ring.reserve(0)) return false;
  const shape = shapeOf(BodyForm.none, holdsAcls, 0);
  ring.close(7, zxid, -3, session, cxid, 0, shape, session !== 0);
  return true;
}

test('what was appended last is there, and found by its session and by its zxid', () => {
  for (let seed = 0; seed < 30; seed++) {
    const dice = new Dice(seed);
    const gone: number[] = [];
    const bytesMax = 1024 + dice.below(16) * 500;
    const ring: EntryRing = new EntryRing({
      bytesMax,
      onGoing: (entry) => gone.push(ring.words[entry + EntryAt.zxidLow] ?? -1),
    });
    let kept: Kept[] = [];
    const withAcls: number[] = [];
    let zxid = 0;
    for (let step = 0; step < 1500; step++) {
      zxid += 1 + dice.below(3);
      const length = dice.chance(10) ? dice.below(ring.wordsMax + 9) : dice.below(12);
      const entry = {
        zxid,
        session: dice.below(4),
        cxid: dice.below(30),
        words: Array.from({ length }, () => 1 + dice.below(1000)),
        holdsAcls: dice.chance(20),
      };
      if (append(ring, entry, 1 + dice.below(7))) {
        kept.push(entry);
        if (entry.holdsAcls) withAcls.push(zxid);
      } else {
        assert.ok(length + EntryAt.events > ring.wordsMax);
        ring.clear(7, zxid);
        kept = [];
      }
      kept = kept.slice(kept.length - ring.count);
      const covers = ring.coversLow;
      assert.ok(kept.every((one) => one.zxid > covers));
      assert.ok(4 * kept.reduce((sum, one) => sum + one.words.length + 9, 0) <= bytesMax);
      assert.deepEqual(
        gone,
        withAcls.filter((one) => one <= covers),
      );
      if (!dice.chance(5)) continue;
      const since = covers + dice.below(zxid - covers + 2);
      const after = kept.filter((one) => one.zxid > since);
      let at = ring.firstAfter(7, since);
      for (const one of after) {
        assert.equal(ring.words[at + EntryAt.zxidLow], one.zxid);
        assert.deepEqual(wordsIn(ring, at), one.words);
        at = ring.next(at);
      }
      assert.equal(at, -1);
      for (let session = 0; session < 4; session++) {
        for (let cxid = 0; cxid < 30; cxid++) {
          const found = ring.find(-3, session, cxid, 7, since);
          const wanted = after.findLast((one) => one.session === session && one.cxid === cxid);
          if (wanted === undefined || session === 0) assert.equal(found, -1);
          else assert.equal(ring.words[found + EntryAt.zxidLow], wanted.zxid);
        }
      }
    }
    assert.ok(ring.count > 0);
  }
});

test('it takes no memory before there is something to keep, and then no more than it may', () => {
  const bytesMax = 1 << 20;
  const ring = new EntryRing({ bytesMax, onGoing: () => undefined });
  assert.equal(ring.words.length, 0);
  assert.equal(ring.find(0, 0, 0, 0, 0), -1);
  assert.equal(ring.firstAfter(0, 0), -1);
  ring.clear(1, 2);
  assert.deepEqual([ring.coversHigh, ring.coversLow], [1, 2]);
  ring.open();
  assert.ok(ring.words.length > bytesMax / 4 / 1.1 && ring.words.length < bytesMax / 4);
});
