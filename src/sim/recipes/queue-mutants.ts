/** Bugs put back into queues and caches (see mutants.ts). */
import { NodeExistsError } from '../../client/errors.js';
import type { WatchEvent, ZkClient } from '../../client/types.js';
import type { RecipeMutant } from './mutants.js';
import type { RecipeSabotage } from './run.js';

/** A client of which some methods are others. */
function lying(lies: (zk: ZkClient) => Partial<ZkClient>): RecipeSabotage {
  return {
    wrapClient: (zk) => {
      const own = lies(zk);
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

export const queueMutants: readonly RecipeMutant[] = [
  {
    name: 'does not look at its mark when the answer was lost',
    recipe: 'queue',
    seed: 1,
    make: () =>
      lying((zk) => ({
        getData: async (path, options) => {
          const read = await zk.getData(path, options);
          return path.includes('-marks/') ? { ...read, data: Buffer.from('0') } : read;
        },
      })),
  },
  {
    name: 'claims what is claimed',
    recipe: 'locking-queue',
    seed: 1,
    make: () =>
      lying((zk) => ({
        create: async (path, data, options) => {
          try {
            return await zk.create(path, data, options);
          } catch (problem) {
            const isClaim = /\/(taken|locking-locks)\//.test(path);
            if (!(problem instanceof NodeExistsError) || !isClaim) throw problem;
            const { stat } = await zk.getData(path);
            return { path, stat: { ...stat, ephemeralOwner: zk.sessionId } };
          }
        },
        getChildren: async (path, options) => {
          const read = await zk.getChildren(path, options);
          return /taken$|locks$/.test(path) ? { ...read, children: [] } : read;
        },
      })),
  },
  {
    name: 'does not hear of every deletion',
    recipe: 'caches',
    seed: 2,
    make: () =>
      lying((zk) => ({
        watch: (path, options) => {
          const events = zk.watch(path, options);
          let deleted = 0;
          const next = async (): Promise<IteratorResult<WatchEvent, undefined>> => {
            for (;;) {
              const event = await events.next();
              if (event.done === true || event.value.type !== 'deleted') return event;
              if (++deleted % 3 !== 0) return event;
            }
          };
          return {
            next,
            [Symbol.asyncIterator]() {
              return this;
            },
          };
        },
      })),
  },
];
