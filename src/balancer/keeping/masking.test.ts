import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fate, type WriteFate } from '../../protocol/continuation.js';
import { OpCode } from '../../protocol/opcodes.js';
import { flagsOfRequest } from './effects.js';
import { InFlight } from './in-flight.js';
import { hasUnansweredWrite, planMasking, unansweredWrites } from './masking.js';

const opOf: Readonly<Record<string, number>> = {
  ...{ w: OpCode.setData, r: OpCode.getACL, s: OpCode.sync, a: OpCode.auth },
};

/** w: a write, r: a read, s: a sync, a: credentials; in order, numbered from 1. */
function asked(kinds: string): InFlight {
  const inFlight = new InFlight();
  kinds.split('').forEach((kind, i) => {
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    const op = opOf[kind] ?? 0;
    view.setInt32(4, i + 1);
    view.setInt32(8, op);
    inFlight.add(bytes, 0, 16, flagsOfRequest(op, bytes, 0, 16), 0);
  });
  inFlight.seal();
  inFlight.takeUnsent(0, 0);
  return inFlight;
}

/** x: executed, n: never, u: unknown; the others were no writes. Tells what is answered: `2s3`. */
function planFor(kinds: string, fates: string): string {
  const inFlight = asked(kinds);
  const told: WriteFate[] = [];
  fates.split('').forEach((fate, i) => {
    const cxid = i + 1;
    if (fate === 'x') {
      const body = new Uint8Array(0);
      told.push({ cxid, fate: Fate.executed, zxid: BigInt(i), error: 0, body });
    } else if (fate === 'n') told.push({ cxid, fate: Fate.never });
    else if (fate === 'u') told.push({ cxid, fate: Fate.unknown });
  });
  const plan = planMasking(inFlight, told);
  if ('obstacle' in plan) return 'drop';
  const answered = plan.executed.map(({ cxid, syncs }) => {
    return [...syncs.map((seq) => `${inFlight.xidOf(seq)}s`), cxid].join('');
  });
  return answered.join();
}

void test('executed writes must be the first of what is unanswered', () => {
  assert.equal(planFor('ww', 'xx'), '1,2');
  assert.equal(planFor('wrw', 'x-n'), '1');
  assert.equal(planFor('rw', '-n'), '');
  assert.equal(planFor('wrw', 'x-x'), 'drop');
  assert.equal(planFor('rw', '-x'), 'drop');
  assert.equal(planFor('ww', 'nx'), 'drop');
  assert.equal(planFor('rrr', '---'), '');
  assert.equal(planFor('aw', '-x'), '2');
});

void test('a sync may stand before an executed write, unless it has to be asked again', () => {
  assert.equal(planFor('wsw', 'x-x'), '1,2s3');
  assert.equal(planFor('sswsw', '--x-x'), '1s2s3,4s5');
  assert.equal(planFor('wsws', 'x-x-'), '1,2s3');
  assert.equal(planFor('wsww', 'x-xn'), '1,2s3');
  assert.equal(planFor('wsw', 'x-n'), '1');
  assert.equal(planFor('rsw', '--x'), 'drop');
  assert.equal(planFor('srw', '--x'), 'drop');
  assert.equal(planFor('wsw', 'n-x'), 'drop');
});

void test('a sync that cannot be read is answered by a server or not at all', () => {
  const inFlight = new InFlight();
  const bytes = new Uint8Array(12);
  new DataView(bytes.buffer).setInt32(8, OpCode.sync);
  inFlight.add(bytes, 0, 12, flagsOfRequest(OpCode.sync, bytes, 0, 12), 0);
  inFlight.seal();
  const write = new Uint8Array(12);
  new DataView(write.buffer).setInt32(4, 7);
  new DataView(write.buffer).setInt32(8, OpCode.setData);
  inFlight.add(write, 0, 12, flagsOfRequest(OpCode.setData, write, 0, 12), 0);
  inFlight.seal();
  inFlight.takeUnsent(0, 0);
  const body = new Uint8Array(0);
  const fate: WriteFate = { cxid: 7, fate: Fate.executed, zxid: 3n, error: 0, body };
  assert.ok('obstacle' in planMasking(inFlight, [fate]));
});

void test('one write that nobody knows of is one too many', () => {
  assert.equal(planFor('ww', 'xu'), 'drop');
  assert.equal(planFor('ww', 'nu'), 'drop');
  assert.equal(planFor('ww', 'x'), 'drop');
});

void test('executed in another order than asked is no order at all', () => {
  const inFlight = asked('ww');
  const body = new Uint8Array(0);
  const fates = [5n, 4n].map((zxid, i): WriteFate => {
    return { cxid: i + 1, fate: Fate.executed, zxid, error: 0, body };
  });
  assert.ok('obstacle' in planMasking(inFlight, fates));
});

void test('what was answered, and what was never sent, is nobody’s question', () => {
  const inFlight = asked('wrw');
  assert.deepEqual(unansweredWrites(inFlight), [1, 3]);
  inFlight.markAnswered(0);
  assert.deepEqual(unansweredWrites(inFlight), [3]);
  inFlight.markAnswered(2);
  assert.equal(hasUnansweredWrite(inFlight), false);
  const bytes = new Uint8Array(12);
  new DataView(bytes.buffer).setInt32(8, OpCode.create);
  inFlight.add(bytes, 0, 12, flagsOfRequest(OpCode.create, bytes, 0, 12), 0);
  inFlight.seal();
  assert.equal(hasUnansweredWrite(inFlight), false);
});

void test('what may have been executed is a write, what is not known is taken for one', () => {
  const none = new Uint8Array(12);
  for (const op of [OpCode.create, OpCode.multi, OpCode.reconfig, OpCode.closeSession, 77, 999]) {
    assert.equal(flagsOfRequest(op, none, 0, 12) & 1, 1, `${op}`);
  }
  for (const op of [OpCode.sync, OpCode.whoAmI, OpCode.getData, OpCode.ping, OpCode.addWatch]) {
    assert.equal(flagsOfRequest(op, none, 0, 12) & 1, 0, `${op}`);
  }
});
