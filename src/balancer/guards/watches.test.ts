import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ErrorCode } from '../../protocol/errors.js';
import { AddWatchMode, EventType, WatcherType } from '../../protocol/events.js';
import { OpCode } from '../../protocol/opcodes.js';
import { MultiRequest } from '../../protocol/records/multi.js';
import {
  DeleteRequest,
  ExistsRequest,
  GetChildrenRequest,
  SetWatches,
  SetWatches2,
} from '../../protocol/records/requests.js';
import { WatchBit, WatchLedger } from '../keeping/watch-ledger.js';
import { Guarded } from './guarded.js';
import { GuardedClient } from './guarded-client.fixture.js';
import { Guards } from './guards.js';
import type { GuardOptions } from './limits.js';

const REFUSED = ErrorCode.quotaExceeded;
const { persistent, persistentRecursive } = AddWatchMode;

function guardsWith(options: GuardOptions): Guards {
  return new Guards(options, () => 0);
}

const twoEach: GuardOptions = { perAddress: { watches: 2 } };

function setAgain(client: GuardedClient, data: string[], child: string[] = []): number {
  const lists = { dataWatches: data, existWatches: [], childWatches: child };
  return client.ask(OpCode.setWatches, SetWatches, { relativeZxid: 5n, ...lists }, -8);
}

describe('watches of an address', () => {
  test('are counted over all of its sessions, and none is refused without a watch', () => {
    const guards = guardsWith(twoEach);
    const [one, other] = [new GuardedClient(guards), new GuardedClient(guards)];
    assert.deepEqual([one.watch('/a'), other.watch('/a')], [0, 0]);
    assert.equal(one.watch('/b'), REFUSED);
    assert.equal(one.get('/b'), 0);
    assert.equal(new GuardedClient(guards, '10.0.0.2').watch('/b'), 0);
  });

  test('that were asked for count before there is an answer', () => {
    const client = new GuardedClient(guardsWith(twoEach));
    const asked = ['/a', '/b', '/c', '/d'].map((path) => client.get(path, true));
    assert.deepEqual(asked, [0, 0, REFUSED, REFUSED]);
  });

  test('are not counted where the answer is an error, but for what exists found missing', () => {
    const client = new GuardedClient(guardsWith(twoEach));
    assert.equal(client.watch('/a', ErrorCode.noNode), 0);
    const missing = { path: '/missing', watch: true };
    assert.equal(client.ask(OpCode.exists, ExistsRequest, missing), 0);
    client.answer(ErrorCode.noNode);
    assert.deepEqual([client.watch('/b'), client.watch('/c')], [0, REFUSED]);
  });

  test('that are set once more are the same', () => {
    const client = new GuardedClient(guardsWith(twoEach));
    for (let i = 0; i < 5; i++) assert.equal(client.watch('/a'), 0);
    assert.deepEqual([client.get('/b', true), client.get('/b', true)], [0, 0]);
    assert.equal(client.watch('/c'), REFUSED);
    assert.equal(client.watch('/a'), 0, 'also when there is no room');
  });

  test('that an event has spent make room, and only those', () => {
    const client = new GuardedClient(guardsWith(twoEach));
    client.watch('/a');
    assert.equal(
      client.ask(OpCode.getChildren, GetChildrenRequest, { path: '/a', watch: true }),
      0,
    );
    client.answer();
    client.event(EventType.nodeDataChanged, '/elsewhere');
    assert.equal(client.watch('/b'), REFUSED);
    client.event(EventType.nodeChildrenChanged, '/a');
    assert.deepEqual([client.watch('/b'), client.watch('/c')], [0, REFUSED]);
    client.event(EventType.nodeDeleted, '/a');
    assert.equal(client.watch('/c'), 0);
  });

  test('that last are not spent by events, but removed', () => {
    const client = new GuardedClient(guardsWith(twoEach));
    assert.equal(client.addWatch('/a', persistent), 0);
    client.answer();
    assert.equal(client.addWatch('/a', persistentRecursive), 0);
    client.answer();
    client.changed('/a');
    assert.equal(client.addWatch('/b', persistent), REFUSED);
    client.removeWatches('/a', WatcherType.persistent);
    client.answer(ErrorCode.noWatcher);
    assert.equal(client.addWatch('/b', persistent), REFUSED, 'nothing was removed');
    client.removeWatches('/a', WatcherType.any);
    client.answer();
    assert.deepEqual([client.watch('/b'), client.watch('/c')], [0, 0]);
  });

  test('of a session whose connection has ended make room', () => {
    const guards = guardsWith(twoEach);
    const [one, other] = [new GuardedClient(guards), new GuardedClient(guards)];
    one.watch('/a');
    one.get('/b', true); // never answered
    assert.equal(other.watch('/a'), REFUSED);
    guards.release(one.connection);
    one.answer();
    assert.deepEqual([other.watch('/a'), other.watch('/b'), other.watch('/c')], [0, 0, REFUSED]);
  });

  test('are told apart by answers, whatever the xids of requests', () => {
    const client = new GuardedClient(guardsWith({ perAddress: { watches: 1 } }));
    const gone = { path: '/gone', version: -1 };
    client.ask(OpCode.delete, DeleteRequest, gone, 7);
    client.ask(OpCode.exists, ExistsRequest, { path: '/a', watch: true }, 7);
    client.answer(ErrorCode.noNode, 7);
    client.answer(0, 7);
    assert.equal(client.watch('/b'), REFUSED);
  });
});

describe('watches that are set again', () => {
  test('count, but for those that fire instead of being set', () => {
    const client = new GuardedClient(guardsWith({ perAddress: { watches: 3 } }));
    assert.equal(setAgain(client, ['/a', '/b'], ['/b']), 0);
    client.event(EventType.nodeDataChanged, '/a', -1n);
    client.answer(0, -8);
    assert.deepEqual([client.watch('/c'), client.watch('/d')], [0, REFUSED]);
  });

  test('are not refused because others have come meanwhile', () => {
    const guards = guardsWith(twoEach);
    const [one, other] = [new GuardedClient(guards), new GuardedClient(guards)];
    assert.deepEqual([one.watch('/a'), one.watch('/b')], [0, 0]);
    assert.equal(setAgain(other, ['/a', '/b']), 0);
    other.answer(0, -8);
    assert.equal(other.watch('/c'), REFUSED);
    guards.release(one.connection);
    assert.equal(other.watch('/c'), REFUSED, 'it has two itself');
  });

  test('are refused where one session alone would have too many', () => {
    const client = new GuardedClient(guardsWith(twoEach));
    assert.equal(setAgain(client, ['/a', '/b', '/c']), REFUSED);
    assert.deepEqual([client.watch('/a'), client.watch('/b')], [0, 0], 'none of them was set');
    const last = { persistentWatches: ['/p'], persistentRecursiveWatches: ['/r'] };
    const none = { relativeZxid: 5n, dataWatches: [], existWatches: [], childWatches: [] };
    const verdict = client.ask(OpCode.setWatches2, SetWatches2, { ...none, ...last }, -8);
    assert.equal(verdict, REFUSED);
  });
});

test('a multi or multiRead sets no watches, even where its parts ask for them', () => {
  const client = new GuardedClient(guardsWith({ perAddress: { watches: 1 } }));
  const request = { path: '/a', watch: true };
  const ops = [
    { type: OpCode.getData, request },
    { type: OpCode.getChildren, request },
  ];
  assert.equal(client.ask(OpCode.multiRead, MultiRequest, { ops }), 0);
  client.answer();
  assert.deepEqual([client.watch('/b'), client.watch('/c')], [0, REFUSED]);
});

test('watches of an identity are counted from its first session on, from whatever address', () => {
  const guards = guardsWith({ perIdentity: { watches: 2 } });
  const one = new GuardedClient(guards);
  const other = new GuardedClient(guards, '10.0.0.2');
  one.watch('/before');
  one.login('digest', 'bob:x');
  other.login('digest', 'bob:x');
  assert.deepEqual([other.watch('/a'), other.watch('/b')], [0, REFUSED]);
  assert.equal(new GuardedClient(guards).watch('/b'), 0, 'nobody in particular');
  guards.release(one.connection);
  assert.deepEqual([other.watch('/b'), other.watch('/c')], [0, REFUSED]);
});

describe('watches of a path and all below it', () => {
  const rule = { prefix: '/hot', watches: 2 };

  test('are counted over all clients, and others are not', () => {
    const guards = guardsWith({ paths: [rule] });
    const [one, other] = [new GuardedClient(guards), new GuardedClient(guards, '10.0.0.2')];
    assert.deepEqual([one.watch('/hot'), other.watch('/hot/a'), one.watch('/hotter')], [0, 0, 0]);
    assert.equal(one.watch('/hot/b'), REFUSED);
    assert.equal(one.get('/hot/b'), 0);
    other.changed('/hot/a');
    assert.equal(one.addWatch('/hot/b', persistentRecursive), 0);
    one.answer();
    assert.equal(other.watch('/hot/a'), REFUSED);
    guards.release(one.connection);
    assert.equal(other.watch('/hot/a'), 0);
  });

  test('that are set again are refused where one session alone has too many there', () => {
    const guards = guardsWith({ paths: [rule] });
    const client = new GuardedClient(guards);
    assert.equal(setAgain(client, ['/hot/a', '/hot/b', '/c']), 0);
    client.answer(0, -8);
    assert.equal(setAgain(client, ['/hot/c']), REFUSED);
    assert.equal(setAgain(client, ['/d']), 0);
    assert.equal(new GuardedClient(guards).watch('/hot/c'), REFUSED);
  });

  test('have the limit of the first rule that is about them', () => {
    const vip = { prefix: '/hot/vip', action: 'allow' } as const;
    const client = new GuardedClient(guardsWith({ paths: [vip, rule] }));
    const paths = ['/hot/a', '/hot/b', '/hot/vip/a', '/hot/c'];
    assert.deepEqual(
      paths.map((path) => client.watch(path)),
      [0, 0, 0, REFUSED],
    );
  });
});

test('what is counted is what the ledger of the session has, whatever comes in whatever order', () => {
  const paths = fc.constantFrom('/a', '/a/b', '/c');
  const step = fc.oneof(
    fc.record({ what: fc.constant('get' as const), path: paths, isOk: fc.boolean() }),
    fc.record({ what: fc.constant('children' as const), path: paths, isOk: fc.boolean() }),
    fc.record({ what: fc.constant('add' as const), path: paths, mode: fc.constantFrom(0, 1) }),
    fc.record({
      what: fc.constant('remove' as const),
      path: paths,
      type: fc.integer({ min: 1, max: 5 }),
    }),
    fc.record({
      what: fc.constant('event' as const),
      path: paths,
      type: fc.integer({ min: 1, max: 7 }),
    }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const guards = guardsWith({
        perAddress: { watches: 1000 },
        paths: [{ prefix: '/', watches: 1000 }],
      });
      const client = new GuardedClient(guards);
      const ledger = new WatchLedger();
      for (const one of steps) {
        const { path } = one;
        switch (one.what) {
          case 'get':
            client.watch(path, one.isOk ? 0 : ErrorCode.noNode);
            if (one.isOk) ledger.add(path, WatchBit.data);
            break;
          case 'children':
            client.ask(OpCode.getChildren, GetChildrenRequest, { path, watch: true });
            client.answer(one.isOk ? 0 : ErrorCode.noNode);
            if (one.isOk) ledger.add(path, WatchBit.child);
            break;
          case 'add':
            client.addWatch(path, one.mode);
            client.answer();
            ledger.add(path, one.mode === 0 ? WatchBit.persistent : WatchBit.recursive);
            break;
          case 'remove':
            client.removeWatches(path, one.type);
            client.answer();
            ledger.remove(path, one.type);
            break;
          case 'event':
            client.event(one.type, path);
            ledger.onEvent(one.type, path);
        }
        const { connection } = client;
        assert.ok(connection instanceof Guarded);
        assert.equal(connection.meter?.held.count, ledger.size);
        assert.equal(connection.byAddress.watches, ledger.size);
      }
    }),
  );
});
