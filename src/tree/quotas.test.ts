import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as kit from './kit.js';
import { NO_NODE, Tree } from './tree.js';

/** `test/golden` has the same from Apache; here is what that cannot show. */
function quota(log: kit.Log, path: string, limits = 'count=100,bytes=-1'): void {
  let at = '/zookeeper/quota';
  for (const name of path.slice(1).split('/')) {
    at += `/${name}`;
    if (log.tree.findPath(at) === NO_NODE) log.apply(kit.create(at));
  }
  log.apply(kit.create(`${at}/zookeeper_limits`, { data: limits }));
  log.apply(kit.create(`${at}/zookeeper_stats`, { data: 'count=-1,bytes=-1' }));
}

function statsOf(tree: Tree, path: string): string {
  const id = tree.findPath(`/zookeeper/quota${path}/zookeeper_stats`);
  assert.notEqual(id, NO_NODE);
  return Buffer.from(tree.data(id) ?? []).toString();
}

function log(...paths: string[]): kit.Log {
  const it = new kit.Log(new Tree());
  for (const path of paths) it.apply(kit.create(path, { data: '12345' }));
  return it;
}

test('the nearest quota is found from a znode and from a path', () => {
  const it = log('/a', '/a/b', '/a/b/c', '/ab');
  const rootOf = (path: string): string | null => {
    const root = it.tree.quotaRootOf(it.tree.findPath(path));
    return root === NO_NODE ? null : it.tree.pathOf(root);
  };
  assert.equal(rootOf('/a/b/c'), null);
  quota(it, '/a');
  quota(it, '/a/b');
  quota(it, '/later/on');
  const seen = ['/', '/a', '/a/b', '/a/b/c', '/ab'].map((path) => rootOf(path));
  assert.deepEqual(seen, [null, '/a', '/a/b', '/a/b', null]);
  for (const path of ['/', '/a', '/a/b', '/a/b/c', '/ab']) {
    assert.equal(it.tree.quotaPathOf(path), rootOf(path), path);
  }
  assert.equal(it.tree.quotaPathOf('/later/on'), '/later/on');
  assert.equal(it.tree.quotaPathOf('/later/on/there'), '/later/on');
  assert.equal(it.tree.quotaPathOf('/later'), null);
  it.apply(kit.create('/later'));
  it.apply(kit.create('/later/on'));
  assert.equal(rootOf('/later/on'), '/later/on');
  it.apply(kit.remove('/zookeeper/quota/a/b/zookeeper_limits'));
  assert.equal(rootOf('/a/b/c'), '/a');
});

test('a quota survives the znode it is on', () => {
  const it = log('/a');
  quota(it, '/a');
  it.apply(kit.remove('/a'));
  assert.equal(statsOf(it.tree, '/a'), 'count=0,bytes=0');
  it.apply(kit.create('/a', { data: '123' }));
  assert.equal(statsOf(it.tree, '/a'), 'count=1,bytes=3');
});

test('a quota on the root does nothing, and takes nobody down', () => {
  const it = log('/a');
  it.apply(kit.create('/zookeeper/quota/zookeeper_limits', { data: 'count=1' }));
  it.apply(kit.create('/zookeeper/quota/zookeeper_stats', { data: 'count=1' }));
  it.apply(kit.create('/b'));
  assert.equal(it.tree.quotaPathOf('/b'), null);
  it.apply(kit.remove('/zookeeper/quota/zookeeper_limits'));
  it.apply(kit.create('/zookeeper/zookeeper_limits'));
  it.apply(kit.remove('/zookeeper/zookeeper_limits'));
  assert.deepEqual([...it.tree.quotaPaths()], []);
});

test('statistics that are no statistics start from nothing', () => {
  const it = log('/a');
  quota(it, '/a');
  for (const nonsense of ['', 'count', 'bytes=x', null]) {
    it.apply(kit.setData('/zookeeper/quota/a/zookeeper_stats', nonsense, 1));
    it.apply(kit.create('/a/x', { data: '12' }));
    assert.equal(statsOf(it.tree, '/a'), 'count=0,bytes=1');
    it.apply(kit.remove('/a/x'));
  }
});

test('quotas are found again in a snapshot, and counted anew', () => {
  const it = log('/a', '/a/b', '/a/b/c');
  quota(it, '/a');
  quota(it, '/a/b');
  it.apply(kit.create('/a/b/d', { data: '1' }));
  assert.equal(statsOf(it.tree, '/a'), 'count=3,bytes=15', 'the nearest quota alone counts it');
  const loaded = kit.reloaded(it.tree);
  assert.equal(statsOf(loaded, '/a'), 'count=4,bytes=16');
  assert.equal(statsOf(loaded, '/a/b'), 'count=3,bytes=11');
  const again = new kit.Log(loaded, 1000n);
  again.apply(kit.remove('/a/b/d'));
  assert.equal(statsOf(loaded, '/a/b'), 'count=2,bytes=10');
});

test('a fuzzy snapshot and its replay count the same as the tree that went on', () => {
  const it = log('/a', '/a/b', '/a/c');
  quota(it, '/a');
  const snapshot = new kit.Snapshot(it.tree);
  const since = it.txns.length;
  it.apply(kit.create('/a/d', { data: '1' }));
  while (snapshot.step(1)) {
    it.apply(kit.setData('/a/b', 'x'.repeat(it.txns.length), 1));
    it.apply(kit.create(`/a/n${it.txns.length}`, { data: '22' }));
    if (it.txns.length % 5 === 0) it.apply(kit.remove('/a/c'));
  }
  const loaded = snapshot.finish().load();
  for (const txn of it.txns.slice(since)) kit.replay(loaded, txn);
  assert.equal(statsOf(loaded, '/a'), statsOf(it.tree, '/a'));
});
