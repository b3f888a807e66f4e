import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Electorate } from './electorate.js';
import { majorityQuorum, oracleQuorum } from './quorum.js';

test('while a configuration is proposed, both must agree and either makes a voter', () => {
  const inForce = majorityQuorum([1, 2, 3], 0n);
  const quorums = [inForce];
  const electorate = new Electorate(4, () => quorums);
  assert.equal(electorate.has(4), false);
  quorums.push(majorityQuorum([3, 4, 5], 1n));
  assert.equal(electorate.has(4), true);
  assert.equal(electorate.isSelfInForce, false);
  assert.equal(electorate.inForce, inForce);
  assert.deepEqual(electorate.others, [1, 2, 3, 5]);
  assert.equal(electorate.isQuorum(new Set([1, 3])), false, 'of the old one only');
  assert.equal(electorate.isQuorum(new Set([1, 3, 4])), true);
});

test('an oracle allows this server to lead alone, and nobody else', () => {
  const electorate = new Electorate(1, () => [oracleQuorum([1, 2], 0n, () => true)]);
  assert.equal(electorate.areEnoughFor(1n, new Set([1])), true);
  assert.equal(electorate.areEnoughFor(2n, new Set([2])), false);
  assert.equal(electorate.areEnoughFor(2n, new Set([1, 2])), true);
});
