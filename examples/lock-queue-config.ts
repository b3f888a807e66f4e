/**
 * Workers that take orders from a queue, one printer that only one of them uses at a time, and a
 * configuration that they all follow while it changes.
 */
import assert from 'node:assert/strict';
import { Client } from 'zabra/client';
import { ConfigStore, Lock, LockingQueue, type ConfigSchema } from 'zabra/recipes';
import { TestServer } from 'zabra/testing';

interface Settings {
  readonly greeting: string;
}

// any validator that knows Standard Schema will do
const schema: ConfigSchema<Settings> = {
  '~standard': {
    version: 1,
    vendor: 'example',
    validate: (value) => {
      const { greeting } = value as Partial<Settings>;
      return typeof greeting === 'string'
        ? { value: { greeting } }
        : { issues: [{ message: 'must be a string', path: ['greeting'] }] };
    },
  },
};

const server = await TestServer.start();
const connect = (): Promise<Client> => new Client(server.connectString).connect();
const office = await connect();
const settings = new ConfigStore(office, '/settings', { schema });
await settings.publish({ greeting: 'Hello' });

const printed: string[] = [];
const configs: ConfigStore<Settings>[] = [];
const end = new AbortController();

async function work(): Promise<void> {
  const zk = await connect();
  const config = new ConfigStore(zk, '/settings', { schema });
  await config.start();
  configs.push(config);
  const printer = new Lock(zk, '/printer');
  // an order stays in the queue until it is acknowledged: if this process dies, another one gets it
  for await (const order of new LockingQueue(zk, '/orders').items({ signal: end.signal })) {
    const hold = await printer.acquire();
    printed.push(`${config.values.greeting}, ${order.data.toString()}`);
    if (printed.length === 4) end.abort();
    await hold.release();
    await order.acknowledge();
  }
  config.close();
  await zk.close();
}

const workers = [work(), work()];
const orders = new LockingQueue(office, '/orders');
await orders.putMany(['ada', 'bob']);
const moment = () => new Promise((resolve) => setTimeout(resolve, 5));
while (printed.length < 2 || configs.length < 2) await moment();

await settings.publish({ greeting: 'Good evening' });
// what a worker has not heard of yet it does not use yet
while (configs.some(({ current }) => current?.number !== 2)) await moment();
await orders.putMany(['cyd', 'dan']);
await Promise.all(workers);

console.log(printed.join('\n'));
assert.deepEqual(printed.sort(), [
  'Good evening, cyd',
  'Good evening, dan',
  'Hello, ada',
  'Hello, bob',
]);
assert.equal(await orders.size(), 0);
// nobody but strings: the last good configuration stays
await assert.rejects(settings.publish({ greeting: 7 } as never), /greeting: must be a string/);
await office.close();
await server.stop();
