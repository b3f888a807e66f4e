import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { ErrorCode, ZkError } from '../protocol/errors.js';
import { OpCode } from '../protocol/opcodes.js';
import type { MultiOp, MultiResult, Stat as StatRecord } from '../protocol/records.js';
import { ArgumentError } from './arguments.js';
import { BadVersionError, ProtocolViolationError } from './errors.js';
import { Transaction, TransactionError, type TransactionHost } from './transaction.js';

const stat: StatRecord = {
  ...{ czxid: 1n, mzxid: 2n, ctime: 3n, mtime: 4n, version: 5, cversion: 6, aversion: 7 },
  ...{ ephemeralOwner: 8n, dataLength: 9, numChildren: 10, pzxid: 11n },
};

function host(
  answer: readonly MultiResult[] | Error = [],
  root = '',
): TransactionHost & { sent: (readonly MultiOp[])[] } {
  const sent: (readonly MultiOp[])[] = [];
  return {
    root,
    dataBytesMax: 100,
    sent,
    multi(ops) {
      sent.push(ops);
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
  };
}

const failed = (err: number): MultiResult => ({ type: OpCode.error, result: { err } });

test('writes are sent in order, and answered in order with their types', async () => {
  const server = host(
    [
      { type: OpCode.create, result: { path: '/app/a-0000000001' } },
      { type: OpCode.create2, result: { path: '/app/c', stat } },
      { type: OpCode.setData, result: { stat } },
      { type: OpCode.check, result: {} },
      { type: OpCode.delete, result: {} },
    ],
    '/app',
  );
  const transaction = new Transaction(server)
    .create('/a-', 'one', { mode: 'ephemeral-sequential' })
    .create('/c', Buffer.from('two'), { mode: 'persistent-ttl', ttlMs: 500 })
    .setData('/a', new Uint8Array([1]), { version: 3 })
    .check('/', { version: 4 })
    .delete('/b');
  assert.equal(transaction.size, 5);
  const [created, lasting, set, checked, deleted] = await transaction.commit();
  assert.deepEqual(created, { type: 'create', path: '/a-0000000001', stat: null });
  assert.equal(lasting.path, '/c');
  assert.equal(lasting.stat?.ctime, 3);
  assert.equal(set.stat.mtime, 4);
  assert.equal(checked.type, 'check');
  assert.deepEqual(deleted, { type: 'delete', path: '/b' });
  const acl = [{ perms: 31, id: { scheme: 'world', id: 'anyone' } }];
  assert.deepEqual(server.sent, [
    [
      {
        type: OpCode.create,
        request: { path: '/app/a-', data: new TextEncoder().encode('one'), acl, flags: 3 },
      },
      {
        type: OpCode.createTTL,
        request: { path: '/app/c', data: Buffer.from('two'), acl, flags: 5, ttl: 500n },
      },
      { type: OpCode.setData, request: { path: '/app/a', data: new Uint8Array([1]), version: 3 } },
      { type: OpCode.check, request: { path: '/app', version: 4 } },
      { type: OpCode.delete, request: { path: '/app/b', version: -1 } },
    ],
  ]);
});

test('a wrong write is refused when it is added, with its number, and is not part of it', async () => {
  const server = host([{ type: OpCode.delete, result: {} }]);
  const transaction = new Transaction(server).delete('/a');
  const refused: readonly (readonly [() => unknown, string])[] = [
    [() => transaction.create('/a//b'), 'write 1, path'],
    [() => transaction.create('/b', 'x', { mode: 'persistent-ttl' }), 'write 1, ttlMs'],
    [() => transaction.create('/b', 'x', { acl: [] }), 'write 1, acl'],
    [() => transaction.setData('/b', 5 as unknown as string), 'write 1, data'],
    [() => transaction.setData('/b', 'x', { version: 0.5 }), 'write 1, version'],
    [() => transaction.check('b'), 'write 1, path'],
    [() => transaction.delete(''), 'write 1, path'],
  ];
  for (const [add, what] of refused) {
    assert.throws(add, (error) => error instanceof ArgumentError && error.what === what);
  }
  assert.equal((await transaction.commit()).length, 1);
  assert.equal(server.sent[0]?.length, 1);
});

test('all data together fits into one request', () => {
  const transaction = new Transaction(host()).setData('/a', 'x'.repeat(60));
  assert.throws(() => transaction.create('/b', 'x'.repeat(41)), /41 bytes, at most 40/);
  transaction.create('/b', 'x'.repeat(40));
});

test('a failure says which write it was, and what became of the others', async () => {
  const server = host([
    failed(ErrorCode.ok),
    failed(ErrorCode.badVersion),
    failed(ErrorCode.runtimeInconsistency),
  ]);
  const transaction = new Transaction(server).check('/a').setData('/b', '', { version: 1 });
  transaction.delete('/c');
  await assert.rejects(transaction.commit(), (error) => {
    assert.ok(error instanceof TransactionError);
    assert.ok(error instanceof ZkError);
    assert.equal(error.index, 1);
    assert.equal(error.code, ErrorCode.badVersion);
    assert.equal(error.path, '/b');
    assert.equal(error.op, 'setData');
    assert.match(error.message, /^write 1 of the transaction, setData: BADVERSION.*: \/b$/);
    const printed = /^TransactionError: write 1 of the transaction, setData: BADVERSION.*: \/b\n/;
    assert.match(inspect(error), printed);
    assert.match(`${error.stack}`, printed);
    assert.ok(error.cause instanceof BadVersionError);
    assert.deepEqual(
      error.results.map((one) => one?.code ?? 0),
      [ErrorCode.ok, ErrorCode.badVersion, ErrorCode.runtimeInconsistency],
    );
    return true;
  });
});

test('an empty transaction asks nobody', async () => {
  const server = host();
  assert.deepEqual(await new Transaction(server).commit(), []);
  assert.equal(server.sent.length, 0);
});

test('a transaction is committed once, and nothing is added afterwards', async () => {
  const server = host([{ type: OpCode.check, result: {} }]);
  const transaction = new Transaction(server).check('/a');
  const first = transaction.commit();
  await assert.rejects(transaction.commit(), /committed before/);
  assert.throws(() => transaction.check('/b'), /nothing can be added/);
  await first;
  assert.equal(server.sent.length, 1);
});

test('a signal that was aborted before leaves it uncommitted', async () => {
  const server = host([{ type: OpCode.check, result: {} }]);
  const transaction = new Transaction(server).check('/a');
  const signal = AbortSignal.abort(new Error('not now'));
  await assert.rejects(transaction.commit({ signal }), /not now/);
  assert.equal((await transaction.commit()).length, 1);
});

test('no answer is told as it is; an answer that does not fit is a violation', async () => {
  const lost = new Error('lost');
  await assert.rejects(new Transaction(host(lost)).check('/a').commit(), lost);
  const lies: readonly (readonly MultiResult[])[] = [
    [],
    [
      { type: OpCode.check, result: {} },
      { type: OpCode.check, result: {} },
    ],
    [{ type: OpCode.delete, result: {} }],
    [{ type: OpCode.getChildren, result: { children: [] } }],
    [failed(ErrorCode.ok)],
  ];
  for (const lie of lies) {
    await assert.rejects(
      new Transaction(host(lie)).check('/a').commit(),
      (error) => error instanceof ZkError && error.cause instanceof ProtocolViolationError,
      JSON.stringify(lie),
    );
  }
});
