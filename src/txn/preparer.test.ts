import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErrorCode, errorName } from '../protocol/errors.js';
import { OpCode, opName } from '../protocol/opcodes.js';
import { Reader } from '../protocol/reader.js';
import { MultiRequest, readTxnPayload, requestCodecOf } from '../protocol/records.js';
import { TxnBatch } from '../protocol/txn-batch.js';
import { Writer } from '../protocol/writer.js';
import { Session } from '../session/session.js';
import { Tree } from '../tree/tree.js';
import type { Acl, AclId } from './authorize.js';
import type { PrepareOptions } from './context.js';
import { Preparer, WriteRequest } from './preparer.js';

const OPEN: readonly Acl[] = [{ perms: 31, id: { scheme: 'world', id: 'anyone' } }];
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A leader without a disk: prepares into a batch, applies it when told. */
class Leader {
  readonly tree = new Tree({ digestEnabled: true, extendedTypes: true });
  readonly session = new Session(0x100000000000001n, 4000);
  readonly preparer: Preparer;
  readonly batch = new TxnBatch();
  authIds: AclId[] = [];
  zxid = 0;
  nowMs = 1_700_000_000_000;
  quotaWarnings: string[] = [];

  constructor(options: Partial<PrepareOptions> = {}) {
    this.preparer = new Preparer(this.tree, {
      skipAcl: false,
      enforceQuota: true,
      extendedTypesEnabled: true,
      emulate353Ttl: false,
      digestEnabled: true,
      closeSessionTxnEnabled: true,
      onQuotaExceeded: (message) => this.quotaWarnings.push(message),
      ...options,
    });
  }

  /** Prepares one request; the name of its error, or `ok`. */
  ask(op: number, body: object): string {
    const writer = new Writer();
    requestCodecOf(op)?.write(writer, body);
    return this.askBytes(op, writer.take());
  }

  askBytes(op: number, body: Uint8Array): string {
    const request = new WriteRequest();
    request.op = op;
    request.cxid = this.zxid + 1;
    request.session = this.session;
    request.sessionHigh = this.session.idHigh;
    request.sessionLow = this.session.idLow;
    request.caller = { authIds: this.authIds };
    request.bytes = body;
    request.end = body.length;
    request.zxidLow = this.zxid + 1;
    request.nowMs = this.nowMs;
    if (this.preparer.prepare(request, this.batch) === 'malformed') return 'malformed';
    this.zxid++;
    return this.preparer.error === ErrorCode.ok ? 'ok' : errorName(this.preparer.error);
  }

  create(path: string, flags = 0, acl: readonly Acl[] = OPEN, data = 'x'): string {
    const outcome = this.ask(OpCode.create, { path, data: bytes(data), acl, flags });
    return outcome === 'ok' ? this.preparer.resultPath : outcome;
  }

  set(path: string, version = -1, data = 'y'): string {
    return this.ask(OpCode.setData, { path, data: bytes(data), version });
  }

  delete(path: string, version = -1): string {
    return this.ask(OpCode.delete, { path, version });
  }

  multi(...ops: { type: number; request: object }[]): string {
    const writer = new Writer();
    MultiRequest.write(writer, { ops } as never);
    this.askBytes(OpCode.multi, writer.take());
    return errorName(this.preparer.multi?.error ?? 0);
  }

  /** Applies all that is prepared, checking that what was foreseen is what happens. */
  apply(): void {
    for (let i = 0; i < this.batch.count; i++) {
      const start = this.batch.payloadStart(i);
      const end = this.batch.payloadEnd(i);
      const { digest } = readTxnPayload(new Reader(this.batch.bytes, start, end));
      this.tree.apply(this.batch.bytes, start, end);
      this.preparer.applied();
      const now = (BigInt(this.tree.digestHigh | 0) << 32n) | BigInt(this.tree.digestLow >>> 0);
      assert.equal(digest?.treeDigest, now, `digest after transaction ${i + 1} of the batch`);
    }
    this.batch.reset();
  }

  types(): string[] {
    const names: string[] = [];
    for (let i = 0; i < this.batch.count; i++) {
      const reader = new Reader(
        this.batch.bytes,
        this.batch.payloadStart(i),
        this.batch.payloadEnd(i),
      );
      names.push(opName(readTxnPayload(reader).header.type));
    }
    return names;
  }
}

const create = (path: string, flags = 0) => ({
  type: OpCode.create,
  request: { path, data: bytes('m'), acl: OPEN, flags },
});
const del = (path: string) => ({ type: OpCode.delete, request: { path, version: -1 } });
const set = (path: string, version = -1) => ({
  type: OpCode.setData,
  request: { path, data: bytes('m'), version },
});
const check = (path: string, version: number) => ({
  type: OpCode.check,
  request: { path, version },
});

test('requests are judged by what is proposed, not by what is applied', () => {
  const leader = new Leader();
  assert.equal(leader.create('/a'), '/a');
  assert.equal(leader.create('/a'), 'NODEEXISTS');
  assert.equal(leader.create('/a/b'), '/a/b');
  assert.equal(leader.delete('/a'), 'NOTEMPTY');
  assert.equal(leader.set('/a', 0), 'ok');
  assert.equal(leader.set('/a', 0), 'BADVERSION');
  assert.equal(leader.delete('/a/b'), 'ok');
  assert.equal(leader.delete('/a', 0), 'BADVERSION');
  assert.equal(leader.delete('/a', 1), 'ok');
  assert.equal(leader.set('/a'), 'NONODE');
  assert.equal(leader.create('/a'), '/a');
  leader.apply();
  assert.equal(leader.preparer.outstandingCount, 0);
  assert.notEqual(leader.tree.findPath('/a'), 0);
});

test('a failed request is an error transaction with a zxid of its own', () => {
  const leader = new Leader();
  assert.equal(leader.delete('/none'), 'NONODE');
  assert.equal(leader.create('/a'), '/a');
  assert.deepEqual(leader.types(), ['error', 'create']);
  assert.equal(leader.zxid, 2);
  leader.apply();
  assert.equal(leader.tree.lastZxidLow, 2);
});

test('a request that cannot be read takes no zxid and leaves nothing behind', () => {
  const leader = new Leader();
  assert.equal(leader.askBytes(OpCode.create, Uint8Array.of(0, 0)), 'malformed');
  assert.equal(leader.batch.count, 0);
  assert.equal(leader.create('/a'), '/a');
  leader.apply();
});

test('a request without a path can be read, and fails with a zxid', () => {
  const leader = new Leader();
  assert.equal(leader.ask(OpCode.delete, { path: null, version: -1 }), 'MARSHALLINGERROR');
  assert.equal(leader.ask(OpCode.setData, { path: null, data: null, version: -1 }), 'BADARGUMENTS');
  leader.apply();
  assert.equal(leader.tree.lastZxidLow, 2);
});

test('sequence numbers come from the stored cversion and go on over outstanding creates', () => {
  const leader = new Leader();
  assert.equal(leader.create('/q'), '/q');
  assert.equal(leader.create('/q/n-', 2), '/q/n-0000000000');
  assert.equal(leader.create('/q/n-', 2), '/q/n-0000000001');
  assert.equal(leader.delete('/q/n-0000000000'), 'ok');
  leader.apply();
  assert.equal(leader.create('/q/', 2), '/q/0000000002', 'deleting takes no number');
  leader.apply();
});

test('a multi that fails leaves no trace, its parent’s sequence numbers included', () => {
  const leader = new Leader();
  leader.create('/q');
  assert.equal(leader.create('/q/n-', 2), '/q/n-0000000000');
  assert.equal(leader.multi(create('/q/n-', 2), set('/q', 99)), 'BADVERSION');
  assert.equal(leader.create('/q/n-', 2), '/q/n-0000000001');
  assert.equal(leader.multi(create('/x'), create('/x/y'), del('/none')), 'NONODE');
  assert.equal(leader.set('/x'), 'NONODE');
  assert.equal(leader.multi(create('/x'), create('/x/y'), set('/x', 0), check('/x', 1)), 'OK');
  leader.apply();
  assert.notEqual(leader.tree.findPath('/x/y'), 0);
});

test('a multi can create what it deletes and delete what it creates', () => {
  const leader = new Leader();
  leader.create('/a');
  assert.equal(leader.multi(del('/a'), create('/a'), create('/b'), del('/b')), 'OK');
  leader.apply();
  assert.notEqual(leader.tree.findPath('/a'), 0);
  assert.equal(leader.tree.findPath('/b'), 0);
});

test('closing a session takes its ephemerals, proposed ones too, and ends its requests', () => {
  const leader = new Leader();
  leader.create('/p');
  leader.create('/p/e1', 1);
  leader.apply();
  leader.create('/p/e2', 1);
  leader.delete('/p/e1');
  leader.create('/p/e1', 1);
  assert.equal(leader.create('/p/e1/child'), 'NOCHILDRENFOREPHEMERALS');
  assert.equal(leader.askBytes(OpCode.closeSession, new Uint8Array(0)), 'ok');
  assert.equal(leader.create('/p/late'), 'SESSIONEXPIRED');
  leader.apply();
  for (const path of ['/p/e1', '/p/e2', '/p/late'])
    assert.equal(leader.tree.findPath(path), 0, path);
});

test('permissions: create and delete on the parent, write and admin on the znode', () => {
  const leader = new Leader();
  const secret: Acl[] = [{ perms: 31, id: { scheme: 'digest', id: 'bob:hash' } }];
  assert.equal(leader.create('/s', 0, secret), '/s');
  assert.equal(leader.create('/s/c'), 'NOAUTH');
  assert.equal(leader.set('/s'), 'NOAUTH');
  assert.equal(leader.ask(OpCode.setACL, { path: '/s', acl: OPEN, version: -1 }), 'NOAUTH');
  leader.authIds = [{ scheme: 'digest', id: 'bob:hash' }];
  assert.equal(leader.create('/s/c'), '/s/c');
  leader.authIds = [];
  assert.equal(leader.delete('/s/c'), 'NOAUTH');
  leader.authIds = [{ scheme: 'super', id: '' }];
  assert.equal(leader.delete('/s/c'), 'ok');
  assert.equal(leader.ask(OpCode.setACL, { path: '/s', acl: OPEN, version: 1 }), 'BADVERSION');
  assert.equal(leader.ask(OpCode.setACL, { path: '/s', acl: OPEN, version: 0 }), 'ok');
  leader.authIds = [];
  assert.equal(leader.set('/s'), 'ok');
  leader.apply();
});

test('the auth scheme becomes the ids that were proven; without any it is refused', () => {
  const leader = new Leader();
  const auth: Acl[] = [{ perms: 1, id: { scheme: 'auth', id: '' } }];
  assert.equal(leader.create('/a', 0, auth), 'INVALIDACL');
  assert.equal(leader.create('/a', 0, []), 'INVALIDACL');
  assert.equal(
    leader.create('/a', 0, [{ perms: 1, id: { scheme: 'nope', id: 'x' } }]),
    'INVALIDACL',
  );
  leader.authIds = [
    { scheme: 'ip', id: '10.0.0.1' },
    { scheme: 'digest', id: 'bob:hash' },
  ];
  assert.equal(leader.create('/a', 0, auth), '/a');
  leader.apply();
  const acl = leader.tree.acls.get(leader.tree.aclId(leader.tree.findPath('/a')));
  assert.deepEqual(acl, [{ perms: 1, id: { scheme: 'digest', id: 'bob:hash' } }]);
});

test('what may not be created or deleted', () => {
  const leader = new Leader();
  assert.equal(leader.create('/a//b'), 'NONODE', 'the parent is looked for first');
  assert.equal(leader.create('/a/'), 'NONODE');
  assert.equal(leader.create('a'), 'BADARGUMENTS');
  assert.equal(leader.create('/\u0000'), 'BADARGUMENTS');
  assert.equal(leader.create('/.'), 'BADARGUMENTS');
  assert.equal(leader.create('/x', 7), 'BADARGUMENTS');
  assert.equal(leader.create('/'), 'NODEEXISTS');
  for (const path of ['/', '/zookeeper', '/zookeeper/quota', '/zookeeper/config']) {
    assert.equal(leader.delete(path), 'BADARGUMENTS', path);
  }
  leader.apply();
});

test('a time to live must be positive and no longer than 40 bits, and others must have none', () => {
  const leader = new Leader();
  const ttl = (flags: number, ms: bigint): string =>
    leader.ask(OpCode.createTTL, { path: '/t', data: null, acl: OPEN, flags, ttl: ms });
  assert.equal(ttl(5, 0n), 'BADARGUMENTS');
  assert.equal(ttl(5, 0x100_0000_0000n), 'BADARGUMENTS');
  assert.equal(ttl(0, 5n), 'BADARGUMENTS');
  assert.equal(ttl(5, 1000n), 'ok');
  leader.apply();
  const off = new Leader({ extendedTypesEnabled: false });
  assert.equal(
    off.ask(OpCode.createTTL, { path: '/t', data: null, acl: OPEN, flags: 5, ttl: 5n }),
    'UNIMPLEMENTED',
  );
});

test('a hard quota refuses, a soft one only warns', () => {
  const leader = new Leader();
  leader.create('/t');
  leader.create('/zookeeper/quota/t', 0, OPEN, '');
  leader.create(
    '/zookeeper/quota/t/zookeeper_limits',
    0,
    OPEN,
    'count=2,bytes=-1=;countHardLimit=3',
  );
  leader.create('/zookeeper/quota/t/zookeeper_stats', 0, OPEN, 'count=0,bytes=0');
  leader.apply();
  assert.equal(leader.create('/t/1'), '/t/1');
  leader.apply();
  assert.equal(leader.create('/t/2'), '/t/2');
  leader.apply();
  assert.equal(leader.create('/t/3'), 'QUOTAEXCEEDED');
  assert.match(leader.quotaWarnings.join('\n'), /hard limit is 3/u);
  leader.apply();
});

test('the server alone deletes containers, and only empty ones', () => {
  const leader = new Leader();
  leader.ask(OpCode.createContainer, { path: '/c', data: null, acl: OPEN, flags: 4 });
  leader.create('/c/child');
  assert.equal(leader.ask(OpCode.deleteContainer, { path: '/c' }), 'NOTEMPTY');
  leader.delete('/c/child');
  assert.equal(leader.ask(OpCode.deleteContainer, { path: '/c' }), 'ok');
  leader.apply();
  assert.equal(leader.tree.findPath('/c'), 0);
});

test('a znode made again in place of a deleted ephemeral outlives the session', () => {
  const leader = new Leader();
  leader.create('/a', 1);
  leader.apply();
  leader.delete('/a');
  leader.create('/a', 0);
  leader.askBytes(OpCode.closeSession, new Uint8Array(0));
  leader.apply();
  assert.notEqual(leader.tree.findPath('/a'), 0);
});

test('what was due when it was looked for is judged again when its turn comes', () => {
  const leader = new Leader();
  const due = (path: string): string => leader.ask(OpCode.deleteContainer, { path });
  leader.ask(OpCode.createContainer, { path: '/c', data: null, acl: OPEN, flags: 4 });
  leader.delete('/c');
  leader.create('/c');
  assert.equal(due('/c'), 'BADVERSION', 'a plain znode of that name');
  leader.ask(OpCode.createTTL, { path: '/t', data: null, acl: OPEN, flags: 5, ttl: 1000n });
  leader.nowMs += 1001;
  leader.set('/t');
  assert.equal(due('/t'), 'BADVERSION', 'written to since');
  leader.nowMs += 1001;
  assert.equal(due('/t'), 'ok');
  leader.apply();
});
