/**
 * Barriers. The plain one: nobody goes on while it stands, and everybody does when it is taken away;
 * whoever sets it takes it away again, and a process that begins takes away what the one before may
 * have left. The double one: nobody is in before so many are, nobody is out while somebody stays.
 */
import { NoNodeError } from '../../../client/errors.js';
import type { Stat, ZkClient } from '../../../client/types.js';
import { Barrier } from '../../../recipes/barrier.js';
import { DoubleBarrier } from '../../../recipes/double-barrier.js';
import { WaitTimeoutError } from '../../../recipes/errors.js';
import { acrossSessions, isGivenUp, pause } from '../../../recipes/patience.js';
import type { Life } from '../actor.js';
import type { RecipeCase } from '../case.js';
import { namesIn, type Court } from '../court.js';
import { unlessTooLate } from './locks.js';

const PATH = '/gate/barrier';

export const barrierCase: RecipeCase = {
  name: 'barrier',
  try: ({ court, sessionTimeoutMs }) => ({
    prepare: () => Promise.resolve(),
    async play(life) {
      const barrier = new Barrier(life.zk, PATH);
      await barrier.remove();
      while (!isGivenUp(life.stop)) {
        if (life.random.chance(0.4)) await setAndRemove(life, court, barrier);
        else await goThrough(life, court, barrier);
        life.round();
      }
      // whoever still has it set takes it away
      await barrier.wait();
    },
    async judge(zk) {
      if ((await look(zk)) !== null) court.fail('R6', 'a barrier was left behind');
      const barrier = new Barrier(zk, PATH);
      await barrier.set();
      await barrier.set();
      const isStopped = await barrier.wait({ timeoutMs: sessionTimeoutMs }).then(
        () => false,
        (problem: unknown) => problem instanceof WaitTimeoutError,
      );
      if (!isStopped) court.fail('R6', 'went on while the barrier stood');
      await barrier.remove();
      await barrier.remove();
      await barrier.wait();
    },
  }),
};

async function setAndRemove(life: Life, court: Court, barrier: Barrier): Promise<void> {
  const { random, zk } = life;
  await barrier.set();
  // now and then for longer than a session lives that is cut off
  await life.pause(random.chance(0.1) ? 2 * court.graceMs : random.between(1, 100));
  const before = await look(zk);
  await barrier.remove();
  const after = await look(zk);
  if (isSame(before, after)) court.fail('R6', `${life.name} did not remove what stood there`);
}

async function goThrough(life: Life, court: Court, barrier: Barrier): Promise<void> {
  const { random, zk, stop: signal } = life;
  // an old answer does as well: what still stands afterwards has stood all the time
  const before = await acrossSessions(zk, undefined, () => zk.exists(PATH));
  const timeout = random.chance(0.3) ? { timeoutMs: random.between(1, 400) } : {};
  const waiting = barrier.wait({ signal, ...timeout }).then(() => true);
  if ((await unlessTooLate(life, waiting)) === null) return;
  const after = await look(zk);
  if (isSame(before, after)) court.fail('R6', `${life.name} went on while the barrier stood`);
  await life.pause(random.between(1, 50));
}

/** One znode that was there from one look to the other. */
function isSame(before: Stat | null, after: Stat | null): boolean {
  return before !== null && before.czxid === after?.czxid;
}

/** As the ensemble has it now. */
async function look(zk: ZkClient): Promise<Stat | null> {
  await acrossSessions(zk, undefined, () => zk.sync(PATH));
  return await acrossSessions(zk, undefined, () => zk.exists(PATH));
}

const DOUBLE = '/double';

export const doubleBarrierCase: RecipeCase = {
  name: 'double-barrier',
  try: ({ court, actorCount, sessionTimeoutMs }) => {
    const size = Math.max(1, actorCount - 1);
    const crowd = new Crowd();
    return {
      prepare: () => Promise.resolve(),
      async play(life) {
        const barrier = new DoubleBarrier(life.zk, DOUBLE, { size, data: life.name });
        while (!isGivenUp(life.stop)) {
          crowd.mayBeIn(life);
          const timeoutMs = life.random.between(100, 1000);
          const entering = barrier.enter({ signal: life.stop, timeoutMs }).then(() => true);
          const isIn = (await unlessTooLate(life, entering)) === true;
          if (!life.isAlive) return;
          if (isIn && crowd.most < size) {
            court.fail('R6', `${life.name} is in, and at most ${crowd.most} were, not ${size}`);
          }
          if (isIn) crowd.stay(life, court);
          await life.pause(life.random.between(1, 20));
          if (isIn) await leave(life, court, crowd, barrier);
          if (await hasNothingIn(life)) crowd.isOut(life);
          // so that now and then nobody is there
          if (life.random.chance(0.5)) await life.pause(life.random.between(50, 600));
          life.round();
        }
      },
      async judge(zk) {
        await court.until(zk, 3 * sessionTimeoutMs, async () => {
          const members = (await namesIn(zk, DOUBLE)).filter((name) => name !== 'ready');
          return members.length === 0 ? '' : `left in the double barrier: ${members.join()}`;
        });
      },
    };
  },
};

async function leave(
  life: Life,
  court: Court,
  crowd: Crowd,
  barrier: DoubleBarrier,
): Promise<void> {
  crowd.goes(life);
  const { nowMs } = court;
  const leaving = barrier.leave({ timeoutMs: 500 }).then(() => true);
  if ((await unlessTooLate(life, leaving)) === null || !life.isAlive) return;
  const [other] = crowd.staying(court, nowMs);
  if (other !== undefined) court.fail('R6', `${life.name} left while ${other} was inside`);
}

/** What was given up goes by itself, and with the session at the latest. */
async function hasNothingIn({ zk, stop, name }: Life): Promise<boolean> {
  while (!isGivenUp(stop)) {
    await acrossSessions(zk, undefined, () => zk.sync(DOUBLE));
    const members = await namesIn(zk, DOUBLE);
    const owners = await Promise.all(members.map((member) => ownerOf(zk, `${DOUBLE}/${member}`)));
    if (!owners.includes(name)) return true;
    await pause(zk, 5);
  }
  return false;
}

async function ownerOf(zk: ZkClient, path: string): Promise<string> {
  try {
    return (await acrossSessions(zk, undefined, () => zk.getData(path))).data.toString();
  } catch (problem) {
    if (problem instanceof NoNodeError) return '';
    throw problem;
  }
}

interface Stay {
  readonly sinceMs: number;
  readonly sessionId: bigint;
}

/** Who is inside a double barrier. */
class Crowd {
  /** Who may have a member inside: from the call of `enter` until it surely has none. */
  readonly #within = new Set<Life>();
  /** Who surely has one, from the end of `enter` to the call of `leave`. */
  readonly #stays = new Map<Life, Stay>();
  /** So many may have been inside at one moment since surely nobody was. */
  most = 0;

  mayBeIn(life: Life): void {
    this.#within.add(life);
    this.most = Math.max(this.most, this.#within.size);
  }

  isOut(life: Life): void {
    this.#within.delete(life);
    if (this.#within.size === 0) this.most = 0;
  }

  stay(life: Life, { nowMs }: Court): void {
    this.#stays.set(life, { sinceMs: nowMs, sessionId: life.zk.sessionId });
  }

  goes(life: Life): void {
    this.#stays.delete(life);
  }

  /** The names of those who have been inside from then until now. */
  staying({ graceMs }: Court, fromMs: number): string[] {
    return [...this.#stays]
      .filter(([life, { sinceMs, sessionId }]) => {
        const isHere = life.isAlive && life.isPunctualSince(graceMs) && sinceMs < fromMs;
        return isHere && life.zk.state === 'connected' && life.zk.sessionId === sessionId;
      })
      .map(([{ name }]) => name);
  }
}
