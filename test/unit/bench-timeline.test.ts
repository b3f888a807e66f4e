import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  overlaps,
  longestTurn,
  parseLoopTurns,
  parseTimeline,
  splitBySnapshots,
  stretchOf,
} from '../../bench/timeline.js';

test('a timeline is read slice by slice, empty ones too', () => {
  const slices = parseTimeline('1000.0 12.5:3 80.0:1\n1050.0\n');
  assert.deepEqual(slices, [
    {
      fromMs: 950,
      toMs: 1000,
      counted: [
        [12.5, 3],
        [80, 1],
      ],
    },
    { fromMs: 1000, toMs: 1050, counted: [] },
  ]);
});

test('a timeline that was cut or is not one is refused', () => {
  for (const text of ['1000.0 12.5', '1000.0 12.5:x', 'early 1:1', '1000.0 1:2:3', '1000.0 :1']) {
    assert.throws(() => parseTimeline(text), /not a line of a timeline/, text);
  }
});

test('turns of the event loop: the last line counts only when it is whole', () => {
  assert.deepEqual(parseLoopTurns('100 200 1.25 0.50\n200 300 7 0'), [
    { fromMs: 100, toMs: 200, longestMs: 1.25, waitedMs: 0.5 },
  ]);
  assert.throws(() => parseLoopTurns('100 200\n'), /not a line/);
});

test('of the longest turn it is told how much of it was waiting', () => {
  const turns = parseLoopTurns('100 200 3 2.5\n200 300 7 1\n300 400 5 4\n');
  assert.deepEqual(longestTurn(turns, 'loopMs', 'waited'), { loopMs: 7, waited: 1 });
  assert.deepEqual(longestTurn([], 'loopMs'), {});
});

test('intervals that only touch do not overlap', () => {
  assert.equal(overlaps({ fromMs: 0, toMs: 50 }, { fromMs: 50, toMs: 60 }), false);
  assert.equal(overlaps({ fromMs: 0, toMs: 51 }, { fromMs: 50, toMs: 60 }), true);
});

function slice(fromMs: number): { fromMs: number; toMs: number } {
  return { fromMs, toMs: fromMs + 50 };
}

test('slices are sorted into before and while: nothing cold, nothing after, no other snapshot', () => {
  const parts = [0, 100, 200, 300, 400, 500, 600].map(slice);
  const cold = { fromMs: 90, toMs: 210 };
  const measured = { fromMs: 420, toMs: 540 };
  const { before, during } = splitBySnapshots(parts, [cold, measured], 100);
  assert.deepEqual(
    before.map((part) => part.fromMs),
    [300],
  );
  assert.deepEqual(
    during.map((part) => part.fromMs),
    [400, 500],
  );
});

test('with no snapshot on a warm server there is nothing to compare', () => {
  const { before, during } = splitBySnapshots([slice(300)], [{ fromMs: 0, toMs: 90 }], 100);
  assert.deepEqual([before, during], [[], []]);
});

test('a stretch takes its slices together', () => {
  const slices = parseTimeline('50 10:999\n100 10:1000 4000:1 9000:1\n');
  assert.deepEqual(stretchOf(slices), { seconds: 0.1, count: 2001, p999Us: 10, maxUs: 9000 });
  assert.equal(stretchOf(parseTimeline('50\n')), null);
});
