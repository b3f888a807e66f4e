import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ErrorCode, ZkError } from '../../protocol/errors.js';
import type { WatchEvent } from '../types.js';
import { Reader } from './event-reader.fixture.js';
import { Follower } from './follower.js';
import { rest, steps, take, worlds, type Step } from './history.fixture.js';
import { FakeHost, FakeTree, type FakeHostOptions } from './watch-host.fixture.js';

function play(
  options: FakeHostOptions,
  isRecursive: boolean,
  before: readonly Step[],
  during: readonly Step[],
  isInitialTold: boolean,
): Reader {
  const tree = new FakeTree();
  const host = new FakeHost(tree, options);
  for (const step of before) take(step, host);
  rest(host);
  const reader = new Reader(tree, '/r');
  const follower = new Follower(host, '/r', { isRecursive, isInitialTold }, reader.sink);
  if (!isInitialTold) {
    // who does not ask for the beginning reads it after the watch is in place
    rest(host);
    reader.list(isRecursive);
  }
  for (const step of during) take(step, host);
  rest(host);
  reader.check(isRecursive);
  reader.checkTruth();
  if (options.isOld !== true && options.hidesZxids !== true && !host.isOld) reader.checkExactness();
  assert.ok(reader.isReady);
  void follower.stop();
  const told = reader.events.length;
  tree.create('/r');
  tree.set('/r');
  rest(host);
  assert.equal(reader.events.length, told, 'nothing is told after the end');
  assert.equal(host.book.size, 0, 'and no watch is left in the book');
  return reader;
}

for (const [name, options] of worlds) {
  for (const isRecursive of [false, true]) {
    const what = isRecursive ? 'a subtree' : 'a znode';
    test(`${what} at ${name}: the events folded are what is there`, () => {
      fc.assert(
        fc.property(steps, steps, fc.boolean(), (before, during, isInitialTold) => {
          play(options, isRecursive, before, during, isInitialTold);
        }),
        { numRuns: 150 },
      );
    });
  }
}

test('a session that comes to an older server is followed there by other means', () => {
  const aging: fc.Arbitrary<Step[]> = fc
    .tuple(steps, steps)
    .map(([one, two]) => [...one, { do: 'age' }, { do: 'drop' }, { do: 'reconnect' }, ...two]);
  fc.assert(
    fc.property(fc.boolean(), aging, (isRecursive, during) => {
      play({}, isRecursive, [], during, true);
    }),
    { numRuns: 150 },
  );
});

test('while a connection lasts every change is told once, in order, with its zxid', () => {
  const calm = steps.map((all) =>
    all.filter(({ do: what }) => ['create', 'set', 'delete', 'serve', 'deliver'].includes(what)),
  );
  fc.assert(
    fc.property(calm, fc.boolean(), (during, isRecursive) => {
      const tree = new FakeTree();
      const host = new FakeHost(tree);
      const reader = new Reader(tree, '/r');
      const sink = { ...reader.sink, onEvent: (event: WatchEvent) => reader.events.push(event) };
      new Follower(host, '/r', { isRecursive, isInitialTold: false }, sink);
      // the watch is in place as soon as the server has taken the first request
      host.serve();
      for (const step of during) take(step, host);
      host.settle();
      const isWanted = (line: string): boolean => {
        const [type, path = ''] = line.split(' ');
        if (!isRecursive) return path === '/r';
        return type !== 'children' && (path === '/r' || path.startsWith('/r/'));
      };
      assert.deepEqual(
        reader.events.map(({ type, path, zxid }) => `${type} ${path} ${zxid}`),
        tree.history.filter(isWanted),
      );
    }),
    { numRuns: 150 },
  );
});

test('what came and went during the listing after a reconnect is told all the same', () => {
  const tree = new FakeTree();
  const host = new FakeHost(tree);
  const reader = new Reader(tree, '/r');
  for (const path of ['/r', '/r/a', '/r/a/c']) tree.create(path);
  new Follower(host, '/r', { isRecursive: true, isInitialTold: true }, reader.sink);
  host.settle();
  reader.events.length = 0;
  host.drop();
  tree.delete('/r/a/c');
  tree.delete('/r/a');
  tree.create('/r/b');
  host.reconnect();
  tree.create('/r/a');
  host.serve();
  tree.create('/r/a/d');
  tree.delete('/r/a/d');
  tree.set('/r/b');
  host.settle();
  assert.deepEqual(
    reader.events.map(({ type, path, zxid }) => `${type} ${path} ${zxid ?? ''}`.trim()),
    [
      'deleted /r/a/c',
      'deleted /r/a',
      'created /r/b 106',
      'created /r/a 107',
      'created /r/a/d 108',
      'deleted /r/a/d 109',
      'changed /r/b 110',
    ],
  );
});

test('what is told in doubt, by a connection that is then lost, is of before the gap', () => {
  const tree = new FakeTree();
  const host = new FakeHost(tree);
  const reader = new Reader(tree, '/r');
  for (const path of ['/r', '/r/a', '/r/b']) tree.create(path);
  new Follower(host, '/r', { isRecursive: true, isInitialTold: true }, reader.sink);
  host.settle();
  reader.events.length = 0;
  host.doubt();
  tree.delete('/r/a');
  tree.create('/r/c');
  host.deliver();
  host.deliver();
  host.drop();
  tree.create('/r/a');
  tree.delete('/r/c');
  host.reconnect();
  host.settle();
  reader.check(true);
  assert.deepEqual(
    reader.events.map(({ type, path, zxid }) => `${type} ${path} ${zxid ?? ''}`.trim()),
    ['deleted /r/a 104', 'created /r/c 105', 'deleted /r/c', 'created /r/a 106'],
  );
});

test('a connection in doubt that comes back has every change told, in order', () => {
  const tree = new FakeTree();
  const host = new FakeHost(tree);
  const reader = new Reader(tree, '/r');
  tree.create('/r');
  new Follower(host, '/r', { isRecursive: true, isInitialTold: false }, reader.sink);
  host.settle();
  reader.list(true);
  tree.create('/r/a');
  tree.set('/r/a');
  host.doubt();
  host.deliver();
  tree.delete('/r/a');
  tree.create('/r/a');
  host.reconnect();
  tree.set('/r/a');
  host.settle();
  reader.check(true);
  assert.deepEqual(
    reader.events.map(({ type, path, zxid }) => `${type} ${path} ${zxid}`),
    tree.history.filter((line) => /^(created|changed|deleted) \/r\/a/.test(line)),
  );
});

test('a watch that is asked for in doubt, on a connection that is then lost, is listed on the next', () => {
  for (const servedCount of [0, 1, 2, 3]) {
    const tree = new FakeTree();
    const host = new FakeHost(tree);
    const reader = new Reader(tree, '/r');
    tree.create('/r');
    tree.create('/r/a');
    host.doubt();
    new Follower(host, '/r', { isRecursive: true, isInitialTold: true }, reader.sink);
    for (let i = 0; i < servedCount; i++) {
      host.serve();
      host.deliver();
    }
    tree.delete('/r/a');
    host.deliver();
    host.drop();
    tree.create('/r/a');
    host.reconnect();
    host.settle();
    assert.ok(reader.isReady, `after ${servedCount} requests`);
    reader.check(true);
  }
});

test('a znode under a parent made anew is another one, though only its end was heard of', () => {
  const tree = new FakeTree();
  const host = new FakeHost(tree);
  const reader = new Reader(tree, '/r');
  for (const path of ['/r', '/r/a', '/r/a/c']) tree.create(path);
  new Follower(host, '/r', { isRecursive: true, isInitialTold: true }, reader.sink);
  host.settle();
  reader.events.length = 0;
  host.drop();
  tree.delete('/r/a/c');
  tree.delete('/r/a');
  tree.create('/r/a');
  tree.create('/r/a/c');
  host.reconnect();
  tree.delete('/r/a/c');
  host.settle();
  reader.check(true);
  assert.deepEqual(
    reader.events.map(({ type, path, zxid }) => `${type} ${path} ${zxid ?? ''}`.trim()),
    [
      ...['deleted /r/a/c', 'deleted /r/a'],
      ...['created /r/a 106', 'created /r/a/c', 'deleted /r/a/c 108'],
    ],
  );
});

test('at an older server a znode made between the two readings of it is watched', () => {
  const tree = new FakeTree();
  const host = new FakeHost(tree, { isOld: true, hidesZxids: true });
  const reader = new Reader(tree, '/r');
  for (const path of ['/r', '/r/a', '/r/a/c']) tree.create(path);
  new Follower(host, '/r', { isRecursive: true, isInitialTold: true }, reader.sink);
  rest(host);
  host.expire();
  tree.delete('/r/a/c');
  host.reconnect();
  // both of /r and of /r/a, and the first of /r/a/c
  take({ do: 'serve', times: 5 }, host);
  tree.create('/r/a/c');
  host.serve();
  host.settle();
  tree.set('/r/a/c');
  host.settle();
  reader.check(true);
});

test('at an older server a znode under a parent made anew is told once', () => {
  const tree = new FakeTree();
  const host = new FakeHost(tree, { isOld: true, hidesZxids: true });
  const reader = new Reader(tree, '/r');
  for (const path of ['/r', '/r/a', '/r/a/c']) tree.create(path);
  new Follower(host, '/r', { isRecursive: true, isInitialTold: true }, reader.sink);
  // it hears that it is too old, and is asked for /r and for /r/a
  host.serve();
  host.deliver();
  host.reconnect();
  for (let i = 0; i < 2; i++) {
    take({ do: 'serve', times: 2 }, host);
    take({ do: 'deliver', times: 2 }, host);
  }
  host.drop();
  for (const path of ['/r/a/c', '/r/a']) tree.delete(path);
  for (const path of ['/r/a', '/r/a/c']) tree.create(path);
  host.reconnect();
  host.settle();
  reader.check(true);
  reader.checkTruth();
  assert.deepEqual(
    reader.events.map(({ type, path, zxid }) => `${type} ${path} ${zxid ?? ''}`.trim()),
    [
      ...['created /r 101', 'created /r/a 102', 'deleted /r/a'],
      ...['created /r/a 106', 'created /r/a/c 107'],
    ],
  );
});

test('a znode made anew while nobody looked is told as gone and come', () => {
  for (const isOld of [false, true]) {
    const tree = new FakeTree();
    const host = new FakeHost(tree, { isOld });
    const reader = new Reader(tree, '/r');
    tree.create('/r');
    new Follower(host, '/r', { isRecursive: true, isInitialTold: true }, reader.sink);
    rest(host);
    reader.events.length = 0;
    host.drop();
    tree.delete('/r');
    tree.create('/r');
    rest(host);
    assert.deepEqual(
      reader.events.map(({ type }) => type),
      ['deleted', 'created'],
    );
  }
});

test('where events do not say which change it was, nothing is told after a gap without one', () => {
  const tree = new FakeTree();
  const host = new FakeHost(tree, { hidesZxids: true });
  const reader = new Reader(tree, '/r');
  new Follower(host, '/r', { isRecursive: true, isInitialTold: true }, reader.sink);
  host.settle();
  for (const path of ['/r', '/r/a', '/r/b']) tree.create(path);
  tree.set('/r/a');
  rest(host);
  reader.events.length = 0;
  host.drop();
  rest(host);
  assert.equal(reader.events.length, 0);
  host.drop();
  tree.delete('/r/b');
  tree.create('/r/b');
  rest(host);
  assert.deepEqual(
    reader.events.map(({ type, path }) => `${type} ${path}`),
    ['deleted /r/b', 'created /r/b'],
  );
});

test('what the server refuses for good is told, and nothing after it', () => {
  const tree = new FakeTree();
  const host = new FakeHost(tree);
  host.addServerWatch = (_path, _isRecursive, _watcher, answer) => {
    queueMicrotask(() => answer(new ZkError(ErrorCode.invalidACL, '/r')));
  };
  const failures: Error[] = [];
  const sink = {
    onReady: () => assert.fail('it is not ready'),
    onEvent: () => assert.fail('nothing happens'),
    onFailed: (error: Error) => failures.push(error),
  };
  new Follower(host, '/r', { isRecursive: false, isInitialTold: true }, sink);
  return Promise.resolve().then(() => {
    host.settle();
    assert.equal(failures.length, 1);
  });
});

test('what fails in passing is tried again', () => {
  const tree = new FakeTree();
  const host = new FakeHost(tree);
  tree.create('/r');
  const reader = new Reader(tree, '/r');
  const ask = host.ask.bind(host);
  const addServerWatch = host.addServerWatch.bind(host);
  let refusals = 5;
  const throttled = new ZkError(ErrorCode.throttledOp);
  host.ask = (op, path, watcher, answer) => {
    if (refusals-- > 0) host.clock.soon(() => answer(throttled, null, []));
    else ask(op, path, watcher, answer);
  };
  host.addServerWatch = (path, isRecursive, watcher, answer) => {
    if (refusals-- > 0) host.clock.soon(() => answer(throttled));
    else addServerWatch(path, isRecursive, watcher, answer);
  };
  new Follower(host, '/r', { isRecursive: true, isInitialTold: true }, reader.sink);
  host.settle();
  reader.check(true);
  assert.ok(reader.isReady);
});
