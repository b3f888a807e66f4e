import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseProperties } from './java-properties.js';

function pairs(text: string): [string, string, number][] {
  return parseProperties(text).entries.map(({ key, value, line }) => [key, value, line]);
}

test('keys and values are separated by =, : or white space', () => {
  assert.deepEqual(pairs('a=1\nb:2\nc 3\nd\t=\t4\ne  :  5\nf'), [
    ['a', '1', 1],
    ['b', '2', 2],
    ['c', '3', 3],
    ['d', '4', 4],
    ['e', '5', 5],
    ['f', '', 6],
  ]);
});

test('only the first separator separates', () => {
  assert.deepEqual(pairs('server.1=host:2888:3888;2181\nurl: a=b'), [
    ['server.1', 'host:2888:3888;2181', 1],
    ['url', 'a=b', 2],
  ]);
});

test('comments and blank lines are skipped and counted', () => {
  assert.deepEqual(pairs('# one\r\n  ! two\r\n\r\n \t\na=1 # not a comment\r\n'), [
    ['a', '1 # not a comment', 5],
  ]);
});

test('a line that ends in an odd number of backslashes goes on', () => {
  assert.deepEqual(pairs('list=a,\\\n    b,\\\n\t c\nnext=\\\\\nlast=1'), [
    ['list', 'a,b,c', 1],
    ['next', '\\', 4],
    ['last', '1', 5],
  ]);
});

test('a backslash at the end of the file continues into nothing', () => {
  assert.deepEqual(pairs('a=1\\'), [['a', '1', 1]]);
});

test('a comment is not continued, and a # in a continued line is no comment', () => {
  assert.deepEqual(pairs('# no \\\na=1\\\n#2'), [['a', '1#2', 2]]);
});

test('escapes stand for themselves, for control characters and for code units', () => {
  assert.deepEqual(pairs('pa\\=th=C\\:\\\\data\\tx\nk\\u00e9y=\\u007A\\q'), [
    ['pa=th', 'C:\\data\tx', 1],
    ['k\u00e9y', 'zq', 2],
  ]);
});

test('a malformed escape is told with its line and spoils nothing else', () => {
  const { entries, problems } = parseProperties('a=1\nb=\\u12g4\nc=3');
  assert.deepEqual(
    entries.map((entry) => entry.key),
    ['a', 'c'],
  );
  assert.equal(problems[0]?.line, 2);
});

test('repeated keys are all there, in order', () => {
  assert.deepEqual(pairs('a=1\na=2'), [
    ['a', '1', 1],
    ['a', '2', 2],
  ]);
});

test('white space before the key goes, white space after the value stays', () => {
  assert.deepEqual(pairs('  \f a = 1  '), [['a', '1  ', 1]]);
});

test('what is escaped by rule comes back', () => {
  const escape = (text: string): string =>
    Array.from({ length: text.length }, (_, i) => text.charCodeAt(i))
      .map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`)
      .join('');
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.string(), (key, value) => {
      assert.deepEqual(pairs(`${escape(key)}=${escape(value)}`), [[key, value, 1]]);
    }),
  );
});

test('any text is read without an exception', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('\\', '\n', 'u', '=', ' ', '#', 'a', '1') }),
      (text) => {
        parseProperties(text);
      },
    ),
  );
});
