import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeUtf8 } from '../protocol/utf8.js';
import { describeTree } from './describe.js';
import * as kit from './kit.js';
import { OwnerKind, Tree, TreeLoadError } from './tree.js';

const noStat = new Uint8Array(60);

interface Given {
  readonly aclId?: number | bigint;
  readonly stat?: Uint8Array;
  readonly data?: string;
}

function load(tree: Tree, path: string, given: Given = {}): void {
  const bytes = encodeUtf8(path);
  const data = encodeUtf8(given.data ?? '');
  const stat = given.stat ?? noStat;
  tree.loadNode(bytes, 0, bytes.length, data, 0, data.length, given.aclId ?? -1, stat, 0);
}

function loadAll(...paths: string[]): Tree {
  const tree = Tree.forLoading();
  for (const path of paths) load(tree, path);
  return tree;
}

test('a tree without znodes, or whose first is not the root, is refused', () => {
  assert.throws(() => Tree.forLoading().finishLoading(), TreeLoadError);
  assert.throws(() => loadAll('/a'), TreeLoadError);
  assert.throws(() => loadAll('/'), TreeLoadError);
});

test('a znode without its parent is refused', () => {
  assert.throws(() => loadAll('', '/a/b'), /no parent \/a/);
  assert.throws(() => loadAll('', '/a', '/b', '/a/c/d'), /no parent \/a\/c/);
});

test('a path twice is refused, and what is no path', () => {
  assert.throws(() => loadAll('', '/a', '/a'), /twice/);
  assert.throws(() => loadAll('', ''), /twice/);
  assert.throws(() => loadAll('', '/a/'), TreeLoadError);
  assert.throws(() => loadAll('', 'a'), TreeLoadError);
});

test('parents need not be the one before: any order with parents first will do', () => {
  const tree = loadAll('', '/a', '/b', '/a/a', '/b/b', '/a/a/a', '/b/c', '/a/b');
  tree.finishLoading();
  const children = (path: string): string[] => {
    const names: string[] = [];
    let id = tree.firstChild(tree.findPath(path));
    for (; id !== 0; id = tree.nextSibling(id)) names.push(tree.nameOf(id));
    return names;
  };
  assert.deepEqual(
    ['/', '/a', '/b', '/a/a'].map((path) => children(path)),
    [['a', 'b'], ['a', 'b'], ['b', 'c'], ['a']],
  );
});

test('what Apache leaves out of an old snapshot stays out', () => {
  const tree = loadAll('', '/zookeeper');
  tree.finishLoading();
  assert.equal(tree.findPath('/zookeeper/quota'), 0);
  assert.equal(tree.nodeCount, 3);
});

test('an ACL that nobody told is refused, unless the replay tells it', () => {
  const tree = Tree.forLoading();
  tree.loadAcl(1, kit.digestAcl('a'));
  load(tree, '', { aclId: 1n });
  load(tree, '/a', { aclId: 2 });
  load(tree, '/b', { aclId: 3 });
  tree.finishLoading();
  assert.throws(() => tree.aclOf(tree.findPath('/a')), TreeLoadError);
  assert.throws(() => tree.verifyAcls(), /2, 3/);
  // the transactions that gave them are in the log, perhaps with other ids in between
  const log = new kit.Log(tree);
  log.apply(kit.create('/c', { acl: kit.digestAcl('c') }));
  log.apply(kit.create('/a', { acl: kit.digestAcl('b') }));
  assert.throws(() => tree.verifyAcls(), /: ids 3$/);
  log.apply(kit.setAcl('/b', kit.digestAcl('b'), 1));
  tree.verifyAcls();
  assert.deepEqual(tree.aclOf(tree.findPath('/a')), kit.digestAcl('b'));
  assert.deepEqual(tree.aclOf(tree.findPath('/c')), kit.digestAcl('c'));
  assert.equal(tree.aclId(tree.findPath('/c')), 4, 'an id that a znode had is no other ACL');
});

test('an ACL id beyond what a number holds is refused', () => {
  const tree = Tree.forLoading();
  assert.throws(() => tree.loadAcl(2n ** 60n, kit.openAcl), TreeLoadError);
  assert.throws(() => load(tree, '', { aclId: 2n ** 60n }), TreeLoadError);
});

test('owners are found in the stat', () => {
  const stat = (owner: bigint): Uint8Array => {
    const bytes = new Uint8Array(60);
    new DataView(bytes.buffer).setBigInt64(44, owner);
    return bytes;
  };
  const tree = Tree.forLoading({ extendedTypes: true });
  load(tree, '');
  load(tree, '/e', { stat: stat(0x1000_0000_0000_0007n) });
  load(tree, '/c', { stat: stat(-(1n << 63n)) });
  load(tree, '/t', { stat: stat(-(1n << 56n) | 0xfe_0000_0001n) });
  tree.finishLoading();
  const kinds = ['/e', '/c', '/t'].map((path) => tree.ownerKind(tree.findPath(path)));
  assert.deepEqual(kinds, [OwnerKind.session, OwnerKind.container, OwnerKind.ttl]);
  assert.deepEqual([...tree.sessionsWithEphemerals()], [0x1000_0000_0000_0007n]);
  assert.deepEqual([...tree.ephemeralsOf(0x1000_0000, 7)], [tree.findPath('/e')]);
  assert.equal(tree.ttlMs(tree.findPath('/t')), 0xfe_0000_0001);
});

test('a tree through a snapshot is the same tree, with its ids, long names and large data', () => {
  const tree = new Tree({ extendedTypes: true });
  const log = new kit.Log(tree);
  log.apply(kit.create('/a', { data: null, acl: kit.digestAcl('a') }));
  log.apply(kit.create('/b', { data: 'x'.repeat(70_000), acl: kit.digestAcl('b') }));
  log.apply(kit.create(`/${'long'.repeat(10_000)}`, { data: 'y' }));
  log.apply(kit.create(`/a/${'é'.repeat(40_000)}`, { data: 'z'.repeat(65_536) }));
  log.apply(kit.create('/e', { ephemeral: true }), 5n);
  log.apply(kit.setAcl('/a', kit.digestAcl('c'), 1));
  log.apply(kit.remove('/none'));
  const options = { withAclIds: true };
  const loaded = kit.reloaded(tree, { extendedTypes: true });
  assert.deepEqual(describeTree(loaded, options), describeTree(tree, options));
  assert.equal(loaded.approximateDataSize(), tree.approximateDataSize());
});
