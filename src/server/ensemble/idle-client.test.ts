import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Socket } from '../../ports/network.js';
import type { FourLetterWord } from '../commands/four-letter-words.js';
import { IdleClient } from './idle-client.js';

function visit(chunks: readonly Uint8Array[]): { text: string; asked: unknown[]; end: string } {
  const asked: [FourLetterWord, bigint | null][] = [];
  let text = '';
  let end = '';
  const socket = {
    write(bytes: Uint8Array, start: number, to: number): boolean {
      text += new TextDecoder().decode(bytes.subarray(start, to));
      return true;
    },
    end: () => (end += 'ended'),
    destroy: () => (end += 'destroyed'),
  } as unknown as Socket;
  const client = new IdleClient(
    socket,
    (word, argument) => {
      asked.push([word, argument]);
      return ['an ', 'answer'];
    },
    () => undefined,
  );
  for (const chunk of chunks) client.onData(chunk, 0, chunk.length);
  return { text, asked, end };
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

test('a word is answered once, in whatever pieces it comes', () => {
  const whole = { text: 'an answer', asked: [['ruok', null]], end: 'ended' };
  assert.deepEqual(visit([bytesOf('ruok')]), whole);
  assert.deepEqual(visit([bytesOf('r'), bytesOf('uo'), bytesOf('k\n'), bytesOf('ruok')]), whole);
});

test('stmk waits for its number', () => {
  const mask = new Uint8Array([0, 0, 0, 0, 0, 0, 1, 0]);
  assert.deepEqual(visit([bytesOf('stmk')]), { text: '', asked: [], end: '' });
  assert.deepEqual(visit([bytesOf('stmk'), mask.subarray(0, 3), mask.subarray(3)]), {
    text: 'an answer',
    asked: [['stmk', 256n]],
    end: 'ended',
  });
});

test('anybody else is sent away', () => {
  assert.deepEqual(visit([new Uint8Array([0, 0, 0, 45, 0])]), {
    text: '',
    asked: [],
    end: 'destroyed',
  });
});
