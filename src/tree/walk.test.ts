import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeTree } from './describe.js';
import * as kit from './kit.js';
import { NO_NODE, Tree } from './tree.js';

function log(...paths: string[]): kit.Log {
  const it = new kit.Log(new Tree());
  for (const path of paths) it.apply(kit.create(path));
  return it;
}

/** S20: the snapshot and what came after it make the tree. */
function assertReplays(it: kit.Log, snapshot: kit.Snapshot, since: number): Tree {
  const loaded = snapshot.finish().load();
  for (const txn of it.txns.slice(since)) kit.replay(loaded, txn);
  loaded.verifyAcls();
  const settled = (tree: Tree): string[] =>
    describeTree(tree).filter((line) => !/^session \w+: $/.test(line));
  assert.deepEqual(settled(loaded), settled(it.tree));
  return loaded;
}

test('parents come first while znodes are created and deleted around the walk', () => {
  const it = log('/a', '/a/b', '/a/b/c', '/d', '/d/e');
  const snapshot = new kit.Snapshot(it.tree);
  const since = it.txns.length;
  let count = 0;
  while (snapshot.step(1)) {
    it.apply(kit.create(`/d/n${++count}`));
    it.apply(kit.create(`/n${count}`));
    if (count > 2) it.apply(kit.remove(`/n${count - 2}`));
    if (count === 3) it.apply(kit.remove('/d/e'));
    if (count === 4) it.apply(kit.create('/d/e', { data: 'again' }));
  }
  assertReplays(it, snapshot, since);
  snapshot.paths.forEach((path, i) => {
    const parent = path.slice(0, path.lastIndexOf('/')) || '/';
    if (path !== '/') assert.ok(snapshot.paths.indexOf(parent) < i && i > 0, path);
  });
  const isNew = /\/n[0-9]+$/;
  assert.ok(!snapshot.paths.some((path) => isNew.test(path)), 'what is new is left to the log');
});

test('an ACL that changes during the walk is written as it was, under an id that is listed', () => {
  const it = log('/a', '/b');
  it.apply(kit.create('/c', { acl: kit.digestAcl('old') }));
  it.apply(kit.create('/d', { acl: kit.digestAcl('old') }));
  const snapshot = new kit.Snapshot(it.tree);
  const since = it.txns.length;
  assert.ok(snapshot.step(1), 'the list of ACLs comes before the first znode');
  it.apply(kit.setAcl('/c', kit.digestAcl('new'), 1));
  it.apply(kit.setAcl('/c', kit.digestAcl('newer'), 2));
  it.apply(kit.setAcl('/d', kit.digestAcl('new'), 1));
  it.apply(kit.remove('/d'));
  it.apply(kit.create('/e', { acl: kit.digestAcl('old') }));
  it.apply(kit.setAcl('/a', null, 1));
  const loaded = snapshot.finish().load();
  loaded.verifyAcls();
  assert.deepEqual(loaded.aclOf(loaded.findPath('/c')), kit.digestAcl('old'));
  assert.deepEqual(loaded.aclOf(loaded.findPath('/a')), kit.openAcl);
  assertReplays(it, snapshot, since);
});

test('nobody uses the ACL any more, but a walk has still to list it', () => {
  const it = log();
  it.apply(kit.create('/a', { acl: kit.digestAcl('a') }));
  const snapshot = new kit.Snapshot(it.tree);
  it.apply(kit.remove('/a'));
  it.apply(kit.create('/b', { acl: kit.digestAcl('b') }));
  snapshot.finish();
  it.tree.reclaim(1000);
  assert.equal(it.tree.acls.size, 2, 'after the walk it is gone');
  assert.equal(it.tree.aclId(it.tree.findPath('/b')), 3);
});

test('what is deleted during a walk is freed after it, and ids come back', () => {
  const it = log('/a', '/b', '/c');
  const [a, b] = [it.tree.findPath('/a'), it.tree.findPath('/b')];
  const walk = it.tree.walk();
  it.apply(kit.remove('/a'));
  it.apply(kit.remove('/b'));
  it.apply(kit.create('/d'));
  assert.equal(it.tree.deadCount, 2);
  assert.ok(![a, b].includes(it.tree.findPath('/d')), 'no id is used again while somebody walks');
  assert.equal(it.tree.firstChild(it.tree.findPath('/a')), NO_NODE);
  assert.deepEqual([it.tree.isLiving(a), it.tree.isLiving(it.tree.findPath('/c'))], [false, true]);
  walk.close();
  walk.close();
  assert.equal(it.tree.deadCount, 0);
  it.apply(kit.create('/e'));
  assert.ok([a, b].includes(it.tree.findPath('/e')));
});

test('walks that overlap without end do not keep the dead for ever', () => {
  const it = log('/p');
  let walk = it.tree.walk();
  let most = 0;
  for (let i = 0; i < 2000; i++) {
    it.apply(kit.create(`/p/${i}`));
    if (i % 10 === 5) {
      const next = it.tree.walk();
      walk.close();
      walk = next;
    }
    it.apply(kit.remove(`/p/${i}`));
    walk.step(() => undefined, 2);
    most = Math.max(most, it.tree.deadCount);
  }
  walk.close();
  assert.ok(most < 60, `${most} dead at once`);
  assert.equal(it.tree.deadCount, 0);
});

test('a list of children is of one moment', () => {
  const it = log('/p', '/p/1', '/p/2', '/p/3', '/p/4');
  const parent = it.tree.findPath('/p');
  const listing = it.tree.listChildren(parent);
  const names: string[] = [];
  const visit = (id: number): unknown => names.push(it.tree.nameOf(id));
  assert.ok(listing.step(visit, 1));
  for (const path of ['/p/1', '/p/3', '/p/4']) it.apply(kit.remove(path));
  it.apply(kit.create('/p/3'));
  it.apply(kit.create('/p/5'));
  const second = it.tree.listChildren(parent);
  it.apply(kit.remove('/p/2'));
  it.apply(kit.remove('/p/3'));
  it.apply(kit.remove('/p/5'));
  it.apply(kit.remove('/p'));
  while (listing.step(visit, 1));
  assert.deepEqual(names, ['1', '2', '3', '4']);
  listing.close();
  names.length = 0;
  while (second.step(visit, 1));
  assert.deepEqual(names, ['2', '3', '5']);
  second.close();
  assert.equal(it.tree.deadCount, 0);
  assert.equal(it.tree.findPath('/p'), NO_NODE);
});

test('owners can be gone through while they change', () => {
  const it = new kit.Log(new Tree({ extendedTypes: true }));
  for (let i = 0; i < 6; i++) it.apply(kit.create(`/e${i}`, { ephemeral: true }), 7n);
  const ephemerals = it.tree.ephemeralsOf(0, 7);
  const next = (): string => {
    const result = ephemerals.next();
    return result.done === true ? 'done' : it.tree.pathOf(result.value);
  };
  assert.equal(next(), '/e0');
  it.apply(kit.remove('/e0'));
  it.apply(kit.remove('/e1'));
  assert.equal(next(), '/e2');
  it.apply(kit.remove('/e2'));
  it.apply(kit.create('/e6', { ephemeral: true }), 7n);
  assert.deepEqual([next(), next(), next()], ['/e3', '/e4', '/e5']);
  it.apply(kit.remove('/e5'));
  it.apply(kit.remove('/e4'));
  assert.equal(next(), '/e6');
  it.apply(kit.closeSession(), 7n);
  assert.equal(next(), 'done');
  it.apply(kit.createContainer('/c'));
  it.apply(kit.createTtl('/t', 5n));
  assert.deepEqual([...it.tree.containers()], [it.tree.findPath('/c')]);
  assert.deepEqual([...it.tree.ttls()], [it.tree.findPath('/t')]);
});

test('sessions whose ids share a half do not share their ephemerals', () => {
  const it = log();
  const sessions = [0x1_0000_0001n, 0x2_0000_0001n, 1n, -1n, 0x1_0000_0002n, -(1n << 62n)];
  sessions.forEach((session, i) => it.apply(kit.create(`/s${i}`, { ephemeral: true }), session));
  const byText = (a: bigint, b: bigint): number => (a < b ? -1 : 1);
  assert.deepEqual([...it.tree.sessionsWithEphemerals()].sort(byText), [...sessions].sort(byText));
  it.apply(kit.closeSession(), 1n);
  assert.equal(it.tree.findPath('/s2'), NO_NODE);
  assert.equal(it.tree.ephemeralCount, 5);
  assert.deepEqual(
    [...it.tree.ephemeralsOf(1, 1)].map((id) => it.tree.pathOf(id)),
    ['/s0'],
  );
});

test('a fuzzy snapshot whose log is lost is a tree all the same, and its snapshot is whole', () => {
  const it = log('/a', '/b');
  const whole = new kit.Snapshot(it.tree).finish().load();
  whole.setLastZxid(0, 1);
  const again = kit.reloaded(whole);
  assert.notEqual(again.findPath('/b'), NO_NODE, 'its czxid is beyond where the log ends');
});
