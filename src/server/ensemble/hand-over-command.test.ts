import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Capability } from '../../protocol/peer/extension.js';
import { LearnerLink } from '../../zab/learner-link.js';
import { readMembers } from '../config/members.js';
import { handOverNow, handOverRefusal, type HandingMember } from './hand-over-command.js';
import type { KnownLearner } from './successors.js';

function known(sid: number, what: 'active' | 'synchronised' = 'active', isApache = false) {
  const learner = new LearnerLink(sid * 10, { sid, isObserver: sid === 4, acceptedEpoch: 1 }, 0);
  learner.phase = what;
  const extension = { capabilities: Capability.handOver, priority: 0 };
  return { learner, extension: isApache ? null : extension };
}

function refusal(to: number | null, learners: readonly KnownLearner[]): string | null {
  const lines = [1, 2, 3].map((sid) => `server.${sid}=10.0.0.${sid}:2888:3888`);
  const reading = readMembers([...lines, 'server.4=10.0.0.4:2888:3888:observer'].join('\n'));
  assert.ok(reading.ok);
  return handOverRefusal(to, { sid: 1, members: reading.members, known: learners });
}

test('what keeps a server from taking leadership is said in words', () => {
  const all = [known(2), known(3), known(4)];
  assert.equal(refusal(3, all), null);
  assert.equal(refusal(null, all), null);
  assert.equal(refusal(1, all), 'server 1 leads already');
  assert.equal(refusal(9, all), 'there is no server 9: the voters are 1, 2, 3');
  assert.equal(
    refusal(4, all),
    'server 4 is an observer, and only a voter can lead: those are 1, 2, 3',
  );
  assert.equal(refusal(3, [known(2)]), 'server 3 is not connected to this leader; 2 could take it');
  assert.equal(
    refusal(3, [known(2), known(3, 'synchronised')]),
    'server 3 is being brought up to date; 2 could take it',
  );
  assert.equal(refusal(null, [known(4)]), 'no other voter is connected and up to date');
  assert.match(
    refusal(3, [known(2, 'active', true), known(3)]) ?? '',
    /^server 2 is not Zabra, and would not understand it/,
  );
});

/** Time passes when it is waited for; `leads` says who leads at which time. */
function member(
  leads: (nowMs: number) => number | null,
  isBegun = true,
): HandingMember & { nowMs: number } {
  let hasBegun = false;
  const self = {
    nowMs: 0,
    get state(): HandingMember['state'] {
      if (!hasBegun) return 'leading';
      return leads(self.nowMs) === null ? 'looking' : 'following';
    },
    get leaderSid(): number | null {
      return hasBegun ? leads(self.nowMs) : 1;
    },
    config: { tickTimeMs: 10 },
    world: {
      clock: {
        monotonicMs: () => self.nowMs,
        wallMs: () => self.nowMs,
        soon: () => undefined,
        after: (ms: number, run: () => void) => {
          self.nowMs += ms;
          queueMicrotask(run);
          return { cancel: () => undefined };
        },
      },
    },
    handOverRefusal: (to: number | null) => (to === 9 ? 'there is no server 9' : null),
    handOver: () => {
      hasBegun = isBegun;
      return Promise.resolve(isBegun);
    },
  };
  return self;
}

test('the answer says who leads, and how long nobody did', async () => {
  const handed = await handOverNow(
    member((nowMs) => (nowMs < 7 ? null : 3)),
    3,
  );
  assert.deepEqual(handed, { ok: true, leader: 3, gapMs: 7 });
});

test('what did not happen is no success', async () => {
  assert.deepEqual(
    await handOverNow(
      member(() => 3),
      9,
    ),
    {
      ok: false,
      reason: 'there is no server 9',
    },
  );
  const late = await handOverNow(
    member(() => null),
    3,
  );
  assert.deepEqual(late, { ok: false, reason: 'leadership was given up, and nobody leads yet' });
  const still = await handOverNow(
    member(() => 3, false),
    3,
  );
  assert.equal(still.ok, false);
  const follower = member(() => 3);
  await follower.handOver(3);
  assert.deepEqual(await handOverNow(follower, 1), {
    ok: false,
    reason: 'server 3 leads: ask that one',
  });
});
