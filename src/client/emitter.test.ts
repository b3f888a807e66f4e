import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Emitter } from './emitter.js';

test('listeners hear in order, once or until they are taken off', () => {
  const emitter = new Emitter();
  const heard: string[] = [];
  const off = emitter.on('warning', (text) => heard.push(`a ${text}`));
  emitter.once('warning', (text) => heard.push(`b ${text}`));
  const listener = (text: string): void => {
    heard.push(`c ${text}`);
  };
  emitter.on('warning', listener);
  emitter.emit('warning', '1');
  off();
  off();
  emitter.emit('warning', '2');
  emitter.off('warning', listener);
  emitter.emit('warning', '3');
  assert.deepEqual(heard, ['a 1', 'b 1', 'c 1', 'c 2']);
});

test('one that comes or goes while others are told does not change who is told', () => {
  const emitter = new Emitter();
  const heard: string[] = [];
  const offLast = { call: (): void => undefined };
  emitter.on('warning', () => {
    heard.push('first');
    offLast.call();
    emitter.on('warning', () => heard.push('late'));
  });
  offLast.call = emitter.on('warning', () => heard.push('last'));
  emitter.emit('warning', '');
  assert.deepEqual(heard, ['first', 'last']);
});

test('one that throws does not keep the others from hearing', (context) => {
  const emitter = new Emitter();
  const later: (() => void)[] = [];
  context.mock.method(globalThis, 'queueMicrotask', (task: () => void) => later.push(task));
  const heard: string[] = [];
  emitter.on('warning', () => {
    throw new Error('mine');
  });
  emitter.on('warning', () => heard.push('other'));
  emitter.emit('warning', '');
  assert.deepEqual(heard, ['other']);
  assert.equal(later.length, 1);
  assert.throws(() => later[0]?.(), /mine/);
});
