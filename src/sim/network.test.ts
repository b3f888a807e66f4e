import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { SeededRandom } from '../base/random.js';
import type { Socket, SocketHandler } from '../ports/network.js';
import { Timeline } from './clock.js';
import { simCompression } from './compression.js';
import { SimNetwork, type Host } from './network.js';
import { goodLink } from './parameters.js';
import type { LinkQuality } from './pipe.js';

const server = { host: '10.0.1.1', port: 2181 };

class Side implements SocketHandler {
  socket: Socket | null = null;
  readonly received: number[] = [];
  readonly chunks: number[] = [];
  drains = 0;
  closed: Error | null | undefined;

  onData(bytes: Uint8Array, start: number, end: number): void {
    this.received.push(...bytes.subarray(start, end));
    this.chunks.push(end - start);
  }

  onDrain(): void {
    this.drains++;
  }

  onClose(error: Error | null): void {
    this.closed = error;
  }
}

interface Pair {
  readonly timeline: Timeline;
  readonly network: SimNetwork;
  readonly near: Side;
  readonly far: Side;
}

async function connected(quality: Partial<LinkQuality>): Promise<Pair> {
  const timeline = new Timeline();
  const network = new SimNetwork(timeline, new SeededRandom(7), () => ({
    ...goodLink,
    ...quality,
  }));
  const host = (name: string): Host => ({
    name,
    isDead: false,
    post(task) {
      timeline.after(0, task);
    },
  });
  const near = new Side();
  const far = new Side();
  await network.portOf(host('server'), server.host, null).listen(server, (socket) => {
    far.socket = socket;
    return far;
  });
  network.dial(host('client'), '10.0.0.1', server, {
    onOpen: (socket) => {
      near.socket = socket;
      socket.serve(near);
    },
    onRefused: () => assert.fail('refused'),
  });
  settle(timeline);
  assert.ok(near.socket);
  assert.ok(far.socket);
  return { timeline, network, near, far };
}

function settle(timeline: Timeline): void {
  while (timeline.step(timeline.nowMs + 1000));
}

const numbers = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i);

test('bytes arrive in order however they are cut', async () => {
  for (const quality of [
    {},
    { cut: 0.9 },
    { cutToBytes: 1 },
    { jitterMs: 50, cut: 0.5, loss: 0.3 },
  ]) {
    const { timeline, near, far } = await connected(quality);
    near.socket?.write(numbers(150), 0, 100);
    near.socket?.write(numbers(150), 100, 150);
    settle(timeline);
    assert.deepEqual(far.received, [...numbers(150)]);
  }
});

test('what waits unread is read together', async () => {
  const { timeline, near, far } = await connected({});
  far.socket?.pause();
  for (let i = 0; i < 10; i++) near.socket?.write(numbers(10), i, i + 1);
  settle(timeline);
  assert.deepEqual(far.chunks, []);
  far.socket?.resume();
  settle(timeline);
  assert.deepEqual(far.chunks, [10]);
});

test('a full window keeps the buffer, and a buffer that is changed meanwhile shows it', async () => {
  const { timeline, near, far } = await connected({ windowBytes: 40 });
  far.socket?.pause();
  const bytes = numbers(100);
  assert.equal(near.socket?.write(bytes, 0, 100), false);
  assert.equal(near.socket.pendingBytes, 60);
  bytes[99] = 0;
  settle(timeline);
  assert.equal(near.drains, 0);
  far.socket?.resume();
  settle(timeline);
  assert.equal(near.drains, 1);
  assert.equal(near.socket.pendingBytes, 0);
  assert.equal(far.received.length, 100);
  assert.equal(far.received[99], 0, 'the buffer was not the writer’s any more');
});

test('ending sends what is pending, destroying drops it, both tell either side once', async () => {
  const ended = await connected({ windowBytes: 40 });
  ended.near.socket?.write(numbers(100), 0, 100);
  ended.near.socket?.end();
  settle(ended.timeline);
  assert.equal(ended.far.received.length, 100);
  assert.equal(ended.far.closed, null);
  assert.equal(ended.near.closed, null);

  const destroyed = await connected({ windowBytes: 40 });
  destroyed.far.socket?.pause();
  destroyed.near.socket?.write(numbers(100), 0, 100);
  destroyed.near.socket?.destroy();
  destroyed.far.socket?.resume();
  settle(destroyed.timeline);
  assert.equal(destroyed.far.received.length, 40);
  assert.equal(destroyed.far.closed, null);
});

test('a reset loses what is on the wire and is an error to both; what had arrived is read', async () => {
  const { timeline, network, near, far } = await connected({ latencyMs: 10 });
  near.socket?.write(numbers(10), 0, 5);
  timeline.step(timeline.nowMs + 11);
  near.socket?.write(numbers(10), 5, 10);
  for (const link of [...network.links()]) network.reset(link);
  settle(timeline);
  assert.deepEqual(far.received, [0, 1, 2, 3, 4]);
  assert.ok(far.closed instanceof Error);
  assert.ok(near.closed instanceof Error);
});

test('a silent link tells nobody', async () => {
  const { timeline, network, near, far } = await connected({});
  for (const link of network.links()) link.toFar.isSilent = true;
  near.socket?.write(numbers(10), 0, 10);
  near.socket?.destroy();
  settle(timeline);
  assert.deepEqual(far.received, []);
  assert.equal(far.closed, undefined);
});

test('bytes lent for a call are not the same afterwards', async () => {
  const { timeline, near, far } = await connected({});
  let kept: Uint8Array | null = null;
  far.onData = (bytes, start, end) => {
    kept = bytes.subarray(start, end);
  };
  near.socket?.write(numbers(4), 0, 4);
  settle(timeline);
  assert.deepEqual(kept, Uint8Array.of(0xdb, 0xdb, 0xdb, 0xdb));
});

test('simulated gzip is gzip, in one member or many, and damage is found', async () => {
  const content = Uint8Array.from({ length: 150_000 }, (_, i) => (i * 7) % 251);
  const packed = await simCompression.gzip(content);
  assert.deepEqual(new Uint8Array(gunzipSync(packed)), content);
  const gunzip = simCompression.gunzip();
  const pieces: Uint8Array[] = [];
  const twice = Uint8Array.from([...packed, ...packed]);
  for (let at = 0; at < twice.length; at += 10_007) {
    pieces.push(...(await gunzip.push(twice.subarray(at, at + 10_007))));
  }
  pieces.push(...(await gunzip.end()));
  assert.equal(
    pieces.reduce((sum, piece) => sum + piece.length, 0),
    2 * content.length,
  );
  packed[100] = (packed[100] ?? 0) ^ 1;
  await assert.rejects(simCompression.gunzip().push(packed));
  const short = simCompression.gunzip();
  await short.push((await simCompression.gzip(content)).subarray(0, 1000));
  await assert.rejects(short.end());
});

test('simulated snappy blocks come back, and damage is found', () => {
  for (const length of [0, 1, 59, 61, 32_768]) {
    const content = Uint8Array.from({ length }, (_, i) => i);
    const block = simCompression.snappyBlock(content);
    assert.deepEqual(simCompression.unsnappyBlock(block, length), content);
    assert.throws(() => simCompression.unsnappyBlock(block.subarray(0, -1), length));
  }
  assert.throws(() => simCompression.unsnappyBlock(simCompression.snappyBlock(numbers(9)), 8));
});
