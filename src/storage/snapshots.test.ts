import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../base/random.js';
import type { Clock } from '../ports/clock.js';
import { DiskError } from '../ports/disk.js';
import { nodeCompression } from '../node/compression.js';
import { CreateTxn, TxnHeader } from '../protocol/records.js';
import { TxnBatch } from '../protocol/txn-batch.js';
import { Writer } from '../protocol/writer.js';
import { describeState, History } from '../sim/crash/history.js';
import { CrashWorld, dataDir, stillClock, storageOptions } from '../sim/crash/world.js';
import { simCompression } from '../sim/compression.js';
import { SimDisk } from '../sim/disk.js';
import { Tree } from '../tree/tree.js';
import type { SnapshotCompression } from './names.js';
import { AbandonedError, Pace } from './pace.js';
import { ignoringSink, readSnapshotContent, type SnapshotSink } from './snapshot-reader.js';
import { openSnapshotSource, SnapshotError } from './snapshot-source.js';
import { Storage } from './storage.js';
import { snapshotPace, writeSnapshot } from './snapshot-writer.js';
import { silentLogger } from '../ports/logger.js';

const directory = `${dataDir}/version-2`;

/** All that a snapshot says, as text. Throws SnapshotError. */
async function contentOf(
  disk: SimDisk,
  path: string,
  compression: SnapshotCompression,
): Promise<string> {
  const lines: string[] = [];
  const sink: SnapshotSink = {
    session: (id, timeoutMs) => lines.push(`${id} ${timeoutMs}`),
    acl: (id, acls) => lines.push(`${id} ${JSON.stringify(acls)}`),
    node(bytes, pathStart, _pathEnd, _dataStart, _dataEnd, aclId, statStart) {
      lines.push(`${bytes.subarray(pathStart, statStart + 60).join()} ${aclId}`);
    },
  };
  const source = openSnapshotSource(disk, nodeCompression, path, compression);
  const summary = await readSnapshotContent(source, sink, new Pace(stillClock, 10));
  lines.push(`${summary.digest?.zxid} ${summary.digest?.digest} ${summary.lastZxid}`);
  return lines.join('\n');
}

/** Znodes under the root, each with its own number in its data. */
function wideTree(count: number, dataBytes: number): Tree {
  const tree = new Tree();
  const data = new Uint8Array(dataBytes);
  for (let i = 1; i <= count; i++) {
    for (let at = 0; at < dataBytes; at++) data[at] = at * 31 + i;
    const writer = new Writer();
    TxnHeader.write(writer, { clientId: 1n, cxid: 1, zxid: BigInt(i), time: 1n, type: 1 });
    const create = { path: `/n${i}`, data, acl: null, ephemeral: false, parentCVersion: i };
    CreateTxn.write(writer, create);
    tree.apply(writer.bytes, 0, writer.pos);
  }
  return tree;
}

function freshDisk(capacityBytes?: number): SimDisk {
  const disk = new SimDisk(capacityBytes === undefined ? {} : { capacityBytes });
  disk.makeDirectoryNow(directory);
  return disk;
}

async function write(
  disk: SimDisk,
  tree: Tree,
  sessions: Iterable<readonly [bigint, number]>,
  given: { readonly compression?: SnapshotCompression; readonly clock?: Clock } = {},
): Promise<string> {
  const { file } = await writeSnapshot(
    {
      disk,
      compression: nodeCompression,
      clock: given.clock ?? stillClock,
      logger: silentLogger,
      directory,
      snapshotCompression: given.compression ?? '',
      digestEnabled: true,
      serializeLastProcessedZxid: true,
      syncDirectory: (path) => disk.syncDirectory(path),
    },
    tree,
    sessions,
    snapshotPace(given.clock ?? stillClock, false),
  );
  return file;
}

async function recover(disk: SimDisk): Promise<{ readonly state: string; readonly zxid: bigint }> {
  disk.restart();
  const options = storageOptions(disk, { compression: nodeCompression });
  const { tree, sessions, lastZxid } = await Storage.open(options).recover();
  return { state: describeState(tree, sessions), zxid: lastZxid };
}

function pastOf(txns: number): History {
  const history = new History(new SeededRandom(3));
  for (let i = 0; i < txns; i++) history.next(1, new TxnBatch());
  return history;
}

for (const compression of ['', 'gz', 'snappy'] as const) {
  test(`a snapshot ${compression === '' ? 'as it is' : `as ${compression}`} holds all there is`, async () => {
    const history = pastOf(400);
    const disk = freshDisk();
    const file = await write(disk, history.tree, history.sessions, { compression });
    assert.equal(file, `${directory}/snapshot.190${compression === '' ? '' : `.${compression}`}`);
    const found = await recover(disk);
    assert.equal(found.zxid, history.zxid);
    assert.equal(found.state, history.stateAt(history.zxid));
  });

  test(`any damage to a snapshot ${compression} is found`, async () => {
    const history = pastOf(12);
    const disk = freshDisk();
    const path = await write(disk, history.tree, history.sessions, { compression });
    const size = disk.sizeNow(path);
    const expected = await contentOf(disk, path, compression);
    let harmless = 0;
    for (let position = 0; position < size; position++) {
      const damaged = new SimDisk({ image: disk.image.clone() });
      damaged.corrupt(path, position, 0x40);
      try {
        assert.equal(await contentOf(damaged, path, compression), expected, `byte ${position}`);
        harmless++;
      } catch (error) {
        assert.ok(error instanceof SnapshotError, `byte ${position}: ${String(error)}`);
      }
    }
    // gzip's header holds more than matters, and snappy may copy the same bytes from elsewhere
    assert.ok(harmless <= (compression === '' ? 0 : size / 10), `${harmless} of ${size} bytes`);
  });

  test(`a snapshot ${compression} that ends early is found, wherever it ends`, async () => {
    const history = pastOf(12);
    const disk = freshDisk();
    const path = await write(disk, history.tree, history.sessions, { compression });
    const size = disk.sizeNow(path);
    const whole: number[] = [];
    for (let length = 0; length < size; length++) {
      const cut = new SimDisk({ image: disk.image.clone() });
      const file = cut.openNow(path, 'write');
      file.truncateNow(length);
      file.closeNow();
      const source = openSnapshotSource(cut, nodeCompression, path, compression);
      try {
        await readSnapshotContent(source, ignoringSink, new Pace(stillClock, 10));
        whole.push(length);
      } catch (error) {
        assert.ok(error instanceof SnapshotError, `byte ${length}: ${String(error)}`);
      }
    }
    // uncompressed, the blocks after the tree are of later releases: without them it is an older one's
    assert.equal(whole.length, compression === '' ? 2 : 0);
  });
}

test('what changes while a snapshot is written is made good by the log', async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const disk = new SimDisk();
    const history = new History(new SeededRandom(seed));
    const random = new SeededRandom(seed);
    // every look at the clock costs a millisecond: a slice is two znodes
    let nowMs = 0;
    const clock = { ...stillClock, monotonicMs: () => (nowMs += 0.7) };
    const options = { clock };
    const world = new CrashWorld({ disk, sim: disk, history, random, options, mark() {} });
    await world.start();
    await world.write(120);
    const snapshot = world.snapshot();
    await world.write(60);
    await snapshot;
    await world.write(1);
    world.kill();
    const found = await recover(disk);
    assert.equal(found.zxid, history.zxid);
    assert.equal(found.state, history.stateAt(history.zxid));
  }
});

test('writing a snapshot gives way again and again', async () => {
  const tree = wideTree(5000, 10);
  let nowMs = 0;
  let turns = 0;
  let longestMs = 0;
  let turnBeganMs = 0;
  const clock: Clock = {
    ...stillClock,
    monotonicMs: () => (nowMs += 0.25),
    after(delayMs, run) {
      turns++;
      longestMs = Math.max(longestMs, nowMs - turnBeganMs);
      setImmediate(() => {
        nowMs += delayMs;
        turnBeganMs = nowMs;
        run();
      });
      return { cancel: () => undefined };
    },
  };
  await write(freshDisk(), tree, [], { clock });
  assert.ok(turns >= 6, `${turns} turns`);
  assert.ok(longestMs <= 3, `${longestMs} ms in one turn`);
});

test('a snapshot that is abandoned rejects soon, and leaves the older ones and no traces', async () => {
  const disk = freshDisk();
  const older = await write(disk, wideTree(2, 10), []);
  const pace = snapshotPace(stillClock, false);
  const parts = {
    disk,
    compression: nodeCompression,
    clock: stillClock,
    logger: silentLogger,
    directory,
    snapshotCompression: '' as const,
    digestEnabled: true,
    serializeLastProcessedZxid: true,
    syncDirectory: (path: string) => disk.syncDirectory(path),
  };
  const writing = writeSnapshot(parts, wideTree(50_000, 10), [], pace);
  pace.abandon();
  await assert.rejects(writing, AbandonedError);
  assert.deepEqual(
    disk.listNow(directory).map(({ name }) => `${directory}/${name}`),
    [older],
  );
});

test('a full disk leaves the older snapshots, and no traces', async () => {
  const history = pastOf(60);
  const disk = freshDisk();
  await write(disk, history.tree, history.sessions);
  history.next(60, new TxnBatch());
  const before = disk.image.clone();
  const needed = (await sizeOfNext(history)) - 1;
  for (let room = 0; room < needed; room += 37) {
    let used = 0;
    for (const inode of before.inodes.values()) if (inode.kind === 'file') used += inode.now.size;
    const full = new SimDisk({ image: before.clone(), capacityBytes: used + room });
    await assert.rejects(write(full, history.tree, history.sessions), (error) => {
      assert.ok(error instanceof DiskError);
      return error.code === 'ENOSPC';
    });
    assert.deepEqual(
      full.listNow(directory).map(({ name }) => name),
      ['snapshot.3c'],
    );
  }
});

async function sizeOfNext(history: History): Promise<number> {
  const disk = freshDisk();
  return disk.sizeNow(await write(disk, history.tree, history.sessions));
}

test('snapshots without digest and last zxid are read, and those with a digest of version 1', async () => {
  const history = pastOf(5);
  const disk = freshDisk();
  const path = await write(disk, history.tree, history.sessions);
  const whole = disk.bytesOf(path);
  const tail = 33 + 21;
  const read = async (bytes: Uint8Array): ReturnType<typeof readSnapshotContent> => {
    const copy = freshDisk();
    const file = copy.openNow(`${directory}/snapshot.5`, 'create');
    file.writeNow(bytes, 0, bytes.length, 0);
    file.closeNow();
    const source = openSnapshotSource(copy, simCompression, `${directory}/snapshot.5`, '');
    return await readSnapshotContent(source, ignoringSink, new Pace(stillClock, 10));
  };
  const full = await read(whole);
  assert.equal(full.lastZxid, 5n);
  assert.equal(full.digest?.zxid, 5n);
  const oldest = await read(whole.subarray(0, whole.length - tail));
  assert.deepEqual([oldest.digest, oldest.lastZxid], [null, null]);
  const older = await read(whole.subarray(0, whole.length - 21));
  assert.deepEqual([older.digest, older.lastZxid], [full.digest, null]);

  const { adler32 } = await import('../protocol/adler32.js');
  const sealed = (bytes: Uint8Array): Uint8Array => {
    const seal = new Uint8Array(13);
    new DataView(seal.buffer).setUint32(4, adler32(bytes, 0, bytes.length));
    seal.set([0, 0, 0, 1, 0x2f], 8);
    return Uint8Array.from([...bytes, ...seal]);
  };
  const tree = whole.subarray(0, whole.length - tail);
  const zxidOnly = sealed(Uint8Array.from([...tree, 0, 0, 0, 0, 0, 0, 0, 5]));
  assert.deepEqual([(await read(zxidOnly)).digest, (await read(zxidOnly)).lastZxid], [null, 5n]);
  const text = new TextEncoder().encode('ab12');
  const first = sealed(
    Uint8Array.from([...tree, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, text.length, ...text]),
  );
  assert.deepEqual((await read(first)).digest, { zxid: 5n, version: 1, digest: 0xab12n });
});

test('a large snapshot in many gzip members and snappy blocks comes back', async () => {
  // three blocks' worth
  const tree = wideTree(1100, 3000);
  for (const compression of ['gz', 'snappy'] as const) {
    const disk = freshDisk();
    await write(disk, tree, [], { compression });
    const found = await recover(disk);
    assert.equal(found.state, describeState(tree, new Map()));
  }
});
