import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathHashOf } from '../protocol/paths.js';
import { ANY_MODE, WatchMode, Watcher, WatchTable } from './watch-table.js';

const fired = (table: WatchTable, path: string, stamp: number): Watcher[] => {
  const told: Watcher[] = [];
  table.fire(path, stamp, (watcher) => told.push(watcher));
  return told;
};

test('a standard watch fires once, a persistent one until removed', () => {
  const table = new WatchTable('data');
  const once = new Watcher();
  const always = new Watcher();
  table.add('/a', once, WatchMode.standard);
  table.add('/a', always, WatchMode.persistent);
  assert.deepEqual(fired(table, '/a', 1), [once, always]);
  assert.deepEqual(fired(table, '/a', 2), [always]);
  assert.equal(table.remove('/a', always, WatchMode.persistent), true);
  assert.deepEqual(fired(table, '/a', 3), []);
  assert.equal(table.size, 0);
  assert.equal(table.pathCount, 0);
});

test('a standard watch beside a persistent one is spent alone', () => {
  const table = new WatchTable('data');
  const watcher = new Watcher();
  table.add('/a', watcher, WatchMode.standard);
  table.add('/a', watcher, WatchMode.persistentRecursive);
  assert.equal(table.size, 1);
  assert.deepEqual(fired(table, '/a', 1), [watcher]);
  assert.equal(table.holds('/a', watcher, WatchMode.standard), false);
  assert.equal(table.holds('/a', watcher, WatchMode.persistentRecursive), true);
  assert.equal(table.hasRecursive, true);
  assert.equal(table.remove('/a', watcher, ANY_MODE), true);
  assert.equal(table.hasRecursive, false);
});

test('one change is told once to a watcher, in both tables and along the ancestors', () => {
  const data = new WatchTable('data');
  const child = new WatchTable('child');
  const watcher = new Watcher();
  data.add('/a/b', watcher, WatchMode.standard);
  data.add('/a', watcher, WatchMode.persistentRecursive);
  child.add('/a/b', watcher, WatchMode.standard);
  const told: string[] = [];
  data.fire('/a/b', 7, () => told.push('data'));
  data.fireRecursive('/a', 7, () => told.push('recursive'));
  child.fire('/a/b', 7, () => told.push('child'));
  assert.deepEqual(told, ['data']);
  assert.equal(child.size, 0, 'the child watch is spent although it told nothing');
});

test('the filter never says no for a watched path, and says no again when the last watch goes', () => {
  const table = new WatchTable('data');
  const watcher = new Watcher();
  const hash = pathHashOf('/some/path');
  assert.equal(table.mayFire(hash), false);
  table.add('/some/path', watcher, WatchMode.standard);
  assert.equal(table.mayFire(hash), true);
  table.removeWatcher(watcher);
  assert.equal(table.mayFire(hash), false);
  assert.equal(watcher.dataPaths.size, 0);
});

test('removing a mode that is not held changes nothing', () => {
  const table = new WatchTable('child');
  const watcher = new Watcher();
  table.add('/a', watcher, WatchMode.persistent);
  assert.equal(table.remove('/a', watcher, WatchMode.standard), false);
  assert.equal(table.remove('/b', watcher, ANY_MODE), false);
  assert.equal(table.holds('/a', watcher, ANY_MODE), true);
});
