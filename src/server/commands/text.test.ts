import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Double, formatDouble } from '../metric.js';
import { formatAddress, formatTime, hex, inPieces, pause } from './text.js';

test('times are those of the calendar', () => {
  assert.equal(formatTime(0), 'Thu Jan 01 00:00:00 UTC 1970');
  assert.equal(formatTime(1_795_228_653_999), 'Sat Nov 21 02:37:33 UTC 2026');
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4_102_444_800_000 }), (wallMs) => {
      // "Sat, 21 Nov 2026 02:37:33 GMT"
      const [weekday = '', date, month, year, time] = new Date(wallMs).toUTCString().split(/,? /);
      assert.equal(formatTime(wallMs), [weekday, month, date, time, 'UTC', year].join(' '));
    }),
  );
});

test('addresses as Java prints them', () => {
  assert.equal(formatAddress('10.0.0.1'), '10.0.0.1');
  assert.equal(formatAddress('::ffff:10.0.0.1'), '10.0.0.1');
  assert.equal(formatAddress('::1'), '[0:0:0:0:0:0:0:1]');
  assert.equal(formatAddress('2001:db8::00a1:0'), '[2001:db8:0:0:0:0:a1:0]');
  assert.equal(formatAddress('1:2:3:4:5:6:7:8'), '[1:2:3:4:5:6:7:8]');
  assert.equal(formatAddress('fe80::1%eth0'), '[fe80:0:0:0:0:0:0:1%eth0]');
});

test('64-bit numbers in hexadecimal', () => {
  assert.equal(hex(-1n), 'ffffffffffffffff');
  assert.equal(hex(0x100000001n), '100000001');
});

test('doubles as Java prints them', () => {
  for (const [value, text] of [
    [0, '0.0'],
    [2, '2.0'],
    [1.875, '1.875'],
    [0.001, '0.001'],
    [0.0001, '1.0E-4'],
    [1e7, '1.0E7'],
    [12_345_678.5, '1.23456785E7'],
    [-3, '-3.0'],
  ] as const) {
    assert.equal(formatDouble(new Double(value)), text);
  }
});

test('pieces hold all lines in order, and end at a pause', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 5000 })), (lines) => {
      assert.equal([...inPieces(lines)].join(''), lines.join(''));
    }),
  );
  assert.deepEqual([...inPieces(['a', pause, 'b', 'c'])], ['a', 'bc']);
});
