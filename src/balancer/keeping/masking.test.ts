import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fate, type WriteFate } from '../../protocol/continuation.js';
import { OpCode } from '../../protocol/opcodes.js';
import { flagsOfRequest } from './effects.js';
import { InFlight } from './in-flight.js';
import { hasUnansweredWrite, planMasking, unansweredWrites } from './masking.js';

/** w: a write, r: a read, a: credentials; in order, numbered from 1. */
function asked(kinds: string): InFlight {
  const inFlight = new InFlight();
  kinds.split('').forEach((kind, i) => {
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    const op = kind === 'w' ? OpCode.setData : kind === 'r' ? OpCode.sync : OpCode.auth;
    view.setInt32(4, i + 1);
    view.setInt32(8, op);
    inFlight.add(bytes, 0, 16, flagsOfRequest(op, bytes, 0, 16), 0);
  });
  inFlight.seal();
  inFlight.takeUnsent(0, 0);
  return inFlight;
}

/** x: executed, n: never, u: unknown; the others were no writes. */
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
  return 'obstacle' in plan ? 'drop' : plan.executed.map(({ cxid }) => cxid).join();
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
