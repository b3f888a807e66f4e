/** Watches of every kind, and the stream of events that has no gap. */
import assert from 'node:assert/strict';
import type { WatchEvent } from 'zabra/client';
import { until, type Case } from './suite.js';

/** The events by type and name, without what servers before 3.9 do not tell. */
function plain(events: readonly WatchEvent[]): string[] {
  return events.map(({ type, path }) => `${type} ${path}`);
}

export const watchCases: readonly Case[] = [
  {
    name: 'a watch on data, on children and on what is not there, each once',
    async run({ client, path }) {
      const zk = await client();
      const events: WatchEvent[] = [];
      const watch = (event: WatchEvent): void => void events.push(event);
      await zk.getData(path, { watch });
      await zk.setData(path, '1');
      await zk.setData(path, '2');
      await until(() => events.length === 1, 'data');
      await zk.getChildren(path, { watch });
      await zk.create(`${path}/a`);
      await zk.create(`${path}/b`);
      await until(() => events.length === 2, 'children');
      await zk.exists(`${path}/c`, { watch });
      await zk.create(`${path}/c`);
      await until(() => events.length === 3, 'creation');
      await zk.exists(`${path}/c`, { watch });
      await zk.delete(`${path}/c`);
      await until(() => events.length === 4, 'deletion');
      assert.deepEqual(plain(events), [
        `changed ${path}`,
        `children ${path}`,
        `created ${path}/c`,
        `deleted ${path}/c`,
      ]);
    },
  },
  {
    name: 'a stream on one znode tells everything that happens to it',
    async run({ client, path }) {
      const zk = await client();
      const other = await client();
      const seen: WatchEvent[] = [];
      const end = new AbortController();
      const done = (async () => {
        for await (const event of zk.watch(`${path}/x`, { signal: end.signal })) seen.push(event);
      })().catch(() => undefined);
      // told is what changes after a later call was answered; an old server ends the connection first,
      // over the watch that it does not know
      const answered = (): Promise<boolean> =>
        zk.sync('/').then(
          () => true,
          () => false,
        );
      await until(answered, 'an answer');
      await until(async () => {
        await other.create(`${path}/x`).catch(() => undefined);
        return seen.length > 0;
      }, 'creation');
      await other.setData(`${path}/x`, '1');
      await until(() => plain(seen).includes(`changed ${path}/x`), 'change');
      await other.create(`${path}/x/child`);
      await until(() => plain(seen).includes(`children ${path}/x`), 'child');
      await other.delete(`${path}/x/child`);
      await other.delete(`${path}/x`);
      await until(() => plain(seen).includes(`deleted ${path}/x`), 'deletion');
      end.abort();
      await done;
    },
  },
  {
    name: 'a stream on a tree, folded, is the tree',
    async run({ client, path }) {
      const zk = await client();
      const other = await client();
      const there = new Set<string>();
      const end = new AbortController();
      const done = (async () => {
        for await (const event of zk.watch(path, { recursive: true, signal: end.signal })) {
          if (event.type === 'created') there.add(event.path);
          if (event.type === 'deleted') there.delete(event.path);
        }
      })().catch(() => undefined);
      await until(async () => {
        await other.create(`${path}/probe-`, '', { mode: 'persistent-sequential' });
        return there.size > 0;
      }, 'the watch');
      for (let i = 0; i < 30; i++) await other.create(`${path}/n${i}/leaf`, '', { makePath: true });
      for (let i = 0; i < 30; i += 2) await other.delete(`${path}/n${i}`, { recursive: true });
      const expected = async (): Promise<string[]> => {
        const { children } = await other.getChildren(path);
        const all = children.map((name) => `${path}/${name}`);
        return all.flatMap((one) => (/\/n\d+$/.test(one) ? [one, `${one}/leaf`] : [one])).sort();
      };
      const wanted = await expected();
      await until(() => {
        const mine = [...there].filter((one) => wanted.includes(one)).sort();
        return (
          mine.length >= 30 &&
          wanted.filter((one) => /\/n/.test(one)).every((one) => there.has(one))
        );
      }, 'all of the tree');
      for (const one of there) assert.ok(wanted.includes(one), `${one} is told and is not there`);
      end.abort();
      await done;
    },
  },
  {
    name: 'a watch that is taken back tells nothing',
    async run({ client, path }) {
      const zk = await client();
      const events: WatchEvent[] = [];
      const registration = await zk.addWatch(path, {}, (event) => void events.push(event));
      await zk.setData(path, '1');
      await until(() => events.length > 0, 'the first event');
      await registration.remove();
      const { length } = events;
      await zk.setData(path, '2');
      await zk.sync('/');
      await zk.getData(path);
      assert.equal(events.length, length);
    },
  },
  {
    name: 'ten thousand watches tell, each its own',
    async run({ client, path }) {
      const zk = await client();
      let told = 0;
      const all = Array.from({ length: 10_000 }, (_, i) =>
        zk.exists(`${path}/never-${i}`, {
          watch: () => {
            told++;
          },
        }),
      );
      await Promise.all(all);
      for (let i = 0; i < 10_000; i += 100) void zk.create(`${path}/never-${i}`);
      await until(() => told === 100, 'a hundred events');
    },
  },
];
