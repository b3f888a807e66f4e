/** Leader latch, leader election and lease: who leads, and what was written by whom. */
import { LeaderElection } from '../../../recipes/leader-election.js';
import { LeaderLatch } from '../../../recipes/leader-latch.js';
import { Lease } from '../../../recipes/lease.js';
import type { RecipeCase } from '../case.js';
import { unlessStopped } from '../case.js';
import { isGivenUp } from '../../../recipes/patience.js';
import { policies, stay, unlessTooLate } from './locks.js';

const LOG = '/log';

export const latchCase: RecipeCase = {
  name: 'leader-latch',
  try: ({ random, court, sessionTimeoutMs }) => {
    const errorPolicy = random.pick(policies);
    return {
      async prepare(zk) {
        await zk.create(LOG);
      },
      async play(life) {
        while (!isGivenUp(life.stop)) {
          const latch = new LeaderLatch(life.zk, '/latch', { id: life.name, errorPolicy });
          latch.on('error', (problem) => court.fail('R1', String(problem)));
          latch.start();
          // now and then it gives up in line, and otherwise leads once or twice
          for (let i = life.random.below(3); i >= 0; i--) {
            const { stop: signal } = life;
            const hold = life.random.chance(0.1)
              ? await unlessTooLate(life, latch.untilLeader({ signal, timeoutMs: 50 }))
              : await unlessStopped(life, latch.untilLeader({ signal }));
            if (hold === null) break;
            await court.write(LOG, hold);
            await stay(life, court, hold, [{ name: 'leader', limit: 1 }]);
            await court.write(LOG, hold);
            life.round();
          }
          await latch.close();
        }
      },
      async judge(zk) {
        await court.empty(zk, '/latch', 3 * sessionTimeoutMs);
        await court.readLog(zk, LOG);
      },
    };
  },
};

export const electionCase: RecipeCase = {
  name: 'leader-election',
  try: ({ random, court, sessionTimeoutMs }) => {
    const errorPolicy = random.pick(policies);
    const layout = random.pick(['curator', 'kazoo', 'go'] as const);
    return {
      async prepare(zk) {
        await zk.create(LOG);
      },
      async play(life) {
        const options = { id: life.name, layout, errorPolicy };
        const election = new LeaderElection(life.zk, '/election', options);
        await election.run(
          async (hold) => {
            await court.write(LOG, hold);
            await stay(life, court, hold, [{ name: 'leader', limit: 1 }]);
            await court.write(LOG, hold);
            life.round();
          },
          { signal: life.stop },
        );
      },
      async judge(zk) {
        await court.empty(zk, '/election', 3 * sessionTimeoutMs);
        await court.readLog(zk, LOG);
      },
    };
  },
};

export const leaseCase: RecipeCase = {
  name: 'lease',
  try: ({ random, court, clockJumpMs }) => {
    const durationMs = random.pick([1000, 1500, 3000]);
    return {
      async prepare(zk) {
        await zk.create(LOG);
      },
      async play(life) {
        const options = { durationMs, holder: life.name, clockSkewMs: 2 * clockJumpMs };
        const lease = new Lease(life.zk, '/lease', options);
        while (!isGivenUp(life.stop)) {
          const term = await unlessStopped(life, lease.obtain({ signal: life.stop }));
          if (term === null) {
            await life.pause(life.random.between(20, 300));
            // to be refused is an answer too
            life.round();
            continue;
          }
          await court.write(LOG, term);
          await stay(life, court, term, [{ name: 'lease', limit: 1 }]);
          await court.write(LOG, term);
          if (life.random.chance(0.5) || isGivenUp(life.stop)) await term.release();
          else await life.pause(life.random.between(20, 300));
          life.round();
        }
      },
      async judge(zk) {
        await court.readLog(zk, LOG);
      },
    };
  },
};
