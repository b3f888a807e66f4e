import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  PATH_HASH_SEED,
  baseName,
  extendPathHash,
  extendPathHashOf,
  finishPathHash,
  isPlainPath,
  join,
  parentOf,
  pathHash,
  pathHashOf,
  validatePath,
} from './paths.js';
import { encodeUtf8 } from './utf8.js';

const hashOf = (path: string): number => {
  const bytes = encodeUtf8(`before${path}after`);
  return pathHash(bytes, 6, bytes.length - 5);
};

test('the root hashes the same under both of its names, and as a string', () => {
  assert.equal(hashOf('/'), hashOf(''));
  assert.equal(pathHashOf('/'), hashOf('/'));
  assert.equal(pathHashOf(''), hashOf('/'));
  assert.notEqual(hashOf('//'), hashOf('/'));
});

test('a string and its bytes hash the same', () => {
  const units = fc.array(fc.integer({ min: 0, max: 0xffff }));
  const anyText = fc.oneof(
    fc.string({ unit: 'binary' }),
    units.map((codes) => String.fromCharCode(...codes)),
  );
  fc.assert(
    fc.property(anyText, (text) => {
      assert.equal(pathHashOf(text), hashOf(text));
    }),
  );
});

test('a hash may be carried on from any prefix', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(40), (bytes, at) => {
      const cut = Math.min(at, bytes.length);
      const prefix = extendPathHash(PATH_HASH_SEED, bytes, 0, cut);
      const state = extendPathHash(prefix, bytes, cut, bytes.length);
      assert.equal(state, extendPathHash(PATH_HASH_SEED, bytes, 0, bytes.length));
    }),
  );
  const parent = extendPathHashOf(PATH_HASH_SEED, '/app');
  assert.equal(finishPathHash(extendPathHashOf(parent, '/config')), pathHashOf('/app/config'));
});

test('names that differ in a counter spread evenly over the slots of a table', () => {
  const shapes = [
    (i: number) => `/queue/item-${String(i).padStart(10, '0')}`,
    (i: number) => `/a${i % 100}/b${Math.floor(i / 100)}`,
    (i: number) => `/app/${i}`,
  ];
  for (const shape of shapes) {
    const slots = new Uint32Array(1 << 12);
    const count = 1 << 14;
    for (let i = 0; i < count; i++) {
      const slot = pathHashOf(shape(i)) & (slots.length - 1);
      slots[slot] = (slots[slot] ?? 0) + 1;
    }
    // with 4 a slot expected, chi squared per slot is 1 for chance
    const chiSquared = slots.reduce((sum, n) => sum + (n - 4) ** 2 / 4, 0) / slots.length;
    assert.ok(chiSquared < 1.2, `${shape(1)}: ${chiSquared}`);
  }
});

test('what is called a plain path is a valid one', () => {
  const parts = fc.constantFrom('/', '.', '..', 'a', 'node', '\u0001', '\u007f', '\u00e9', ' ');
  fc.assert(
    fc.property(fc.array(parts), (some) => {
      const path = `/${some.join('')}`;
      const bytes = encodeUtf8(path);
      if (!isPlainPath(bytes, 0, bytes.length)) return;
      assert.equal(validatePath(path), null);
      assert.equal(validatePath(path, true), null);
    }),
  );
});

test('ordinary paths are plain, so that they need no string', () => {
  for (const path of ['/', '/a', '/app/config.json', '/x-y/z_1/~', '/a b']) {
    const bytes = encodeUtf8(path);
    assert.ok(isPlainPath(bytes, 0, bytes.length), path);
  }
});

test('a path splits into parent and name and joins again', () => {
  assert.equal(parentOf('/a/b'), '/a');
  assert.equal(parentOf('/a'), '/');
  assert.equal(parentOf('/'), '/');
  assert.equal(baseName('/a/b'), 'b');
  assert.equal(baseName('/'), '');
  for (const path of ['/a', '/a/b', '/a/b/c']) {
    assert.equal(join(parentOf(path), baseName(path)), path);
  }
  assert.equal(join('', 'a'), '/a');
});
