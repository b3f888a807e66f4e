/** Bugs put back into values, znodes that stay, configuration and discovery (see mutants.ts). */
import { ConnectionLossError, OutcomeUnknownError } from '../../client/errors.js';
import type { Stat, WatchEvent, WatchEventType } from '../../client/types.js';
import { lying } from './lies.js';
import type { RecipeMutant } from './mutants.js';
import type { RecipeSabotage } from './run.js';

/** A lost answer is taken for a request that was not sent. */
function repeating(): RecipeSabotage {
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
  }));
}

/** One event in three of this type is not told. */
function missing(type: WatchEventType): RecipeSabotage {
  return lying((zk) => ({
    watch: (path, options) => {
      const events = zk.watch(path, options);
      let count = 0;
      const next = async (): Promise<IteratorResult<WatchEvent, undefined>> => {
        for (;;) {
          const event = await events.next();
          if (event.done === true || event.value.type !== type) return event;
          if (++count % 3 !== 0) return event;
        }
      };
      return {
        next,
        [Symbol.asyncIterator]() {
          return this;
        },
      };
    },
  }));
}

export const valueMutants: readonly RecipeMutant[] = [
  {
    name: 'changes again when the answer was lost',
    recipe: 'shared-value',
    seed: 1,
    make: repeating,
  },
  {
    name: 'does not hear of every deletion',
    recipe: 'caches',
    seed: 2,
    make: () => missing('deleted'),
  },
  {
    name: 'does not hear that it was deleted',
    recipe: 'persistent-node',
    seed: 1,
    make: () =>
      lying((zk) => ({
        getData: (path, { watch, ...options } = {}) =>
          zk.getData(path, {
            ...options,
            ...(watch === undefined
              ? {}
              : {
                  watch: (event) => {
                    if (event.type !== 'deleted') watch(event);
                  },
                }),
          }),
      })),
  },
  {
    name: 'touches only in the beginning',
    recipe: 'ttl-node',
    seed: 1,
    make: () =>
      lying((zk) => ({
        setData: async (path, data, options): Promise<Stat> =>
          path.endsWith('/touch')
            ? ((await zk.exists(path)) ?? (await zk.setData(path, data, options)))
            : await zk.setData(path, data, options),
      })),
  },
  {
    name: 'publishes again when the answer was lost',
    recipe: 'config-store',
    seed: 1,
    make: repeating,
  },
  {
    name: 'does not hear of every change',
    recipe: 'discovery',
    seed: 1,
    make: () => missing('changed'),
  },
  {
    name: 'does not register again in a new session',
    recipe: 'discovery',
    seed: 6,
    make: () =>
      lying((zk) => {
        let sessionId = 0n;
        return {
          transaction: () => {
            if (sessionId === 0n) ({ sessionId } = zk);
            const transaction = zk.transaction();
            const isFirst = sessionId === zk.sessionId;
            if (!isFirst) transaction.commit = () => Promise.resolve([]);
            return transaction;
          },
        };
      }),
  },
];
