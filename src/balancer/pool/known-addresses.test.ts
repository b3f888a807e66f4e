import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../discovery/clock.fixture.js';
import type { HostNames } from '../../ports/host-names.js';
import type { Socket, SocketHandler } from '../../ports/network.js';
import { silentLogger } from '../../ports/logger.js';
import type { ServerPlace } from '../world.js';
import { KnownAddresses } from './known-addresses.js';
import { ResolvedNetwork } from './resolved-network.js';
import { Farm, needOf, PoolScene } from './servers.fixture.js';

/** A name service that says what it is told to, or nothing at all. */
class Names implements HostNames {
  readonly known = new Map<string, readonly string[]>();
  readonly hanging = new Set<string>();
  readonly asked: string[] = [];

  addresses(host: string): Promise<readonly string[]> {
    this.asked.push(host);
    if (this.hanging.has(host)) return new Promise(() => undefined);
    const found = this.known.get(host);
    return found === undefined
      ? Promise.reject(new Error(`ENOTFOUND ${host}`))
      : Promise.resolve(found);
  }
}

function scene(): { clock: ManualClock; names: Names; known: KnownAddresses; changes: string[] } {
  const clock = new ManualClock();
  const names = new Names();
  const known = new KnownAddresses({ clock, names, logger: silentLogger });
  const changes: string[] = [];
  known.onChange = (host) => changes.push(`${host}=${known.of(host)?.join() ?? ''}`);
  return { clock, names, known, changes };
}

test('names are looked up before anybody connects, and again every so often', async () => {
  const { clock, names, known, changes } = scene();
  names.known.set('zk1', ['10.0.0.1']);
  known.keep(['zk1', '192.0.2.1', '2001:db8::1']);
  assert.equal(known.of('zk1'), null);
  await clock.advance(0);
  assert.deepEqual(known.of('zk1'), ['10.0.0.1']);
  assert.deepEqual(known.of('192.0.2.1'), ['192.0.2.1']);
  names.known.set('zk1', ['10.0.0.2']);
  await clock.advance(30_000);
  assert.deepEqual(known.of('zk1'), ['10.0.0.2']);
  assert.deepEqual(changes, ['zk1=10.0.0.1', 'zk1=10.0.0.2']);
  assert.deepEqual(names.asked, ['zk1', 'zk1']);
});

test('what was told last is used while there is no other answer', async () => {
  const { clock, names, known } = scene();
  names.known.set('zk1', ['10.0.0.1']);
  known.keep(['zk1']);
  await clock.advance(0);
  names.known.delete('zk1');
  await clock.advance(40_000);
  names.hanging.add('zk1');
  await clock.advance(40_000);
  assert.deepEqual(known.of('zk1'), ['10.0.0.1']);
});

test('the address that was reached last stays the first as long as the name has it', async () => {
  const { clock, names, known } = scene();
  names.known.set('zk1', ['10.0.0.1', '10.0.0.2', '10.0.0.3']);
  known.keep(['zk1']);
  await clock.advance(0);
  known.prefer('zk1', '10.0.0.3');
  known.prefer('zk1', '10.9.9.9');
  await clock.advance(30_000);
  assert.deepEqual(known.of('zk1'), ['10.0.0.3', '10.0.0.1', '10.0.0.2']);
  names.known.set('zk1', ['10.0.0.2', '10.0.0.1']);
  await clock.advance(30_000);
  assert.deepEqual(known.of('zk1'), ['10.0.0.2', '10.0.0.1']);
});

test('doubt asks at once, but not again and again', async () => {
  const { clock, names, known } = scene();
  names.known.set('zk1', ['10.0.0.1']);
  known.keep(['zk1']);
  await clock.advance(5_000);
  for (let i = 0; i < 20; i++) {
    known.doubt('zk1');
    await clock.advance(100);
  }
  assert.ok(names.asked.length >= 3 && names.asked.length <= 4, `${names.asked.length}`);
});

test('who waits for a first answer is told why there is none', async () => {
  const { clock, names, known } = scene();
  names.hanging.add('slow');
  known.keep(['nowhere', 'slow']);
  const failed = assert.rejects(known.until('nowhere', 1_000), /nowhere: ENOTFOUND/);
  const late = assert.rejects(known.until('slow', 1_000), /slow: .*not been resolved/);
  await clock.advance(1_000);
  await Promise.all([failed, late]);
  const first = known.until('nowhere', 5_000);
  names.known.set('nowhere', ['10.0.0.1']);
  await clock.advance(2_000);
  assert.deepEqual(await first, ['10.0.0.1']);
});

test('its end leaves nothing behind: no timer, and nobody who waits', async () => {
  const { clock, names, known } = scene();
  names.hanging.add('slow');
  known.keep(['slow', 'nowhere']);
  const waiting = assert.rejects(known.until('slow', 60_000));
  await clock.advance(500);
  known.stop();
  await waiting;
  known.keep(['more']);
  assert.equal(clock.pendingTimers, 0);
});

// ------------------------------------------------------------------ connecting

class Attempts {
  readonly tried: string[] = [];
  readonly serving = new Set<string>();
  readonly silent = new Set<string>();
  readonly #clock: ManualClock;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  listen(): never {
    assert.fail('nobody listens');
  }

  connect(to: ServerPlace, accept: (socket: Socket) => SocketHandler): Promise<Socket> {
    this.tried.push(`${to.host} ${to.serverName ?? '-'} ${Math.round(to.timeoutMs)}`);
    if (this.silent.has(to.host)) {
      return new Promise((_, reject) => {
        this.#clock.after(to.timeoutMs, () => reject(new Error(`no connection to ${to.host}`)));
      });
    }
    if (!this.serving.has(to.host)) return Promise.reject(new Error(`ECONNREFUSED ${to.host}`));
    const socket = { remoteAddress: to.host } as Socket;
    accept(socket);
    return Promise.resolve(socket);
  }
}

const accept = (): SocketHandler => ({
  onData: () => undefined,
  onDrain: () => undefined,
  onClose: () => undefined,
});

test('the addresses of a server are tried in turn within its time, the good one first next time', async () => {
  const { clock, names, known } = scene();
  const inner = new Attempts(clock);
  const network = new ResolvedNetwork(inner, known, clock);
  names.known.set('zk1', ['10.0.0.1', '10.0.0.2', '10.0.0.3']);
  known.keep(['zk1']);
  await clock.advance(0);
  inner.silent.add('10.0.0.1');
  inner.serving.add('10.0.0.3');
  const place = { host: 'zk1', port: 2181, timeoutMs: 900 };
  const connecting = network.connect(place, accept);
  await clock.advance(900);
  assert.equal((await connecting).remoteAddress, '10.0.0.3');
  await network.connect(place, accept);
  assert.deepEqual(inner.tried, [
    '10.0.0.1 zk1 300',
    '10.0.0.2 zk1 300',
    '10.0.0.3 zk1 600',
    '10.0.0.3 zk1 300',
  ]);
});

test('only when every address refused it is known that nobody is there', async () => {
  const { clock, names, known } = scene();
  const inner = new Attempts(clock);
  const network = new ResolvedNetwork(inner, known, clock);
  names.known.set('zk1', ['10.0.0.1', '10.0.0.2']);
  known.keep(['zk1']);
  await clock.advance(0);
  const place = { host: 'zk1', port: 2181, timeoutMs: 1000 };
  await assert.rejects(network.connect(place, accept), /ECONNREFUSED/);
  inner.silent.add('10.0.0.1');
  const connecting = assert.rejects(network.connect(place, accept), /no connection to 10\.0\.0\.1/);
  await clock.advance(1000);
  await connecting;
});

test('a server that was not reached is looked up again, and found where it is now', async () => {
  const { clock, names, known } = scene();
  const inner = new Attempts(clock);
  const network = new ResolvedNetwork(inner, known, clock);
  names.known.set('zk1', ['10.0.0.1']);
  known.keep(['zk1']);
  await clock.advance(2_000);
  names.known.set('zk1', ['10.0.0.9']);
  inner.serving.add('10.0.0.9');
  const place = { host: 'zk1', port: 2181, timeoutMs: 1000 };
  await assert.rejects(network.connect(place, accept), /ECONNREFUSED/);
  await clock.advance(1);
  assert.equal((await network.connect(place, accept)).remoteAddress, '10.0.0.9');
});

// ------------------------------------------------------------------ in a pool

class NamedScene {
  readonly names = new Names();
  readonly base: PoolScene;

  constructor() {
    const names = this.names;
    const clock = new ManualClock();
    const farm = new Farm(clock);
    const known = new KnownAddresses({ clock, names, logger: silentLogger });
    const network = new ResolvedNetwork(farm, known, clock);
    this.base = new PoolScene({ roles: 'any', addresses: known }, 1, { clock, farm, network });
  }

  chosen(count: number): string {
    const { pool } = this.base;
    const ids = Array.from({ length: count }, () => pool.choose(needOf())?.host ?? 'none');
    return [...new Set(ids)].sort().join();
  }
}

test('a name that fails or hangs holds up nobody but its server', async () => {
  const scene = new NamedScene();
  const { base, names } = scene;
  names.known.set('zk0', ['10.0.0.1']);
  names.hanging.add('zk1');
  base.farm.add('10.0.0.1:2181');
  base.pool.update(['zk0', 'zk1', 'zk2'].map((host) => ({ host, port: 2181 })));
  base.pool.start();
  await base.clock.advance(0);
  assert.equal(scene.chosen(30), 'zk0', 'nobody waits for the other names');
  await base.clock.advance(5_000);
  assert.deepEqual(base.sets, ['awake', 'ejected', 'ejected']);
  assert.match(base.pool.status().servers[2]!.reason ?? '', /zk2: ENOTFOUND/);
  names.hanging.clear();
  names.known.set('zk1', ['10.0.0.2']);
  base.farm.add('10.0.0.2:2181');
  await base.clock.advance(20_000);
  assert.deepEqual(base.sets, ['awake', 'awake', 'ejected']);
  assert.equal(scene.chosen(30), 'zk0,zk1');
  await base.pool.stop();
});

test('before any name is known a client waits for one of them', async () => {
  const scene = new NamedScene();
  const { base, names } = scene;
  names.hanging.add('zk0');
  base.pool.update([{ host: 'zk0', port: 2181 }]);
  base.pool.start();
  assert.equal(scene.chosen(1), 'zk0');
  await base.pool.stop();
});

test('a server whose name leads elsewhere now is asked there at once', async () => {
  const scene = new NamedScene();
  const { base, names } = scene;
  names.known.set('zk0', ['10.0.0.1']);
  const before = base.farm.add('10.0.0.1:2181');
  base.pool.update([{ host: 'zk0', port: 2181 }]);
  base.pool.start();
  await base.clock.advance(1_000);
  const after = base.farm.add('10.0.0.2:2181', { mode: 'observer' });
  names.known.set('zk0', ['10.0.0.2']);
  before.state = 'refusing';
  await base.clock.advance(6_000);
  assert.ok(after.asked.length > 0);
  assert.equal(base.pool.status().servers[0]!.role, 'observer');
  assert.deepEqual(base.sets, ['awake']);
  await base.pool.stop();
});
