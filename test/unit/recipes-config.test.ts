/** The configuration store against a real server, with every fault at every step. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Client, type ZkClient } from 'zabra/client';
import {
  ConfigConflictError,
  ConfigRefusedError,
  ConfigStore,
  type ConfigSchema,
} from 'zabra/recipes';
import { faults } from '../support/faulty-client.js';
import { RecipeBench } from '../support/recipe-bench.js';
import { withFaults } from '../support/recipe-faults.js';

let bench: RecipeBench;
let zk: Client;
let other: Client;

before(async () => {
  bench = await RecipeBench.start();
  zk = bench.zk;
  other = await bench.connect();
});
after(() => bench[Symbol.asyncDispose]());

const until = (isSo: () => boolean | Promise<boolean>): Promise<void> => bench.until(isSo);

const dataOf = (path: string): Promise<string> => bench.dataOf(path);

interface Settings {
  readonly limit: number;
  readonly hosts: readonly string[];
  readonly banner?: string;
}

const schema: ConfigSchema<Settings> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate(value) {
      const { limit, hosts } = value as Partial<Settings>;
      if (typeof limit !== 'number') {
        return { issues: [{ message: 'not a number', path: ['limit'] }] };
      }
      if (!Array.isArray(hosts)) return { issues: [{ message: 'no hosts' }] };
      return { value: value as Settings };
    },
  },
};

describe('configuration store', () => {
  it('publishes whole versions, tells them to all, and goes back', async () => {
    const store = new ConfigStore(zk, '/config', { schema, author: 'ada' });
    assert.throws(() => store.values, /no configuration/);
    const starting = store.start();
    const reader = new ConfigStore(other, '/config', { schema });
    const seen: number[] = [];
    reader.on('change', ({ number }) => seen.push(number));
    const first = await store.publish({ limit: 1, hosts: ['a'] }, { comment: 'the first' });
    assert.equal(first.number, 1);
    await starting;
    assert.equal((await reader.start()).values.limit, 1);
    await store.publish({ limit: 2, banner: 'hi' });
    await until(() => reader.current?.number === 2);
    assert.deepEqual(reader.values, { limit: 2, hosts: ['a'], banner: 'hi' });
    assert.equal(await dataOf('/config/keys/limit'), '2');
    assert.deepEqual(await bench.children('/config/keys'), ['banner', 'hosts', 'limit']);
    await reader.rollback(1);
    await until(() => store.current?.number === 3);
    assert.deepEqual(store.values, { limit: 1, hosts: ['a'] });
    assert.deepEqual(await bench.children('/config/keys'), ['hosts', 'limit']);
    const [newest, , oldest] = await store.history();
    assert.deepEqual([newest?.rollbackOf, newest?.number], [1, 3]);
    assert.deepEqual([oldest?.author, oldest?.comment], ['ada', 'the first']);
    await until(() => seen.length === 3);
    assert.deepEqual(seen, [1, 2, 3]);
    await assert.rejects(store.rollback(99), RangeError);
    store.close();
    reader.close();
  });

  it('refuses what does not fit, and who comes too late', async () => {
    const store = new ConfigStore(zk, '/config-refused', { schema, historyMax: 3 });
    await store.publish({ limit: 1, hosts: [] }, { ifVersion: 0 });
    await assert.rejects(
      store.publish({ limit: 'x' } as never),
      (problem) =>
        problem instanceof ConfigRefusedError && /limit: not a number/.test(problem.message),
    );
    await assert.rejects(store.publish({ limit: 2 }, { ifVersion: 0 }), ConfigConflictError);
    await assert.rejects(store.publish({ 'a/b': 1 } as never), ConfigRefusedError);
    const add = (client: ZkClient): Promise<unknown> =>
      new ConfigStore(client, '/config-refused', { schema, historyMax: 3 }).publish(
        ({ limit = 0 }) => ({ limit: limit + 1 }),
      );
    await Promise.all([add(zk), add(other), add(zk), add(other)]);
    assert.equal((await store.start()).values.limit, 5);
    await until(async () => (await bench.children('/config-refused/versions')).length === 3);
    assert.deepEqual(
      (await store.history()).map(({ number }) => number),
      [5, 4, 3],
    );
    store.close();
  });

  it('keeps the last good one, from outside too', async () => {
    const shelf = {
      text: null as string | null,
      load: () => Promise.resolve(shelf.text),
      save: (text: string) => Promise.resolve(void (shelf.text = text)),
    };
    const store = new ConfigStore(zk, '/config-good', { schema, lastKnownGood: shelf });
    const refused: Error[] = [];
    store.on('refused', (problem) => refused.push(problem));
    await store.publish({ limit: 7, hosts: [] });
    await store.start();
    await until(() => shelf.text !== null);
    const anything: ConfigSchema<Record<string, unknown>> = {
      '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: value as never }) },
    };
    await new ConfigStore(other, '/config-good', { schema: anything }).publish({ limit: 'x' });
    await until(() => refused.length === 1);
    assert.equal(store.values.limit, 7);
    store.close();
    const away = new Client('127.0.0.1:1');
    const offline = new ConfigStore(away, '/config-good', { schema, lastKnownGood: shelf });
    assert.equal((await offline.start()).values.limit, 7);
    offline.close();
    await away.close();
  });

  it('is an iterator of what comes to be used', async () => {
    const store = new ConfigStore(zk, '/config-updates', { schema });
    await store.publish({ limit: 0, hosts: [] });
    const stop = new AbortController();
    const limits: number[] = [];
    for await (const { values } of store.updates({ signal: stop.signal })) {
      limits.push(values.limit);
      if (limits.length === 3) stop.abort();
      else await store.publish({ limit: values.limit + 1 });
    }
    assert.deepEqual(limits, [0, 1, 2]);
    store.close();
  });

  for (const fault of faults) {
    it(`publishes once with "${fault}" at any request`, () =>
      withFaults(bench, fault, 'config', async (client, path, at) => {
        const store = new ConfigStore(client, path, { schema });
        await store.publish({ limit: 0, hosts: [] });
        for (let i = 1; i <= 2; i++) {
          const { number } = await store.publish(({ limit = 0 }) => ({ limit: limit + 1 }));
          assert.equal(number, i + 1);
        }
        assert.equal(await dataOf(`${path}/current`), '3', `${at}`);
        assert.equal(await dataOf(`${path}/keys/limit`), '2', `${at}`);
      }));
  }
});
