import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../base/random.js';
import { InFlight, InFlightPool, RequestFlag } from './in-flight.js';

function frame(xid: number, op: number, bodyBytes: number): Uint8Array {
  const bytes = new Uint8Array(12 + bodyBytes).fill(xid & 0xff, 12);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, 8 + bodyBytes);
  view.setInt32(4, xid);
  view.setInt32(8, op);
  return bytes;
}

function add(inFlight: InFlight, xid: number, bodyBytes = 4, flags = 0, nowMs = 0): Uint8Array {
  const bytes = frame(xid, 4, bodyBytes);
  inFlight.add(bytes, 0, bytes.length, flags, nowMs);
  inFlight.seal();
  return bytes;
}

function sent(inFlight: InFlight): number[] {
  const start = inFlight.takeUnsent(0, 0);
  return [...inFlight.bytes.subarray(start, inFlight.tail)];
}

void test('requests that lie side by side are one range to be sent, and are found one by one', () => {
  const inFlight = new InFlight();
  const chunk = Uint8Array.from([...frame(1, 4, 5), ...frame(2, 5, 0), ...frame(3, 8, 9)]);
  inFlight.add(chunk, 0, 17, 0, 10);
  inFlight.add(chunk, 17, 29, RequestFlag.write, 10);
  inFlight.add(chunk, 29, 50, 0, 10);
  inFlight.seal();
  assert.deepEqual(sent(inFlight), [...chunk]);
  assert.deepEqual(
    [1, 2, 3],
    [0, 1, 2].map((seq) => inFlight.xidOf(seq)),
  );
  assert.deepEqual(
    [4, 5, 8],
    [0, 1, 2].map((seq) => inFlight.opOf(seq)),
  );
  assert.equal(inFlight.flagsOf(1), RequestFlag.write);
  assert.equal(inFlight.cameMsOf(2), 10);
  assert.equal(inFlight.byteLength, 50);
});

void test('what is sent is what was not sent before', () => {
  const inFlight = new InFlight();
  const first = add(inFlight, 1);
  assert.deepEqual(sent(inFlight), [...first]);
  const second = add(inFlight, 2);
  assert.equal(inFlight.sentCount, 1);
  assert.equal(inFlight.unsentBytes, second.length);
  assert.deepEqual(sent(inFlight), [...second]);
  assert.equal(inFlight.unsentBytes, 0);
});

void test('sent again, it is everything that has no answer, in order, and nothing else', () => {
  const inFlight = new InFlight();
  const frames = [1, 2, 3, 4].map((xid) => add(inFlight, xid));
  sent(inFlight);
  const unsent = add(inFlight, 5);
  inFlight.pop();
  inFlight.markAnswered(2);
  inFlight.rewind();
  assert.equal(inFlight.size, 3);
  assert.equal(inFlight.sentCount, 0);
  assert.deepEqual(sent(inFlight), [...(frames[1] ?? []), ...(frames[3] ?? []), ...unsent]);
  assert.deepEqual(
    [2, 4, 5],
    [1, 2, 3].map((seq) => inFlight.xidOf(seq)),
  );
});

void test('a request that is answered here has its place, and no bytes', () => {
  const inFlight = new InFlight();
  const first = add(inFlight, 1);
  inFlight.addLocal(2, 5, -102, 0);
  const third = add(inFlight, 3);
  assert.deepEqual(sent(inFlight), [...first, ...third]);
  assert.deepEqual(inFlight.localOf(1), { xid: 2, op: 5, error: -102 });
  inFlight.rewind();
  assert.deepEqual(sent(inFlight), [...first, ...third]);
  assert.deepEqual(inFlight.localOf(1), { xid: 2, op: 5, error: -102 });
  inFlight.pop();
  inFlight.pop();
  assert.equal(inFlight.localOf(1), null);
  assert.equal(inFlight.xidOf(2), 3);
});

void test('bytes that a socket keeps are not written over until it has drained', () => {
  const inFlight = new InFlight();
  const first = add(inFlight, 1, 600);
  const start = inFlight.takeUnsent(0, 0);
  const kept = inFlight.bytes.subarray(start, inFlight.tail);
  inFlight.lend();
  inFlight.pop();
  for (let xid = 2; xid < 40; xid++) add(inFlight, xid, 300);
  assert.deepEqual([...kept], [...first]);
});

void test('how far back to ask follows the answers, however long the pipeline is', () => {
  const inFlight = new InFlight();
  add(inFlight, 1);
  inFlight.takeUnsent(1, 100);
  add(inFlight, 2);
  inFlight.takeUnsent(1, 110);
  const since = (): number => inFlight.sinceLow;
  assert.equal(since(), 100);
  inFlight.pop();
  add(inFlight, 3);
  inFlight.takeUnsent(1, 120);
  // the second was sent when 110 had been seen, and nothing is known to be better for it
  assert.ok(since() <= 110);
  for (let xid = 4; xid < 20; xid++) {
    add(inFlight, xid);
    inFlight.takeUnsent(1, 100 + xid * 10);
    inFlight.pop();
  }
  // two are in flight: the older was sent when 170 + 10 * its place had been seen
  assert.ok(since() >= 250, `${since()}`);
  assert.ok(since() <= 100 + (19 - 1) * 10);
});

void test('as a queue it is right, whatever comes and goes', () => {
  const random = new SeededRandom(7);
  const inFlight = new InFlight();
  const model: Uint8Array[] = [];
  let unsent: number[] = [];
  for (let step = 0; step < 5000; step++) {
    if (random.chance(0.5) || model.length === 0) {
      const bytes = add(inFlight, step, random.below(random.chance(0.1) ? 2000 : 60));
      model.push(bytes);
      unsent.push(...bytes);
    } else if (random.chance(0.6)) {
      assert.deepEqual(sent(inFlight), unsent);
      unsent = [];
      if (random.chance(0.1)) inFlight.lend();
    } else if (inFlight.sentCount > 0) {
      inFlight.pop();
      model.shift();
    }
    if (random.chance(0.02)) {
      inFlight.rewind();
      unsent = model.flatMap((bytes) => [...bytes]);
    }
    assert.equal(inFlight.size, model.length);
    if (step % 50 !== 0) continue;
    const found = model.map((_, i) => {
      const seq = inFlight.head + i;
      return [...inFlight.bytes.subarray(inFlight.startOf(seq), inFlight.endOf(seq))];
    });
    assert.deepEqual(
      found,
      model.map((bytes) => [...bytes]),
    );
  }
});

void test('one that was given back is as good as new', () => {
  const pool = new InFlightPool();
  const inFlight = pool.take();
  add(inFlight, 1);
  inFlight.addLocal(2, 1, -1, 0);
  pool.give(inFlight);
  const again = pool.take();
  assert.equal(again, inFlight);
  assert.equal(again.size, 0);
  assert.equal(again.localOf(1), null);
  const large = pool.take();
  add(large, 1, 100_000);
  pool.give(large);
  assert.notEqual(pool.take(), large);
});
