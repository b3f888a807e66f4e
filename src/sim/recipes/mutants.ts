/**
 * Bugs put back in, to prove that the runs find them: each is a lie told to a recipe by its client, or
 * a part that does not do its work. No production code knows of them.
 */
import {
  ConnectionLossError,
  isRetryable,
  OutcomeUnknownError,
  SessionExpiredError,
} from '../../client/errors.js';
import type { ZkClient } from '../../client/types.js';
import { Contender, readLine } from '../../recipes/contenders.js';
import { NotHeldError, type LossReason } from '../../recipes/errors.js';
import { acrossSessions, pause } from '../../recipes/patience.js';
import { queueMutants } from './queue-mutants.js';
import type { RecipeSabotage } from './run.js';

export interface RecipeMutant {
  readonly name: string;
  /** The only one to be run. */
  readonly recipe: string;
  /** One that kills it. */
  readonly seed: number;
  make(): RecipeSabotage;
}

/** A client of which some methods are others. */
function lying(
  lies: (zk: ZkClient, own: ReadonlySet<string>) => Partial<ZkClient>,
): RecipeSabotage {
  return {
    wrapClient: (zk) => {
      const created = new Set<string>();
      const create: ZkClient['create'] = async (path, data, options) => {
        const made = await zk.create(path, data, options);
        created.add(made.path);
        return made;
      };
      const own: Partial<ZkClient> = { create, ...lies(zk, created) };
      return new Proxy(zk, {
        get(target, name) {
          const value: unknown = Reflect.get(name in own ? own : target, name, target);
          return typeof value === 'function' && !(name in own)
            ? (value as (...args: unknown[]) => unknown).bind(target)
            : value;
        },
      });
    },
  };
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

/** Holds are never told that they are lost for one of these reasons. */
function deaf(...reasons: readonly LossReason[]): RecipeSabotage {
  return {
    patch: () => {
      const { prototype } = AbortController;
      const abort = Object.getOwnPropertyDescriptor(prototype, 'abort')?.value as (
        this: AbortController,
        reason?: unknown,
      ) => void;
      prototype.abort = function (this: AbortController, reason?: unknown): void {
        const isUnheard = reason instanceof NotHeldError && reasons.includes(reason.reason);
        if (!isUnheard) abort.call(this, reason);
      };
      return () => {
        prototype.abort = abort;
      };
    },
  };
}

/** A part of every contender is another. */
function contending(part: Partial<Pick<Contender, 'untilTurn' | 'leave'>>): RecipeSabotage {
  return {
    patch: () => {
      const { prototype } = Contender;
      const before = Object.getOwnPropertyDescriptors(prototype);
      Object.assign(prototype, part);
      return () => {
        for (const name of Object.keys(part)) {
          const descriptor = before[name as keyof typeof before];
          if (descriptor !== undefined) Object.defineProperty(prototype, name, descriptor);
        }
      };
    },
  };
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
      contending({
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
      return contending({
        leave(this: Contender): Promise<void> {
          return ++count % 5 === 0 ? Promise.resolve() : leave.call(this);
        },
      });
    },
  },
  ...queueMutants,
];
