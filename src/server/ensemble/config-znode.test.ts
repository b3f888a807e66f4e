import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatPersisted } from '../../protocol/records.js';
import { Reader } from '../../protocol/reader.js';
import { Tree } from '../../tree/tree.js';
import { showConfig } from './config-znode.js';

const path = '/zookeeper/config';
const text = 'server.1=10.0.0.1:2888:3888:participant\nversion=0';

function statOf(tree: Tree): StatPersisted {
  const bytes = new Uint8Array(60);
  tree.persistedStatInto(tree.findPath(path), bytes, 0);
  return StatPersisted.read(new Reader().reset(bytes, 0, 60));
}

function shownBy(tree: Tree): string {
  return new TextDecoder().decode(tree.data(tree.findPath(path)) ?? undefined);
}

test('clients read the configuration, and its stat is the one that Apache shows', () => {
  const tree = new Tree();
  showConfig(tree, { text, version: 0n }, 1_800_000_000_000.5);
  assert.equal(shownBy(tree), text);
  const { version, mzxid, mtime, aversion } = statOf(tree);
  assert.deepEqual([version, mzxid, mtime, aversion], [-1, 0n, 1_800_000_000_000n, -1]);
});

test('it is no part of the history: neither the last zxid nor digests move', () => {
  const tree = new Tree();
  tree.setLastZxid(3, 7);
  const digest = [tree.digestHigh, tree.digestLow];
  showConfig(tree, { text, version: (5n << 32n) | 128n }, 1);
  assert.deepEqual([tree.lastZxidHigh, tree.lastZxidLow], [3, 7]);
  assert.deepEqual([tree.digestHigh, tree.digestLow], digest);
  assert.deepEqual([...tree.digests.entries()], []);
  assert.equal(statOf(tree).mzxid, (5n << 32n) | 128n);
});

test('a tree of before there was such a znode stays as it is', () => {
  const tree = Tree.forLoading();
  showConfig(tree, { text, version: 0n }, 1);
  assert.equal(tree.findPath(path), 0);
});
