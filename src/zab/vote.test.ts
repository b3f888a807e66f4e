import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hierarchicalQuorum, majorityQuorum } from './quorum.js';
import {
  compareVotes,
  emptyVote,
  isBetter,
  isSameLeader,
  isSameVote,
  supportersIn,
  voteOf,
  type HeardVote,
  type Vote,
} from './vote.js';

function vote(leader: number, zxid: bigint, peerEpoch: number, round = 1): Vote {
  return {
    leader: BigInt(leader),
    zxid,
    peerEpoch: BigInt(peerEpoch),
    electionEpoch: BigInt(round),
  };
}

const three = majorityQuorum([1, 2, 3], 0n);

test('the epoch counts before the zxid, and the zxid before the number', () => {
  const ascending = [
    emptyVote(9n),
    vote(3, 0x100000009n, 1),
    vote(1, 0x10000000an, 1),
    vote(2, 0x10000000an, 1),
    // an epoch that was begun and in which nothing was written yet
    vote(1, 0x100000001n, 2),
    vote(1, 0x200000001n, 2),
  ];
  for (const [i, a] of ascending.entries()) {
    for (const [j, b] of ascending.entries()) {
      assert.equal(Math.sign(compareVotes(a, b)), Math.sign(i - j));
      assert.equal(isBetter(a, b, three), i > j && i > 0);
    }
  }
});

const anyVote = fc
  .record({ leader: fc.integer({ min: 1, max: 3 }), zxid: fc.bigInt(0n, 3n), epoch: fc.nat(3) })
  .map(({ leader, zxid, epoch }) => vote(leader, zxid, epoch));

test('better is a total order, with weights too', () => {
  const weighted = hierarchicalQuorum(
    new Map([1, 2, 3].map((sid) => [sid, 1])),
    new Map([[3, 0]]),
    [1, 2, 3],
    0n,
  );
  fc.assert(
    fc.property(anyVote, anyVote, anyVote, fc.boolean(), (a, b, c, isWeighted) => {
      const quorum = isWeighted ? weighted : three;
      assert.ok(!isBetter(a, a, quorum));
      assert.ok(!(isBetter(a, b, quorum) && isBetter(b, a, quorum)));
      if (isBetter(a, b, quorum) && isBetter(b, c, quorum)) assert.ok(isBetter(a, c, quorum));
      const canLead =
        quorum.weightOf(Number(a.leader)) > 0 || quorum.weightOf(Number(b.leader)) > 0;
      if (canLead && !isSameVote(a, b)) assert.ok(isBetter(a, b, quorum) || isBetter(b, a, quorum));
    }),
  );
});

test('a server without weight wins against nothing and loses against any with weight', () => {
  const groupOf = new Map([
    [1, 1],
    [2, 1],
  ]);
  const quorum = hierarchicalQuorum(groupOf, new Map([[2, 0]]), [1, 2], 0n);
  assert.ok(!isBetter(vote(2, 9n, 9), vote(1, 0n, 0), quorum));
  assert.ok(isBetter(vote(1, 0n, 0), vote(2, 9n, 9), quorum));
});

test('the same vote in another round is another vote', () => {
  assert.ok(isSameVote(vote(1, 2n, 3, 4), vote(1, 2n, 3, 4)));
  assert.ok(!isSameVote(vote(1, 2n, 3, 4), vote(1, 2n, 3, 5)));
});

test('after an election leader and epoch are compared, and with the oldest servers only the leader', () => {
  const heard = (one: Vote, version: number): HeardVote => ({
    ...one,
    state: 'following',
    version,
  });
  assert.ok(isSameLeader(heard(vote(1, 2n, 3, 4), 2), heard(vote(1, 9n, 3, 5), 2)));
  assert.ok(!isSameLeader(heard(vote(1, 2n, 3), 2), heard(vote(1, 2n, 4), 2)));
  assert.ok(isSameLeader(heard(vote(1, 2n, 3), 2), heard(vote(1, 2n, 4), 0)));
  assert.ok(!isSameLeader(heard(vote(1, 2n, 3), 2), heard(vote(2, 2n, 3), 0)));
});

test('what is kept of a message that carries a vote is the vote', () => {
  const heard: HeardVote = { ...vote(1, 2n, 3, 4), state: 'leading', version: 2 };
  assert.deepEqual(voteOf(heard), vote(1, 2n, 3, 4));
  assert.deepEqual([...supportersIn(new Map([[7, heard]]), (it) => it.zxid === 2n)], [7]);
});
