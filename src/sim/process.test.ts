import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../base/random.js';
import { Timeline } from './clock.js';
import { SimProcess } from './process.js';
import { drained } from './scratch.js';

interface Stage {
  readonly timeline: Timeline;
  readonly process: SimProcess;
  readonly told: string[];
}

function stage(spendMs = 0): Stage {
  const timeline = new Timeline();
  const pace = { wakeMs: 0, spendMs };
  const process = new SimProcess('test', timeline, new SeededRandom(1), pace, 1_000_000);
  return { timeline, process, told: [] };
}

async function play({ timeline }: Stage, untilMs: number): Promise<void> {
  while (timeline.step(untilMs)) await drained();
}

test('moments run in the order of their times, equal times in the order of asking', () => {
  const timeline = new Timeline();
  const told: string[] = [];
  timeline.at(5, () => told.push('c'));
  timeline.at(1, () => told.push('a'));
  timeline.at(5, () => told.push('d'));
  timeline.at(3, () => {
    told.push('b');
    timeline.at(0, () => told.push('late'));
  });
  timeline.at(4, () => told.push('never')).cancel();
  while (timeline.step(10));
  assert.deepEqual(told, ['a', 'b', 'late', 'c', 'd']);
  assert.equal(timeline.nowMs, 10);
});

test('what is asked for now runs after all that had been asked for this time', () => {
  const timeline = new Timeline();
  const told: string[] = [];
  timeline.at(5, () => {
    told.push('a');
    timeline.at(5, () => {
      told.push('now');
      timeline.after(0, () => told.push('now again'));
    });
    timeline.after(0, () => told.push('never')).cancel();
  });
  timeline.at(5, () => told.push('b'));
  timeline.at(6, () => told.push('c'));
  while (timeline.step(5));
  assert.deepEqual(told, ['a', 'b', 'now', 'now again']);
  while (timeline.step(7));
  assert.deepEqual(told, ['a', 'b', 'now', 'now again', 'c']);
});

test('what the promises of the last callback ask for soon still belongs to its turn', async () => {
  for (const isInputFirst of [true, false]) {
    const s = stage();
    const input = (): void => {
      s.process.post(() => s.told.push('input of the next turn'));
    };
    const work = async (): Promise<void> => {
      await Promise.resolve();
      if (isInputFirst) input();
      s.process.clock.soon(() => s.told.push('soon'));
      if (!isInputFirst) input();
    };
    s.process.post(() => void work());
    await play(s, 10);
    assert.deepEqual(s.told, ['soon', 'input of the next turn']);
    s.process.clock.soon(() => s.told.push('soon, much later'));
    input();
    await play(s, 20);
    assert.deepEqual(s.told.slice(2), ['input of the next turn', 'soon, much later']);
  }
});

test('a turn reads all that is there before what was asked for soon', async () => {
  const s = stage();
  s.process.post(() => {
    s.told.push('first input');
    s.process.clock.soon(() => {
      s.told.push('soon');
      s.process.clock.soon(() => s.told.push('soon of soon'));
      s.process.post(() => s.told.push('later input'));
    });
  });
  s.process.post(() => s.told.push('second input'));
  await play(s, 1000);
  assert.deepEqual(s.told, ['first input', 'second input', 'soon', 'later input', 'soon of soon']);
});

test('promises that a callback settles run before the next callback', async () => {
  const s = stage();
  const chain = async (): Promise<void> => {
    for (let i = 0; i < 5; i++) await Promise.resolve();
    s.told.push('end of the chain');
  };
  s.process.post(() => void chain());
  s.process.post(() => s.told.push('next callback'));
  await play(s, 1000);
  assert.deepEqual(s.told, ['end of the chain', 'next callback']);
});

test('a paused process gets everything at once when it goes on, a killed one nothing', async () => {
  const s = stage();
  s.process.sleep(100);
  for (const at of [10, 20, 30]) {
    s.timeline.at(at, () => {
      s.process.post(() => s.told.push(`${at} at ${s.timeline.nowMs}`));
    });
  }
  await play(s, 200);
  assert.deepEqual(s.told, ['10 at 100', '20 at 100', '30 at 100']);
  s.process.clock.after(10, () => s.told.push('timer'));
  s.process.post(() => s.told.push('input'));
  s.process.kill();
  await play(s, 1000);
  assert.equal(s.told.length, 3);
});

test('timers count until they ran or were cancelled, and a cancelled one that is due does not run', async () => {
  const s = stage();
  const { clock } = s.process;
  const cancelled = clock.after(10, () => s.told.push('cancelled'));
  clock.after(10, () => s.told.push('ran'));
  assert.equal(clock.pendingTimers, 2);
  s.timeline.at(5, () => {
    s.process.sleep(20);
  });
  s.timeline.at(15, () => {
    cancelled.cancel();
  });
  await play(s, 100);
  assert.deepEqual(s.told, ['ran']);
  assert.equal(clock.pendingTimers, 0);
});

test('code that looks at the clock takes time, and no clock goes backwards', async () => {
  const s = stage(3);
  const { clock } = s.process;
  const seen: number[] = [];
  const look = (): void => {
    for (let i = 0; i < 4; i++) seen.push(clock.monotonicMs());
  };
  s.process.post(look);
  s.process.post(look);
  await play(s, 1000);
  assert.deepEqual(
    seen,
    seen.toSorted((a, b) => a - b),
  );
  assert.ok((seen[7] ?? 0) > (seen[0] ?? 0));
  const nowMs = clock.monotonicMs();
  assert.equal(clock.wallMs(), Math.floor(1_000_000 + nowMs));
});
