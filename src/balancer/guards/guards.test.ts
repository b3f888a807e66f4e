import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { ErrorCode } from '../../protocol/errors.js';
import { OpCode } from '../../protocol/opcodes.js';
import { MultiRequest } from '../../protocol/records/multi.js';
import {
  AddWatchRequest,
  DeleteRequest,
  Nothing,
  SetWatches,
} from '../../protocol/records/requests.js';
import { GuardedClient } from './guarded-client.fixture.js';
import { Guards } from './guards.js';
import type { GuardOptions } from './limits.js';
import { TokenBucket } from './token-bucket.js';

let nowMs = 0;
beforeEach(() => {
  nowMs = 0;
});

function guardsWith(options: GuardOptions): Guards {
  return new Guards(options, () => nowMs);
}

test('nothing is refused by guards that nobody asked for', () => {
  const client = new GuardedClient(guardsWith({}));
  assert.equal(client.get('/a', true), 0);
  assert.equal(client.set('/a', 100_000), 0);
});

describe('connections', () => {
  test('of one address, and those that went make room', () => {
    const guards = guardsWith({ perAddress: { connections: 2 } });
    const first = new GuardedClient(guards);
    new GuardedClient(guards);
    new GuardedClient(guards, '10.0.0.2');
    assert.equal(
      guards.admit('10.0.0.1', false, 'default'),
      'more than 2 connections from one address',
    );
    guards.release(first.connection);
    assert.equal(guards.connectionCount, 2);
    new GuardedClient(guards);
  });

  test('in all', () => {
    const guards = guardsWith({ connections: 1 });
    new GuardedClient(guards);
    assert.equal(guards.admit('10.0.0.9', false, 'default'), 'more than 1 connections');
  });

  test('of one identity, once it is known', () => {
    const guards = guardsWith({ perIdentity: { connections: 1 } });
    const first = new GuardedClient(guards);
    assert.equal(first.login('digest', 'bob:secret'), null);
    assert.equal(first.login('digest', 'bob:secret'), null, 'the same again is no other');
    const second = new GuardedClient(guards, '10.0.0.2');
    assert.equal(second.login('digest', 'eve:x'), null);
    assert.match(second.login('digest', 'bob:other') ?? '', /one identity/);
    guards.release(second.connection);
    guards.release(first.connection);
    assert.equal(new GuardedClient(guards).login('digest', 'bob:x'), null);
  });
});

describe('rates', () => {
  test('a burst passes, the next waits for its token', () => {
    const client = new GuardedClient(
      guardsWith({ perAddress: { rate: { perSecond: 10, burst: 2 } } }),
    );
    assert.deepEqual([client.get('/'), client.get('/')], [0, 0]);
    assert.equal(client.get('/'), ErrorCode.throttledOp);
    nowMs += 100;
    assert.equal(client.get('/'), 0);
    assert.equal(client.get('/'), ErrorCode.throttledOp);
    nowMs += 60_000;
    assert.deepEqual([client.get('/'), client.get('/')], [0, 0], 'no more than a burst is saved');
    assert.equal(client.get('/'), ErrorCode.throttledOp);
  });

  test('are of an address, not of a connection', () => {
    const guards = guardsWith({ perAddress: { rate: { perSecond: 1 } } });
    const [one, other, stranger] = [
      new GuardedClient(guards),
      new GuardedClient(guards),
      new GuardedClient(guards, 'x'),
    ];
    assert.equal(one.get('/'), 0);
    assert.equal(other.get('/'), ErrorCode.throttledOp);
    assert.equal(stranger.get('/'), 0);
  });

  test('are of an identity, from whatever address, and only of one that was accepted', () => {
    const guards = guardsWith({ perIdentity: { rate: { perSecond: 1 } } });
    const [one, other] = [new GuardedClient(guards), new GuardedClient(guards, '10.0.0.2')];
    one.login('digest', 'bob:a');
    other.login('digest', 'bob:a', ErrorCode.authFailed);
    assert.deepEqual([one.get('/'), other.get('/')], [0, 0]);
    other.login('digest', 'bob:a');
    assert.equal(other.get('/'), ErrorCode.throttledOp);
  });

  test('a token that has not come yet may be taken, by who waits for it', () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 2 }, 0);
    const taken = [1, 2, 3, 4, 5].map(() => bucket.take(0, 250));
    assert.deepEqual(taken, [0, 0, 100, 200, null]);
    assert.equal(bucket.take(400, 0), 0, 'the two that waited have had theirs');
    assert.equal(bucket.take(400, 0), 0);
    assert.equal(bucket.take(400, 99), null);
  });

  test('who may wait is not refused, as long as it need not wait longer', () => {
    const rate = { perSecond: 10, burst: 1, waitMs: 150 };
    const client = new GuardedClient(guardsWith({ perAddress: { rate } }));
    assert.deepEqual([client.get('/'), client.get('/')], [0, 0]);
    assert.equal(client.get('/'), ErrorCode.throttledOp);
    nowMs += 100;
    assert.equal(client.get('/'), 0);
  });

  test('what a session lives by is not slowed down', () => {
    const client = new GuardedClient(guardsWith({ perAddress: { rate: { perSecond: 1 } } }));
    assert.equal(client.get('/'), 0);
    assert.equal(client.get('/'), ErrorCode.throttledOp);
    assert.equal(client.ask(OpCode.ping, Nothing, {}), 0);
    assert.equal(client.ask(OpCode.closeSession, Nothing, {}), 0);
    const none = { relativeZxid: 0n, dataWatches: [], existWatches: [], childWatches: [] };
    assert.equal(client.ask(OpCode.setWatches, SetWatches, none), 0);
  });
});

test('a class has limits of its own, over all of its clients', () => {
  const batch = { connections: 2, rate: { perSecond: 1 }, watches: 1 };
  const guards = guardsWith({ perClass: { batch } });
  const one = new GuardedClient(guards, '10.0.0.1', false, 'batch');
  const other = new GuardedClient(guards, '10.0.0.2', false, 'batch');
  const refused = 'more than 2 connections of the class batch';
  assert.equal(guards.admit('10.0.0.3', false, 'batch'), refused);
  assert.equal(one.watch('/a'), 0);
  assert.equal(other.get('/a'), ErrorCode.throttledOp);
  nowMs += 1000;
  assert.equal(other.get('/a', true), ErrorCode.quotaExceeded);
  assert.equal(new GuardedClient(guards, '10.0.0.2').get('/a', true), 0, 'not of this class');
  guards.release(other.connection);
  new GuardedClient(guards, '10.0.0.3', false, 'batch');
});

test('requests are not longer than they may be', () => {
  const client = new GuardedClient(guardsWith({ perAddress: { requestBytes: 100 } }));
  assert.equal(client.set('/a', 50), 0);
  assert.equal(client.set('/a', 100), ErrorCode.quotaExceeded);
});

test('a read-only listener takes no writes, and lets sessions end', () => {
  const client = new GuardedClient(guardsWith({}), '10.0.0.1', true);
  assert.equal(client.get('/a', true), 0);
  assert.equal(client.set('/a'), ErrorCode.notReadOnly);
  assert.equal(client.ask(OpCode.multi, MultiRequest, { ops: [] }), ErrorCode.notReadOnly);
  assert.equal(client.ask(OpCode.closeSession, Nothing, {}), 0);
});

test('denied operations, by their names or by what they do', () => {
  const client = new GuardedClient(guardsWith({ denyOps: ['delete', 'reconfig'] }));
  assert.equal(client.set('/a'), 0);
  const gone = { path: '/a', version: -1 };
  assert.equal(client.ask(OpCode.delete, DeleteRequest, gone), ErrorCode.noAuth);
  const reader = new GuardedClient(guardsWith({ denyOps: ['write'] }));
  assert.equal(reader.set('/a'), ErrorCode.noAuth);
  assert.equal(reader.get('/a'), 0);
});

describe('paths', () => {
  const secret: GuardOptions = {
    paths: [
      { prefix: '/secret/public', ops: ['read'], action: 'allow' },
      { prefix: '/secret', action: 'deny' },
    ],
  };

  test('at and below a prefix, not beside it; the first rule counts', () => {
    const client = new GuardedClient(guardsWith(secret));
    assert.equal(client.get('/secret'), ErrorCode.noAuth);
    assert.equal(client.get('/secret/a/b'), ErrorCode.noAuth);
    assert.equal(client.get('/secrets'), 0);
    assert.equal(client.get('/secret/public/a'), 0);
    assert.equal(client.set('/secret/public/a'), ErrorCode.noAuth);
  });

  test('are found inside a multi', () => {
    const client = new GuardedClient(guardsWith(secret));
    const inside = (path: string): number =>
      client.ask(OpCode.multi, MultiRequest, {
        ops: [{ type: OpCode.delete, request: { path, version: -1 } }],
      });
    assert.equal(inside('/other'), 0);
    assert.equal(inside('/secret/a'), ErrorCode.noAuth);
  });

  test('are found in watches from above, and in watches that are set again', () => {
    const client = new GuardedClient(guardsWith(secret));
    const watch = (path: string, mode: number): number =>
      client.ask(OpCode.addWatch, AddWatchRequest, { path, mode });
    assert.equal(watch('/', 0), 0);
    assert.equal(watch('/', 1), ErrorCode.noAuth);
    assert.equal(watch('/secret', 1), ErrorCode.noAuth, 'what is allowed below does not allow it');
    const again = { relativeZxid: 0n, dataWatches: ['/secret/a'], existWatches: [] };
    const lists = { ...again, childWatches: [] };
    assert.equal(client.ask(OpCode.setWatches, SetWatches, lists), ErrorCode.noAuth);
  });

  test('have rates and sizes of all clients together', () => {
    const rule = { prefix: '/queue', ops: ['setData'], rate: { perSecond: 1 }, requestBytes: 60 };
    const guards = guardsWith({ paths: [rule] });
    const [one, other] = [new GuardedClient(guards), new GuardedClient(guards, '10.0.0.2')];
    assert.equal(one.set('/queue/a'), 0);
    assert.equal(other.set('/queue/b'), ErrorCode.throttledOp);
    assert.equal(other.get('/queue/b'), 0);
    nowMs += 1000;
    assert.equal(other.set('/queue/b', 100), ErrorCode.quotaExceeded);
    assert.equal(other.set('/elsewhere', 100), 0);
  });

  test('of what cannot be read are for a server to judge', () => {
    const guards = guardsWith(secret);
    const client = new GuardedClient(guards);
    assert.equal(client.ask(OpCode.multi, Nothing, {}), 0);
    assert.equal(client.ask(OpCode.getData, Nothing, {}), 0);
  });
});
