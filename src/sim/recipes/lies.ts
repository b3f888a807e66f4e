/**
 * How bugs are put back: by a client that lies to its recipe, by ends that nobody is told of, by a part
 * that is another for the length of a run.
 */
import type { ZkClient } from '../../client/types.js';
import { NotHeldError, type LossReason } from '../../recipes/errors.js';
import type { RecipeSabotage } from './run.js';

/** A client of which some methods are others; `own`: the paths that it has created. */
export function lying(
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

/** Holds are never told that they are lost for one of these reasons. */
export function deaf(...reasons: readonly LossReason[]): RecipeSabotage {
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

/** Parts of something (a prototype, a table of functions) are others. */
export function replacing<T extends object>(whole: T, parts: Partial<T>): RecipeSabotage {
  return {
    patch: () => {
      const before = Object.getOwnPropertyDescriptors(whole);
      Object.assign(whole, parts);
      return () => {
        for (const name of Object.keys(parts)) {
          Object.defineProperty(whole, name, before[name as keyof typeof before]);
        }
      };
    },
  };
}
