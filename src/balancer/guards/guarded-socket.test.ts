import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../discovery/clock.fixture.js';
import type { SocketHandler } from '../../ports/network.js';
import { ErrorCode } from '../../protocol/errors.js';
import { OpCode } from '../../protocol/opcodes.js';
import { GetDataRequest } from '../../protocol/records/requests.js';
import { Writer } from '../../protocol/writer.js';
import { FrameSplitter } from '../keeping/frames.js';
import { int32At } from '../keeping/request-facts.js';
import type { SessionView } from '../keeping/keeping-types.js';
import { QuietSocket } from './guarded-client.fixture.js';
import type { GuardedSocket } from './guarded-socket.js';
import { Guards } from './guards.js';
import type { RateOptions } from './token-bucket.js';

/** A session that has each request judged when it comes. */
class Scene implements SocketHandler {
  readonly clock = new ManualClock();
  readonly socket = new QuietSocket();
  readonly guarded: GuardedSocket;
  /** `3@120`: request 3 after 120 ms; `!3@120`: refused. */
  readonly story: string[] = [];
  readonly #startMs = this.clock.monotonicMs();
  readonly #splitter = new FrameSplitter(1000);
  readonly #judge: (bytes: Uint8Array, start: number, end: number) => number;
  isClosed = false;

  constructor(rate: RateOptions, timeoutMs = 30_000) {
    const guards = new Guards({ perAddress: { rate } }, () => this.clock.monotonicMs());
    const admitted = guards.admit('10.0.0.1', false, 'default');
    assert.ok(typeof admitted === 'object');
    const session = { timeoutMs } as unknown as SessionView;
    this.#judge = (bytes, start, end) =>
      guards.judge(admitted, session, int32At(bytes, start + 4), bytes, start, end);
    const guarded = guards.stand(this.socket, admitted, this.clock);
    assert.ok(guarded !== null);
    this.guarded = guarded.serve(this);
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    this.#splitter.push(bytes, start, end, {
      onFrame: (frame, from, to) => {
        const error = this.#judge(frame, from + 4, to);
        assert.ok(error === 0 || error === ErrorCode.throttledOp);
        const afterMs = Math.round(this.clock.monotonicMs() - this.#startMs);
        this.story.push(`${error === 0 ? '' : '!'}${int32At(frame, from + 4)}@${afterMs}`);
        return true;
      },
    });
  }

  onDrain(): void {
    assert.fail('nothing is sent');
  }

  onClose(): void {
    this.isClosed = true;
  }

  /** They arrive, as far as anybody reads. */
  arrive(bytes: Uint8Array): void {
    this.guarded.onData(bytes, 0, bytes.length);
  }
}

function requests(...xids: readonly number[]): Uint8Array {
  const out = new Writer();
  for (const xid of xids) {
    const body = new Writer();
    body.writeInt(xid);
    body.writeInt(xid < 0 ? OpCode.ping : OpCode.getData);
    if (xid >= 0) GetDataRequest.write(body, { path: '/a', watch: false });
    const bytes = body.take();
    out.writeInt(bytes.length);
    out.writeBytes(bytes, 0, bytes.length);
  }
  return out.take();
}

test('requests over the rate go on in turn as their tokens come, and nothing is read meanwhile', async () => {
  const scene = new Scene({ perSecond: 10, burst: 2, waitMs: 1000 });
  scene.arrive(requests(1, 2, 3, 4, -2, 5));
  assert.deepEqual(scene.story, ['1@0', '2@0', '3@0']);
  assert.equal(scene.socket.isPaused, true);
  await scene.clock.advance(99);
  assert.equal(scene.story.length, 3);
  await scene.clock.advance(1000);
  assert.deepEqual(scene.story.slice(3), ['4@100', '-2@200', '5@200']);
  assert.equal(scene.socket.isPaused, false);
});

test('who has waited long enough is refused, and what its session lives by goes on', async () => {
  const scene = new Scene({ perSecond: 10, burst: 1, waitMs: 250 });
  scene.arrive(requests(1, 2, 3, 4, 5, 6, -2));
  await scene.clock.advance(2000);
  assert.deepEqual(scene.story, ['1@0', '2@0', '3@100', '4@200', '!5@300', '!6@300', '-2@300']);
});

test('a client that asks one thing at a time is slowed down forever, and never refused', async () => {
  const scene = new Scene({ perSecond: 10, burst: 1, waitMs: 150 });
  for (let xid = 1; xid <= 50; xid++) {
    scene.arrive(requests(xid));
    while (scene.socket.isPaused) await scene.clock.advance(1);
  }
  assert.equal(scene.story.length, 50);
  assert.ok(scene.story.every((line) => !line.startsWith('!')));
  assert.equal(scene.story.at(-1), '50@4800');
});

test('nobody waits for longer than a third of its session', async () => {
  const scene = new Scene({ perSecond: 1, burst: 1, waitMs: 60_000 }, 6000);
  scene.arrive(requests(1, 2, 3, 4, 5, 6, 7));
  await scene.clock.advance(60_000);
  assert.deepEqual(scene.story.slice(0, 5), ['1@0', '2@0', '3@1000', '!4@2000', '!5@2000']);
});

test('frames are whole whatever the network makes of them', async () => {
  const scene = new Scene({ perSecond: 10, burst: 1, waitMs: 10_000 });
  const bytes = requests(1, 2, 3, 4);
  for (const byte of bytes) scene.arrive(Uint8Array.of(byte));
  await scene.clock.advance(5000);
  assert.deepEqual(scene.story, ['1@0', '2@0', '3@100', '4@200']);
});

test('its owner’s pause holds when the wait is over, and its end ends the wait', async () => {
  const scene = new Scene({ perSecond: 10, burst: 1, waitMs: 10_000 });
  scene.arrive(requests(1, 2));
  scene.guarded.pause();
  await scene.clock.advance(1000);
  assert.equal(scene.socket.isPaused, true);
  scene.guarded.resume();
  assert.equal(scene.socket.isPaused, false);
  scene.arrive(requests(3, 4, 5));
  assert.equal(scene.clock.pendingTimers, 1);
  scene.guarded.resume();
  assert.equal(scene.socket.isPaused, true, 'it still waits');
  scene.guarded.onClose(null);
  assert.deepEqual([scene.isClosed, scene.clock.pendingTimers], [true, 0]);
});
