import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { AbortGroup, type Abortable } from './abort-group.js';

test('one listener for all calls of a signal, and none when they are over', () => {
  const controller = new AbortController();
  const { signal } = controller;
  const told: string[] = [];
  const member = (name: string): Abortable => ({
    onAbort: (reason) => {
      told.push(`${name} ${String(reason)}`);
    },
  });
  const [first, second, third] = [member('first'), member('second'), member('third')];
  for (const one of [first, second, third]) AbortGroup.of(signal).add(one);
  assert.equal(getEventListeners(signal, 'abort').length, 1);
  for (const one of [first, second, third]) AbortGroup.of(signal).remove(one);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
  AbortGroup.of(signal).add(first);
  AbortGroup.of(signal).add(third);
  AbortGroup.of(signal).add(second);
  AbortGroup.of(signal).remove(third);
  controller.abort('enough');
  assert.deepEqual(told, ['first enough', 'second enough']);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});
