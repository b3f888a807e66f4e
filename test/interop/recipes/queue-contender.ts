/** Our queues, values and nodes in a process of their own: one line answers each command. */
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'zabra/client';
import {
  DelayQueue,
  LockingQueue,
  PersistentNode,
  PriorityQueue,
  Queue,
  SharedValue,
  TtlNode,
  WaitTimeoutError,
} from 'zabra/recipes';

const [connectString = ''] = process.argv.slice(2);
const zk = await new Client(connectString, { sessionTimeoutMs: 10_000 }).connect();
const kept = new Map<string, AsyncDisposable>();
const idleMs = 2000;
const TAKE_PAUSE_MS = 5;

interface AnyQueue {
  put(item: string, i: number): Promise<void>;
  take(): Promise<Buffer>;
}

function queueOf(path: string, kind: string): AnyQueue {
  switch (kind) {
    case 'priority': {
      const queue = new PriorityQueue(zk, path);
      return {
        put: (item, i) => queue.put(item, (i % 3) - 1),
        take: async () => (await queue.take({ timeoutMs: idleMs })).data,
      };
    }
    case 'delay': {
      const queue = new DelayQueue(zk, path);
      return {
        put: (item, i) => queue.put(item, { delayMs: 5 * (i % 7) }),
        take: async () => (await queue.take({ timeoutMs: idleMs })).data,
      };
    }
    case 'locking':
    case 'locked': {
      const layout = kind === 'locking' ? 'kazoo' : 'curator';
      const queue = new LockingQueue(zk, path, { layout });
      return {
        put: (item) => queue.put(item),
        take: async () => {
          const claim = await queue.take({ timeoutMs: idleMs });
          await claim.acknowledge();
          return claim.data;
        },
      };
    }
    default: {
      const layouts = { simple: 'curator', framed: 'curator-framed', kazoo: 'kazoo' } as const;
      const queue = new Queue(zk, path, { layout: layouts[kind as keyof typeof layouts] });
      return {
        put: (item) => queue.put(item),
        take: async () => (await queue.take({ timeoutMs: idleMs })).data,
      };
    }
  }
}

const commands: Readonly<Record<string, (path: string, ...words: string[]) => Promise<unknown>>> = {
  put: async (path, kind = '', prefix = '', count) => {
    const queue = queueOf(path, kind);
    for (let i = 0; i < Number(count); i++) await queue.put(`${prefix}${i}`, i);
  },
  take: async (path, kind = '') => {
    const queue = queueOf(path, kind);
    const taken: string[] = [];
    for (;;) {
      try {
        taken.push((await queue.take()).toString());
        // the other taker, in whatever language, is to come to its turn
        await sleep(TAKE_PAUSE_MS);
      } catch (problem) {
        if (!(problem instanceof WaitTimeoutError)) throw problem;
        return taken.join() || 'nothing';
      }
    }
  },
  value: async (path, count) => {
    const value = new SharedValue(zk, path, { initial: '0' });
    for (let i = 0; i < Number(count); i++) {
      await value.update((now) => String(Number(now.toString()) + 1));
    }
  },
  persist: async (path) => {
    const node = new PersistentNode(zk, path, { data: 'typescript' });
    kept.set(path, node);
    await node.start();
  },
  ttl: async (path, ttlMs) => {
    const node = new TtlNode(zk, path, { ttlMs: Number(ttlMs), data: 'typescript' });
    kept.set(path, node);
    await node.start();
  },
  close: async (path) => {
    await kept.get(path)?.[Symbol.asyncDispose]();
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
