/**
 * Queues with an order of their own, on top of what every queue keeps (queues.ts): nothing before its
 * time, and, when nobody puts any more, everything by its rank, of the same rank as it was put.
 */
import type { SeededRandom } from '../../../base/random.js';
import type { ZkClient } from '../../../client/types.js';
import { DelayQueue } from '../../../recipes/delay-queue.js';
import type { Delivery } from '../../../recipes/entry-queue.js';
import { isGivenUp, pause } from '../../../recipes/patience.js';
import { PriorityQueue } from '../../../recipes/priority-queue.js';
import type { CaseParts, RecipeCase, RecipeTrial } from '../case.js';
import { unlessTooLate } from './locks.js';
import { Ledger, put, takeLast, type AnyQueue } from './queues.js';

interface RankedQueue extends Pick<AnyQueue, 'take' | 'tryTake'> {
  put(data: string, rank: number): Promise<void>;
}

/** What a kind of them does in its own way. */
interface Ranking {
  open(zk: ZkClient, delivery: Delivery): RankedQueue;
  draw(random: SeededRandom, wallMs: number): number;
  /** As far beside the truth as clocks may be. */
  isTooEarly(rank: number, wallMs: number): boolean;
  /** By the time this resolves everything may be taken. */
  ripen(zk: ZkClient): Promise<void>;
}

const PATH = '/ranked';
const DELAY_MAX_MS = 250;

export const priorityQueueCase: RecipeCase = {
  name: 'priority-queue',
  try: (parts) =>
    rankedTrial(parts, {
      open: (zk, delivery) => new PriorityQueue(zk, PATH, { delivery }),
      draw: (random) => random.between(-2, 2),
      isTooEarly: () => false,
      ripen: () => Promise.resolve(),
    }),
};

export const delayQueueCase: RecipeCase = {
  name: 'delay-queue',
  try: (parts) => {
    const doubtMs = 2 * parts.clockJumpMs;
    const open = (zk: ZkClient, delivery: Delivery): RankedQueue => {
      const queue = new DelayQueue(zk, PATH, { delivery });
      return {
        put: (data, atMs) => queue.put(data, { atMs }),
        take: (options) => queue.take(options),
        tryTake: () => queue.tryTake(),
      };
    };
    const trial = rankedTrial(parts, {
      open,
      draw: (random, wallMs) => wallMs + random.between(-10, DELAY_MAX_MS),
      isTooEarly: (dueMs, wallMs) => dueMs > wallMs + doubtMs,
      ripen: (zk) => pause(zk, DELAY_MAX_MS + doubtMs),
    });
    return {
      ...trial,
      async judge(zk) {
        await trial.judge(zk);
        const queue = open(zk, 'at-most-once');
        const dueMs = zk.world.clock.wallMs() + DELAY_MAX_MS;
        await queue.put('the last', dueMs);
        await queue.take({});
        const lateMs = zk.world.clock.wallMs() - dueMs;
        const isInTime = lateMs >= 0 && lateMs <= parts.sessionTimeoutMs;
        if (!isInTime) parts.court.fail('R7', `taken ${lateMs} ms after it was due`);
      },
    };
  },
};

function rankedTrial({ random, court }: CaseParts, ranking: Ranking): RecipeTrial {
  const delivery: Delivery = random.pick(['at-most-once', 'at-least-once'] as const);
  const mayComeTwice = delivery === 'at-least-once';
  const ledger = new Ledger(court);
  return {
    prepare: () => Promise.resolve(),
    async play(life) {
      const name = ledger.begin(life);
      const { clock } = life.zk.world;
      const queue = ranking.open(life.zk, delivery);
      let count = 0;
      while (!isGivenUp(life.stop)) {
        for (let i = life.random.between(0, 3); i > 0; i--) {
          const rank = ranking.draw(life.random, clock.wallMs());
          // of the same rank and the same process it comes as it was put
          const item = `${name}/${rank}-${count++}`;
          await put(life, item, ledger, { put: (data) => queue.put(data, rank) });
          if (!life.isAlive) return;
        }
        const timeoutMs = life.random.between(1, 300);
        const item = await unlessTooLate(life, queue.take({ signal: life.stop, timeoutMs }));
        if (!life.isAlive) return;
        if (item !== null) {
          const text = item.data.toString();
          if (ranking.isTooEarly(rankOf(text), clock.wallMs())) {
            court.fail('R7', `${text} was taken at ${clock.wallMs()}`);
          }
          ledger.onTaken(name, text, mayComeTwice);
        }
        await life.pause(life.random.between(5, 80));
        life.round();
      }
      await takeLast(life, queue, ledger, name, mayComeTwice);
    },
    async judge(zk) {
      await ranking.ripen(zk);
      const queue = ranking.open(zk, delivery);
      let last = -Infinity;
      for (;;) {
        const item = await queue.tryTake();
        if (item === null) break;
        const text = item.data.toString();
        if (rankOf(text) < last) court.fail('R7', `${text} came after one of rank ${last}`);
        last = rankOf(text);
        ledger.onTaken('judge', text, mayComeTwice);
      }
      ledger.judge();
    },
  };
}

function rankOf(item: string): number {
  return Number(/\/(-?\d+)-\d+$/.exec(item)?.[1]);
}
