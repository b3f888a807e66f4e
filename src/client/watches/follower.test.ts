import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ErrorCode, ZkError } from '../../protocol/errors.js';
import { parentOf } from '../../protocol/paths.js';
import type { WatchEvent } from '../types.js';
import { Follower } from './follower.js';
import { FakeHost, FakeTree, playground, type FakeHostOptions } from './watch-host.fixture.js';

/** Somebody who folds events, looks at each znode when told to, and objects to what cannot be true. */
class Reader {
  readonly events: WatchEvent[] = [];
  /** By path: what was seen when it was looked at last. */
  readonly seen = new Map<string, { czxid: bigint; mzxid: bigint; pzxid: bigint }>();
  readonly #tree: FakeTree;
  readonly #root: string;
  isReady = false;

  constructor(tree: FakeTree, root: string) {
    this.#tree = tree;
    this.#root = root;
  }

  /** What it begins with, when the events do not begin with everything. */
  list(isRecursive: boolean): void {
    for (const path of this.#tree.nodes.keys()) {
      if (path === this.#root || (isRecursive && path.startsWith(`${this.#root}/`))) {
        this.#look(path);
      }
    }
  }

  #look(path: string): void {
    const node = this.#tree.nodes.get(path);
    const { czxid, mzxid, pzxid } = node ?? { czxid: 0n, mzxid: 0n, pzxid: 0n };
    this.seen.set(path, { czxid, mzxid, pzxid });
  }

  readonly sink = {
    onReady: (): void => {
      this.isReady = true;
    },
    onFailed: (error: Error): void => {
      throw error;
    },
    onEvent: (event: WatchEvent): void => {
      this.events.push(event);
      const { type, path } = event;
      const line = `${type} ${path}`;
      if (type === 'created') {
        assert.ok(!this.seen.has(path), `${line}: it was there`);
        const isTop = path === this.#root;
        assert.ok(isTop || this.seen.has(parentOf(path)), `${line}: its parent is not there`);
        this.#look(path);
      } else {
        assert.ok(this.seen.has(path), `${line}: it is not there`);
        if (type !== 'deleted') this.#look(path);
        else {
          const child = [...this.seen.keys()].find((one) => one !== path && parentOf(one) === path);
          assert.equal(child, undefined, `${line}: it has children`);
          this.seen.delete(path);
        }
      }
    },
  };

  /** It has in the end what there is. */
  check(isRecursive: boolean): void {
    const wanted = new Reader(this.#tree, this.#root);
    wanted.list(isRecursive);
    const plain = (reader: Reader): unknown[] =>
      [...reader.seen]
        .map(([path, { czxid, mzxid, pzxid }]) => [path, czxid, mzxid, isRecursive ? 0n : pzxid])
        .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
    assert.deepEqual(plain(this), plain(wanted));
  }

  /** What is told with a zxid has happened, and is told once. */
  checkTruth(): void {
    const history = new Set(this.#tree.history);
    const told = new Set<string>();
    for (const { type, path, zxid } of this.events) {
      if (zxid === undefined) continue;
      const line = `${type} ${path} ${zxid}`;
      assert.ok(history.has(line), `${line} has not happened`);
      assert.ok(!told.has(line), `${line} is told twice`);
      told.add(line);
    }
  }

  /** Where events carry zxids: in their order, and none more often than it has happened. */
  checkExactness(): void {
    const count = (lines: readonly string[]): Map<string, number> => {
      const counts = new Map<string, number>();
      for (const line of lines) {
        const key = line.split(' ').slice(0, 2).join(' ');
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
      return counts;
    };
    const happened = count(this.#tree.history);
    for (const [key, times] of count(this.events.map(({ type, path }) => `${type} ${path}`))) {
      assert.ok(times <= (happened.get(key) ?? 0), `${key} is told ${times} times`);
    }
    let last = 0n;
    for (const { type, path, zxid = last } of this.events) {
      assert.ok(zxid >= last, `${type} ${path} ${zxid} is told after ${last}`);
      last = zxid;
    }
  }
}

type Step =
  | { readonly do: 'create' | 'set' | 'delete'; readonly path: string }
  | { readonly do: 'serve' | 'deliver'; readonly times: number }
  | { readonly do: 'drop' | 'dropUnsent' | 'doubt' | 'reconnect' | 'expire' | 'age' };

const aPath = fc.constantFrom(...playground);
const change = fc.record({ do: fc.constantFrom('create', 'set', 'delete'), path: aPath });
const motion = fc.record({
  do: fc.constantFrom('serve', 'deliver'),
  times: fc.integer({ min: 1, max: 8 }),
});
const fault = fc.record({
  do: fc.constantFrom(
    ...(['drop', 'dropUnsent', 'doubt', 'doubt', 'expire'] as const),
    ...(['reconnect', 'reconnect', 'reconnect'] as const),
  ),
});
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof({ weight: 6, arbitrary: change }, { weight: 6, arbitrary: motion }, fault),
  { maxLength: 120, size: 'max' },
);

function take(step: Step, host: FakeHost): void {
  switch (step.do) {
    case 'create':
    case 'set':
    case 'delete':
      host.tree[step.do](step.path);
      break;
    case 'serve':
    case 'deliver':
      for (let i = 0; i < step.times; i++) host[step.do]();
      break;
    case 'age':
      host.isOld = true;
      break;
    case 'dropUnsent':
      host.drop(false);
      break;
    default:
      host[step.do]();
  }
}

function rest(host: FakeHost): void {
  host.reconnect();
  host.settle();
  host.reconnect();
  host.settle();
}

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

const worlds: readonly (readonly [string, FakeHostOptions])[] = [
  ['a server that tells zxids', {}],
  ['a server that does not tell zxids', { hidesZxids: true }],
  ['a server without persistent watches', { isOld: true, hidesZxids: true }],
];

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
