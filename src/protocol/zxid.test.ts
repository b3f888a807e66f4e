import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  compareParts,
  counterOf,
  epochOf,
  formatHex,
  formatZxid,
  makeZxid,
  parseHex,
  zxid,
  zxidHigh,
  zxidLow,
  zxidOfParts,
} from './zxid.js';

const anyZxid = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n });

test('a zxid is its epoch above its counter, and is printed so', () => {
  const one = makeZxid(2, 1);
  assert.equal(one, 0x200000001n);
  assert.equal(epochOf(one), 2);
  assert.equal(counterOf(one), 1);
  assert.equal(formatZxid(one), '0x200000001');
  assert.equal(formatHex(one), '200000001');
  assert.equal(counterOf(makeZxid(7, 0xffffffff)), 0xffffffff);
});

test('negative zxids are printed as the unsigned number, like Java', () => {
  assert.equal(formatZxid(-1n), '0xffffffffffffffff');
  assert.equal(zxid(0xffff_ffff_ffff_ffffn), -1n);
  assert.equal(zxid(5), 5n);
});

test('the forms convert into each other', () => {
  fc.assert(
    fc.property(anyZxid, (value) => {
      assert.equal(zxidOfParts(zxidHigh(value), zxidLow(value)), value);
      assert.equal(zxidOfParts(zxidHigh(value) | 0, zxidLow(value) | 0), value);
      assert.equal(makeZxid(epochOf(value), counterOf(value)), value);
      assert.equal(parseHex(formatHex(value)), value);
    }),
  );
});

test('halves compare as the whole', () => {
  fc.assert(
    fc.property(anyZxid, anyZxid, (a, b) => {
      const order = compareParts(zxidHigh(a), zxidLow(a), zxidHigh(b), zxidLow(b));
      assert.equal(Math.sign(order), a < b ? -1 : a > b ? 1 : 0);
    }),
  );
});

test('only hexadecimal is parsed', () => {
  for (const text of ['', '0x1', 'g', '-1', ' 1', '11111111111111111']) {
    assert.equal(parseHex(text), null, text);
  }
  assert.equal(parseHex('FF'), 255n);
});
