/**
 * A ring of caches: each key lives in one of them, and only the keys of a cache that goes move. What is
 * cached is a znode's data; a watch throws it out when it changes.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'zabra/client';
import { LoadBalancer, ZkRegistry, type Registration } from 'zabra/discovery';
import { TestServer } from 'zabra/testing';

const zookeeper = await TestServer.start(); // in production: the addresses of your ensemble
const zk = await new Client(zookeeper.connectString).connect();
const registry = new ZkRegistry(zk);

/** One cache: in production a process with an address, here an object with a name. */
class Cache {
  readonly entries = new Map<string, string>();
  hits = 0;
  readonly #end = new AbortController();
  readonly watching = this.#watch();

  async read(key: string): Promise<string> {
    const cached = this.entries.get(key);
    if (cached !== undefined) {
      this.hits++;
      return cached;
    }
    const { data } = await zk.getData(`/prices/${key}`);
    this.entries.set(key, data.toString());
    return data.toString();
  }

  /** No event is missed, also when the connection is lost in between. */
  async #watch(): Promise<void> {
    const { signal } = this.#end;
    try {
      for await (const event of zk.watch('/prices', { recursive: true, signal })) {
        if (event.type === 'gap') this.entries.clear();
        else this.entries.delete(event.path.slice('/prices/'.length));
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  stop(): void {
    this.#end.abort();
  }
}

const keys = Array.from({ length: 60 }, (_, i) => `item-${i}`);
await zk.create('/prices');
for (const key of keys) await zk.create(`/prices/${key}`, '100');

const caches = new Map<string, Cache>();
const registrations: Registration[] = [];
for (const id of ['red', 'green', 'blue']) {
  caches.set(id, new Cache());
  registrations.push(await registry.register({ service: 'cache', id, host: id, port: 11211 }));
}
const ring = new LoadBalancer({ registry, service: 'cache', policy: 'consistent-hash' });
await ring.start();

/** The same cache for the same key, wherever this is called. */
async function price(key: string): Promise<{ readonly cache: string; readonly price: string }> {
  return await ring.send({ key }, async ({ id }) => {
    const cache = caches.get(id);
    if (cache === undefined) throw new Error(`${id} cannot be reached`);
    return { cache: id, price: await cache.read(key) };
  });
}

const places = new Map<string, string>();
for (const key of keys) places.set(key, (await price(key)).cache);
for (const key of keys) await price(key);
for (const [id, { hits, entries }] of caches) console.log(id, entries.size, 'keys', hits, 'hits');

// a price changes: whichever cache has it forgets it
await zk.setData('/prices/item-7', '120');
while ((await price('item-7')).price !== '120') await sleep(1);
console.log('item-7 costs 120 now');

// a cache leaves: its keys move, all others stay where they are
await registrations[1]?.unregister();
while (ring.instances.length > 2) await sleep(1);
let moved = 0;
for (const key of keys) {
  const { cache } = await price(key);
  if (cache === places.get(key)) continue;
  if (places.get(key) !== 'green') throw new Error(`${key} moved although its cache stayed`);
  moved++;
}
console.log(moved, 'of', keys.length, 'keys moved');

await ring.close();
for (const cache of caches.values()) {
  cache.stop();
  await cache.watching;
}
await zk.close();
await zookeeper.stop();
