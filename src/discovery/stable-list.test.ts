import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from './clock.fixture.js';
import { instanceDefaults, type ServiceInstance } from './instance.js';
import { StableList } from './stable-list.js';

function listOf(...ids: string[]): ServiceInstance[] {
  return ids.map((id) => ({ ...instanceDefaults, service: 's', id, host: id }));
}

function stableList(keepsLast = true) {
  const clock = new ManualClock();
  let ids = '';
  const list = new StableList({
    clock,
    keepsLast,
    limboMs: () => 30_000,
    onChange: (instances) => {
      ids = instances
        .map(({ id }) => id)
        .sort()
        .join('');
    },
  });
  return { clock, list, ids: () => ids };
}

test('while the registry is well, who comes and who leaves counts at once', () => {
  const { list, ids } = stableList();
  list.update(listOf('a', 'b'));
  list.update(listOf('b', 'c'));
  assert.equal(ids(), 'bc');
  assert.equal(list.limboSize, 0);
});

test('after trouble, a member that is missing stays in limbo for about a session timeout', async () => {
  const { clock, list, ids } = stableList();
  list.update(listOf('a', 'b', 'c'));
  list.setTrouble(true);
  await clock.advance(60_000);
  list.setTrouble(false);
  list.update(listOf('b'));
  assert.equal(ids(), 'abc');
  assert.equal(list.limboSize, 2);
  await clock.advance(20_000);
  list.update(listOf('b', 'c'));
  await clock.advance(9_999);
  assert.equal(ids(), 'abc');
  await clock.advance(1);
  assert.equal(ids(), 'bc');
  list.update(listOf('b'));
  assert.equal(ids(), 'b'); // the trouble is long over
});

test('a list that becomes empty keeps the last members until others come', async () => {
  const { clock, list, ids } = stableList();
  list.update(listOf('a', 'b'));
  list.update([]);
  await clock.advance(1_000_000);
  assert.equal(ids(), 'ab');
  list.update(listOf('c'));
  assert.equal(ids(), 'c');
});

test('an empty list is accepted where that is wanted', () => {
  const { list, ids } = stableList(false);
  list.update(listOf('a'));
  list.update([]);
  assert.equal(ids(), '');
});

test('the list of an earlier run serves until the registry has spoken', () => {
  const { list, ids } = stableList();
  list.seed(listOf('x', 'y'));
  assert.equal(ids(), 'xy');
  list.update([]);
  assert.equal(ids(), 'xy');
  list.update(listOf('y', 'z'));
  assert.equal(ids(), 'yz');
  assert.equal(list.limboSize, 0);
});

test('no timer is left behind', () => {
  const { clock, list } = stableList();
  list.update(listOf('a', 'b'));
  list.setTrouble(true);
  list.update(listOf('a'));
  assert.equal(clock.pendingTimers, 1);
  list.close();
  assert.equal(clock.pendingTimers, 0);
});
