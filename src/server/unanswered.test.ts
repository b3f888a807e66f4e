import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OpCode } from '../protocol/opcodes.js';
import { NOBODY } from '../txn/authorize.js';
import type { ClientPort } from './client-port.js';
import { ParkedFrame, PendingWrite } from './pending.js';
import { UnansweredRequests } from './unanswered.js';

interface Counts {
  parkedCount: number;
  released: number;
}

function queue(): readonly [UnansweredRequests, Counts] {
  const counts = { parkedCount: 0, released: 0 };
  const admission = {
    release: (weight: number) => {
      counts.released += weight;
    },
  };
  return [
    new UnansweredRequests(Object.assign(counts, { admission }) as unknown as ClientPort),
    counts,
  ];
}

function pendingOf(op: number, isBarrier = false): PendingWrite {
  const pending = new PendingWrite({ onApplied: () => undefined }, op, 1, 0);
  pending.isBarrier = isBarrier;
  pending.weight = 1;
  return pending;
}

const frameOf = (isHeld: boolean): ParkedFrame =>
  new ParkedFrame(new Uint8Array(8), NOBODY, 0, 10, false, isHeld);

test('writes are pipelined behind writes, and wait behind a sync and what waits there', () => {
  const [unanswered] = queue();
  unanswered.push(pendingOf(OpCode.create));
  assert.equal(unanswered.mustHold(OpCode.create), false);
  unanswered.push(pendingOf(OpCode.sync, true));
  unanswered.park(frameOf(true));
  unanswered.shift();
  assert.equal(unanswered.mustHold(OpCode.create), true);
  unanswered.shift();
  assert.equal(unanswered.mustHold(OpCode.sync), true, 'what was asked before waits still');
  unanswered.letGo();
  unanswered.replaceFrame(pendingOf(OpCode.create));
  assert.equal(unanswered.mustHold(OpCode.create), false);
});

test('behind an attach that may be refused writes wait, and one sync does not', () => {
  const [unanswered] = queue();
  unanswered.push(pendingOf(OpCode.createSession, true));
  assert.equal(unanswered.isHandshaking, true);
  assert.equal(unanswered.mustHold(OpCode.create), true);
  assert.equal(unanswered.mustHold(OpCode.sync), false);
  unanswered.park(frameOf(true));
  assert.equal(unanswered.mustHold(OpCode.sync), true, 'not before a write that waits');
  unanswered.shift();
  assert.equal(unanswered.isHandshaking, false);
});

test('what a connection leaves behind counts no more, and nobody is told of it', () => {
  const [unanswered, counts] = queue();
  const write = pendingOf(OpCode.create);
  unanswered.push(write);
  unanswered.park(frameOf(false));
  unanswered.park(frameOf(true));
  assert.equal(counts.parkedCount, 2);
  unanswered.clear();
  assert.deepEqual([counts.parkedCount, counts.released, unanswered.size], [0, 21, 0]);
  assert.equal(write.connection, null);
  assert.equal(unanswered.mustHold(OpCode.create), false);
});
