/** Our recipes in a process of their own, told what to do line by line: one line answers each. */
import { createInterface } from 'node:readline';
import { Client, NodeExistsError } from 'zabra/client';
import {
  Barrier,
  Counter,
  DoubleBarrier,
  GroupMembership,
  LeaderElection,
  LeaderLatch,
  Lease,
  Lock,
  ReadWriteLock,
  Semaphore,
  type GroupLayout,
  type Layout,
} from 'zabra/recipes';

const [connectString = ''] = process.argv.slice(2);
const zk = await new Client(connectString, { sessionTimeoutMs: 10_000 }).connect();
const groups = new Map<string, GroupMembership>();

/** What only one at a time may do: nobody else is inside, and adding one is not disturbed. */
async function alone(path: string): Promise<void> {
  try {
    await zk.create(`${path}-inside`, '', { mode: 'ephemeral' });
  } catch (problem) {
    if (problem instanceof NodeExistsError) throw new Error('somebody else is inside');
    throw problem;
  }
  const { data } = await zk.getData(`${path}-sum`);
  await zk.setData(`${path}-sum`, String(Number(data.toString()) + 1));
  await zk.delete(`${path}-inside`);
}

type Command = (path: string, ...words: string[]) => Promise<string | undefined>;

async function times(rounds: string | undefined, work: () => Promise<void>): Promise<undefined> {
  for (let i = 0; i < Number(rounds); i++) await work();
}

const commands: Readonly<Record<string, Command>> = {
  lock: (path, rounds, layout = 'curator') => {
    const lock = new Lock(zk, path, { layout: layout as Layout });
    return times(rounds, async () => {
      const hold = await lock.acquire();
      await alone(path);
      await hold.release();
    });
  },
  write: (path, rounds, layout = 'curator') => {
    const lock = new ReadWriteLock(zk, path, { layout: layout as 'curator' | 'kazoo' });
    return times(rounds, async () => {
      const hold = await lock.write.acquire();
      await alone(path);
      await hold.release();
    });
  },
  read: (path, rounds, layout = 'curator') => {
    const lock = new ReadWriteLock(zk, path, { layout: layout as 'curator' | 'kazoo' });
    return times(rounds, async () => {
      const hold = await lock.read.acquire();
      if ((await zk.exists(`${path}-inside`)) !== null) throw new Error('a writer is inside');
      await hold.release();
    });
  },
  semaphore: (path, rounds, leases, layout = 'curator') => {
    const maxLeases = Number(leases);
    const semaphore = new Semaphore(zk, path, {
      maxLeases,
      layout: layout as 'curator' | 'kazoo',
    });
    return times(rounds, async () => {
      const hold = await semaphore.acquire();
      const own = await zk.create(`${path}-inside/n`, '', { mode: 'ephemeral-sequential' });
      const { children } = await zk.getChildren(`${path}-inside`);
      await zk.delete(own.path);
      await hold.release();
      if (children.length > maxLeases) throw new Error(`${children.length} are inside`);
    });
  },
  latch: (path, rounds) =>
    times(rounds, async () => {
      const latch = new LeaderLatch(zk, path, { id: 'typescript' }).start();
      await latch.untilLeader();
      await alone(path);
      await latch.close();
    }),
  election: (path, rounds, layout = 'curator') => {
    const options = { id: 'typescript', layout: layout as Layout };
    const election = new LeaderElection(zk, path, options);
    return times(rounds, () => election.runOnce(() => alone(path)));
  },
  count: (path, rounds, format = 'int64') => {
    const counter = new Counter(zk, path, { format: format as 'int64' | 'decimal' });
    return times(rounds, async () => {
      await counter.increment();
    });
  },
  barrier: async (path) => {
    await new Barrier(zk, path).wait();
    return undefined;
  },
  double: async (path, size) => {
    const barrier = new DoubleBarrier(zk, path, { size: Number(size) });
    await barrier.enter();
    await zk.create(`${path}-inside/n`, '', { mode: 'persistent-sequential' });
    await barrier.leave();
    const { children } = await zk.getChildren(`${path}-inside`);
    return children.length === Number(size) ? undefined : `FAIL ${children.length} were inside`;
  },
  join: async (path, layout) => {
    const options = { id: 'typescript', layout: layout as GroupLayout };
    const group = new GroupMembership(zk, path, options);
    await group.join();
    groups.set(path, group);
    return undefined;
  },
  members: async (path) => {
    const members = (await groups.get(path)?.members()) ?? [];
    return members
      .map(({ id }) => id)
      .sort()
      .join();
  },
  leave: async (path) => {
    await groups.get(path)?.leave();
    return undefined;
  },
  lease: async (path, seconds) => {
    const durationMs = 1000 * Number(seconds);
    const term = await new Lease(zk, path, { durationMs, holder: 'typescript' }).obtain();
    return term === null ? 'no' : 'yes';
  },
};

console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const [name = '', path = '', ...words] = line.split(' ');
  try {
    console.log((await commands[name]?.(path, ...words)) ?? 'done');
  } catch (problem) {
    console.log(`FAIL ${String(problem).replaceAll('\n', ' ')}`);
  }
}
await zk.close();
