import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { DiskError } from '../ports/disk.js';
import { nodeCompression } from './compression.js';
import { NodeDisk } from './disk.js';
import { FsyncPlacement } from './fsync-placement.js';

const scratch = mkdtempSync(join(tmpdir(), 'zabra-node-disk-'));
after(() => {
  rmSync(scratch, { recursive: true });
});

test('a lock dies with its process, however it dies', async () => {
  const directory = mkdtempSync(join(scratch, 'lock-'));
  const program = `
    import { NodeDisk } from ${JSON.stringify(new URL('./disk.js', import.meta.url).href)};
    const lock = new NodeDisk().lockDirectoryNow(${JSON.stringify(directory)});
    process.stdout.write('release' in lock ? 'taken' : 'refused');
    setInterval(() => undefined, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program]);
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  assert.equal(said.toString(), 'taken');
  const disk = new NodeDisk();
  assert.deepEqual(disk.lockDirectoryNow(directory), { heldByPid: child.pid });
  child.kill('SIGKILL');
  await once(child, 'exit');
  const lock = disk.lockDirectoryNow(directory);
  assert.ok('release' in lock, 'nothing is left of it');
  assert.equal(readFileSync(join(directory, '.lock'), 'latin1').trim(), String(process.pid));
  // whoever deletes the file does not get the directory
  rmSync(join(directory, '.lock'));
  assert.deepEqual(disk.lockDirectoryNow(directory), { heldByPid: null });
  lock.release();
});

test('a lock does not keep a process alive', async () => {
  const directory = mkdtempSync(join(scratch, 'lock-'));
  const program = `
    import { NodeDisk } from ${JSON.stringify(new URL('./disk.js', import.meta.url).href)};
    new NodeDisk().lockDirectoryNow(${JSON.stringify(directory)});
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program]);
  const [code] = (await once(child, 'exit')) as [number];
  assert.equal(code, 0);
});

test("errors carry the system's code and the path", () => {
  const disk = new NodeDisk();
  const path = join(scratch, 'readonly');
  writeFileSync(path, 'x');
  chmodSync(path, 0o444);
  const file = disk.openNow(path, 'read');
  assert.throws(
    () => {
      file.writeNow(Uint8Array.of(1), 0, 1, 0);
    },
    (error) => error instanceof DiskError && error.code === 'EBADF' && error.path === path,
  );
  file.closeNow();
  assert.throws(
    () => disk.openNow(join(path, 'below'), 'create'),
    (error) => error instanceof DiskError && error.code === 'ENOTDIR',
  );
});

test('fdatasync stays on the loop while it is quick, and comes back carefully', () => {
  const placement = new FsyncPlacement();
  const [small, large] = [200, 20_000];
  for (let i = 0; i < 100; i++) {
    assert.ok(placement.isInline(large));
    placement.record(0.05, true);
  }
  assert.ok(Math.abs(placement.averageMs - 0.05) < 0.001);
  for (let i = 0; i < 100; i++) placement.record(0.15, true);
  assert.ok(placement.isInline(small) && !placement.isInline(large), 'between the two limits');
  placement.record(3, true);
  assert.ok(!placement.isInline(small), 'one stall is enough');
  for (let i = 0; i < 31; i++) placement.record(0.08, false);
  assert.ok(!placement.isInline(small));
  placement.record(0.4, false);
  for (let i = 0; i < 31; i++) placement.record(0.08, false);
  assert.ok(!placement.isInline(small), 'the slow one in between begins the count again');
  placement.record(0.08, false);
  assert.ok(placement.isInline(small) && !placement.isInline(large), 'it comes back carefully');
  for (let i = 0; i < 100; i++) placement.record(0.05, true);
  assert.ok(placement.isInline(large));
  for (let i = 0; i < 100; i++) placement.record(0.26, true);
  assert.ok(!placement.isInline(small), 'a little too slow is too slow');
});

test('gzip in pieces of any size, in members, and damaged', async () => {
  const content = Buffer.from('content of a snapshot '.repeat(10_000));
  const members = Buffer.concat([
    await nodeCompression.gzip(content.subarray(0, 70_000)),
    gzipSync(content.subarray(70_000)),
  ]);
  for (const size of [1, 7, 1000, members.length]) {
    const gunzip = nodeCompression.gunzip();
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < members.length; at += size) {
      pieces.push(...(await gunzip.push(members.subarray(at, at + size))));
    }
    pieces.push(...(await gunzip.end()));
    assert.ok(Buffer.concat(pieces).equals(content), `pieces of ${size}`);
  }
  const short = nodeCompression.gunzip();
  await short.push(members.subarray(0, members.length - 20));
  await assert.rejects(short.end(), /unexpected end/);
  const damaged = Buffer.from(members);
  damaged[100] = (damaged[100] ?? 0) ^ 0xff;
  const gunzip = nodeCompression.gunzip();
  await assert.rejects(async () => {
    await gunzip.push(damaged);
    await gunzip.end();
  });
  await assert.rejects(gunzip.push(Uint8Array.of(1)), 'and stays damaged');
});

test('snappy blocks, and what is none', () => {
  const content = Buffer.from('content of a snapshot '.repeat(1000));
  const block = nodeCompression.snappyBlock(new Uint8Array(content));
  assert.ok(block.length < content.length / 5);
  assert.ok(Buffer.from(nodeCompression.unsnappyBlock(block, 1 << 20)).equals(content));
  assert.throws(() => nodeCompression.unsnappyBlock(block, 100), /too big/);
  assert.throws(() => nodeCompression.unsnappyBlock(block.subarray(0, 20), 1 << 20));
});
