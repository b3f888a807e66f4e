/**
 * Bugs put back in, to prove that the runs find them: each is a lie told to a recipe by its client, or
 * a part that does not do its work. No production code knows of them.
 */
import {
  ConnectionLossError,
  isRetryable,
  NodeExistsError,
  NoNodeError,
  OutcomeUnknownError,
  SessionExpiredError,
} from '../../client/errors.js';
import { Contender, readLine } from '../../recipes/contenders.js';
import { MultiHold } from '../../recipes/multi-lock.js';
import { acrossSessions, pause } from '../../recipes/patience.js';
import { deaf, lying, replacing } from './lies.js';
import { queueMutants } from './queue-mutants.js';
import type { RecipeSabotage } from './run.js';
import { valueMutants } from './value-mutants.js';

export interface RecipeMutant {
  readonly name: string;
  /** The only one to be run. */
  readonly recipe: string;
  /** One that kills it. */
  readonly seed: number;
  make(): RecipeSabotage;
}

/** What a listing right after `sync` shows is what the recipe would have found again: nothing. */
function forgetful(): RecipeSabotage {
  return lying((zk) => {
    let synced = '';
    return {
      sync: async (path, options) => {
        synced = path;
        return await zk.sync(path, options);
      },
      getChildren: async (path, options) => {
        const read = await zk.getChildren(path, options);
        if (path !== synced) return read;
        synced = '';
        return { ...read, children: [] };
      },
    };
  });
}

export const recipeMutants: readonly RecipeMutant[] = [
  {
    name: 'does not look for what a lost create has made',
    recipe: 'lock',
    seed: 3,
    make: forgetful,
  },
  {
    name: 'takes its turn when the first has left, and does not look who is ahead',
    recipe: 'lock',
    seed: 1,
    make: () =>
      replacing(Contender.prototype, {
        async untilTurn(this: Contender, _blocker, signal) {
          const { client, entry } = this;
          const [first] = await readLine(client, entry, signal);
          const path = `${entry.directory}/${first?.name ?? ''}`;
          while (path !== this.path) {
            if ((await acrossSessions(client, signal, () => client.exists(path))) === null) break;
            await pause(client, 5, signal);
          }
          return true;
        },
      }),
  },
  {
    name: 'does not hear of SUSPENDED and LOST',
    recipe: 'lock',
    seed: 12,
    make: () => deaf('suspended', 'session', 'deleted'),
  },
  {
    name: 'forgets a release that found no connection (CURATOR-678)',
    recipe: 'lock',
    seed: 29,
    make: () =>
      lying((zk) => ({
        delete: (path, options) =>
          zk.delete(path, options).catch((problem: unknown) => {
            const isLost = isRetryable(problem) || problem instanceof OutcomeUnknownError;
            if (!isLost && !(problem instanceof SessionExpiredError)) throw problem;
          }),
      })),
  },
  {
    name: 'does not see writers',
    recipe: 'read-write-lock',
    seed: 1,
    make: () =>
      lying((zk, own) => ({
        getChildren: async (path, options) => {
          const read = await zk.getChildren(path, options);
          const isSeen = (name: string): boolean =>
            !/__WRIT__|__lock__/.test(name) || own.has(`${path}/${name}`);
          return { ...read, children: read.children.filter(isSeen) };
        },
      })),
  },
  {
    name: 'counts one lease too few',
    recipe: 'semaphore',
    seed: 3,
    make: () =>
      lying((zk, own) => ({
        getChildren: async (path, options) => {
          const read = await zk.getChildren(path, options);
          if (!/leases$|sem$/.test(path)) return read;
          const other = read.children.findIndex((name) => !own.has(`${path}/${name}`));
          return { ...read, children: read.children.filter((_, i) => i !== other) };
        },
      })),
  },
  {
    name: 'leads on after LOST',
    recipe: 'leader-latch',
    seed: 12,
    make: () => deaf('suspended', 'session', 'deleted'),
  },
  {
    name: 'leads on after LOST',
    recipe: 'leader-election',
    seed: 12,
    make: () => deaf('suspended', 'session', 'deleted'),
  },
  {
    name: 'does not hear that its time is over',
    recipe: 'lease',
    seed: 2,
    make: () => deaf('expired'),
  },
  {
    name: 'adds again when the answer was lost',
    recipe: 'counter',
    seed: 1,
    make: () => {
      const lost = (problem: unknown): never => {
        if (problem instanceof OutcomeUnknownError) throw new ConnectionLossError();
        throw problem;
      };
      return lying((zk) => ({
        setData: (path, data, options) => zk.setData(path, data, options).catch(lost),
        transaction: () => {
          const transaction = zk.transaction();
          const commit = transaction.commit.bind(transaction);
          transaction.commit = (options) => commit(options).catch(lost);
          return transaction;
        },
        // and does not look for its marker either
        exists: () => Promise.resolve(null),
      }));
    },
  },
  {
    name: 'works on what is not locked',
    recipe: 'set-partitioner',
    seed: 31,
    make: () => deaf('suspended', 'session', 'deleted'),
  },
  {
    name: 'leaves its znode in line when it gives up',
    recipe: 'semaphore',
    seed: 1,
    make: () => {
      const leave = Object.getOwnPropertyDescriptor(Contender.prototype, 'leave')?.value as (
        this: Contender,
      ) => Promise<void>;
      let count = 0;
      return replacing(Contender.prototype, {
        leave(this: Contender): Promise<void> {
          return ++count % 5 === 0 ? Promise.resolve() : leave.call(this);
        },
      });
    },
  },
  {
    name: 'gives back only the first of its locks',
    recipe: 'multi-lock',
    seed: 1,
    make: () =>
      replacing(MultiHold.prototype, {
        async release(this: MultiHold) {
          await this.holds[0]?.release();
        },
      }),
  },
  {
    name: 'holds on when one of its locks is lost',
    recipe: 'multi-lock',
    seed: 6,
    make: () => deaf('suspended', 'session', 'deleted'),
  },
  {
    name: 'does not join again in a new session',
    recipe: 'group-membership',
    seed: 6,
    make: () =>
      lying((zk) => {
        const joined = new Map<string, bigint>();
        return {
          create: async (path, data, options) => {
            const sessionId = joined.get(path) ?? zk.sessionId;
            joined.set(path, sessionId);
            if (sessionId === zk.sessionId) return await zk.create(path, data, options);
            throw new NodeExistsError(path);
          },
        };
      }),
  },
  {
    name: 'takes the end of its session for the end of the barrier',
    recipe: 'barrier',
    seed: 6,
    make: () =>
      lying((zk) => {
        let sessionId = 0n;
        return {
          getData: async (path, options) => {
            const isNew = sessionId !== 0n && sessionId !== zk.sessionId;
            ({ sessionId } = zk);
            if (isNew) throw new NoNodeError(path);
            return await zk.getData(path, options);
          },
        };
      }),
  },
  {
    name: 'enters when one is still missing',
    recipe: 'double-barrier',
    seed: 7,
    make: () =>
      lying((zk) => ({
        getChildren: async (path, options) => {
          const read = await zk.getChildren(path, options);
          const isRead = path === '/double' && read.children.length > 0;
          return isRead ? { ...read, children: [...read.children, 'nobody'] } : read;
        },
      })),
  },
  ...queueMutants,
  ...valueMutants,
];
