import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeUtf8 } from '../protocol/utf8.js';
import { copyBytes, equalBytes, utf16Length } from './bytes.js';
import { Contents } from './contents.js';
import { F_OWNED, ROOT, W_HASH, W_NAME, type NodeId } from './node-store.js';

/** A child of the root, not indexed. */
function place(contents: Contents, name: string, data: Uint8Array | null, flags = 0): NodeId {
  const id = contents.nodes.allocate();
  const names = encodeUtf8(`//${name}`);
  contents.nodes.set(id, W_NAME, flags);
  contents.nodes.set(id, 0, ROOT);
  const length = data?.length ?? -1;
  contents.place(id, names, 2, names.length, data ?? new Uint8Array(0), 0, length);
  return id;
}

function dataOf(contents: Contents, id: NodeId): Uint8Array {
  const out = new Uint8Array(contents.dataLengthOf(id) + 2).fill(0xee);
  contents.dataInto(id, out, 1);
  assert.deepEqual([out[0], out.at(-1)], [0xee, 0xee], 'no byte beside the data is touched');
  return out.slice(1, -1);
}

function withRoot(): Contents {
  const contents = new Contents(-1);
  assert.equal(contents.nodes.allocate(), ROOT);
  return contents;
}

test('data of every length, in place of data of every other', () => {
  const lengths = [0, 1, 7, 8, 100, 127, 128, 129, 500, 65_000, 65_536, 65_537, 300_000];
  const contents = withRoot();
  for (const flags of [0, F_OWNED]) {
    for (const before of lengths) {
      for (const after of lengths) {
        const id = place(contents, 'name', new Uint8Array(before).fill(1), flags);
        assert.equal(dataOf(contents, id).length, before);
        const fresh = Uint8Array.from({ length: after + 3 }, (_, i) => i);
        contents.setData(id, fresh, 3, after);
        assert.deepEqual(dataOf(contents, id), fresh.slice(3));
        assert.equal(contents.nameOf(id), 'name');
        contents.release(id);
        contents.nodes.free(id);
      }
    }
  }
  assert.equal(contents.nodes.used, 1);
});

test('slots that data grows out of are used again', () => {
  const contents = withRoot();
  const ids = Array.from({ length: 1000 }, (_, i) => place(contents, `n${i}`, null));
  const data = new Uint8Array(2000);
  for (let round = 0; round < 200; round++) {
    for (const id of ids) contents.setData(id, data, 0, (round * 97) % 2000);
  }
  assert.ok(contents.arena.pageCount < 30, `${contents.arena.pageCount} pages for at most 2 MB`);
  for (const id of ids) contents.release(id);
  assert.ok(contents.arena.pageCount <= 16, 'a few spare ones');
});

test('names of any length and alphabet make paths', () => {
  const contents = withRoot();
  for (const name of [
    'a',
    'é',
    '漢字',
    'x'.repeat(32_767),
    'y'.repeat(32_768),
    'z'.repeat(900_000),
  ]) {
    const id = place(contents, name, Uint8Array.of(1, 2, 3));
    assert.equal(contents.nameOf(id), name);
    assert.equal(contents.pathOf(id), `/${name}`);
    assert.equal(contents.pathCharactersOf(id), name.length + 1);
    assert.deepEqual([...dataOf(contents, id)], [1, 2, 3]);
    const path = encodeUtf8(`/${name}`);
    assert.ok(contents.isPathOf(id, path, 0, path.length));
    assert.ok(!contents.isPathOf(id, path, 0, path.length - 1));
    assert.ok(!contents.isPathOf(id, path, 1, path.length));
    contents.release(id);
  }
});

test('a path whose hash another has is not that one', () => {
  const contents = new Contents(0);
  contents.nodes.allocate();
  const ids = ['a', 'b', 'ab', 'abc'].map((name) => {
    const id = place(contents, name, null);
    contents.nodes.set(id, W_HASH, 0);
    contents.index.add(id);
    return id;
  });
  const find = (path: string): NodeId => contents.find(encodeUtf8(path), 0, path.length);
  assert.deepEqual(
    ['/a', '/b', '/ab', '/abc'].map((path) => find(path)),
    ids,
  );
  for (const path of ['/c', '/bb', 'a', '/a/', '//a', '/a/b', '/ab/c', '/abcd']) {
    assert.equal(find(path), 0, path);
  }
  assert.deepEqual([find(''), find('/')], [ROOT, ROOT]);
});

test('the loops do what the plain ones would', () => {
  const bytes = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(bytes, fc.nat(20), fc.nat(20), (from, start, at) => {
      const length = Math.max(0, from.length - start);
      const to = new Uint8Array(at + length + 5).fill(9);
      copyBytes(from, start, to, at, length);
      assert.deepEqual([...to.subarray(at, at + length)], [...from.subarray(start)]);
      assert.ok(to.subarray(at + length).every((byte) => byte === 9));
      assert.ok(equalBytes(from, start, to, at, length));
      if (length === 0) return;
      const flipped = at + (start % length);
      to[flipped] = (to[flipped] ?? 0) ^ 1;
      assert.ok(!equalBytes(from, start, to, at, length));
    }),
  );
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (text) => {
      const encoded = encodeUtf8(text);
      assert.equal(utf16Length(encoded, 0, encoded.length), text.length);
    }),
  );
});
