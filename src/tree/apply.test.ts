import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErrorCode } from '../protocol/errors.js';
import { OpCode } from '../protocol/opcodes.js';
import { MalformedError } from '../protocol/reader.js';
import { CreateTxnV0 } from '../protocol/records.js';
import { Writer } from '../protocol/writer.js';
import { describeTree, hexOf } from './describe.js';
import * as kit from './kit.js';
import { NO_NODE, Tree } from './tree.js';

function log(): kit.Log {
  return new kit.Log(new Tree({ extendedTypes: true }));
}

function statOf(tree: Tree, path: string): string {
  const stat = new Uint8Array(68);
  tree.statInto(tree.findPath(path), stat, 0);
  return hexOf(stat);
}

test('the last zxid moves with every transaction, and never back', () => {
  const tree = new Tree();
  const zxid = (): readonly number[] => [tree.lastZxidHigh, tree.lastZxidLow];
  kit.replay(tree, kit.txnOf(0x5_ffff_fffen, kit.createSession(30000), 1n));
  assert.deepEqual(zxid(), [5, 0xffff_fffe]);
  kit.replay(tree, kit.txnOf(0x6_0000_0001n, kit.failure(ErrorCode.noNode)));
  assert.deepEqual(zxid(), [6, 1]);
  kit.replay(tree, kit.txnOf(0x5_ffff_ffffn, kit.create('/old')));
  assert.deepEqual(zxid(), [6, 1]);
  assert.notEqual(tree.findPath('/old'), NO_NODE);
});

test('an error is the result of the transaction that says it', () => {
  const { tree } = log();
  const before = describeTree(tree);
  assert.equal(kit.replay(tree, kit.txnOf(1n, kit.failure(-117))), -117);
  assert.deepEqual(describeTree(tree), before);
});

test('the oldest create, without a cversion, counts on from what the parent has', () => {
  const { tree } = log();
  const writer = new Writer();
  CreateTxnV0.write(writer, { path: '/a', data: null, acl: kit.openAcl, ephemeral: true });
  const body = { type: OpCode.create, bytes: writer.take() };
  assert.equal(kit.replay(tree, kit.txnOf(1n, body, 9n)), ErrorCode.ok);
  assert.equal(tree.cversion(tree.findPath('/')), 1);
  assert.equal(tree.countEphemerals(0, 9), 1);
});

test('a session ends with the paths that are listed and with what else it has', () => {
  for (const listed of [['/a/1'], ['/a/2', '/a/1'], [], undefined]) {
    const it = log();
    it.apply(kit.create('/a'));
    it.apply(kit.create('/a/1', { ephemeral: true }), 7n);
    it.apply(kit.create('/a/2', { ephemeral: true }), 7n);
    it.apply(kit.create('/a/3', { ephemeral: true }), 8n);
    assert.equal(it.apply(kit.closeSession(listed), 7n), ErrorCode.ok);
    assert.equal(it.tree.findPath('/a/1'), NO_NODE);
    assert.equal(it.tree.findPath('/a/2'), NO_NODE);
    assert.notEqual(it.tree.findPath('/a/3'), NO_NODE);
    assert.deepEqual([...it.tree.sessionsWithEphemerals()], [8n]);
    assert.equal(it.tree.pzxidLow(it.tree.findPath('/a')), 5);
  }
});

test('a digest behind an ended session is no list of paths', () => {
  const it = log();
  it.apply(kit.create('/a', { ephemeral: true }), 7n);
  const digest = Uint8Array.of(0, 0, 0, 2, 0, 0, 0, 1, 0x2f, 0, 0, 0);
  assert.equal(it.apply({ type: OpCode.closeSession, bytes: digest }, 7n), ErrorCode.ok);
  assert.equal(it.tree.findPath('/a'), NO_NODE);
  assert.equal(it.tree.digestVerdict, 'different');
});

test('the digest behind a transaction is compared', () => {
  const digestOf = (tree: Tree): Uint8Array => {
    const writer = new Writer();
    writer.writeInt(2);
    writer.writeLongParts(tree.digestHigh, tree.digestLow);
    return writer.take();
  };
  const sample = log();
  sample.apply(kit.create('/a'));
  const digest = digestOf(sample.tree);
  const verdict = (tail: Uint8Array): string => {
    const { tree } = log();
    const { bytes } = kit.txnOf(1n, kit.create('/a'));
    const whole = Uint8Array.from([...bytes, ...tail]);
    assert.equal(tree.apply(whole, 0, whole.length), ErrorCode.ok);
    return tree.digestVerdict;
  };
  assert.equal(verdict(digest), 'equal');
  assert.equal(verdict(digest.map((byte, i) => (i === 11 ? byte ^ 1 : byte))), 'different');
  assert.equal(verdict(digest.map((byte, i) => (i === 3 ? 1 : byte))), 'otherVersion');
  assert.equal(verdict(new Uint8Array(0)), 'none');
});

test('a multi says what became of each part, with the stat as it was then', () => {
  const it = log();
  const result = it.apply(
    kit.multi(
      kit.create('/m', { type: OpCode.create2, data: 'one', cversion: 1 }),
      kit.create('/m/a', { cversion: 1 }),
      kit.setData('/m', 'three', 1),
      kit.check('/m', 1),
      kit.setData('/m', 'three!', 2),
      kit.remove('/m/a'),
    ),
  );
  assert.equal(result, ErrorCode.ok);
  assert.deepEqual(it.tree.multiResults, [0, 0, 0, 0, 0, 0]);
  const stats = new DataView(it.tree.multiStats.buffer);
  const seen = [0, 2, 4].map((part) => ({
    version: stats.getInt32(68 * part + 32),
    length: stats.getInt32(68 * part + 52),
    children: stats.getInt32(68 * part + 56),
  }));
  assert.deepEqual(seen, [
    { version: 0, length: 3, children: 0 },
    { version: 1, length: 5, children: 1 },
    { version: 2, length: 6, children: 1 },
  ]);
});

test('a multi that has failed changes nothing and names the part', () => {
  const it = log();
  it.apply(kit.create('/m'));
  const before = statOf(it.tree, '/m');
  const result = it.apply(
    kit.multi(
      kit.setData('/m', 'x', 1),
      kit.remove('/m'),
      kit.failure(ErrorCode.badVersion),
      kit.create('/n'),
      kit.failure(ErrorCode.runtimeInconsistency),
    ),
  );
  assert.equal(result, ErrorCode.badVersion);
  const { badVersion, runtimeInconsistency } = ErrorCode;
  assert.deepEqual(it.tree.multiResults, [0, 0, badVersion, runtimeInconsistency, -2]);
  assert.equal(statOf(it.tree, '/m'), before);
  assert.equal(it.apply(kit.multi()), ErrorCode.ok);
  assert.deepEqual(it.tree.multiResults, []);
});

test('a multi with a part of no kind is refused before its first part is done', () => {
  const it = log();
  const setAcl = kit.setAcl('/', kit.openAcl, 1);
  assert.throws(() => it.apply(kit.multi(kit.create('/a'), setAcl)), MalformedError);
  assert.throws(() => it.apply(kit.multi(kit.create('/a'), kit.multi())), MalformedError);
  assert.equal(it.tree.findPath('/a'), NO_NODE);
});

test('a delete of a znode with children, which only a replay meets, takes them along', () => {
  const it = log();
  for (const path of ['/p', '/p/a', '/p/a/b', '/p/a/c', '/p/d', '/q']) it.apply(kit.create(path));
  it.apply(kit.create('/p/a/e', { ephemeral: true, data: 'x' }), 3n);
  const deleted: string[] = [];
  it.tree.listener = {
    onChange: (kind, node) => deleted.push(`${kind} ${it.tree.pathOf(node)}`),
  };
  const before = it.tree.nodeCount;
  assert.equal(it.apply(kit.remove('/p')), ErrorCode.ok);
  assert.equal(it.tree.nodeCount, before - 6);
  assert.equal(it.tree.countEphemerals(0, 3), 0);
  assert.equal(deleted.at(-1), 'deleted /p');
  assert.equal(it.tree.findPath('/p/a/b'), NO_NODE);
  const other = log();
  other.apply(kit.create('/q', { cversion: 2 }));
  it.tree.setLastZxid(0, 0);
  assert.equal(it.tree.approximateDataSize(), other.tree.approximateDataSize());
});

test('listeners hear of each change in order, about znodes that can be read', () => {
  const it = log();
  const heard: string[] = [];
  it.tree.listener = {
    onChange(kind, node, parent) {
      const found = it.tree.findPath(it.tree.pathOf(node)) === node;
      const data = Buffer.from(it.tree.data(node) ?? []).toString();
      const acl = it.tree.aclOf(node)[0]?.id.id ?? '';
      const where = parent === NO_NODE ? 'nothing' : it.tree.pathOf(parent);
      heard.push(`${kind} ${it.tree.pathOf(node)} in ${where} ${data} ${acl} ${found}`);
    },
  };
  it.apply(kit.create('/a', { data: 'x', acl: kit.digestAcl('u') }));
  it.apply(kit.multi(kit.create('/a/b', { ephemeral: true }), kit.setData('/a', 'y', 1)), 4n);
  it.apply(kit.setData('/none', 'y', 1));
  it.apply(kit.setData('/', 'z', 1));
  it.apply(kit.closeSession(['/a/b']), 4n);
  it.apply(kit.remove('/a'));
  assert.deepEqual(heard, [
    'created /a in / x u true',
    'created /a/b in /a  anyone true',
    'dataChanged /a in / y u true',
    'dataChanged / in nothing z anyone true',
    'deleted /a/b in /a  anyone false',
    'deleted /a in / y u false',
  ]);
});

test('what is no transaction is malformed, at whatever byte it ends', () => {
  const bodies = [
    kit.create('/a/b', { data: 'data', ephemeral: true }),
    kit.create('/a/c', { type: OpCode.create2 }),
    kit.createContainer('/a/d', 1),
    kit.createTtl('/a/e', 5n, 1),
    kit.setData('/a', 'x', 1),
    kit.setAcl('/a', kit.digestAcl('u'), 1),
    kit.remove('/a/none'),
    kit.failure(-1),
    kit.createSession(10),
    kit.multi(kit.setData('/a', 'y', 2), kit.check('/a', 1)),
  ];
  const it = log();
  it.apply(kit.create('/a'));
  for (const body of bodies) {
    const { bytes } = kit.txnOf(100n, body);
    const isV0 = (end: number): boolean => body.type === OpCode.create && end === bytes.length - 4;
    for (let end = 0; end < bytes.length; end++) {
      if (isV0(end)) continue;
      assert.throws(() => it.tree.apply(bytes, 0, end), MalformedError, `${body.type} to ${end}`);
    }
    it.tree.apply(bytes, 0, bytes.length);
  }
});

test('types, times to live and paths that nothing has are malformed', () => {
  const { tree } = log();
  const malformed = (body: kit.Body): void => {
    assert.throws(() => kit.replay(tree, kit.txnOf(1n, body)), MalformedError);
  };
  malformed({ type: 99, bytes: new Uint8Array(40) });
  malformed(kit.check('/', 0));
  malformed(kit.createTtl('/t', 0n));
  malformed(kit.createTtl('/t', -1n));
  malformed(kit.createTtl('/t', 1n << 40n));
  for (const path of ['', 'a', 'a/b', '/a/']) {
    malformed(kit.create(path));
    malformed(kit.remove(path));
  }
  assert.equal(tree.nodeCount, 5);
});

test('the root is not created and not deleted', () => {
  const { tree } = log();
  assert.equal(kit.replay(tree, kit.txnOf(1n, kit.remove('/'))), ErrorCode.badArguments);
  assert.equal(kit.replay(tree, kit.txnOf(1n, kit.create('/'))), ErrorCode.nodeExists);
  assert.equal(tree.nodeCount, 5);
});

test('a session that nobody knows any more is ended at the zxid reached', () => {
  const it = log();
  it.apply(kit.create('/a', { ephemeral: true }), -5n);
  it.apply(kit.createSession(1), 6n);
  it.tree.endSession(-1, -5);
  assert.equal(it.tree.findPath('/a'), NO_NODE);
  assert.equal(it.tree.pzxidLow(it.tree.findPath('/')), 2);
  assert.deepEqual([...it.tree.sessionsWithEphemerals()], []);
});
