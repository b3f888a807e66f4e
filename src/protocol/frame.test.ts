import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FrameDecoder } from './frame.js';

const LIMIT = 20_000;

function streamOf(frames: readonly Uint8Array[]): Uint8Array {
  const stream: number[] = [];
  for (const frame of frames) {
    const { length } = frame;
    stream.push(length >>> 24, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff);
    stream.push(...frame);
  }
  return Uint8Array.from(stream);
}

/** Pushes the stream in chunks of the given sizes (the last one repeats) and collects the frames. */
function framesOf(stream: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const decoder = new FrameDecoder(LIMIT);
  const frames: Uint8Array[] = [];
  // all chunks come through one buffer, as from a socket that reads into the same memory
  const shared = new Uint8Array(stream.length + 3);
  let at = 0;
  for (let i = 0; at < stream.length; i++) {
    const size = Math.min(sizes[Math.min(i, sizes.length - 1)] ?? 1, stream.length - at);
    shared.fill(0xee);
    shared.set(stream.subarray(at, at + size), 3);
    const status = decoder.push(shared, 3, 3 + size, (bytes, start, end) => {
      frames.push(bytes.slice(start, end));
      return true;
    });
    assert.equal(status, 'ok');
    assert.equal(decoder.consumed, 3 + size);
    at += size;
  }
  assert.equal(decoder.hasPartial, false);
  return frames;
}

const someFrames = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 12 });

test('the frames are the same one byte at a time', () => {
  fc.assert(
    fc.property(someFrames, (frames) => {
      assert.deepEqual(framesOf(streamOf(frames), [1]), frames);
    }),
  );
});

test('the frames are the same however the stream is cut', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(someFrames, sizes, (frames, cuts) => {
      assert.deepEqual(framesOf(streamOf(frames), cuts), frames);
    }),
  );
});

test('a long frame in small pieces outgrows its first buffers', () => {
  const long = Uint8Array.from({ length: LIMIT }, (_, i) => i & 0xff);
  for (const size of [1, 7, 1000, 4099]) {
    assert.deepEqual(framesOf(streamOf([long, Uint8Array.of(1)]), [size]), [
      long,
      Uint8Array.of(1),
    ]);
  }
});

test('a frame that lies whole in the chunk is lent, not copied', () => {
  const stream = streamOf([Uint8Array.of(1, 2, 3), Uint8Array.of()]);
  const seen: unknown[] = [];
  new FrameDecoder(LIMIT).push(stream, 0, stream.length, (bytes, start, end) => {
    seen.push([bytes === stream, start, end]);
    return true;
  });
  assert.deepEqual(seen, [
    [true, 4, 7],
    [true, 11, 11],
  ]);
});

test('a frame whose length came before it is lent too', () => {
  const stream = streamOf([Uint8Array.of(1, 2, 3)]);
  const decoder = new FrameDecoder(LIMIT);
  decoder.push(stream, 0, 4, () => assert.fail('nothing is complete'));
  assert.equal(decoder.hasPartial, true);
  let lent: Uint8Array | null = null;
  decoder.push(stream, 4, 7, (bytes) => {
    lent = bytes;
    return true;
  });
  assert.equal(lent, stream);
});

test('a stopped push leaves the rest of the chunk to be pushed again', () => {
  const frames = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)];
  const stream = streamOf(frames);
  const decoder = new FrameDecoder(LIMIT);
  const seen: number[] = [];
  const one = (bytes: Uint8Array, start: number): boolean => {
    seen.push(bytes[start] ?? -1);
    return false;
  };
  for (let from = 0, pushes = 1; pushes <= frames.length; pushes++) {
    assert.equal(decoder.push(stream, from, stream.length, one), 'ok');
    assert.equal(seen.length, pushes);
    from = decoder.consumed;
    assert.equal(from, 5 * pushes);
  }
  assert.deepEqual(seen, [1, 2, 3]);
});

test('a stop counts for a frame that came in pieces as well', () => {
  const stream = streamOf([Uint8Array.of(1, 2), Uint8Array.of(3)]);
  const decoder = new FrameDecoder(LIMIT);
  decoder.push(stream, 0, 5, () => assert.fail('nothing is complete'));
  decoder.push(stream, 5, stream.length, () => false);
  assert.equal(decoder.consumed, 6);
  assert.equal(decoder.hasPartial, false);
});

test('lengths beyond the limit and below zero are refused, however they arrive', () => {
  const cases = [
    [LIMIT + 1, 'tooLong'],
    [0x7fffffff, 'tooLong'],
    [-1, 'negative'],
    [-0x80000000, 'negative'],
  ] as const;
  for (const [length, expected] of cases) {
    const head = new Uint8Array(5);
    new DataView(head.buffer).setInt32(0, length);
    const whole = new FrameDecoder(LIMIT);
    assert.equal(
      whole.push(head, 0, 5, () => true),
      expected,
    );
    assert.equal(whole.refusedLength, length);
    const bytewise = new FrameDecoder(LIMIT);
    for (let i = 0; i < 3; i++)
      assert.equal(
        bytewise.push(head, i, i + 1, () => true),
        'ok',
      );
    assert.equal(
      bytewise.push(head, 3, 4, () => true),
      expected,
    );
  }
  const largest = streamOf([new Uint8Array(LIMIT)]);
  assert.equal(
    new FrameDecoder(LIMIT).push(largest, 0, largest.length, () => true),
    'ok',
  );
});

test('frames before a refused length are delivered', () => {
  const stream = Uint8Array.of(0, 0, 0, 1, 9, 0xff, 0xff, 0xff, 0xff);
  let count = 0;
  const status = new FrameDecoder(LIMIT).push(stream, 0, stream.length, () => {
    count++;
    return true;
  });
  assert.equal(status, 'negative');
  assert.equal(count, 1);
});

test('a changed limit counts from the next length on', () => {
  const decoder = new FrameDecoder(2);
  const stream = streamOf([new Uint8Array(3)]);
  decoder.setLimit(3);
  assert.equal(
    decoder.push(stream, 0, stream.length, () => true),
    'ok',
  );
});

test('a promised frame of the largest size costs only what was sent of it', () => {
  const decoders: FrameDecoder[] = [];
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 200; i++) {
    const decoder = new FrameDecoder(0xfffff);
    decoder.push(Uint8Array.of(0, 0x0f, 0xff, 0xff, 1), 0, 5, () => true);
    decoders.push(decoder);
  }
  const grown = process.memoryUsage().arrayBuffers - before;
  assert.ok(grown < 200 * 0xffff, `${grown} bytes for ${decoders.length} connections`);
});
