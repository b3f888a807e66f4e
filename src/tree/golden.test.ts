/**
 * What Apache's own tree made of the same transactions, byte by byte: error codes, digest after each of
 * them, and every znode now and then. `test/support/tree-java` says how it was recorded.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { describeTree, describeZnode, hexOf, znodesOf } from './describe.js';
import { reloaded } from './kit.js';
import { Tree, type NodeId } from './tree.js';

interface Scenario {
  readonly scenario: string;
  readonly extendedTypes: boolean;
  readonly emulate353Ttl: boolean;
  readonly hasAclIds: boolean;
}

interface Applied {
  readonly txn: string;
  readonly error: number;
  readonly results?: readonly number[];
  readonly stats?: readonly (string | null)[];
  readonly digest: string;
}

type Znode = readonly [
  path: string,
  data: string | null,
  aclId: number,
  acl: string,
  stat: string,
  stored: string,
];

interface Dump {
  readonly nodes: readonly Znode[];
  readonly ephemerals: Readonly<Record<string, readonly string[]>>;
  readonly containers: readonly string[];
  readonly ttls: readonly string[];
  readonly nodeCount: number;
  readonly approximateDataSize: number;
  readonly ephemeralCount: number;
  readonly aclCount: number;
  readonly lastZxid: string;
  readonly digest: string;
}

type Line = Scenario | Applied | Dump | { readonly reload: true };

const golden = new URL('../../test/golden/tree-digests.jsonl', import.meta.url);
const lines = readFileSync(golden, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Line);

function hex64(high: number, low: number): string {
  return ((BigInt(high) << 32n) | BigInt(low)).toString(16);
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function applyAndCompare(tree: Tree, line: Applied, where: string): void {
  const bytes = bytesOf(line.txn);
  assert.equal(tree.apply(bytes, 0, bytes.length), line.error, `error ${where}`);
  assert.equal(hex64(tree.digestHigh, tree.digestLow), line.digest, `digest ${where}`);
  assert.notEqual(tree.digestVerdict, 'different', `verdict ${where}`);
  if (line.results !== undefined) assert.deepEqual(tree.multiResults, line.results, where);
  line.stats?.forEach((stat, i) => {
    if (stat === null) return;
    assert.equal(hexOf(tree.multiStats.subarray(68 * i, 68 * i + 68)), stat, `stat ${i} ${where}`);
  });
}

function compareDump(tree: Tree, dump: Dump, hasAclIds: boolean, where: string): void {
  const expected = dump.nodes.map(([path, data, aclId, acl, stat, stored]) =>
    [
      path,
      data === null ? 'null' : `"${data}"`,
      acl,
      ...(hasAclIds ? [`acl ${aclId}`] : []),
      stat,
      stored,
    ].join(' '),
  );
  const options = { withAclIds: hasAclIds };
  const actual = [...znodesOf(tree)].map((id) => describeZnode(tree, id, options));
  assert.deepEqual(actual.sort(), expected.sort(), where);

  const paths = (ids: Iterable<NodeId>): string[] => [...ids].map((id) => tree.pathOf(id)).sort();
  const ephemerals: Record<string, readonly string[]> = {};
  for (const session of tree.sessionsWithEphemerals()) {
    const [high, low] = [Number(session >> 32n), Number(BigInt.asUintN(32, session))];
    const name = BigInt.asUintN(64, session).toString(16);
    ephemerals[name] = paths(tree.ephemeralsOf(high, low));
    assert.equal(tree.countEphemerals(high, low), ephemerals[name].length, where);
  }
  const sorted = (owned: Dump['ephemerals']): unknown[] =>
    Object.entries(owned)
      .map(([session, of]) => [session, [...of].sort()])
      .sort();
  assert.deepEqual(sorted(ephemerals), sorted(dump.ephemerals), where);
  assert.deepEqual(paths(tree.containers()), [...dump.containers].sort(), where);
  assert.deepEqual(paths(tree.ttls()), [...dump.ttls].sort(), where);
  assert.equal(tree.nodeCount, dump.nodeCount, where);
  assert.equal(tree.approximateDataSize(), dump.approximateDataSize, where);
  assert.equal(tree.ephemeralCount, dump.ephemeralCount, where);
  if (hasAclIds) assert.equal(tree.acls.size, dump.aclCount, where);
  assert.equal(hex64(tree.lastZxidHigh, tree.lastZxidLow), dump.lastZxid, where);
  assert.equal(hex64(tree.digestHigh, tree.digestLow), dump.digest, where);
}

/** The scenario that begins at `start`; `reloadsAnywhere` adds a snapshot and a load every so often. */
function play(start: number, hashMask: number, reloadEvery: number): number {
  const scenario = lines[start] as Scenario;
  const options = {
    extendedTypes: scenario.extendedTypes,
    emulate353Ttl: scenario.emulate353Ttl,
    hashMask,
  };
  let tree = new Tree(options);
  let txns = 0;
  for (let at = start + 1; at < lines.length; at++) {
    const line = lines[at];
    if (line === undefined || 'scenario' in line) break;
    const where = `of line ${at + 1}, ${scenario.scenario}`;
    if ('txn' in line) {
      applyAndCompare(tree, line, where);
      txns++;
      if (reloadEvery > 0 && txns % reloadEvery === 0) tree = throughSnapshot(tree, options);
    } else if ('reload' in line) {
      tree = reloaded(tree, options);
    } else if (reloadEvery === 0) {
      compareDump(tree, line, scenario.hasAclIds, where);
    }
  }
  return txns;
}

/** The same tree, as far as its znodes go. */
function throughSnapshot(tree: Tree, options: ConstructorParameters<typeof Tree>[0]): Tree {
  const loaded = reloaded(tree, options);
  const without = (description: string[]): string[] =>
    description.filter((line) => !line.startsWith('/zookeeper/') && !line.startsWith('session'));
  assert.deepEqual(without(describeTree(loaded)), without(describeTree(tree)));
  return loaded;
}

const starts = lines.flatMap((line, at) => ('scenario' in line ? [at] : []));

test('the recording holds what it should', () => {
  assert.equal(starts.length, 13);
  assert.ok(lines.filter((line) => 'txn' in line).length > 4000);
});

for (const start of starts) {
  const { scenario } = lines[start] as Scenario;
  test(`as Apache's tree: ${scenario}`, () => {
    assert.ok(play(start, -1, 0) > 0);
  });
}

test("as Apache's tree, with every path in one of four buckets", () => {
  for (const start of starts) play(start, 3, 0);
});

test("as Apache's tree, through a snapshot after every 50 transactions", () => {
  for (const start of starts) play(start, -1, 50);
});
