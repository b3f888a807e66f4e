import assert from 'node:assert/strict';
import { test } from 'node:test';
import { advance, inTurns } from './advance.js';
import { Timeline } from './clock.js';

const always = (): boolean => true;
const never = (): boolean => false;

test('every promise has run before the next call, however many follow one another', async () => {
  const told: string[] = [];
  let calls = 0;
  await inTurns(() => {
    const call = ++calls;
    const chain = async (): Promise<void> => {
      for (let i = 0; i < 50; i++) await Promise.resolve();
      told.push(`promises of ${call}`);
    };
    told.push(`call ${call}`);
    void chain();
    return calls === 200;
  });
  // those of the last call are its caller's affair
  for (let call = 1; call < 200; call++) {
    assert.deepEqual(told.splice(0, 2), [`call ${call}`, `promises of ${call}`]);
  }
  assert.equal(told[0], 'call 200');
});

test('what work throws is what the caller gets, and work is not called again', async () => {
  let calls = 0;
  const problem = new Error('it broke');
  const turns = inTurns(() => {
    if (++calls === 3) throw problem;
    return false;
  });
  await assert.rejects(turns, problem);
  await inTurns(always);
  assert.equal(calls, 3);
});

test('time passes until it is enough, until it is over, or until the end', async () => {
  const timeline = new Timeline();
  const ticks: number[] = [];
  const tick = (): void => {
    ticks.push(timeline.nowMs);
    timeline.mustDrain = ticks.length % 3 === 0;
    timeline.after(10, tick);
  };
  timeline.after(10, tick);
  const rest = { every: 2, isEnough: never, isOver: never };
  assert.equal(await advance(timeline, { ...rest, untilMs: 95 }), false);
  assert.equal(ticks.length, 9);
  assert.equal(timeline.nowMs, 95);
  const isEnough = (): boolean => ticks.length >= 12;
  assert.equal(await advance(timeline, { ...rest, untilMs: Infinity, isEnough }), true);
  assert.ok([12, 13].includes(ticks.length), 'asked every other moment');
  const isOver = (): boolean => ticks.length >= 20;
  assert.equal(await advance(timeline, { ...rest, untilMs: Infinity, isOver }), false);
  assert.equal(ticks.length, 20);
});
