import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { SeededRandom } from '../base/random.js';
import { Writer } from '../protocol/writer.js';
import { makeZxid, zxidOfParts } from '../protocol/zxid.js';
import { describeState, History } from '../sim/crash/history.js';
import { stillClock } from '../sim/crash/world.js';
import { Tree, TreeLoadError } from '../tree/tree.js';
import { AbandonedError } from './pace.js';
import { SnapReceiver } from './snap-receiver.js';
import type { SnapshotBlocks } from './snapshot-encoder.js';
import { snapSignature, SnapStream } from './snap-stream.js';

const itemBytesMax = 1 << 20;
const apacheSnapshot = resolve(
  import.meta.dirname,
  '../../test/fixtures/storage/3.9.5/plain/version-2/snapshot.28',
);

function historyOf(txns: number): History {
  const history = new History(new SeededRandom(51));
  history.next(txns);
  return history;
}

class Collected implements SnapshotBlocks {
  readonly bytes: number[] = [];
  put(bytes: Uint8Array, length: number): Promise<void> {
    this.bytes.push(...bytes.subarray(0, length));
    return Promise.resolve();
  }
  end(): Promise<void> {
    return Promise.resolve();
  }
}

async function streamOf(
  tree: Tree,
  sessions: Iterable<readonly [bigint, number]>,
): Promise<Uint8Array> {
  const blocks = new Collected();
  const stream = new SnapStream(stillClock, tree, sessions, blocks);
  await stream.run();
  stream.close();
  return Uint8Array.from(blocks.bytes);
}

function receiver(takesSignature = false): SnapReceiver {
  return new SnapReceiver({ treeOptions: {}, itemBytesMax, takesSignature });
}

/** All of it in pieces; how much was taken. */
function push(to: SnapReceiver, bytes: Uint8Array, pieceBytes: number): number {
  let taken = 0;
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const end = Math.min(bytes.length, at + pieceBytes);
    const count = to.push(bytes, at, end);
    assert.notEqual(count, 'malformed', to.problem ?? '');
    taken += Number(count);
    if (to.isComplete) break;
    assert.equal(count, end - at, 'it takes all as long as it is not complete');
  }
  return taken;
}

test('what one end sends is what the other one has, whatever the pieces', async () => {
  const history = historyOf(120);
  const body = await streamOf(history.tree, history.sessions);
  const packets = Uint8Array.of(0, 0, 0, 10, 1, 2, 3);
  const bytes = Uint8Array.from([...body, ...packets]);
  for (const pieceBytes of [1, 2, 7, 100, 1460, 1 << 20]) {
    const to = receiver();
    assert.equal(push(to, bytes, pieceBytes), body.length, 'packets are not its own');
    assert.equal(to.push(bytes, 0, 5), 0);
    assert.equal(to.pendingBytes, 0);
    const { tree, sessions } = to.finish(history.zxid);
    tree.verifyAcls();
    assert.equal(describeState(tree, sessions), describeState(history.tree, history.sessions));
    assert.equal(zxidOfParts(tree.lastZxidHigh, tree.lastZxidLow), history.zxid);
  }
});

test('the signature can be its own to take', async () => {
  const history = historyOf(20);
  const body = await streamOf(history.tree, history.sessions);
  assert.deepEqual([...snapSignature], [0, 0, 0, 10, ...new TextEncoder().encode('BenWasHere')]);
  const bytes = Uint8Array.from([...body, ...snapSignature, 9, 9]);
  for (const pieceBytes of [1, 3, bytes.length]) {
    const to = receiver(true);
    assert.equal(push(to, bytes, pieceBytes), bytes.length - 2);
    assert.ok(to.isComplete);
  }
  const wrong = Uint8Array.from(bytes);
  wrong[body.length + 6] = 0;
  const to = receiver(true);
  assert.equal(to.push(wrong, 0, wrong.length), 'malformed');
  assert.match(to.problem ?? '', /signature/);
});

test("it is what Apache's snapshot holds between its header and its first seal", async () => {
  const file = readFileSync(apacheSnapshot);
  const to = new SnapReceiver({ treeOptions: { extendedTypes: true }, itemBytesMax });
  const content = Uint8Array.from(file.subarray(16));
  const length = to.push(content, 0, content.length);
  assert.ok(length !== 'malformed' && to.isComplete);
  const { tree, sessions } = to.finish(0x28n);
  const ours = await streamOf(tree, sessions);
  assert.ok(file.subarray(16, 16 + length).equals(ours));
  // what follows in the file is the seal: a checksum and "/"
  assert.deepEqual([...content.subarray(length + 8, length + 13)], [0, 0, 0, 1, 0x2f]);
});

test('cut off anywhere it waits for more, and never is complete', async () => {
  const history = historyOf(30);
  const bytes = await streamOf(history.tree, history.sessions);
  for (let end = 0; end < bytes.length; end += 3) {
    const to = receiver();
    assert.equal(to.push(bytes, 0, end), end);
    assert.ok(!to.isComplete);
  }
});

test('what is no snapshot is malformed, and stays so', () => {
  const write = (fill: (writer: Writer) => void): Uint8Array => {
    const writer = new Writer();
    fill(writer);
    return writer.take();
  };
  const empty = (writer: Writer): void => {
    writer.writeInt(0);
    writer.writeInt(0);
  };
  const cases = [
    write((writer) => {
      empty(writer);
      writer.writeInt(-2);
    }),
    write((writer) => {
      empty(writer);
      writer.writeInt(itemBytesMax + 1);
    }),
    write((writer) => {
      empty(writer);
      writer.writeString('');
      writer.writeInt(-2);
    }),
    write((writer) => {
      empty(writer);
      writer.writeString('');
      writer.writeInt(0x7fffffff);
    }),
    write((writer) => {
      writer.writeInt(0);
      writer.writeInt(1);
      writer.writeLong(1n);
      writer.writeInt(0x7fffffff);
    }),
    write((writer) => {
      writer.writeInt(0);
      writer.writeInt(1);
      writer.writeLong(1n);
      writer.writeInt(1);
      writer.writeInt(31);
      writer.writeInt(-7);
    }),
    write((writer) => {
      writer.writeInt(0);
      writer.writeInt(1);
      writer.writeLong(1n);
      writer.writeInt(-1);
      writer.writeLong(0n);
    }),
    // a znode without its parent
    write((writer) => {
      empty(writer);
      for (const path of ['', '/a/b']) {
        writer.writeString(path);
        writer.writeInt(-1);
        writer.writeLong(-1n);
        writer.writeBytes(new Uint8Array(60), 0, 60);
      }
    }),
  ];
  for (const [index, bytes] of cases.entries()) {
    const to = receiver();
    assert.equal(to.push(bytes, 0, bytes.length), 'malformed', `case ${index}`);
    assert.notEqual(to.problem, null);
    assert.equal(to.push(bytes, 0, 1), 'malformed');
  }
  const rootless = receiver();
  const bytes = write((writer) => {
    empty(writer);
    writer.writeString('/');
  });
  assert.equal(rootless.push(bytes, 0, bytes.length), bytes.length);
  assert.throws(() => rootless.finish(1n), TreeLoadError);
});

test('a length that is a lie costs nothing', () => {
  const to = receiver();
  const writer = new Writer();
  writer.writeInt(0x7fffffff);
  writer.writeBytes(new Uint8Array(11), 0, 11);
  assert.equal(to.push(writer.bytes, 0, writer.pos), writer.pos);
  assert.equal(to.pendingBytes, 11);
  assert.ok(!to.isComplete);
});

test('no more than two blocks are under way, and a learner that is slow is waited for', async () => {
  const history = historyOf(3);
  const tree = history.tree;
  const batch = new History(new SeededRandom(3));
  batch.next(1500);
  let open = 0;
  let mostOpen = 0;
  const release: (() => void)[] = [];
  const bytes: number[] = [];
  let last: Promise<void> = Promise.resolve();
  const blocks: SnapshotBlocks = {
    async put(block, length) {
      await last;
      open++;
      mostOpen = Math.max(mostOpen, open);
      bytes.push(...block.subarray(0, length));
      last = new Promise((done) => {
        release.push(() => {
          open--;
          done();
        });
      });
    },
    end: () => last,
  };
  const stream = new SnapStream(stillClock, batch.tree, batch.sessions, blocks);
  assert.equal(stream.zxid, batch.zxid);
  let isDone = false;
  const run = stream.run().then(() => {
    isDone = true;
  });
  while (!isDone) {
    await new Promise(setImmediate);
    release.shift()?.();
  }
  await run;
  stream.close();
  assert.equal(mostOpen, 1);
  const to = receiver();
  push(to, Uint8Array.from(bytes), 4096);
  assert.ok(to.isComplete);
  assert.equal(to.nodeCount, stream.nodeCount);
  assert.ok(to.nodeCount > tree.nodeCount);
});

test('transactions go on meanwhile, and make it whole at the other end', async () => {
  const history = historyOf(1000);
  const from = new History(new SeededRandom(51));
  const early = from.next(800);
  const late = from.next(200);
  const live = new Tree();
  const apply = (tree: Tree, index: number, batch = late): void => {
    tree.apply(batch.bytes, batch.payloadStart(index), batch.payloadEnd(index));
  };
  for (let i = 0; i < early.count; i++) apply(live, i, early);
  let applied = 0;
  const to = receiver();
  const blocks: SnapshotBlocks = {
    put(bytes, length) {
      push(to, bytes.slice(0, length), 500);
      return Promise.resolve();
    },
    end: () => Promise.resolve(),
  };
  // every look at the clock ends the slice, and each rest lets some more happen
  let nowMs = 0;
  const clock = {
    ...stillClock,
    monotonicMs: () => (nowMs += 10),
    soon(run: () => void) {
      for (let i = 0; i < 15 && applied < late.count; i++) apply(live, applied++);
      stillClock.soon(run);
    },
  };
  const stream = new SnapStream(clock, live, [], blocks);
  await stream.run();
  stream.close();
  assert.ok(applied > 20, `${applied} while it was sent`);
  const { tree } = to.finish(stream.zxid);
  for (let i = 0; i < late.count; i++) apply(tree, i);
  tree.verifyAcls();
  assert.equal(describeState(tree, new Map()), describeState(history.tree, new Map()));
});

test('a stream whose learner has gone ends', async () => {
  const history = historyOf(100);
  const blocks: SnapshotBlocks = {
    put: () => Promise.resolve(),
    end: () => Promise.resolve(),
  };
  const stream = new SnapStream(stillClock, history.tree, history.sessions, blocks);
  stream.abandon();
  await assert.rejects(stream.run(), AbandonedError);
  stream.close();
});

test('nobody waits long while it is sent', async () => {
  const tree = Tree.forLoading();
  const stat = new Uint8Array(60);
  const path = (text: string): Uint8Array => new TextEncoder().encode(text);
  tree.loadNode(path(''), 0, 0, null, 0, 0, -1, stat, 0);
  const data = new Uint8Array(100);
  for (let i = 0; i < 60_000; i++) {
    const name = path(`/n${i}`);
    tree.loadNode(name, 0, name.length, data, 0, data.length, -1, stat, 0);
  }
  tree.finishLoading();
  tree.setLastZxid(3, 1);
  const to = receiver();
  // 64 znodes take as long as this clock says
  let nowMs = 0;
  let rests = 0;
  let restedMs = 0;
  let longestMs = 0;
  const clock = {
    ...stillClock,
    monotonicMs: () => (nowMs += 0.1),
    soon(run: () => void) {
      rests++;
      longestMs = Math.max(longestMs, nowMs - restedMs);
      restedMs = nowMs;
      stillClock.soon(run);
    },
  };
  const stream = new SnapStream(clock, tree, [], {
    put(bytes, length) {
      push(to, bytes.slice(0, length), 65536);
      return Promise.resolve();
    },
    end: () => Promise.resolve(),
  });
  await stream.run();
  stream.close();
  assert.ok(to.isComplete);
  assert.equal(to.finish(makeZxid(3, 1)).tree.nodeCount, tree.nodeCount);
  assert.ok(rests > 20);
  assert.ok(longestMs <= 3, `${longestMs} ms in one turn`);
});
