import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../ports/clock.js';
import type { Socket } from '../ports/network.js';
import { FirstBytes, type Arrival, type FirstBytesHost } from './first-bytes.js';

class Stage {
  readonly seen: string[] = [];
  written = '';
  admission: 'admitted' | 'queued' | 'refused' = 'admitted';
  go: () => void = () => undefined;
  private expire: () => void = () => undefined;
  readonly first: FirstBytes;

  constructor() {
    const note = (line: string): void => void this.seen.push(line);
    const socket = {
      write: (bytes: Uint8Array, start: number, end: number) => {
        this.written += Buffer.from(bytes.subarray(start, end)).toString('latin1');
        return true;
      },
      end: () => note('end'),
      pause: () => note('pause'),
      resume: () => note('resume'),
      destroy: () => note('destroy'),
    } as unknown as Socket;
    const clock = {
      after: (_delayMs: number, run: () => void) => {
        this.expire = run;
        return {
          cancel: () => {
            this.expire = () => undefined;
          },
        };
      },
    } as unknown as Clock;
    const host: FirstBytesHost = {
      clock,
      timeoutMs: 10,
      answer: (word) => `${word}!`,
      open: () => ({
        onData: (bytes, start, end) =>
          note(`data ${Buffer.from(bytes.subarray(start, end)).toString('latin1')}`),
        onDrain: () => note('drain'),
        onClose: () => note('close'),
      }),
      onConnect: (isReadOnly, length) => note(`connect ${isReadOnly} ${length}`),
      closed: () => note('closed'),
    };
    const ticket = {
      enter: (go: () => void) => {
        this.go = go;
        return this.admission;
      },
      settle: () => undefined,
    };
    const arrival = { ticket, place: { zone: null, class: 'default' } } as unknown as Arrival;
    this.first = new FirstBytes(socket, host, arrival);
  }

  push(text: string): void {
    const bytes = Buffer.from(`##${text}##`, 'latin1');
    this.first.onData(bytes, 2, bytes.length - 2);
  }

  pass(): void {
    this.expire();
  }
}

test('a word is answered, whole or in pieces, and the connection ends', () => {
  for (const pieces of [['ruok'], ['r', 'uo', 'k'], ['ruok\n']]) {
    const stage = new Stage();
    for (const piece of pieces) stage.push(piece);
    stage.push('more');
    assert.equal(stage.written, 'ruok!');
    assert.deepEqual(stage.seen, ['end']);
  }
});

test('a session hears every byte from the first one on', () => {
  const whole = new Stage();
  whole.push('\0\0\0\x02ab');
  whole.push('cd');
  assert.deepEqual(whole.seen, ['connect false 2', 'data \0\0\0\x02ab', 'data cd']);
  const pieces = new Stage();
  for (const piece of ['\0\0', '\0', '\x02ab', 'cd']) pieces.push(piece);
  assert.deepEqual(pieces.seen, ['connect false 2', 'data \0\0\0\x02ab', 'data cd']);
});

test('a client that takes a read-only server is known by its first frame', () => {
  const stage = new Stage();
  const connect = Buffer.alloc(49);
  connect.writeInt32BE(45, 0);
  connect[48] = 1;
  stage.push(connect.toString('latin1'));
  assert.equal(stage.seen[0], 'connect true 45');
});

test('who says nothing is gone when its time is over, a session is not', () => {
  const silent = new Stage();
  silent.push('\0\0');
  silent.pass();
  assert.deepEqual(silent.seen, ['destroy']);
  const session = new Stage();
  session.push('\0\0\0\0');
  session.pass();
  session.first.onDrain();
  session.first.onClose(null);
  assert.deepEqual(session.seen.slice(2), ['drain', 'close', 'closed']);
});

test('who has to wait is not read from, and loses nothing', () => {
  const stage = new Stage();
  stage.admission = 'queued';
  for (const piece of ['\0\0\0', '\x02a', 'b']) stage.push(piece);
  assert.deepEqual(stage.seen, ['connect false 2', 'pause']);
  stage.go();
  stage.push('c');
  assert.deepEqual(stage.seen.slice(2), ['data \0\0\0\x02ab', 'resume', 'data c']);
});

test('who has waited in vain, or gone meanwhile, is no session any more', () => {
  const late = new Stage();
  late.admission = 'queued';
  late.push('\0\0\0\x02ab');
  late.pass();
  late.first.onClose(null);
  late.go();
  assert.deepEqual(late.seen, ['connect false 2', 'pause', 'destroy', 'closed']);
  const surplus = new Stage();
  surplus.admission = 'refused';
  surplus.push('\0\0\0\x02ab');
  assert.deepEqual(surplus.seen, ['connect false 2', 'destroy']);
});
