import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../ports/clock.js';
import { silentLogger } from '../../ports/logger.js';
import type { Listener, ListenOptions, Network } from '../../ports/network.js';
import { Listening } from './listening.js';

/** Notes what is opened and closed; some addresses cannot be had. */
class World {
  readonly notes: string[] = [];
  readonly taken = new Set<string>();
  readonly timers: (() => void)[] = [];

  readonly network: Network = {
    listen: ({ host, port }: ListenOptions): Promise<Listener> => {
      const name = `${host ?? '*'}:${port}`;
      if (this.taken.has(name)) return Promise.reject(new Error(`EADDRINUSE ${name}`));
      this.notes.push(`open ${name}`);
      return Promise.resolve({
        host: host ?? '::',
        port,
        close: () => {
          this.notes.push(`close ${name}`);
          return Promise.resolve();
        },
      });
    },
    connect: () => Promise.reject(new Error('nobody connects here')),
  };

  readonly clock: Clock = {
    wallMs: () => 0,
    monotonicMs: () => 0,
    after: (_delayMs, run) => {
      this.timers.push(run);
      return { cancel: () => this.timers.splice(this.timers.indexOf(run), 1) };
    },
    soon: (run) => {
      run();
    },
  };

  listening(): Listening {
    const { network, clock } = this;
    return new Listening({ network, clock, logger: silentLogger }, 'nobody', () => ({
      onData: () => undefined,
      onDrain: () => undefined,
      onClose: () => undefined,
    }));
  }

  take(): string[] {
    return this.notes.splice(0);
  }
}

test('new addresses are open before old ones close, and the same stay', async () => {
  const world = new World();
  const listening = world.listening();
  await listening.open([
    { host: 'a', port: 1 },
    { host: 'b', port: 1 },
  ]);
  assert.deepEqual(world.take(), ['open a:1', 'open b:1']);
  await listening.move([
    { host: 'b', port: 1 },
    { host: 'a', port: 2 },
  ]);
  assert.deepEqual(world.take(), ['open a:2', 'close a:1']);
  await listening.move([
    { host: 'b', port: 1 },
    { host: 'a', port: 2 },
  ]);
  assert.deepEqual(world.take(), []);
  await listening.close();
  assert.deepEqual(world.take(), ['close b:1', 'close a:2']);
});

test('every address of the machine has many names', async () => {
  const world = new World();
  const listening = world.listening();
  await listening.open([{ host: undefined, port: 1 }]);
  await listening.move([{ host: '0.0.0.0', port: 1 }]);
  assert.deepEqual(world.take(), ['open *:1']);
});

test('of one port with another host the old one must let go first', async () => {
  const world = new World();
  const listening = world.listening();
  await listening.open([{ host: undefined, port: 1 }]);
  world.take();
  await listening.move([{ host: 'a', port: 1 }]);
  assert.deepEqual(world.take(), ['close *:1', 'open a:1']);
});

test('what cannot be had is tried again, and what was is kept till then', async () => {
  const world = new World();
  const listening = world.listening();
  await listening.open([{ host: 'a', port: 1 }]);
  world.take();
  world.taken.add('a:2');
  await listening.move([{ host: 'a', port: 2 }]);
  assert.deepEqual(world.take(), []);
  assert.equal(listening.first?.port, 1);
  world.taken.clear();
  assert.equal(world.timers.length, 1);
  world.timers[0]?.();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(world.take(), ['open a:2', 'close a:1']);
});

test('a start that cannot have one of its addresses has none', async () => {
  const world = new World();
  world.taken.add('b:1');
  const opening = world.listening().open([
    { host: 'a', port: 1 },
    { host: 'b', port: 1 },
  ]);
  await assert.rejects(opening, /EADDRINUSE/);
  assert.deepEqual(world.take(), ['open a:1', 'close a:1']);
});
