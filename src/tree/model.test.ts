/**
 * The tree against a slow and obvious model, operation by operation: Maps of paths, sets, and a digest
 * computed from scratch. In between, walks, listings, counts and pins begin, go on and end wherever
 * chance has it, so that every promise about reading in slices is held against every kind of change.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { parentOf } from '../protocol/paths.js';
import { describeTree, znodesOf } from './describe.js';
import * as kit from './kit.js';
import { acls, Model, prepare, sessionOf, type ModelZnode, type Op } from './model.js';
import { NO_NODE, Tree, type ChildListing, type DescendantCount, type Pin } from './tree.js';

function digestOf(model: Model): bigint {
  let sum = 0n;
  for (const [path, znode] of model.znodes) {
    if (path.startsWith('/zookeeper/')) continue;
    const stat = Buffer.alloc(60);
    let at = 0;
    for (const long of [znode.czxid, znode.mzxid, znode.pzxid, znode.ctime, znode.mtime]) {
      at = stat.writeBigInt64BE(long, at);
    }
    for (const int of [znode.version, znode.cversion, znode.aversion]) {
      at = stat.writeInt32BE(int, at);
    }
    stat.writeBigInt64BE(znode.owner, at);
    const name = path === '/' ? '' : path;
    sum += BigInt(crc32(Buffer.concat([Buffer.from(name + (znode.data ?? '')), stat])));
  }
  return sum;
}

/** What the model says `describeTree` says. */
function compare(tree: Tree, model: Model): void {
  const paths = [...znodesOf(tree)].map((id) => tree.pathOf(id));
  const depthFirst = (path: string): string[] => [
    path,
    ...(model.znodes.get(path)?.children ?? []).flatMap((name) =>
      depthFirst(path === '/' ? `/${name}` : `${path}/${name}`),
    ),
  ];
  assert.deepEqual(paths, depthFirst('/'));
  for (const [path, znode] of model.znodes) compareZnode(tree, path, znode);
  const digest = (BigInt(tree.digestHigh) << 32n) | BigInt(tree.digestLow);
  assert.equal(digest, digestOf(model));
  const pathsOf = (ids: Iterable<number>): string[] => [...ids].map((id) => tree.pathOf(id)).sort();
  for (const session of [1n, 2n, 3n]) {
    assert.deepEqual(
      pathsOf(tree.ephemeralsOf(0, Number(session))),
      model.ephemeralsOf(session).sort(),
    );
  }
  assert.deepEqual(pathsOf(tree.containers()), model.containers.sort());
  assert.deepEqual(pathsOf(tree.ttls()), model.ttls.sort());
  assert.equal(tree.nodeCount, model.znodes.size + 1);
}

function compareZnode(tree: Tree, path: string, znode: ModelZnode): void {
  const id = tree.findPath(path);
  assert.notEqual(id, NO_NODE, path);
  const out = new Uint8Array(68);
  tree.statInto(id, out, 0);
  const stat = new DataView(out.buffer);
  const isSession = znode.owner > 0n;
  const seen = {
    czxid: stat.getBigInt64(0),
    mzxid: stat.getBigInt64(8),
    ctime: stat.getBigInt64(16),
    mtime: stat.getBigInt64(24),
    version: stat.getInt32(32),
    cversion: stat.getInt32(36),
    aversion: stat.getInt32(40),
    owner: stat.getBigInt64(44),
    length: stat.getInt32(52),
    children: stat.getInt32(56),
    pzxid: stat.getBigInt64(60),
    data: tree.dataIsNull(id) ? null : Buffer.from(tree.data(id) ?? []).toString(),
    acl: JSON.stringify(tree.aclOf(id)),
  };
  assert.deepEqual(seen, {
    czxid: znode.czxid,
    mzxid: znode.mzxid,
    ctime: znode.ctime,
    mtime: znode.mtime,
    version: znode.version,
    cversion: 2 * znode.cversion - znode.children.length,
    aversion: znode.aversion,
    owner: isSession ? znode.owner : 0n,
    length: znode.data?.length ?? 0,
    children: znode.children.length,
    pzxid: znode.pzxid,
    data: znode.data,
    acl: JSON.stringify(acls[znode.acl] ?? kit.openAcl),
  });
}

// What happens beside the operations.

type Aside =
  | { readonly aside: 'walk' | 'pin' | 'unpin' | 'listEnd' | 'countEnd' }
  | { readonly aside: 'list' | 'count'; readonly path: string }
  | { readonly aside: 'step'; readonly budget: number };

interface Running {
  readonly snapshot: kit.Snapshot;
  readonly paths: readonly string[];
  readonly acls: ReadonlyMap<string, string>;
  readonly since: number;
}

/** A tree, its model, its log, and the readers that are under way. */
class Bench {
  readonly tree: Tree;
  readonly model = new Model();
  readonly #log: kit.Log;
  readonly #options: ConstructorParameters<typeof Tree>[0];
  readonly #walks: Running[] = [];
  readonly #lists: { listing: ChildListing; names: string[]; expected: string[] }[] = [];
  readonly #counts: { count: DescendantCount; expected: number }[] = [];
  readonly #pins: { pin: Pin; at: number; name: string }[] = [];

  constructor(options: ConstructorParameters<typeof Tree>[0]) {
    this.#options = options;
    this.tree = new Tree(options);
    this.#log = new kit.Log(this.tree);
  }

  run(step: Op | Aside): void {
    if ('aside' in step) {
      this.#aside(step);
      return;
    }
    const zxid = BigInt(this.#log.txns.length + 1);
    const [body, error] = prepare(step, this.model, zxid);
    assert.equal(this.#log.apply(body, sessionOf(step)), error);
  }

  finish(): void {
    compare(this.tree, this.model);
    while (this.#walks.length > 0) this.#finishWalk();
    while (this.#lists.length > 0) this.#finishList();
    while (this.#counts.length > 0) this.#finishCount();
    while (this.#pins.length > 0) this.#finishPin();
    this.tree.reclaim(1e6);
    assert.equal(this.tree.deadCount, 0);
    compare(this.tree, this.model);
  }

  #aside(step: Aside): void {
    switch (step.aside) {
      case 'walk': {
        const { znodes } = this.model;
        const acls = new Map([...znodes].map(([path, { acl }]) => [path, acl]));
        const snapshot = new kit.Snapshot(this.tree);
        this.#walks.push({
          snapshot,
          paths: [...znodes.keys()],
          acls,
          since: this.#log.txns.length,
        });
        return;
      }
      case 'list': {
        const id = this.tree.findPath(step.path);
        if (id === NO_NODE) return;
        const expected = [...(this.model.znodes.get(step.path)?.children ?? [])];
        this.#lists.push({ listing: this.tree.listChildren(id), names: [], expected });
        return;
      }
      case 'count': {
        const id = this.tree.findPath(step.path);
        if (id === NO_NODE) return;
        const prefix = step.path === '/' ? '/' : `${step.path}/`;
        const below = [...this.model.znodes.keys()].filter((path) => path.startsWith(prefix));
        const expected = below.length - (step.path === '/' ? 1 : 0);
        this.#counts.push({ count: this.tree.countDescendants(id), expected });
        return;
      }
      case 'step':
        this.#walks[0]?.snapshot.step(step.budget);
        this.#lists.forEach(({ listing, names }) => {
          listing.step((id) => names.push(this.tree.nameOf(id)), step.budget);
        });
        this.#counts[0]?.count.step(step.budget);
        return;
      case 'pin': {
        const at = this.tree.firstChild(this.tree.findPath('/'));
        this.#pins.push({ pin: this.tree.pin(), at, name: this.tree.nameOf(at) });
        return;
      }
      case 'unpin':
        this.#finishPin();
        return;
      case 'listEnd':
        this.#finishList();
        return;
      case 'countEnd':
        this.#finishCount();
    }
  }

  /** S20: what the walk saw, and the transactions since, make the tree. */
  #finishWalk(): void {
    const running = this.#walks.shift();
    if (running === undefined) return;
    const { snapshot, paths, acls, since } = running;
    snapshot.finish();
    const known = new Set(paths);
    for (const path of snapshot.paths) assert.ok(known.has(path), `${path} was there at Z0`);
    for (const [i, path] of snapshot.paths.entries()) {
      if (path === '/') continue;
      assert.ok(snapshot.paths.indexOf(parentOf(path)) < i, `${path} after its parent`);
    }
    const loaded = snapshot.load(this.#options);
    for (const path of snapshot.paths) {
      const expected = JSON.stringify(aclNamed(acls.get(path)));
      const acl = JSON.stringify(loaded.aclOf(loaded.findPath(path)));
      assert.equal(acl, expected, `the ACL of ${path} as of Z0`);
    }
    for (const txn of this.#log.txns.slice(since)) kit.replay(loaded, txn);
    loaded.verifyAcls();
    const settled = (tree: Tree): string[] =>
      describeTree(tree).filter((line) => !/^session \w+: $/.test(line));
    assert.deepEqual(settled(loaded), settled(this.tree));
    compare(loaded, this.model);
  }

  #finishList(): void {
    const running = this.#lists.shift();
    if (running === undefined) return;
    const { listing, names, expected } = running;
    while (listing.step((id) => names.push(this.tree.nameOf(id)), 1));
    listing.close();
    assert.deepEqual(names, expected);
    assert.equal(listing.count, expected.length);
  }

  #finishCount(): void {
    const running = this.#counts.shift();
    if (running === undefined) return;
    while (running.count.step(2));
    running.count.close();
    assert.equal(running.count.count, running.expected);
  }

  /** What was held is still there, and the way on from it leads through the living. */
  #finishPin(): void {
    const held = this.#pins.shift();
    if (held === undefined) return;
    assert.equal(this.tree.nameOf(held.at), held.name);
    const children = this.model.znodes.get('/')?.children ?? [];
    const names: string[] = [];
    for (let id = this.tree.nextSibling(held.at); id !== NO_NODE; id = this.tree.nextSibling(id)) {
      names.push(this.tree.nameOf(id));
    }
    const behind = children.slice(children.length - names.length);
    assert.deepEqual(names, behind);
    this.tree.unpin(held.pin);
  }
}

function aclNamed(name: string | undefined): unknown {
  return acls[name ?? ''] ?? kit.openAcl;
}

const names = ['a', 'b', 'c', 'd', 'a-longer-name'];
const path = fc
  .array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 })
  .map((parts) => `/${parts.join('/')}`);
const anyPath = fc.oneof(path, fc.constantFrom('/', '/zookeeper', '/zookeeper/config'));
const data = fc.oneof(
  fc.constantFrom(null, '', 'x', 'a little more'),
  fc.nat(300).map((length) => 'y'.repeat(length)),
);
const session = fc.integer({ min: 1, max: 3 });
const acl = fc.constantFrom(...Object.keys(acls));

const single: fc.Arbitrary<Op> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ op: fc.constant('create' as const), path, data, acl }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('ephemeral' as const), path, session }) },
  fc.record({ op: fc.constant('container' as const), path }),
  fc.record({ op: fc.constant('ttl' as const), path, ttlMs: fc.integer({ min: 1, max: 1e6 }) }),
  { weight: 5, arbitrary: fc.record({ op: fc.constant('delete' as const), path }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('setData' as const), path: anyPath, data }) },
);
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 12, arbitrary: single },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('setAcl' as const), path: anyPath, acl }) },
  fc.record({ op: fc.constant('close' as const), session }),
  fc.record({
    op: fc.constant('multi' as const),
    // all parts have the session of the whole
    parts: fc.array(single, { maxLength: 4 }).map((parts) => {
      return parts.map((part) => (part.op === 'ephemeral' ? { ...part, session: 1 } : part));
    }),
    fails: fc.integer({ min: 0, max: 4 }).map((dice) => dice === 0),
  }),
);
const aside: fc.Arbitrary<Aside> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      aside: fc.constant('step' as const),
      budget: fc.integer({ min: 1, max: 4 }),
    }),
  },
  fc.record({ aside: fc.constantFrom('walk' as const, 'pin' as const, 'unpin' as const) }),
  fc.record({ aside: fc.constantFrom('listEnd' as const, 'countEnd' as const) }),
  fc.record({ aside: fc.constantFrom('list' as const, 'count' as const), path: anyPath }),
);
const steps = fc.array(fc.oneof({ weight: 3, arbitrary: op }, { weight: 1, arbitrary: aside }), {
  minLength: 20,
  maxLength: 200,
  size: 'max',
});

test('does what the model does, and readers in slices see what they should', () => {
  fc.assert(
    fc.property(steps, (script) => {
      const bench = new Bench({ extendedTypes: true });
      for (const step of script) bench.run(step);
      bench.finish();
    }),
    { numRuns: 400, includeErrorInReport: true },
  );
});

test('the same with two hashes for all paths', () => {
  fc.assert(
    fc.property(steps, (script) => {
      const bench = new Bench({ extendedTypes: true, hashMask: 1 });
      for (const step of script) bench.run(step);
      bench.finish();
    }),
    { numRuns: 150, includeErrorInReport: true },
  );
});

test('the same after each single operation', () => {
  fc.assert(
    fc.property(steps, (script) => {
      const bench = new Bench({ extendedTypes: true });
      for (const step of script.slice(0, 60)) {
        bench.run(step);
        compare(bench.tree, bench.model);
      }
      bench.finish();
    }),
    { numRuns: 60, includeErrorInReport: true },
  );
});
