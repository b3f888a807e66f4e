import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { ErrorCode } from '../../protocol/errors.js';
import { OpCode } from '../../protocol/opcodes.js';
import type { Codec } from '../../protocol/records/codec.js';
import { MultiRequest } from '../../protocol/records/multi.js';
import {
  AddWatchRequest,
  AuthPacket,
  DeleteRequest,
  GetDataRequest,
  Nothing,
  SetDataRequest,
  SetWatches,
} from '../../protocol/records/requests.js';
import { Writer } from '../../protocol/writer.js';
import { Guards, type GuardedConnection } from './guards.js';
import type { SessionView } from '../keeping/keeping-types.js';
import type { GuardOptions } from './limits.js';

let nowMs = 0;
beforeEach(() => {
  nowMs = 0;
});

/** Of a session the guards ask how many watches it has, and nothing else. */
function sessionWith(watches: () => number): SessionView {
  return {
    get watches() {
      return watches();
    },
  } as unknown as SessionView;
}

class Client {
  readonly #guards: Guards;
  readonly connection: GuardedConnection;
  watches = 0;
  readonly #session = sessionWith(() => this.watches);

  constructor(guards: Guards, address = '10.0.0.1', isReadOnly = false, className = 'default') {
    this.#guards = guards;
    const admitted = guards.admit(address, isReadOnly, className);
    assert.ok(typeof admitted === 'object', 'admitted');
    this.connection = admitted;
  }

  ask<T>(op: number, codec: Codec<T>, body: T): number {
    const out = new Writer();
    out.writeLong(-1n); // it does not lie at the beginning of the bytes
    out.writeInt(7);
    out.writeInt(op);
    codec.write(out, body);
    const bytes = out.take();
    return this.#guards.judge(this.connection, this.#session, op, bytes, 8, bytes.length);
  }

  get(path: string, watch = false): number {
    return this.ask(OpCode.getData, GetDataRequest, { path, watch });
  }

  set(path: string, bytes = 0): number {
    const data = new Uint8Array(bytes);
    return this.ask(OpCode.setData, SetDataRequest, { path, data, version: -1 });
  }

  login(scheme: string, proof: string, error = 0): string | null {
    const auth = new TextEncoder().encode(proof);
    assert.equal(this.ask(OpCode.auth, AuthPacket, { type: 0, scheme, auth }), 0);
    return this.#guards.onAuthAnswered(this.connection, error);
  }
}

function guardsWith(options: GuardOptions): Guards {
  return new Guards(options, () => nowMs);
}

test('nothing is refused by guards that nobody asked for', () => {
  const client = new Client(guardsWith({}));
  assert.equal(client.get('/a', true), 0);
  assert.equal(client.set('/a', 100_000), 0);
});

describe('connections', () => {
  test('of one address, and those that went make room', () => {
    const guards = guardsWith({ perAddress: { connections: 2 } });
    const first = new Client(guards);
    new Client(guards);
    new Client(guards, '10.0.0.2');
    assert.equal(
      guards.admit('10.0.0.1', false, 'default'),
      'more than 2 connections from one address',
    );
    guards.release(first.connection);
    assert.equal(guards.connectionCount, 2);
    new Client(guards);
  });

  test('in all', () => {
    const guards = guardsWith({ connections: 1 });
    new Client(guards);
    assert.equal(guards.admit('10.0.0.9', false, 'default'), 'more than 1 connections');
  });

  test('of one identity, once it is known', () => {
    const guards = guardsWith({ perIdentity: { connections: 1 } });
    const first = new Client(guards);
    assert.equal(first.login('digest', 'bob:secret'), null);
    assert.equal(first.login('digest', 'bob:secret'), null, 'the same again is no other');
    const second = new Client(guards, '10.0.0.2');
    assert.equal(second.login('digest', 'eve:x'), null);
    assert.match(second.login('digest', 'bob:other') ?? '', /one identity/);
    guards.release(second.connection);
    guards.release(first.connection);
    assert.equal(new Client(guards).login('digest', 'bob:x'), null);
  });
});

describe('rates', () => {
  test('a burst passes, the next waits for its token', () => {
    const client = new Client(guardsWith({ perAddress: { rate: { perSecond: 10, burst: 2 } } }));
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
      new Client(guards),
      new Client(guards),
      new Client(guards, 'x'),
    ];
    assert.equal(one.get('/'), 0);
    assert.equal(other.get('/'), ErrorCode.throttledOp);
    assert.equal(stranger.get('/'), 0);
  });

  test('are of an identity, from whatever address, and only of one that was accepted', () => {
    const guards = guardsWith({ perIdentity: { rate: { perSecond: 1 } } });
    const [one, other] = [new Client(guards), new Client(guards, '10.0.0.2')];
    one.login('digest', 'bob:a');
    other.login('digest', 'bob:a', ErrorCode.authFailed);
    assert.deepEqual([one.get('/'), other.get('/')], [0, 0]);
    other.login('digest', 'bob:a');
    assert.equal(other.get('/'), ErrorCode.throttledOp);
  });

  test('what a session lives by is not slowed down', () => {
    const client = new Client(guardsWith({ perAddress: { rate: { perSecond: 1 } } }));
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
  const one = new Client(guards, '10.0.0.1', false, 'batch');
  const other = new Client(guards, '10.0.0.2', false, 'batch');
  const refused = 'more than 2 connections of the class batch';
  assert.equal(guards.admit('10.0.0.3', false, 'batch'), refused);
  assert.equal(one.get('/a', true), 0);
  one.watches = 1;
  assert.equal(other.get('/a'), ErrorCode.throttledOp);
  nowMs += 1000;
  assert.equal(other.get('/a', true), ErrorCode.quotaExceeded);
  assert.equal(new Client(guards, '10.0.0.2').get('/a', true), 0, 'not of this class');
  guards.release(other.connection);
  new Client(guards, '10.0.0.3', false, 'batch');
});

test('requests are not longer than they may be', () => {
  const client = new Client(guardsWith({ perAddress: { requestBytes: 100 } }));
  assert.equal(client.set('/a', 50), 0);
  assert.equal(client.set('/a', 100), ErrorCode.quotaExceeded);
});

test('watches are counted over all sessions of an address, and those that fired make room', () => {
  const guards = guardsWith({ perAddress: { watches: 2 } });
  const [one, other] = [new Client(guards), new Client(guards)];
  assert.equal(one.get('/a', true), 0);
  one.watches = 1;
  assert.equal(other.get('/a', true), 0);
  other.watches = 1;
  nowMs += 1000;
  assert.equal(one.get('/b', true), ErrorCode.quotaExceeded);
  const added = { path: '/b', mode: 0 };
  assert.equal(other.ask(OpCode.addWatch, AddWatchRequest, added), ErrorCode.quotaExceeded);
  assert.equal(one.get('/b'), 0, 'one without a watch');
  one.watches = 0;
  nowMs += 1000;
  assert.equal(one.get('/b', true), 0);
});

test('a read-only listener takes no writes, and lets sessions end', () => {
  const client = new Client(guardsWith({}), '10.0.0.1', true);
  assert.equal(client.get('/a', true), 0);
  assert.equal(client.set('/a'), ErrorCode.notReadOnly);
  assert.equal(client.ask(OpCode.multi, MultiRequest, { ops: [] }), ErrorCode.notReadOnly);
  assert.equal(client.ask(OpCode.closeSession, Nothing, {}), 0);
});

test('denied operations, by their names or by what they do', () => {
  const client = new Client(guardsWith({ denyOps: ['delete', 'reconfig'] }));
  assert.equal(client.set('/a'), 0);
  const gone = { path: '/a', version: -1 };
  assert.equal(client.ask(OpCode.delete, DeleteRequest, gone), ErrorCode.noAuth);
  const reader = new Client(guardsWith({ denyOps: ['write'] }));
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
    const client = new Client(guardsWith(secret));
    assert.equal(client.get('/secret'), ErrorCode.noAuth);
    assert.equal(client.get('/secret/a/b'), ErrorCode.noAuth);
    assert.equal(client.get('/secrets'), 0);
    assert.equal(client.get('/secret/public/a'), 0);
    assert.equal(client.set('/secret/public/a'), ErrorCode.noAuth);
  });

  test('are found inside a multi', () => {
    const client = new Client(guardsWith(secret));
    const inside = (path: string): number =>
      client.ask(OpCode.multi, MultiRequest, {
        ops: [{ type: OpCode.delete, request: { path, version: -1 } }],
      });
    assert.equal(inside('/other'), 0);
    assert.equal(inside('/secret/a'), ErrorCode.noAuth);
  });

  test('are found in watches from above, and in watches that are set again', () => {
    const client = new Client(guardsWith(secret));
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
    const [one, other] = [new Client(guards), new Client(guards, '10.0.0.2')];
    assert.equal(one.set('/queue/a'), 0);
    assert.equal(other.set('/queue/b'), ErrorCode.throttledOp);
    assert.equal(other.get('/queue/b'), 0);
    nowMs += 1000;
    assert.equal(other.set('/queue/b', 100), ErrorCode.quotaExceeded);
    assert.equal(other.set('/elsewhere', 100), 0);
  });

  test('of what cannot be read are for a server to judge', () => {
    const guards = guardsWith(secret);
    const client = new Client(guards);
    assert.equal(client.ask(OpCode.multi, Nothing, {}), 0);
    assert.equal(client.ask(OpCode.getData, Nothing, {}), 0);
  });
});
