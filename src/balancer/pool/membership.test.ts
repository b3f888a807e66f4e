import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../discovery/clock.fixture.js';
import type { ServicePlace } from '../../ports/service-names.js';
import { idOf, type BackendAddress } from './backend.js';
import { clientAddresses } from './config-servers.js';
import {
  ConfigMembership,
  DnsMembership,
  SrvMembership,
  StaticMembership,
  type ConfigSource,
} from './membership.js';

class Listener {
  readonly lists: string[] = [];
  readonly problems: string[] = [];

  onServers(addresses: readonly BackendAddress[]): void {
    this.lists.push(addresses.map(idOf).join(' '));
  }

  onProblem(text: string): void {
    this.problems.push(text);
  }
}

const idsIn = (text: string, portElse: number | null = null): string[] =>
  clientAddresses(text, portElse).map(idOf);

test('client addresses come from the configuration as the ensemble writes it', () => {
  const text = [
    'server.1=zk1.example:2888:3888:participant;0.0.0.0:2181',
    'server.2=zk2.example:2888:3888:participant;192.168.1.2:2182',
    'server.3=zk3.example:2888:3888:observer;2183',
    'server.4=[2001:db8::4]:2888:3888:participant;[::]:2184',
    'server.5=a.example:2888:3888|b.example:2889:3889:participant;2185',
    'version=100000000',
    '',
  ].join('\n');
  assert.deepEqual(idsIn(text), [
    'zk1.example:2181',
    '192.168.1.2:2182',
    'zk3.example:2183',
    '[2001:db8::4]:2184',
    'a.example:2185',
  ]);
});

test('servers without a client port have the one that is stated, or are left out', () => {
  const text = 'server.1=zk1:2888:3888:participant\nserver.2=zk2:2888:3888;2182\n';
  assert.deepEqual(idsIn(text), ['zk2:2182']);
  assert.deepEqual(idsIn(text, 2181), ['zk1:2181', 'zk2:2182']);
});

test('what is no server is passed over', () => {
  assert.deepEqual(idsIn('weight.1=1\ngroup.1=1:2\nserver.x=?\nserver.1=\nversion=1'), []);
});

test('a list that is given is told at once', async () => {
  const listener = new Listener();
  const membership = new StaticMembership([{ host: 'zk0', port: 2181, zone: 'eu' }]);
  membership.start(listener);
  await membership.stop();
  assert.deepEqual(listener.lists, ['zk0:2181']);
});

test('DNS: looked up again and again, told when it is another list, kept when it fails', async () => {
  const clock = new ManualClock();
  const answers: (readonly ServicePlace[] | Error)[] = [
    [{ host: 'a', port: 1 }],
    [{ host: 'a', port: 1 }],
    new Error('ESERVFAIL'),
    [],
    [
      { host: 'b', port: 2 },
      { host: 'a', port: 1 },
      { host: 'b', port: 2 },
    ],
  ];
  const times: number[] = [];
  const names = {
    lookUp: (): Promise<readonly ServicePlace[]> => {
      times.push(clock.monotonicMs() - 1_000_000);
      const answer = answers.shift() ?? new Error('no more');
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
  };
  const listener = new Listener();
  const membership = new SrvMembership(names, clock, {
    ...{ name: '_zk._tcp.example', refreshMs: 30_000, retryMs: 2_000 },
  });
  membership.start(listener);
  await clock.advance(93_000);
  await membership.stop();
  assert.deepEqual(listener.lists, ['a:1', 'b:2 a:1']);
  assert.deepEqual(times, [0, 30_000, 60_000, 62_000, 92_000]);
  assert.match(listener.problems[0]!, /ESERVFAIL/);
  assert.match(listener.problems[1]!, /names no server/);
  assert.equal(clock.pendingTimers, 0);
});

test('DNS: a look-up that hangs is given up, and what it tells later is not waited for', async () => {
  const clock = new ManualClock();
  const waiting: ((places: readonly ServicePlace[]) => void)[] = [];
  const names = {
    lookUp: () => new Promise<readonly ServicePlace[]>((resolve) => void waiting.push(resolve)),
  };
  const listener = new Listener();
  const membership = new SrvMembership(names, clock, {
    ...{ name: '_zk._tcp.example', retryMs: 2_000, giveUpMs: 10_000 },
  });
  membership.start(listener);
  await clock.advance(12_000);
  assert.deepEqual(listener.problems, ['_zk._tcp.example: no answer within 10000 ms']);
  assert.equal(waiting.length, 2);
  waiting[1]!([{ host: 'b', port: 2 }]);
  await clock.advance(1);
  waiting[0]!([{ host: 'a', port: 1 }]);
  await clock.advance(1);
  assert.deepEqual(listener.lists, ['b:2']);
  await membership.stop();
  assert.equal(clock.pendingTimers, 0);
});

test('DNS: the addresses of one name are a server each', async () => {
  const clock = new ManualClock();
  const answers = [
    ['10.0.0.1', '10.0.0.2'],
    ['10.0.0.2', '2001:db8::3'],
  ];
  const names = { addresses: () => Promise.resolve(answers.shift() ?? []) };
  const listener = new Listener();
  const membership = new DnsMembership(names, clock, { name: 'zk', port: 2181, refreshMs: 5_000 });
  membership.start(listener);
  await clock.advance(11_000);
  await membership.stop();
  assert.deepEqual(listener.lists, [
    '10.0.0.1:2181 10.0.0.2:2181',
    '10.0.0.2:2181 [2001:db8::3]:2181',
  ]);
  assert.deepEqual(listener.problems, ['zk names no server: those that there are stay']);
});

class FakeConfig implements ConfigSource {
  #onText: (text: string) => void = () => undefined;

  start(listener: { onText(text: string): void }): void {
    this.#onText = (text) => {
      listener.onText(text);
    };
  }

  readonly followed: string[] = [];

  follow(servers: readonly BackendAddress[]): void {
    this.followed.push(servers.map(idOf).join(' '));
  }

  change(text: string): void {
    this.#onText(text);
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}

test('the configuration is followed; the first list serves until it is known', () => {
  const source = new FakeConfig();
  const listener = new Listener();
  const zones: (string | null | undefined)[] = [];
  const first = [{ host: 'zk1', port: 2181, zone: 'eu' }];
  new ConfigMembership(source, { first, portElse: null }).start({
    onServers: (addresses) => {
      listener.onServers(addresses);
      zones.push(addresses[0]!.zone);
    },
    onProblem: (text) => {
      listener.onProblem(text);
    },
  });
  source.change('server.1=zk1:2888:3888;2181\nserver.2=zk2:2888:3888;2181\nversion=1');
  source.change('server.2=zk2:2888:3888;2181\nserver.1=zk1:2888:3888;2181\nversion=2');
  source.change('server.1=zk1:2888:3888\nversion=3');
  assert.deepEqual(listener.lists, ['zk1:2181', 'zk1:2181 zk2:2181']);
  assert.deepEqual(zones, ['eu', 'eu']);
  assert.deepEqual(source.followed, ['zk1:2181 zk2:2181'], 'whoever reads it has to find it later');
  assert.equal(listener.problems.length, 1);
});
