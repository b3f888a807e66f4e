import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FrameSplitter, type FrameSink } from './frames.js';

class Collected implements FrameSink {
  readonly frames: number[][] = [];
  /** Pieces of the chunk at hand that lay side by side. */
  ranges = 0;
  stopsAfter = Infinity;
  #source: Uint8Array | null = null;
  #end = -1;

  onFrame(bytes: Uint8Array, start: number, end: number): boolean {
    if (bytes !== this.#source || start !== this.#end) this.ranges++;
    this.#source = bytes;
    this.#end = end;
    this.frames.push([...bytes.subarray(start, end)]);
    return this.frames.length < this.stopsAfter;
  }
}

function frameOf(content: readonly number[]): number[] {
  const { length } = content;
  return [length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255, ...content];
}

void test('however the bytes are cut, the same frames come out, each with its length', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.nat(255), { maxLength: 40 }), { maxLength: 8 }),
      fc.array(fc.nat(30), { maxLength: 60 }),
      (contents, cuts) => {
        const frames = contents.map(frameOf);
        const bytes = Uint8Array.from(frames.flat());
        const splitter = new FrameSplitter(100);
        const sink = new Collected();
        let pos = 0;
        for (const cut of [...cuts, bytes.length]) {
          const end = Math.min(bytes.length, pos + cut);
          // lent for the call: what is kept must be a copy
          const chunk = bytes.slice(pos, end);
          assert.equal(splitter.push(chunk, 0, chunk.length, sink), 'ok');
          chunk.fill(0xdb);
          pos = end;
        }
        assert.deepEqual(sink.frames, frames);
      },
    ),
  );
});

void test('whole frames of one chunk lie side by side', () => {
  const bytes = Uint8Array.from([...frameOf([1]), ...frameOf([2, 3]), ...frameOf([])]);
  const sink = new Collected();
  new FrameSplitter(100).push(bytes, 0, bytes.length, sink);
  assert.equal(sink.frames.length, 3);
  assert.equal(sink.ranges, 1);
});

void test('a length out of bounds ends the stream, whole or in pieces', () => {
  for (const [length, status] of [
    [[0, 0, 0, 101], 'tooLong'],
    [[0x80, 0, 0, 0], 'negative'],
  ] as const) {
    const bytes = Uint8Array.from([...frameOf([7]), ...length, 1]);
    const whole = new Collected();
    assert.equal(new FrameSplitter(100).push(bytes, 0, bytes.length, whole), status);
    assert.deepEqual(whole.frames, [frameOf([7])]);
    const splitter = new FrameSplitter(100);
    const statuses = [...bytes].map((_, i) => splitter.push(bytes, i, i + 1, new Collected()));
    assert.ok(statuses.includes(status));
  }
});

void test('a long frame that is announced costs what has come, not what was promised', () => {
  const splitter = new FrameSplitter(1 << 30);
  const head = Uint8Array.from([0x20, 0, 0, 0, 1, 2, 3]);
  assert.equal(splitter.push(head, 0, head.length, new Collected()), 'ok');
  const more = new Uint8Array(10_000);
  assert.equal(splitter.push(more, 0, more.length, new Collected()), 'ok');
});

void test('whoever takes no more is handed no more', () => {
  const bytes = Uint8Array.from([...frameOf([1]), ...frameOf([2]), ...frameOf([3])]);
  const sink = new Collected();
  sink.stopsAfter = 2;
  assert.equal(new FrameSplitter(100).push(bytes, 0, bytes.length, sink), 'ok');
  assert.equal(sink.frames.length, 2);
});
