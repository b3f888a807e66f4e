import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../base/random.js';
import type { TxnBatch } from '../protocol/txn-batch.js';
import { History } from '../sim/crash/history.js';
import { storageOptions } from '../sim/crash/world.js';
import { SimDisk } from '../sim/disk.js';
import { Tree } from '../tree/tree.js';
import { Storage } from './storage.js';

function applyAll(tree: Tree, batch: TxnBatch): void {
  for (let i = 0; i < batch.count; i++) {
    tree.apply(batch.bytes, batch.payloadStart(i), batch.payloadEnd(i));
  }
}

function flushed(storage: Storage): Promise<void> {
  return new Promise((resolve) => {
    storage.flush(resolve);
  });
}

/**
 * A leader sends what it has from `begin` on while it goes on to `end`, so the snapshot holds some of
 * what comes after the zxid that it says; then the log goes on to `last`, and the server is restarted.
 */
async function restarted(
  seed: number,
  begin: number,
  end: number,
  last: number,
): Promise<{ readonly found: Tree; readonly truth: Tree; readonly mismatch: bigint | null }> {
  const history = new History(new SeededRandom(seed));
  const truth = new Tree();
  const received = new Tree();
  const before = history.next(begin);
  const during = history.next(end - begin);
  const sessions = new Map(history.sessions);
  const after = history.next(last - end);
  for (const batch of [before, during]) applyAll(received, batch);
  received.setLastZxid(0, begin);
  for (const batch of [before, during, after]) applyAll(truth, batch);

  const disk = new SimDisk();
  const storage = Storage.open(storageOptions(disk));
  await storage.recover();
  await storage.installSnapshot(received, sessions);
  for (const batch of [during, after]) {
    storage.append(batch);
    await flushed(storage);
  }
  disk.restart();
  const again = Storage.open(storageOptions(disk));
  const { tree: found, digestMismatch: mismatch } = await again.recover();
  again.close();
  return { found, truth, mismatch };
}

test('no digest is noted while a snapshot from the leader holds what is still to be replayed', async () => {
  let withheld = 0;
  for (let seed = 1; seed <= 3; seed++) {
    const { found, truth, mismatch } = await restarted(seed, 100, 200, 400);
    const due = new Map([...truth.digests.entries()].map(({ zxid, digest }) => [zxid, digest]));
    assert.deepEqual([...due.keys()], [128n, 256n, 384n]);
    const noted = [...found.digests.entries()];
    for (const { zxid, digest } of noted) assert.equal(digest, due.get(zxid), `at ${zxid}`);
    assert.deepEqual(
      noted.map(({ zxid }) => zxid).filter((zxid) => zxid > 200n),
      [256n, 384n],
      'beyond the snapshot all of them are there',
    );
    if (noted[0]?.zxid !== 128n) withheld++;
    assert.equal(mismatch, null, 'and it is no fault of the tree');
    assert.equal(found.digestLow, truth.digestLow);
  }
  assert.ok(withheld > 0, 'the snapshot was not exact');
});

test('after an exact snapshot from the leader every digest is noted', async () => {
  const { found, truth } = await restarted(9, 100, 100, 300);
  assert.deepEqual([...found.digests.entries()], [...truth.digests.entries()]);
});
