import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { runFourLetterWord } from './four-letter-answers.js';
import { fourLetterWordOf, fourLetterWords } from './four-letter-words.js';
import type { FourLetterWord } from './four-letter-words.js';
import type { ConnectionView } from './view.js';
import { FixtureView } from './view.fixture.js';

const fixtures = new URL('../../../test/fixtures/four-letter/', import.meta.url);

function captured(name: string): string {
  return readFileSync(new URL(name, fixtures), 'utf8');
}

function answer(word: FourLetterWord, view: FixtureView, argument?: bigint): string {
  const text = runFourLetterWord(word, view, argument);
  return typeof text === 'string' ? text : [...text].join('');
}

/** What differs between two runs: figures, times, ids, ports, the version behind 3.9.5. */
function masked(text: string): string {
  return text
    .replace(/3\.9\.5-\S+, built on .*/g, '3.9.5-X, built on X')
    .replace(/\w{3} \w{3} \d\d \d\d:\d\d:\d\d UTC \d{4}/g, 'TIME')
    .replace(/127\.0\.0\.1:\d+/g, '127.0.0.1:P')
    .replace(/0x[0-9a-f]+/g, '0xN')
    .replace(/\d+(\.\d+)?/g, (_number, decimals?: string) => (decimals === undefined ? 'N' : 'D'));
}

/** Connections stand in no order. */
function sortedLines(text: string): string {
  return text.split('\n').sort().join('\n');
}

for (const state of ['idle', 'busy'] as const) {
  for (const word of fourLetterWords) {
    if (word === 'stmk' || word === 'envi') continue;
    test(`${word} is answered as Apache 3.9.5 does, ${state}`, () => {
      const ours = masked(answer(word, new FixtureView(state)));
      const theirs = masked(captured(`${state}/${word}.txt`));
      if (word === 'cons' || word === 'stat' || word === 'dump') {
        assert.equal(sortedLines(ours), sortedLines(theirs));
      } else {
        assert.equal(ours, theirs);
      }
    });
  }
}

test('the lines that are the same in each run are the same to the byte', () => {
  const view = new FixtureView('busy');
  for (const word of ['conf', 'dirs', 'wchs', 'isro', 'ruok', 'gtmk', 'crst', 'srst'] as const) {
    const theirs = captured(`busy/${word}.txt`);
    const sizes = (text: string): string => text.replace(/(size: |Size=)\d+/g, '$1N');
    assert.equal(sizes(answer(word, view)), sizes(theirs), word);
  }
  assert.deepEqual(view.done, ['resetConnectionFigures', 'resetFigures']);
});

test('a word that is not in the whitelist is told so, and not executed', () => {
  const view = new FixtureView('idle');
  view.config = { ...view.config, fourLetterWhitelist: new Set(['srvr']) };
  assert.equal(answer('ruok', view), captured('whitelist.txt'));
  assert.match(answer('srvr', view), /^Zookeeper version: 3\.9\.5/);
  answer('srst', view);
  assert.deepEqual(view.done, []);
});

test('before it serves, only what needs no server is answered', () => {
  const view = new FixtureView('idle');
  view.isServing = false;
  const notServing = 'This ZooKeeper instance is not currently serving requests\n';
  for (const word of fourLetterWords) {
    const text = answer(word, view);
    if (word === 'ruok') assert.equal(text, 'imok');
    else if (word === 'isro') assert.equal(text, 'null');
    else if (word === 'gtmk' || word === 'stmk') assert.equal(text, '306');
    else if (word === 'envi') assert.match(text, /^Environment:\nzookeeper\.version=/);
    else if (word === 'hash') assert.equal(text, notServing.trim());
    else assert.equal(text, notServing, word);
  }
});

test('stmk sets what gtmk shows', () => {
  const view = new FixtureView('idle');
  assert.equal(answer('stmk', view, 5n), '5');
  assert.equal(answer('gtmk', view), '5');
});

test('a read-only server says so', () => {
  const view = new FixtureView('idle');
  view.isReadOnly = true;
  view.serverState = 'read-only';
  assert.equal(answer('isro', view), 'ro');
  const lines = answer('srvr', view).split('\n');
  assert.equal(lines[1], 'READ-ONLY mode; serving only read-only clients');
  assert.ok(lines.includes('Mode: read-only'));
});

test('without a metrics provider mntr shows version and state only', () => {
  const view = new FixtureView('idle');
  view.config = { ...view.config, metricsProvider: 'none' };
  assert.deepEqual(
    answer('mntr', view)
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t')[0]),
    ['zk_version', 'zk_server_state'],
  );
});

test('100,000 connections are told in small pieces', () => {
  const view = new FixtureView('busy');
  const [one] = [...view.connections()];
  assert.ok(one);
  view.connections = function* (): Generator<ConnectionView> {
    for (let i = 0; i < 100_000; i++) yield { ...one, expiresMs: i % 16 };
  };
  for (const word of ['cons', 'dump', 'stat'] as const) {
    const pieces = runFourLetterWord(word, view);
    assert.ok(typeof pieces !== 'string');
    let count = 0;
    for (const piece of pieces) {
      assert.ok(piece.length < 32_768);
      count++;
    }
    assert.ok(count > 100, word);
  }
});

test('the numbers of the words are their letters', () => {
  assert.equal(fourLetterWordOf(0x72756f6b), 'ruok');
  assert.equal(fourLetterWordOf(0x73727672), 'srvr');
  assert.equal(fourLetterWordOf(45), null);
});
