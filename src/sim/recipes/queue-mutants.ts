/** Bugs put back into queues (see mutants.ts). */
import { NodeExistsError } from '../../client/errors.js';
import { delayNames, priorityNames } from '../../recipes/entry-names.js';
import { lying, replacing } from './lies.js';
import type { RecipeMutant } from './mutants.js';

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
    name: 'puts without the priority',
    recipe: 'priority-queue',
    seed: 1,
    make: () => {
      const names = { ...priorityNames };
      return replacing(priorityNames, { prefix: () => names.prefix(0) });
    },
  },
  {
    name: 'gives out what is not due yet',
    recipe: 'delay-queue',
    seed: 1,
    make: () => {
      const names = { ...delayNames };
      return replacing(delayNames, {
        parse: (name) => {
          const entry = names.parse(name);
          return entry === null ? null : { ...entry, rank: entry.rank - 100 };
        },
      });
    },
  },
];
