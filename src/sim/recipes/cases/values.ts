/**
 * Shared value, caches, nodes that stay, configuration: sums are right, caches never go back and come to
 * what is there, nodes are there again in bounded time, versions are whole and in order.
 */
import { OutcomeUnknownError } from '../../../client/errors.js';
import type { ZkClient } from '../../../client/types.js';
import type { ConfigSchema } from '../../../recipes/config-version.js';
import { ConfigStore } from '../../../recipes/config-store.js';
import { NodeCache, type CachedNode } from '../../../recipes/node-cache.js';
import { acrossSessions } from '../../../recipes/patience.js';
import { PersistentNode } from '../../../recipes/persistent-node.js';
import { SharedValue } from '../../../recipes/shared-value.js';
import { TreeCache } from '../../../recipes/tree-cache.js';
import { unlessStopped, type RecipeCase } from '../case.js';
import { namesIn, type Court } from '../court.js';

export const sharedValueCase: RecipeCase = {
  name: 'shared-value',
  try: ({ random, court }) => {
    const exactlyOnce = random.chance(0.5);
    const sum = { sure: 0, open: 0 };
    return {
      prepare: () => Promise.resolve(),
      async play(life) {
        const value = new SharedValue(life.zk, '/value', { initial: '0', exactlyOnce });
        let seen = -1;
        value.on('change', ({ value: now }) => {
          if (Number(now.toString()) < seen) court.fail('R8', `${now.toString()} after ${seen}`);
          seen = Number(now.toString());
        });
        await unlessStopped(life, value.start({ signal: life.stop }));
        while (!life.stop.aborted) {
          sum.open++;
          try {
            await value.update((now) => String(Number(now.toString()) + 1));
            if (!life.isAlive) return;
            sum.open--;
            sum.sure++;
          } catch (problem) {
            if (!(problem instanceof OutcomeUnknownError)) throw problem;
          }
          await life.pause(life.random.between(1, 30));
          life.round();
        }
      },
      async judge(zk) {
        const { value } = await new SharedValue(zk, '/value', { initial: '0' }).get();
        const number = Number(value.toString());
        const isRight = number >= sum.sure && number <= sum.sure + sum.open;
        if (!isRight) court.fail('R8', `${number} is not ${sum.sure} and up to ${sum.open} more`);
      },
    };
  },
};

const ROOT = '/tree';
const PLACES = ['a', 'b', 'a/x', 'a/y', 'b/x', 'a/x/p'];

/** Writes, or does not; what is in the way is in the way. */
export async function change(
  zk: ZkClient,
  kind: number,
  path: string,
  data: string,
): Promise<void> {
  try {
    if (kind === 0) await zk.delete(path);
    else if (kind === 1) await zk.setData(path, data);
    else await zk.create(path, data);
  } catch (problem) {
    const code = (problem as { codeName?: string }).codeName ?? '';
    const isFine = /NONODE|NODEEXISTS|NOTEMPTY|CONNECTIONLOSS|SESSIONEXPIRED/.test(code);
    if (!isFine) throw problem;
  }
}

/** No znode is followed by an older one of its name. */
function onlyForward(court: Court, name: string): (node: CachedNode | null) => void {
  const seen = new Map<string, bigint>();
  return (node) => {
    if (node === null) return;
    const { path, stat } = node;
    const last = seen.get(path) ?? 0n;
    if (stat.mzxid < last) court.fail('R8', `${name}: ${path} goes back to ${stat.mzxid}`);
    seen.set(path, stat.mzxid);
  };
}

export const cacheCase: RecipeCase = {
  name: 'caches',
  try: ({ random, court, sessionTimeoutMs }) => {
    const withData = random.chance(0.7);
    const trees = new Map<string, TreeCache>();
    const nodes = new Map<string, NodeCache>();
    return {
      async prepare(zk) {
        await zk.create(ROOT);
      },
      async play(life) {
        const cache = new TreeCache(life.zk, ROOT, { data: withData });
        const node = new NodeCache(life.zk, `${ROOT}/a`);
        trees.set(life.name, cache);
        nodes.set(life.name, node);
        const forward = onlyForward(court, `${life.name}'s tree`);
        cache.on('added', (added) => {
          const above = added.path.slice(0, added.path.lastIndexOf('/'));
          if (added.path !== ROOT && cache.get(above) === undefined) {
            court.fail('R8', `${life.name}: ${added.path} without its parent`);
          }
          forward(added);
        });
        cache.on('changed', forward);
        node.on('change', onlyForward(court, `${life.name}'s node`));
        await unlessStopped(life, cache.start({ signal: life.stop }));
        await unlessStopped(life, node.start({ signal: life.stop }));
        while (!life.stop.aborted) {
          for (let i = life.random.between(1, 5); i > 0; i--) {
            const path = `${ROOT}/${life.random.pick(PLACES)}`;
            await change(life.zk, life.random.between(0, 3), path, String(life.random.uint32()));
          }
          await life.pause(life.random.between(1, 60));
          life.round();
        }
      },
      async judge(zk) {
        const there = await contentOf(zk, ROOT, withData);
        // a listing that failed is begun again after a while
        const withinMs = 6 * sessionTimeoutMs + 20_000;
        for (const [name, cache] of trees) {
          await court.until(zk, withinMs, () => {
            const own = new Map([...cache].map(({ path, data }) => [path, data.toString()]));
            return Promise.resolve(difference(own, there, `${name}'s tree`));
          });
        }
        const data = there.get(`${ROOT}/a`);
        for (const [name, { path }] of nodes) {
          await court.until(zk, withinMs, () => {
            const current = nodes.get(name)?.current?.data.toString();
            const isSame = withData
              ? current === data
              : (current === undefined) === (data === undefined);
            return Promise.resolve(isSame ? '' : `${name}'s ${path} is ${current}, not ${data}`);
          });
        }
      },
    };
  },
};

async function contentOf(
  zk: ZkClient,
  path: string,
  withData: boolean,
): Promise<Map<string, string>> {
  const there = new Map<string, string>();
  const { data } = await acrossSessions(zk, undefined, () => zk.getData(path));
  there.set(path, withData ? data.toString() : '');
  for (const name of await namesIn(zk, path)) {
    for (const [below, text] of await contentOf(zk, `${path}/${name}`, withData)) {
      there.set(below, text);
    }
  }
  return there;
}

function difference(
  own: ReadonlyMap<string, string>,
  there: ReadonlyMap<string, string>,
  name: string,
): string {
  for (const [path, data] of there) {
    if (own.get(path) !== data) return `${name}: ${path} is ${own.get(path)}, not ${data}`;
  }
  for (const path of own.keys()) {
    if (!there.has(path)) return `${name}: ${path} is not there`;
  }
  return '';
}

export const persistentNodeCase: RecipeCase = {
  name: 'persistent-node',
  try: ({ random, court, actorCount, sessionTimeoutMs }) => {
    const mode = random.pick(['ephemeral', 'persistent', 'ephemeral-sequential'] as const);
    const isNumbered = mode === 'ephemeral-sequential';
    return {
      prepare: () => Promise.resolve(),
      async play(life) {
        const node = new PersistentNode(life.zk, `/stay/${life.name}`, { mode, data: life.name });
        await unlessStopped(life, node.start({ signal: life.stop }));
        while (!life.stop.aborted) {
          await life.pause(life.random.between(5, 100));
          const names = await unlessStopped(life, namesIn(life.zk, '/stay'));
          if (names !== null && names.length > 0 && life.random.chance(0.3)) {
            await change(life.zk, 0, `/stay/${life.random.pick(names)}`, '');
          }
          life.round();
        }
      },
      async judge(zk) {
        const wanted = Array.from({ length: actorCount }, (_, i) => `a${i + 1}`).join();
        await court.until(zk, 4 * sessionTimeoutMs + 5000, async () => {
          const names = await namesIn(zk, '/stay');
          const owners = names.map((name) => (isNumbered ? name.slice(40, -10) : name)).sort();
          return owners.join() === wanted ? '' : `${owners.join()} are there, not ${wanted}`;
        });
      },
    };
  },
};

interface Pair {
  readonly a: number;
  readonly b: number;
}

const pairs: ConfigSchema<Pair> = {
  '~standard': {
    version: 1,
    vendor: 'sim',
    validate: (value) => {
      const { a, b } = value as Pair;
      return a === b ? { value: { a, b } } : { issues: [{ message: `${a} is not ${b}` }] };
    },
  },
};

export const configCase: RecipeCase = {
  name: 'config-store',
  try: ({ court, sessionTimeoutMs }) => {
    const stores = new Map<string, ConfigStore<Pair>>();
    const published = { sure: 0, open: 0 };
    const next = ({ a = 0 }: Partial<Pair>): Pair => ({ a: a + 1, b: a + 1 });
    return {
      prepare: async (zk) => {
        await new ConfigStore(zk, '/config', { schema: pairs }).publish({ a: 1, b: 1 });
      },
      async play(life) {
        const store = new ConfigStore(life.zk, '/config', { schema: pairs, historyMax: 5 });
        stores.set(life.name, store);
        let seen = 0;
        store.on('change', ({ number, values }) => {
          if (number <= seen) court.fail('R8', `version ${number} after ${seen}`);
          if (values.a !== number) court.fail('R8', `version ${number} has ${values.a}`);
          seen = number;
        });
        store.on('refused', (problem) => {
          if (life.isAlive) court.fail('R8', String(problem));
        });
        await unlessStopped(life, store.start({ signal: life.stop }));
        while (!life.stop.aborted) {
          published.open++;
          try {
            const { number, values } = await store.publish(next);
            if (!life.isAlive) return;
            if (values.a !== number) court.fail('R8', `published ${values.a} as version ${number}`);
            published.open--;
            published.sure++;
          } catch (problem) {
            // five others have published since
            if (!(problem instanceof OutcomeUnknownError)) throw problem;
          }
          await life.pause(life.random.between(1, 60));
          life.round();
        }
      },
      async judge(zk) {
        const judge = new ConfigStore(zk, '/config', { schema: pairs });
        const { number } = await judge.start();
        judge.close();
        const count = number - 1;
        const isRight = count >= published.sure && count <= published.sure + published.open;
        if (!isRight) {
          const { sure, open } = published;
          court.fail('R8', `${count} versions are not ${sure} and up to ${open} more`);
        }
        for (const key of ['a', 'b']) {
          const { data } = await acrossSessions(zk, undefined, () =>
            zk.getData(`/config/keys/${key}`),
          );
          if (data.toString() !== String(number)) court.fail('R8', `${key} is ${data.toString()}`);
        }
        for (const [name, store] of stores) {
          await court.until(zk, 6 * sessionTimeoutMs, () => {
            const own = store.current?.number;
            return Promise.resolve(
              own === number ? '' : `${name} has version ${own}, not ${number}`,
            );
          });
        }
      },
    };
  },
};
