/**
 * Who does not ask for the beginning (`initial: false`) reads it himself, at any time after the call
 * of `watch`, and folds over it what he is told from then on. Connections come and go before the
 * follower has read everything once, too.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Stat, WatchEvent } from '../types.js';
import { Follower } from './follower.js';
import { FakeHost, FakeTree, type FakeHostOptions } from './watch-host.fixture.js';
import { rest, steps, take, worlds } from './history.fixture.js';

type Seen = Map<string, string>;

/**
 * Somebody who reads once, with a call made right after the watch was asked for, and then looks at what
 * events name. To be told of what he has seen already does him no harm.
 */
class Folder {
  readonly events: WatchEvent[] = [];
  readonly #tree: FakeTree;
  readonly #isRecursive: boolean;
  /** Null: his reading has not been answered. What is told before is contained in it. */
  #seen: Seen | null = null;

  constructor(host: FakeHost, isRecursive: boolean) {
    this.#tree = host.tree;
    this.#isRecursive = isRecursive;
    this.#read(host);
  }

  get hasRead(): boolean {
    return this.#seen !== null;
  }

  #read(host: FakeHost): void {
    host.snapshot((error, nodes) => {
      if (error === null) this.#seen = this.#wanted(nodes);
      else this.#read(host);
    });
  }

  #wanted(nodes: ReadonlyMap<string, Stat>): Seen {
    const seen: Seen = new Map();
    for (const [path, stat] of nodes) {
      const isBelow = this.#isRecursive && path.startsWith('/r/');
      if (path === '/r' || isBelow) seen.set(path, this.#look(stat));
    }
    return seen;
  }

  #look({ czxid, mzxid, pzxid }: Stat): string {
    return this.#isRecursive ? `${czxid} ${mzxid}` : `${czxid} ${mzxid} ${pzxid}`;
  }

  readonly onEvent = (event: WatchEvent): void => {
    this.events.push(event);
    if (this.#seen === null) return;
    const { type, path } = event;
    const stat = this.#tree.nodes.get(path);
    if (type === 'gap') this.#seen = this.#wanted(this.#tree.nodes);
    else if (type === 'deleted' || stat === undefined) this.#seen.delete(path);
    else this.#seen.set(path, this.#look(stat));
  };

  /** He has what is there. */
  check(): void {
    const sorted = (seen: Seen): unknown => [...seen].sort(([a], [b]) => (a < b ? -1 : 1));
    assert.deepEqual(
      sorted(this.#seen ?? (new Map() as Seen)),
      sorted(this.#wanted(this.#tree.nodes)),
    );
  }

  get lines(): string[] {
    return this.events.map(({ type, path, zxid }) => `${type} ${path} ${zxid ?? ''}`.trim());
  }
}

function follow(host: FakeHost, isRecursive: boolean): { folder: Folder; isReady: () => boolean } {
  let isReady = false;
  let folder: Folder | null = null;
  new Follower(
    host,
    '/r',
    { isRecursive, isInitialTold: false },
    {
      onEvent: (event) => folder?.onEvent(event),
      onReady: () => void (isReady = true),
      onFailed: (error) => {
        throw error;
      },
    },
  );
  folder = new Folder(host, isRecursive);
  return { folder, isReady: () => isReady };
}

for (const [name, options] of worlds) {
  for (const isRecursive of [false, true]) {
    const what = isRecursive ? 'a subtree' : 'a znode';
    test(`${what} at ${name}: whoever reads after the call has what is there`, () => {
      fc.assert(
        fc.property(steps, steps, (before, during) => {
          const host = new FakeHost(new FakeTree(), options);
          for (const step of before) take(step, host);
          const { folder, isReady } = follow(host, isRecursive);
          const begun = host.tree.zxid;
          for (const one of during) {
            // what comes and goes within a later gap is not told, nor between two readings of old
            const { czxid = 0n } = (one.do === 'delete' && host.tree.nodes.get(one.path)) || {};
            const isPassing = czxid > begun && (options.isOld === true || isReady());
            if (!isPassing) take(one, host);
          }
          rest(host);
          folder.check();
          assert.ok(isReady());
        }),
        { numRuns: 300 },
      );
    });
  }
}

function worldOf(paths: readonly string[], options: FakeHostOptions = {}): FakeHost {
  const tree = new FakeTree();
  for (const path of paths) tree.create(path);
  return new FakeHost(tree, options);
}

/** The server takes one request, and its answer is read. */
function step(host: FakeHost, times: number): void {
  for (let i = 0; i < times; i++) {
    host.serve();
    host.deliver();
  }
}

test('nothing changed in the gap: nothing is told', () => {
  const host = worldOf(['/r', '/r/a', '/r/b']);
  const { folder } = follow(host, true);
  step(host, 3);
  assert.ok(folder.hasRead);
  host.drop();
  rest(host);
  assert.deepEqual(folder.lines, []);
  folder.check();
});

test('changes in the gap are told as changes', () => {
  const host = worldOf(['/r', '/r/a', '/r/b']);
  const { folder } = follow(host, true);
  step(host, 3);
  host.drop();
  host.tree.set('/r/b');
  host.reconnect();
  host.tree.set('/r/a');
  rest(host);
  assert.deepEqual(folder.lines, ['changed /r/b 104', 'changed /r/a 105']);
});

test('what came or went in the gap: the gap is told once, and all that follows it', () => {
  for (const change of [
    (tree: FakeTree) => tree.delete('/r/a'),
    (tree: FakeTree) => tree.create('/r/c'),
    (tree: FakeTree) => tree.delete('/r/a') && tree.create('/r/a'),
  ]) {
    const host = worldOf(['/r', '/r/a', '/r/b']);
    const { folder } = follow(host, true);
    step(host, 3);
    host.drop();
    change(host.tree);
    host.reconnect();
    rest(host);
    host.tree.set('/r');
    rest(host);
    assert.deepEqual(folder.lines, ['gap /r', `changed /r ${host.tree.zxid}`]);
    folder.check();
  }
});

test('a parent that goes before it is read again takes what it may have hidden with it', () => {
  const host = worldOf(['/r', '/r/a', '/r/a/c']);
  const { folder } = follow(host, true);
  step(host, 3);
  host.drop();
  host.tree.delete('/r/a/c');
  host.reconnect();
  host.serve();
  host.tree.delete('/r/a');
  rest(host);
  assert.deepEqual(folder.lines, ['gap /r', 'deleted /r/a 105']);
  folder.check();
});

test('what was heard of before the listing was cut off is told, too', () => {
  const host = worldOf(['/r', '/r/a', '/r/b']);
  const { folder } = follow(host, true);
  step(host, 3);
  host.tree.set('/r/b');
  host.deliver();
  assert.deepEqual(folder.lines, []);
  host.drop();
  rest(host);
  assert.deepEqual(folder.lines, ['changed /r/b 104']);
});

test('of a znode alone it is told what became of it', () => {
  const cases: readonly (readonly [
    paths: readonly string[],
    change: (tree: FakeTree) => unknown,
    told: readonly string[],
  ])[] = [
    [['/r'], (tree) => tree.set('/r'), ['changed /r 102']],
    [['/r'], (tree) => tree.create('/r/a'), ['children /r 102']],
    [['/r'], (tree) => tree.delete('/r'), ['gap /r']],
    [['/r'], (tree) => tree.delete('/r') && tree.create('/r'), ['created /r 103']],
    [[], (tree) => tree.create('/r'), ['created /r 101']],
  ];
  for (const [paths, change, told] of cases) {
    const host = worldOf(paths);
    // in doubt: the watch is asked for, and the listing waits for certainty
    host.doubt();
    const { folder } = follow(host, false);
    step(host, 2);
    assert.ok(folder.hasRead);
    host.drop();
    change(host.tree);
    rest(host);
    assert.deepEqual(folder.lines, told);
    folder.check();
  }
});

test('cut before the watch is in place: what was known when it was asked for is the measure', () => {
  const cut = (host: FakeHost, change: (tree: FakeTree) => unknown): Folder => {
    const { folder } = follow(host, true);
    host.serve();
    host.drop();
    change(host.tree);
    rest(host);
    folder.check();
    return folder;
  };
  const known = (): FakeHost => {
    const host = worldOf(['/r', '/r/a']);
    host.snapshot(() => undefined);
    rest(host);
    return host;
  };
  assert.deepEqual(cut(known(), () => undefined).lines, []);
  assert.deepEqual(cut(known(), (tree) => tree.set('/r/a')).lines, ['changed /r/a 103']);
  assert.deepEqual(cut(known(), (tree) => tree.delete('/r/a')).lines, ['gap /r']);
  // to a client that has heard of nothing yet everything may be new
  assert.deepEqual(cut(worldOf(['/r', '/r/a']), () => undefined).lines, ['gap /r']);
});

test('while the connection lasts there is no gap', () => {
  const calm = steps.map((all) =>
    all.filter(({ do: what }) => ['create', 'set', 'delete', 'serve', 'deliver'].includes(what)),
  );
  fc.assert(
    fc.property(calm, calm, fc.boolean(), (before, during, isRecursive) => {
      const host = new FakeHost(new FakeTree());
      for (const one of before) take(one, host);
      const { folder } = follow(host, isRecursive);
      for (const one of during) take(one, host);
      rest(host);
      assert.ok(folder.events.every(({ type }) => type !== 'gap'));
      folder.check();
    }),
    { numRuns: 150 },
  );
});

test('at an older server: a znode that went before it was read is a gap', () => {
  const host = worldOf(['/r', '/r/a', '/r/a/b'], { isOld: true, hidesZxids: true });
  host.hasPersistentWatches = false;
  const { folder } = follow(host, true);
  // both readings of /r, and the reading of the other
  step(host, 3);
  assert.ok(folder.hasRead);
  for (const path of ['/r/a/b', '/r/a']) host.tree.delete(path);
  rest(host);
  assert.deepEqual(folder.lines, ['gap /r']);
  folder.check();
});

test('at an older server: what comes while it is read is no gap', () => {
  const host = worldOf(['/r', '/r/a'], { isOld: true, hidesZxids: true });
  host.hasPersistentWatches = false;
  const { folder } = follow(host, true);
  // between the two readings of /r, and before /r/a is read
  step(host, 1);
  host.tree.create('/r/b');
  step(host, 1);
  host.tree.create('/r/c');
  rest(host);
  assert.deepEqual(folder.lines, ['created /r/b 103', 'created /r/c 104']);
  folder.check();
});
