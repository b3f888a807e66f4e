import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  hasOracle,
  hierarchicalQuorum,
  isOneOfTwo,
  majorityQuorum,
  oracleQuorum,
  quorumOf,
  weightsOf,
  type Quorum,
} from './quorum.js';

const set = (...sids: number[]): ReadonlySet<number> => new Set(sids);

/** `1:2:3` → group 1 of sids 2 and 3, as in zoo.cfg. */
function groups(...lines: readonly (readonly number[])[]): Map<number, number> {
  const groupOf = new Map<number, number>();
  for (const [group, members] of lines.entries()) {
    for (const sid of members) groupOf.set(sid, group + 1);
  }
  return groupOf;
}

test('a majority is more than half of the voters, whoever else is there', () => {
  const three = majorityQuorum([1, 2, 3], 5n);
  assert.ok(!three.contains(set(1)));
  assert.ok(three.contains(set(1, 3)));
  assert.ok(!three.contains(set(1, 4, 5)));
  assert.equal(three.version, 5n);
  assert.equal(three.weightOf(2), 1);
  const four = majorityQuorum([1, 2, 3, 4], 0n);
  assert.ok(!four.contains(set(1, 2)));
  assert.ok(four.contains(set(1, 2, 4)));
  assert.ok(majorityQuorum([1], 0n).contains(set(1)));
  assert.ok(!majorityQuorum([], 0n).contains(set()));
});

test('groups: a majority of groups, each by a majority', () => {
  const groupOf = groups([1, 2, 3], [4, 5, 6], [7, 8, 9]);
  const nine = hierarchicalQuorum(groupOf, new Map(), groupOf.keys(), 0n);
  assert.ok(nine.contains(set(1, 2, 4, 5)));
  // five of nine, and yet of one group only more than half
  assert.ok(!nine.contains(set(1, 2, 3, 4, 7)));
  assert.ok(!nine.contains(set(1, 2, 3)));
  assert.ok(!nine.contains(set()));
});

test('groups: weights', () => {
  const groupOf = groups([1, 2, 3], [4]);
  const weightOf = new Map([
    [1, 3],
    [4, 0],
  ]);
  const quorum = hierarchicalQuorum(groupOf, weightOf, groupOf.keys(), 0n);
  assert.deepEqual([quorum.weightOf(1), quorum.weightOf(2), quorum.weightOf(4)], [3, 1, 0]);
  // the group without weight is not one of the groups
  assert.ok(quorum.contains(set(1)));
  assert.ok(!quorum.contains(set(2, 3, 4)));
});

test('groups: exactly half of a weight, or of the groups, is not enough', () => {
  const two = groups([1, 2], [3, 4]);
  const quorum = hierarchicalQuorum(two, new Map(), two.keys(), 0n);
  assert.ok(!quorum.contains(set(1, 3)));
  assert.ok(!quorum.contains(set(1, 2)));
  assert.ok(quorum.contains(set(1, 2, 3, 4)));
});

test('groups: who is no voter is not counted, but weighs in its group', () => {
  const groupOf = groups([1, 2, 3]);
  const observer = hierarchicalQuorum(groupOf, new Map([[3, 2]]), [1, 2], 0n);
  assert.ok(!observer.contains(set(1, 2, 3)));
  const unweighted = hierarchicalQuorum(groupOf, new Map(), [1, 2], 0n);
  assert.ok(unweighted.contains(set(1, 2)));
});

test('an oracle is asked when one of two is alone, and never otherwise', () => {
  let asked = 0;
  let answer = true;
  const two = oracleQuorum([1, 2], 0n, () => {
    asked++;
    return answer;
  });
  assert.ok(hasOracle(two) && !hasOracle(majorityQuorum([1, 2], 0n)));
  assert.ok(!two.contains(set(1)));
  assert.ok(two.contains(set(1, 2)));
  assert.ok(two.containsByOracle(set(1, 2)));
  assert.ok(!two.containsByOracle(set()));
  assert.ok(!two.containsByOracle(set(7)));
  assert.equal(asked, 0);
  assert.ok(two.containsByOracle(set(2)));
  answer = false;
  assert.ok(!two.containsByOracle(set(2)));
  assert.equal(asked, 2);
  const three = oracleQuorum([1, 2, 3], 0n, () => true);
  assert.ok(!three.containsByOracle(set(1)));
  assert.ok(three.containsByOracle(set(1, 2)));
});

test('the kind of quorum follows from the configuration; observers have no vote', () => {
  const servers = new Map(
    [1, 2, 3, 4].map((sid) => [
      sid,
      { role: sid === 4 ? ('observer' as const) : ('participant' as const) },
    ]),
  );
  const plain = { servers, groupOf: new Map<number, number>(), weightOf: new Map(), version: 6n };
  const majority = quorumOf(plain);
  assert.deepEqual([...majority.voters], [1, 2, 3]);
  assert.equal(majority.version, 6n);
  assert.ok(!majority.contains(set(1, 4)));
  const grouped = { ...plain, groupOf: groups([1], [2], [3]), weightOf: new Map([[3, 0]]) };
  assert.ok(!quorumOf(grouped).contains(set(1, 3)));
  assert.ok(quorumOf(grouped).contains(set(1, 2)));
  const oracle = quorumOf(grouped, () => true);
  assert.ok(hasOracle(oracle));
  assert.ok(oracle.contains(set(1, 3)));
});

const members = [1, 2, 3, 4, 5, 6, 7];
const anyQuorum: fc.Arbitrary<Quorum> = fc
  .record({
    voters: fc.subarray(members, { minLength: 1 }),
    groups: fc.array(fc.nat(3), { minLength: 7, maxLength: 7 }),
    weights: fc.array(fc.nat(4), { minLength: 7, maxLength: 7 }),
    isHierarchical: fc.boolean(),
  })
  .map(({ voters, groups: groupNumbers, weights, isHierarchical }) => {
    if (!isHierarchical) return majorityQuorum(voters, 0n);
    const groupOf = new Map(members.map((sid, i) => [sid, groupNumbers[i] ?? 0]));
    const weightOf = new Map(members.map((sid, i) => [sid, weights[i] ?? 0]));
    return hierarchicalQuorum(groupOf, weightOf, voters, 0n);
  });
const anySids = fc.subarray(members).map((sids) => new Set(sids));

test('two sets that both may decide share a voter, and a larger set decides too', () => {
  fc.assert(
    fc.property(anyQuorum, anySids, anySids, (quorum, a, b) => {
      if (!quorum.contains(a)) return;
      assert.ok(quorum.contains(new Set([...a, ...b])));
      if (!quorum.contains(b)) return;
      assert.ok([...a].some((sid) => b.has(sid) && quorum.voters.has(sid)));
    }),
  );
});

test('whoever may lead in one of two configurations has weight', () => {
  const weights = hierarchicalQuorum(groups([1, 2]), new Map([[2, 0]]), [1, 2], 1n);
  const both = weightsOf([weights, majorityQuorum([1, 3], 2n)]);
  assert.deepEqual(
    [1, 2, 3, 4].map((sid) => both.weightOf(sid) > 0),
    [true, false, true, false],
  );
});

test('of two servers with an oracle each may be all that is left', () => {
  const two = oracleQuorum([1, 2], 1n, () => false);
  assert.deepEqual([isOneOfTwo(two, 1), isOneOfTwo(two, 3)], [true, false]);
  assert.equal(isOneOfTwo(majorityQuorum([1, 2], 1n), 1), false);
  assert.equal(
    isOneOfTwo(
      oracleQuorum([1, 2, 3], 1n, () => true),
      1,
    ),
    false,
  );
});
