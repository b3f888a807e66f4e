/**
 * Queues: what was surely put is taken, once, in its order; what a process had in its hands when it
 * died, or when its session ended in the wrong moment, is what the promise leaves open, and no more.
 */
import { NodeExistsError, OutcomeUnknownError, type ZkError } from '../../../client/errors.js';
import { TransactionError } from '../../../client/transaction.js';
import type { ZkClient } from '../../../client/types.js';
import type { Delivery, QueueItem } from '../../../recipes/entry-queue.js';
import { NotHeldError } from '../../../recipes/errors.js';
import { LockingQueue } from '../../../recipes/locking-queue.js';
import { acrossSessions, isGivenUp } from '../../../recipes/patience.js';
import { PriorityQueue } from '../../../recipes/priority-queue.js';
import type { QueueClaim } from '../../../recipes/queue-claim.js';
import { Queue } from '../../../recipes/queue.js';
import type { WaitOptions } from '../../../recipes/patience.js';
import type { Life } from '../actor.js';
import type { RecipeCase } from '../case.js';
import { namesIn, type Court } from '../court.js';
import { policies, unlessTooLate } from './locks.js';

/** What all of them have in common here. */
export interface AnyQueue {
  put(data: string): Promise<void>;
  take(options: WaitOptions): Promise<QueueItem>;
  tryTake(): Promise<QueueItem | null>;
}

/** Who has put what, and who has got it. */
export class Ledger {
  readonly #court: Court;
  readonly sure = new Set<string>();
  readonly open = new Set<string>();
  readonly taken = new Set<string>();
  /** By taker and producer: the last of this producer that this taker has got. */
  readonly #last = new Map<string, number>();
  #count = 0;
  /** As many items as that may be lost, or come twice. */
  excuses = 0;

  constructor(court: Court) {
    this.#court = court;
  }

  /** A process begins: what the one before had in its hands is gone. */
  begin({ zk }: Life): string {
    this.excuses++;
    zk.on('session', ({ isNew }) => {
      if (isNew) this.excuses++;
    });
    return `p${++this.#count}`;
  }

  onTaken(taker: string, item: string, mayComeTwice: boolean): void {
    if (!this.sure.has(item) && !this.open.has(item)) {
      this.#court.fail('R7', `${item} was taken and never put`);
    }
    if (this.taken.has(item)) {
      if (!mayComeTwice || --this.excuses < 0) this.#court.fail('R7', `${item} was taken twice`);
      return;
    }
    this.taken.add(item);
    const end = item.lastIndexOf('-');
    const key = `${taker} ${item.slice(0, end)}`;
    const number = Number(item.slice(end + 1));
    const last = this.#last.get(key) ?? -1;
    if (number < last) this.#court.fail('R7', `${taker} got ${item} after ${last}`);
    this.#last.set(key, number);
  }

  judge(): void {
    const lost = [...this.sure].filter((item) => !this.taken.has(item));
    if (lost.length > this.excuses) {
      this.#court.fail('R7', `lost: ${lost.join()}; open ends: ${this.excuses}`);
    }
  }
}

/** What was taken for nobody is in the hands of this object: it comes next. */
export async function takeLast(
  life: Life,
  queue: Pick<AnyQueue, 'tryTake'>,
  ledger: Ledger,
  taker: string,
  mayComeTwice: boolean,
): Promise<void> {
  const last = await queue.tryTake();
  if (life.isAlive && last !== null) ledger.onTaken(taker, last.data.toString(), mayComeTwice);
}

/** Puts one; what became of it is noted. */
export async function put(
  life: Life,
  item: string,
  ledger: Pick<Ledger, 'sure' | 'open'>,
  queue: { put(data: string): Promise<void> },
): Promise<void> {
  // until it is answered nobody knows, and a process that dies never will
  ledger.open.add(item);
  try {
    await queue.put(item);
    if (life.isAlive) ledger.sure.add(item);
  } catch (problem) {
    if (!(problem instanceof OutcomeUnknownError)) throw problem;
  }
}

export const queueCase: RecipeCase = {
  name: 'queue',
  try: ({ random, court }) => {
    const kind = random.pick(['curator', 'curator-framed', 'kazoo', 'priority'] as const);
    const delivery: Delivery = random.pick(['at-most-once', 'at-least-once'] as const);
    const ledger = new Ledger(court);
    const open = (zk: ZkClient): AnyQueue => {
      if (kind !== 'priority') return new Queue(zk, '/queue', { layout: kind, delivery });
      const queue = new PriorityQueue(zk, '/queue', { delivery });
      return {
        put: (data) => queue.put(data, 0),
        take: (options) => queue.take(options),
        tryTake: () => queue.tryTake(),
      };
    };
    const mayComeTwice = delivery === 'at-least-once';
    return {
      prepare: () => Promise.resolve(),
      async play(life) {
        const name = ledger.begin(life);
        const queue = open(life.zk);
        let count = 0;
        while (!life.stop.aborted) {
          for (let i = life.random.between(0, 3); i > 0; i--) {
            await put(life, `${name}-${count++}`, ledger, queue);
            if (!life.isAlive) return;
          }
          const timeoutMs = life.random.between(1, 300);
          const item = await unlessTooLate(life, queue.take({ signal: life.stop, timeoutMs }));
          if (!life.isAlive) return;
          if (item !== null) ledger.onTaken(name, item.data.toString(), mayComeTwice);
          await life.pause(life.random.between(5, 80));
          life.round();
        }
        await takeLast(life, queue, ledger, name, mayComeTwice);
      },
      async judge(zk) {
        const queue = open(zk);
        for (;;) {
          const item = await queue.tryTake();
          if (item === null) break;
          ledger.onTaken('judge', item.data.toString(), mayComeTwice);
        }
        ledger.judge();
      },
    };
  },
};

const DONE = '/done';

/** Done with, in the same transaction as its mark: a second time would find the mark. */
async function finish(court: Court, claim: QueueClaim): Promise<void> {
  try {
    await claim.acknowledge((transaction) => {
      transaction.create(`${DONE}/${claim.data.toString()}`);
    });
  } catch (problem) {
    const cause: ZkError | null =
      problem instanceof TransactionError ? (problem.results[problem.index] ?? null) : null;
    if (cause instanceof NodeExistsError) {
      court.fail('R7', `${claim.data.toString()} was done with twice`);
      return;
    }
    // it comes again
    const isLost = problem instanceof NotHeldError || problem instanceof OutcomeUnknownError;
    if (!isLost) throw problem;
  }
}

export const lockingQueueCase: RecipeCase = {
  name: 'locking-queue',
  try: ({ random, court, sessionTimeoutMs }) => {
    const layout = random.pick(['kazoo', 'curator'] as const);
    const errorPolicy = random.pick(policies);
    const ledger = { sure: new Set<string>(), open: new Set<string>() };
    let lives = 0;
    return {
      async prepare(zk) {
        await zk.create(DONE);
      },
      async play(life) {
        const name = `p${++lives}`;
        const queue = new LockingQueue(life.zk, '/locking', { layout, errorPolicy });
        let count = 0;
        while (!life.stop.aborted) {
          if (life.random.chance(0.7)) {
            await put(life, `${name}-${count++}`, ledger, queue);
            if (!life.isAlive) return;
          }
          const timeoutMs = life.random.between(1, 400);
          const claim = await unlessTooLate(life, queue.take({ signal: life.stop, timeoutMs }));
          if (!life.isAlive) return;
          if (claim !== null) await work(life, claim);
          await life.pause(life.random.between(1, 60));
          life.round();
        }
      },
      async judge(zk) {
        // claims of the dead have to end first
        await court.until(zk, 3 * sessionTimeoutMs, async () => {
          const taken = await namesIn(zk, layout === 'kazoo' ? '/locking/taken' : '/locking-locks');
          return taken.length === 0 ? '' : `claimed still: ${taken.join()}`;
        });
        const queue = new LockingQueue(zk, '/locking', { layout });
        for (;;) {
          const claim = await queue.tryTake();
          if (claim === null) break;
          await finish(court, claim);
        }
        const done = new Set(await namesIn(zk, DONE));
        const lost = [...ledger.sure].filter((item) => !done.has(item));
        if (lost.length > 0) court.fail('R7', `lost: ${lost.join()}`);
        const foreign = [...done].filter((item) => !ledger.open.has(item));
        if (foreign.length > 0) court.fail('R7', `never put: ${foreign.join()}`);
        const left = await acrossSessions(zk, undefined, () => queue.size());
        if (left > 0) court.fail('R7', `${left} cannot be claimed`);
      },
    };

    async function work(life: Life, claim: QueueClaim): Promise<void> {
      const room = `item ${claim.name}`;
      const held = {
        fencingToken: claim.fencingToken,
        signal: claim.signal,
        guard: () => Promise.resolve(),
      };
      court.enter(room, life, held);
      for (let i = life.random.between(0, 4); i > 0 && !isGivenUp(claim.signal); i--) {
        await life.pause(life.random.between(5, 40));
        if (!isGivenUp(claim.signal) && life.isPunctualSince(court.graceMs))
          court.look(room, life, 1);
      }
      if (life.random.chance(0.8)) await finish(court, claim);
      else await claim.release();
    }
  },
};
