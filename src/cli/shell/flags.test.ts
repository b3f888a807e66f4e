import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandUsageError } from './failure.js';
import { parseFlags, type FlagSpec } from './flags.js';
import { wordsOf } from './words.js';

const specs: readonly FlagSpec[] = [
  { name: 's', about: '' },
  { name: 'R', about: '' },
  { name: 'v', value: 'version', about: '' },
  { name: 'depth', value: 'N', about: '' },
];

test('words are what zkCli takes them for: quotes count at the beginning of a word', () => {
  assert.deepEqual(wordsOf('set /a b'), ['set', '/a', 'b']);
  assert.deepEqual(wordsOf('  set   /a "two words"  '), ['set', '/a', 'two words']);
  assert.deepEqual(wordsOf(`set /a '"x"' ''`), ['set', '/a', '"x"', '']);
  assert.deepEqual(wordsOf('set /a"b c"'), ['set', '/a"b', 'c"']);
  assert.deepEqual(wordsOf('set /a "open'), ['set', '/a', 'open']);
  assert.deepEqual(wordsOf('   '), []);
});

test('flags stand anywhere, several in one word, their values behind them in every form', () => {
  for (const words of [
    ['-s', '-R', '/a', '-v', '3'],
    ['/a', '-sR', '-v3'],
    ['-Rsv', '3', '/a'],
    ['-v=3', '/a', '-R', '--s'],
  ]) {
    const flags = parseFlags(specs, words);
    assert.deepEqual(flags.rest, ['/a'], words.join(' '));
    assert.ok(flags.has('s') && flags.has('R'));
    assert.equal(flags.number('v', 0, 9), 3);
  }
  const flags = parseFlags(specs, ['/a', '--depth=2', '-v', '-1', '--', '-s']);
  assert.deepEqual(flags.rest, ['/a', '-s']);
  assert.ok(!flags.has('s'));
  assert.equal(flags.number('v', -1, 9), -1);
  assert.equal(flags.number('depth', 0, 9), 2);
});

test('a flag that is not there, a value that is missing or no number: refused with a sentence', () => {
  const refusal = (words: readonly string[]): string => {
    try {
      parseFlags(specs, words).number('v', 0, 9);
    } catch (error) {
      assert.ok(error instanceof CommandUsageError);
      return error.message;
    }
    return 'taken';
  };
  assert.equal(refusal(['-z']), 'Unrecognized option: -z');
  assert.equal(refusal(['-sz']), 'Unrecognized option: -sz');
  assert.equal(refusal(['-5']), 'Unrecognized option: -5');
  assert.equal(refusal(['-v']), 'Missing argument for option: v');
  assert.equal(refusal(['-v', '-s']), 'Missing argument for option: v');
  assert.match(refusal(['-v', 'x']), /^-v must be a whole number from 0 to 9, not 'x'$/);
  assert.match(refusal(['-v', '10']), /not '10'$/);
  assert.match(refusal(['--s=1']), /takes no value/);
});
