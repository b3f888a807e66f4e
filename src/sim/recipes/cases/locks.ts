/** Lock, read-write lock, multi-lock and semaphore: who holds them, and in which order they write. */
import { NoNodeError } from '../../../client/errors.js';
import { Lock } from '../../../recipes/lock.js';
import { acrossSessions, isGivenUp } from '../../../recipes/patience.js';
import { MultiLock } from '../../../recipes/multi-lock.js';
import { ReadWriteLock } from '../../../recipes/read-write-lock.js';
import { Semaphore } from '../../../recipes/semaphore.js';
import { WaitTimeoutError } from '../../../recipes/errors.js';
import type { ErrorPolicy } from '../../../recipes/tenure.js';
import type { Life } from '../actor.js';
import { unlessStopped, type CaseParts, type RecipeCase } from '../case.js';
import type { Court, Held } from '../court.js';

export const policies: readonly ErrorPolicy[] = ['standard', 'standard', 'session'];
const LOG = '/log';
const LOOK_MS = 7;

/** Null: it was given up. */
export async function unlessTooLate<T>(life: Life, work: Promise<T>): Promise<T | null> {
  try {
    return await unlessStopped(life, work);
  } catch (problem) {
    if (problem instanceof WaitTimeoutError) return null;
    throw problem;
  }
}

/** In the room for a while, looking around. */
export async function stay(
  life: Life,
  court: Court,
  held: Held,
  rooms: readonly { readonly name: string; readonly limit: number }[],
): Promise<void> {
  for (const { name } of rooms) court.enter(name, life, held);
  // now and then for longer than a session lives that is cut off
  const isLong = life.random.chance(0.12);
  const looks = isLong ? life.random.between(10, 20) : life.random.between(1, 6);
  const pauseMs = isLong ? court.graceMs / 3 : LOOK_MS;
  for (let i = 0; i < looks && !isGivenUp(held.signal) && !isGivenUp(life.stop); i++) {
    await life.pause(pauseMs);
    if (isGivenUp(held.signal) || !life.isPunctualSince(court.graceMs)) continue;
    for (const { name, limit } of rooms) court.look(name, life, limit);
  }
}

function waitOptions(life: Life): { signal: AbortSignal; timeoutMs?: number } {
  const { random, stop: signal } = life;
  return random.chance(0.2) ? { signal, timeoutMs: random.between(1, 400) } : { signal };
}

async function giveBack(life: Life, release: Promise<void>): Promise<void> {
  // who does not wait for it may be in line again before it is gone
  if (life.random.chance(0.7) || isGivenUp(life.stop)) await release;
  else release.catch(() => undefined);
}

/** Takes the lock away from whoever has it. */
async function meddle({ zk }: Life, lock: Lock): Promise<void> {
  const [holder] = await acrossSessions(zk, undefined, () => lock.contenders());
  if (holder === undefined) return;
  await acrossSessions(zk, undefined, () => zk.delete(holder)).catch((problem: unknown) => {
    if (!(problem instanceof NoNodeError)) throw problem;
  });
}

const LAYOUTS = ['curator', 'kazoo', 'go'] as const;

export const lockCase: RecipeCase = {
  name: 'lock',
  try: ({ random, court, sessionTimeoutMs }: CaseParts) => {
    const errorPolicy = random.pick(policies);
    // somebody who deletes znodes is heard of no sooner than the next one hears: only `guard` helps
    const hasMeddler = random.chance(0.25);
    const rooms = hasMeddler ? [] : [{ name: 'lock', limit: 1 }];
    return {
      async prepare(zk) {
        await zk.create(LOG);
      },
      async play(life) {
        const layout = life.random.pick(LAYOUTS);
        const lock = new Lock(life.zk, '/lock', { layout, errorPolicy });
        while (!isGivenUp(life.stop)) {
          if (hasMeddler && life.random.chance(0.2)) await meddle(life, lock);
          const hold = await unlessTooLate(life, lock.acquire(waitOptions(life)));
          if (hold === null) continue;
          await court.write(LOG, hold);
          // who writes all the time writes also when it has just been taken away
          for (let i = 0; i < 20 && hasMeddler; i++) await court.write(LOG, hold);
          await stay(life, court, hold, rooms);
          await court.write(LOG, hold);
          await giveBack(life, hold.release());
          life.round();
        }
      },
      async judge(zk) {
        await court.empty(zk, '/lock', 3 * sessionTimeoutMs);
        await court.readLog(zk, LOG);
      },
    };
  },
};

export const readWriteCase: RecipeCase = {
  name: 'read-write-lock',
  try: ({ random, court, sessionTimeoutMs }) => {
    const errorPolicy = random.pick(policies);
    const layout = random.pick(['curator', 'kazoo'] as const);
    return {
      async prepare(zk) {
        await zk.create(LOG);
      },
      async play(life) {
        const lock = new ReadWriteLock(life.zk, '/rw', { layout, errorPolicy });
        while (!isGivenUp(life.stop)) {
          const isReading = life.random.chance(0.6);
          const side = isReading ? lock.read : lock.write;
          const owner = life.random.chance(0.3) ? Symbol('owner') : undefined;
          const hold = await unlessTooLate(life, side.acquire({ ...waitOptions(life), owner }));
          if (hold === null) continue;
          // a writer is alone among writers, and among readers
          const rooms = isReading
            ? [{ name: 'readers', limit: Infinity }]
            : [{ name: 'writers', limit: 1 }];
          if (!isReading) await court.write(LOG, hold);
          await stay(life, court, hold, rooms);
          const readers = court.inside('readers').length;
          const writers = court.inside('writers').length;
          if (readers > 0 && writers > 0)
            court.fail('R2', `${readers} readers are in with ${writers} writers`);
          if (!isReading && owner !== undefined && life.random.chance(0.5)) {
            const read = await lock.read.acquire({ owner, signal: hold.signal }).catch(() => null);
            await giveBack(life, hold.release());
            if (read !== null) {
              await stay(life, court, read, [{ name: 'readers', limit: Infinity }]);
              await giveBack(life, read.release());
            }
          } else await giveBack(life, hold.release());
          life.round();
        }
      },
      async judge(zk) {
        await court.empty(zk, '/rw', 3 * sessionTimeoutMs);
        await court.readLog(zk, LOG);
      },
    };
  },
};

export const semaphoreCase: RecipeCase = {
  name: 'semaphore',
  try: ({ random, court, sessionTimeoutMs }) => {
    const errorPolicy = random.pick(policies);
    const layout = random.pick(['curator', 'kazoo'] as const);
    const maxLeases = random.between(1, 3);
    return {
      prepare: () => Promise.resolve(),
      async play(life) {
        const semaphore = new Semaphore(life.zk, '/sem', { layout, errorPolicy, maxLeases });
        while (!isGivenUp(life.stop)) {
          const hold = await unlessTooLate(life, semaphore.acquire(waitOptions(life)));
          if (hold === null) continue;
          await stay(life, court, hold, [{ name: 'leases', limit: maxLeases }]);
          await giveBack(life, hold.release());
          life.round();
        }
      },
      async judge(zk) {
        const isKazoo = layout === 'kazoo';
        await court.empty(zk, isKazoo ? '/sem' : '/sem/leases', 3 * sessionTimeoutMs);
        await court.empty(zk, isKazoo ? '/sem-__lock__' : '/sem/locks', 3 * sessionTimeoutMs);
      },
    };
  },
};

export const multiLockCase: RecipeCase = {
  name: 'multi-lock',
  try: ({ random, court, sessionTimeoutMs }) => {
    const errorPolicy = random.pick(policies);
    const paths = ['/multi/a', '/multi/b', '/multi/c'];
    return {
      async prepare(zk) {
        for (const path of paths) await zk.create(`/log${path}`, '', { makePath: true });
      },
      async play(life) {
        while (!isGivenUp(life.stop)) {
          const wanted = paths.filter(() => life.random.chance(0.6));
          if (wanted.length === 0) continue;
          const lock = new MultiLock(life.zk, wanted.reverse(), { errorPolicy });
          const hold = await unlessTooLate(life, lock.acquire(waitOptions(life)));
          if (hold === null) continue;
          const rooms = wanted.map((name) => ({ name, limit: 1 }));
          await stay(life, court, hold, rooms);
          for (const [i, path] of lock.paths.entries()) {
            const { fencingToken, signal } = hold.holds[i] ?? hold;
            const guard: Held['guard'] = (fill) => hold.guard(fill);
            await court.write(`/log${path}`, { fencingToken, signal, guard });
          }
          await giveBack(life, hold.release());
          life.round();
        }
      },
      async judge(zk) {
        for (const path of paths) {
          await court.empty(zk, path, 3 * sessionTimeoutMs);
          await court.readLog(zk, `/log${path}`);
        }
      },
    };
  },
};
