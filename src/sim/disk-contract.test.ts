// One contract, two disks: what the port promises holds for the real one and the simulated one.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { SeededRandom } from '../base/random.js';
import { NodeDisk } from '../node/disk.js';
import { DiskError, type Disk } from '../ports/disk.js';
import { SimDisk } from './disk.js';

const scratch = mkdtempSync(join(tmpdir(), 'zabra-disk-'));
after(() => {
  rmSync(scratch, { recursive: true });
});

function simulated(): { readonly disk: Disk; readonly root: string } {
  const disk = new SimDisk();
  disk.makeDirectoryNow('/root');
  return { disk, root: '/root' };
}

function real(): { readonly disk: Disk; readonly root: string } {
  return { disk: new NodeDisk(), root: mkdtempSync(join(scratch, 'root-')) };
}

function bytesOf(disk: Disk, path: string): number[] {
  const file = disk.openNow(path, 'read');
  const bytes = new Uint8Array(file.sizeNow() + 10);
  const count = file.readNow(bytes, 0, bytes.length, 0);
  file.closeNow();
  return [...bytes.subarray(0, count)];
}

function codeOf(code: string): (error: unknown) => boolean {
  return (error) => error instanceof DiskError && error.code === code;
}

for (const [name, make] of [
  ['the real disk', real],
  ['the simulated disk', simulated],
] as const) {
  describe(name, () => {
    test('reads what was written, in pieces and beyond the end', () => {
      const { disk, root } = make();
      const file = disk.openNow(`${root}/a`, 'create');
      file.writeNow(Uint8Array.of(9, 1, 2, 3, 9), 1, 4, 0);
      file.writeNow(Uint8Array.of(7), 0, 1, 6);
      assert.equal(file.sizeNow(), 7);
      assert.equal(disk.sizeNow(`${root}/a`), 7);
      const into = new Uint8Array(4).fill(5);
      assert.equal(file.readNow(into, 1, 4, 5), 2);
      assert.deepEqual([...into], [5, 0, 7, 5]);
      assert.equal(file.readNow(into, 0, 4, 100), 0);
      file.closeNow();
      assert.deepEqual(bytesOf(disk, `${root}/a`), [1, 2, 3, 0, 0, 0, 7]);
    });

    test('what was cut off reads as zeros when the file grows again', () => {
      const { disk, root } = make();
      const file = disk.openNow(`${root}/a`, 'create');
      file.writeNow(Uint8Array.of(1, 2, 3, 4), 0, 4, 0);
      file.truncateNow(2);
      file.writeNow(Uint8Array.of(8), 0, 1, 4);
      file.closeNow();
      assert.deepEqual(bytesOf(disk, `${root}/a`), [1, 2, 0, 0, 8]);
    });

    test('open modes', () => {
      const { disk, root } = make();
      assert.throws(() => disk.openNow(`${root}/a`, 'read'), codeOf('ENOENT'));
      assert.throws(() => disk.openNow(`${root}/a`, 'write'), codeOf('ENOENT'));
      assert.throws(() => disk.openNow(`${root}/no/a`, 'create'), codeOf('ENOENT'));
      disk.openNow(`${root}/a`, 'create').closeNow();
      assert.throws(() => disk.openNow(`${root}/a`, 'create'), codeOf('EEXIST'));
      const file = disk.openNow(`${root}/a`, 'write');
      file.writeNow(Uint8Array.of(1), 0, 1, 0);
      file.closeNow();
    });

    test('names: list, exists, rename over, unlink', async () => {
      const { disk, root } = make();
      for (const each of ['a', 'b', 'c']) {
        const file = disk.openNow(`${root}/${each}`, 'create');
        file.writeNow(new TextEncoder().encode(each), 0, 1, 0);
        file.closeNow();
      }
      disk.makeDirectoryNow(`${root}/d/e`);
      disk.makeDirectoryNow(`${root}/d/e`);
      disk.renameNow(`${root}/a`, `${root}/x`);
      await disk.rename(`${root}/x`, `${root}/b`);
      await disk.unlink(`${root}/c`);
      const entries = disk.listNow(root).sort((x, y) => (x.name < y.name ? -1 : 1));
      assert.deepEqual(entries, [
        { name: 'b', isDirectory: false },
        { name: 'd', isDirectory: true },
      ]);
      assert.deepEqual(bytesOf(disk, `${root}/b`), [...new TextEncoder().encode('a')]);
      assert.ok(!disk.existsNow(`${root}/a`));
      assert.ok(disk.existsNow(`${root}/d/e`));
      assert.throws(() => {
        disk.unlinkNow(`${root}/c`);
      }, codeOf('ENOENT'));
      assert.throws(() => disk.listNow(`${root}/none`), codeOf('ENOENT'));
      await assert.rejects(disk.unlink(`${root}/c`), codeOf('ENOENT'));
    });

    test('promised calls on a file happen in the order in which they were made', async () => {
      const { disk, root } = make();
      const file = disk.openNow(`${root}/a`, 'create');
      const random = new SeededRandom(1);
      const expected = new Uint8Array(64 * 1024);
      const calls: Promise<unknown>[] = [];
      for (let i = 0; i < 200; i++) {
        const piece = new Uint8Array(random.between(1, 8192)).fill(i);
        const at = random.below(expected.length - piece.length);
        expected.set(piece, at);
        calls.push(file.write(piece, 0, piece.length, at));
        if (i % 50 === 0) calls.push(file.sync());
      }
      const into = new Uint8Array(expected.length);
      const read = file.read(into, 0, into.length, 0);
      await Promise.all(calls);
      assert.ok((await read) > expected.findLastIndex((byte) => byte !== 0));
      assert.deepEqual(into, expected);
      file.closeNow();
    });

    test('flush and sync say when they are done, once', async () => {
      const { disk, root } = make();
      const file = disk.openNow(`${root}/a`, 'create');
      for (let i = 0; i < 5; i++) {
        file.writeNow(Uint8Array.of(i), 0, 1, i);
        let calls = 0;
        await new Promise<void>((resolve) => {
          file.flush((error) => {
            assert.equal(error, null);
            calls++;
            resolve();
          });
        });
        assert.equal(calls, 1);
      }
      const written = file.write(Uint8Array.of(9), 0, 1, 9);
      await new Promise<void>((resolve) => {
        file.flush(() => {
          resolve();
        });
      });
      await written;
      file.syncNow();
      await file.sync();
      disk.syncDirectoryNow(root);
      await disk.syncDirectory(root);
      file.closeNow();
    });

    test("a directory is one holder's until it is released", () => {
      const { disk, root } = make();
      disk.makeDirectoryNow(`${root}/other`);
      const first = disk.lockDirectoryNow(root);
      assert.ok('release' in first);
      const second = disk.lockDirectoryNow(root);
      assert.ok('heldByPid' in second);
      const other = disk.lockDirectoryNow(`${root}/other`);
      assert.ok('release' in other);
      other.release();
      first.release();
      const third = disk.lockDirectoryNow(root);
      assert.ok('release' in third);
      third.release();
    });

    test('there is room', () => {
      const { disk, root } = make();
      assert.ok(disk.freeBytesNow(root) > 0);
    });
  });
}
