import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DiskError } from '../ports/disk.js';
import { crashStates, Recording } from './crash-states.js';
import { SimDisk } from './disk.js';
import type { DiskImage } from './disk-image.js';

function fresh(): SimDisk {
  const disk = new SimDisk();
  disk.makeDirectoryNow('/d');
  disk.syncDirectoryNow('/');
  return disk;
}

function put(disk: SimDisk, path: string, text: string, position = 0): void {
  const file = disk.existsNow(path) ? disk.openNow(path, 'write') : disk.openNow(path, 'create');
  const bytes = new TextEncoder().encode(text);
  file.writeNow(bytes, 0, bytes.length, position);
  file.closeNow();
}

function sync(disk: SimDisk, path: string): void {
  const file = disk.openNow(path, 'write');
  file.syncNow();
  file.closeNow();
}

/** Every different outcome, as text: names and contents. */
function outcomes(
  image: DiskImage,
  options: { sectorBytes?: number; statesMax?: number } = {},
): Set<string> {
  const found = new Set<string>();
  for (const state of crashStates(image, { seed: 1, ...options })) {
    const disk = new SimDisk({ image: state });
    if (!disk.existsNow('/d')) {
      found.add('nothing');
      continue;
    }
    const files = disk.listNow('/d').map(({ name }) => {
      const text = new TextDecoder().decode(disk.bytesOf(`/d/${name}`));
      return `${name}=${text.replaceAll('\0', '.')}`;
    });
    found.add(files.sort().join(' '));
  }
  return found;
}

test('what was synced, with its name, is there in every state', () => {
  const disk = fresh();
  put(disk, '/d/a', 'hello');
  sync(disk, '/d/a');
  disk.syncDirectoryNow('/d');
  assert.deepEqual(outcomes(disk.image), new Set(['a=hello']));
});

test('a file whose name was not synced may be lost, whole', () => {
  const disk = fresh();
  put(disk, '/d/a', 'hello');
  sync(disk, '/d/a');
  assert.deepEqual(outcomes(disk.image), new Set(['', 'a=hello']));
});

test('a name may be there without content, or with its length and zeros', () => {
  const disk = fresh();
  put(disk, '/d/a', 'hello');
  disk.syncDirectoryNow('/d');
  assert.deepEqual(outcomes(disk.image), new Set(['a=', 'a=.....', 'a=hello']));
});

test('sectors reach the disk in any combination, each as of some moment', () => {
  const disk = fresh();
  put(disk, '/d/a', 'aaaabbbb');
  sync(disk, '/d/a');
  disk.syncDirectoryNow('/d');
  put(disk, '/d/a', 'AAAABBBB');
  put(disk, '/d/a', 'x', 1);
  assert.deepEqual(
    outcomes(disk.image, { sectorBytes: 4 }),
    new Set(['a=aaaabbbb', 'a=AAAAbbbb', 'a=AxAAbbbb', 'a=aaaaBBBB', 'a=AAAABBBB', 'a=AxAABBBB']),
  );
});

test('a rename is whole or has not happened, and the content does not follow its name', () => {
  const disk = fresh();
  put(disk, '/d/old', '1');
  sync(disk, '/d/old');
  disk.syncDirectoryNow('/d');
  put(disk, '/d/tmp', '2');
  disk.renameNow('/d/tmp', '/d/old');
  const found = outcomes(disk.image);
  assert.ok(found.has('old=1'));
  assert.ok(found.has('old=2'));
  assert.ok(found.has('old='), 'renamed before its content was synced');
  assert.ok(found.has('old=1 tmp=2'));
});

test('unlinked files may come back', () => {
  const disk = fresh();
  put(disk, '/d/a', '1');
  sync(disk, '/d/a');
  disk.syncDirectoryNow('/d');
  disk.unlinkNow('/d/a');
  assert.deepEqual(outcomes(disk.image), new Set(['', 'a=1']));
  disk.syncDirectoryNow('/d');
  assert.deepEqual(outcomes(disk.image), new Set(['']));
});

test('a truncation may not have happened', () => {
  const disk = fresh();
  put(disk, '/d/a', 'hello');
  sync(disk, '/d/a');
  disk.syncDirectoryNow('/d');
  const file = disk.openNow('/d/a', 'write');
  file.truncateNow(2);
  const found = outcomes(disk.image);
  assert.ok(found.has('a=hello'));
  assert.ok(found.has('a=he'));
  file.syncNow();
  assert.deepEqual(outcomes(disk.image), new Set(['a=he']));
});

test('many units are sampled, extremes first, and the same for the same seed', () => {
  const disk = fresh();
  put(disk, '/d/a', 'a'.repeat(64));
  sync(disk, '/d/a');
  disk.syncDirectoryNow('/d');
  for (let i = 0; i < 64; i += 4) put(disk, '/d/a', 'BBBB', i);
  const all = outcomes(disk.image, { sectorBytes: 4, statesMax: 2 ** 17 });
  assert.equal(all.size, 2 ** 16);
  const some = outcomes(disk.image, { sectorBytes: 4, statesMax: 64 });
  assert.ok(some.size > 32 && some.size <= 64, `${some.size}`);
  assert.ok(some.has(`a=${'a'.repeat(64)}`));
  assert.ok(some.has(`a=${'B'.repeat(64)}`));
  assert.deepEqual(some, outcomes(disk.image, { sectorBytes: 4, statesMax: 64 }));
});

test('a recording is the run again, moment by moment', () => {
  const disk = fresh();
  const recording = new Recording<string>(disk.image);
  const recorded = new SimDisk({ image: disk.image, onStep: recording.onStep });
  put(recorded, '/d/a', '1');
  sync(recorded, '/d/a');
  recording.mark('told');
  recorded.syncDirectoryNow('/d');
  const seen: string[] = [];
  for (const { image, marks } of recording.moments()) {
    seen.push(`${[...outcomes(image)].sort().join('|')} ${marks.join()}`);
  }
  assert.equal(seen.at(0), ' ');
  assert.equal(seen.at(-1), 'a=1 told');
  assert.ok(seen.includes('|a=1 told'));
});

test('faults: errors, short writes, a full disk, syncs that fail or lie', async () => {
  let next: 'none' | 'short' | 'clean' | 'lie' | 'error' = 'none';
  const disk = new SimDisk({
    capacityBytes: 20,
    faultOf() {
      const now = next;
      next = 'none';
      if (now === 'short') return { kind: 'error', code: 'EIO', bytesWritten: 2 };
      if (now === 'clean') return { kind: 'clean', code: 'EIO' };
      if (now === 'lie') return { kind: 'lie' };
      return now === 'error' ? { kind: 'error', code: 'EROFS' } : null;
    },
  });
  disk.makeDirectoryNow('/d');
  const file = disk.openNow('/d/a', 'create');
  const write = (text: string, at: number): void => {
    const bytes = new TextEncoder().encode(text);
    file.writeNow(bytes, 0, bytes.length, at);
  };
  const text = (): string => new TextDecoder().decode(disk.bytesOf('/d/a'));
  next = 'short';
  assert.throws(() => write('hello', 0), { code: 'EIO' });
  assert.equal(text(), 'he');
  assert.throws(() => write('x'.repeat(30), 0), { code: 'ENOSPC' });
  assert.equal(text(), 'x'.repeat(20));
  assert.equal(disk.freeBytesNow(), 0);
  disk.syncDirectoryNow('/');
  disk.syncDirectoryNow('/d');

  next = 'lie';
  await file.sync();
  assert.ok(outcomes(disk.image).has('a='), 'it lied');
  next = 'clean';
  const error = await new Promise<DiskError | null>((resolve) => {
    file.flush(resolve);
  });
  assert.equal(error?.code, 'EIO');
  await file.sync();
  assert.deepEqual(outcomes(disk.image), new Set(['a=']), 'clean pages are never written');
  assert.equal(text(), 'x'.repeat(20), 'but read');
  next = 'error';
  assert.throws(() => disk.listNow('/d'), { code: 'EROFS' });
});

test('a slow sync covers what was written before it began, and nothing else', async () => {
  const due: (() => void)[] = [];
  const clock = {
    wallMs: () => 0,
    monotonicMs: () => 0,
    after(_ms: number, run: () => void) {
      due.push(run);
      return { cancel() {} };
    },
    soon() {},
  };
  const disk = new SimDisk({
    slow: { clock, latencyMs: ({ name }) => (name === 'flush' ? 5 : 0) },
  });
  disk.makeDirectoryNow('/d');
  disk.syncDirectoryNow('/');
  const file = disk.openNow('/d/a', 'create');
  disk.syncDirectoryNow('/d');
  file.writeNow(Uint8Array.of(0x61), 0, 1, 0);
  let isDone = false;
  file.flush(() => {
    isDone = true;
  });
  file.writeNow(Uint8Array.of(0x62), 0, 1, 0);
  assert.ok(!isDone);
  due.shift()?.();
  assert.ok(isDone);
  assert.deepEqual(outcomes(disk.image), new Set(['a=a', 'a=b']));
  file.flush(() => undefined);
  disk.stop();
  due.shift()?.();
  assert.deepEqual(
    outcomes(disk.image),
    new Set(['a=a', 'a=b']),
    'a stopped process syncs nothing',
  );
  await Promise.resolve();
});
