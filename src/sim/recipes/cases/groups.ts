/** Counter, group membership and set partitioner: sums, lists and shares. */
import { OutcomeUnknownError } from '../../../client/errors.js';
import { Counter } from '../../../recipes/counter.js';
import { GroupMembership } from '../../../recipes/group-membership.js';
import { SetPartitioner } from '../../../recipes/set-partitioner.js';
import { unlessStopped, type RecipeCase } from '../case.js';
import { isGivenUp } from '../../../recipes/patience.js';
import { policies } from './locks.js';

export const counterCase: RecipeCase = {
  name: 'counter',
  try: ({ random, court }) => {
    const exactlyOnce = random.chance(0.5);
    /** What was surely added, and what may have been. */
    const sum = { sure: 0n, open: 0n };
    return {
      prepare: () => Promise.resolve(),
      async play(life) {
        const counter = new Counter(life.zk, '/counter', { exactlyOnce });
        while (!isGivenUp(life.stop)) {
          const step = BigInt(life.random.between(1, 5));
          // until it is answered nobody knows, and a process that dies never will
          sum.open += step;
          const { sessionId } = life.zk;
          try {
            const { before, after } = await counter.add(step);
            if (!life.isAlive) return;
            if (after !== before + step) court.fail('R5', `${before} and ${step} are ${after}`);
            sum.open -= step;
            sum.sure += step;
          } catch (problem) {
            if (!(problem instanceof OutcomeUnknownError)) throw problem;
            if (exactlyOnce && life.isAlive && life.zk.sessionId === sessionId)
              court.fail('R5', 'the outcome is unknown, in a session that lives');
          }
          await life.pause(life.random.between(1, 30));
          life.round();
        }
      },
      async judge(zk) {
        const value = await new Counter(zk, '/counter').get();
        const isRight = value >= sum.sure && value <= sum.sure + sum.open;
        if (!isRight) court.fail('R5', `${value} is not ${sum.sure} and up to ${sum.open} more`);
      },
    };
  },
};

export const membershipCase: RecipeCase = {
  name: 'group-membership',
  try: ({ random, court, actorCount, sessionTimeoutMs }) => {
    const layout = random.pick(['curator', 'kazoo', 'kazoo-shallow'] as const);
    const path = '/group';
    return {
      prepare: () => Promise.resolve(),
      async play(life) {
        const group = new GroupMembership(life.zk, path, { id: life.name, layout });
        while (!isGivenUp(life.stop)) {
          await unlessStopped(life, group.join({ signal: life.stop }));
          await life.pause(life.random.between(5, 200));
          life.round();
          if (life.random.chance(0.3) && !isGivenUp(life.stop)) await group.leave();
        }
        await unlessStopped(life, group.join());
      },
      async judge(zk) {
        const group = new GroupMembership(zk, path, { layout });
        const wanted = Array.from({ length: actorCount }, (_, i) => `a${i + 1}`).join();
        let told = '';
        const stop = new AbortController();
        const watching = (async () => {
          for await (const members of group.changes({ signal: stop.signal })) {
            told = members
              .map(({ id }) => id)
              .sort()
              .join();
          }
        })();
        await court.until(zk, 3 * sessionTimeoutMs, () =>
          Promise.resolve(told === wanted ? '' : `members are ${told}, not ${wanted}`),
        );
        stop.abort();
        await watching;
      },
    };
  },
};

export const partitionerCase: RecipeCase = {
  name: 'set-partitioner',
  try: ({ random, court, sessionTimeoutMs }) => {
    const items = ['p', 'q', 'r', 's', 't'].slice(0, random.between(1, 5));
    const errorPolicy = random.pick(policies);
    return {
      prepare: () => Promise.resolve(),
      async play(life) {
        const partitioner = new SetPartitioner(life.zk, '/set', items, {
          identifier: life.name,
          settleMs: 50,
          reactionMs: 100,
          errorPolicy,
        });
        while (!isGivenUp(life.stop)) {
          const share = await unlessStopped(life, partitioner.acquire({ signal: life.stop }));
          if (share === null) break;
          for (const item of share.items) {
            const hold = share.hold(item);
            if (hold !== undefined) court.enter(`item ${item}`, life, hold);
          }
          const pauseMs = life.random.chance(0.2) ? court.graceMs / 2 : 10;
          for (let i = 0; i < 8 && !isGivenUp(share.signal) && !isGivenUp(life.stop); i++) {
            await life.pause(pauseMs);
            for (const item of share.items) court.look(`item ${item}`, life, 1);
          }
          await share.release();
          life.round();
        }
        await partitioner.close();
      },
      async judge(zk) {
        await court.empty(zk, '/set/party', 3 * sessionTimeoutMs);
        for (const item of items) await court.empty(zk, `/set/locks/${item}`, sessionTimeoutMs);
      },
    };
  },
};
