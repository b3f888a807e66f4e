import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../base/random.js';
import { silentLogger } from '../../ports/logger.js';
import type { Network, Socket, SocketHandler } from '../../ports/network.js';
import { HelloDecoder, writeHello, type Hello } from '../../protocol/peer/hello.js';
import { writeNotification, type Notification } from '../../protocol/peer/notification.js';
import { Writer } from '../../protocol/writer.js';
import { Timeline } from '../../sim/clock.js';
import { SimNetwork } from '../../sim/network.js';
import { goodLink } from '../../sim/parameters.js';
import type { LinkQuality } from '../../sim/pipe.js';
import { SimProcess } from '../../sim/process.js';
import { drained } from '../../sim/scratch.js';
import { ElectionPort, type ElectionPortOptions, type PeerAddress } from './election-port.js';

const addressOf = (sid: number): string => `10.0.0.${sid}`;

function vote(round: number): Notification {
  const [leader, zxid, peerEpoch, electionEpoch] = [1n, 0n, 0n, BigInt(round)];
  return { state: 'looking', leader, zxid, peerEpoch, electionEpoch, version: 2, config: 'c' };
}

/** One server: its port, what it was told, and the attempts to connect that it made. */
class Server {
  readonly sid: number;
  readonly process: SimProcess;
  readonly network: Network;
  readonly dials: { readonly host: string; readonly timeMs: number }[] = [];
  readonly told: string[] = [];
  readonly received: string[] = [];
  /** What it would say now: what it said last, unless a test knows better. */
  word: Notification | null = null;
  peers: Map<number, PeerAddress>;
  isKnown: (sid: number) => boolean;
  port: ElectionPort | null = null;
  /** What the operator was warned of. */
  readonly warnings: string[] = [];
  onTold: (what: string) => void = () => undefined;

  constructor(stage: Stage, sid: number) {
    this.sid = sid;
    const pace = { wakeMs: 0.05, spendMs: 0 };
    this.process = new SimProcess(`server ${sid}`, stage.timeline, stage.random, pace, 0);
    const network = stage.network.portOf(this.process, addressOf(sid), null);
    this.network = {
      listen: (options, accept) => network.listen(options, accept),
      connect: (options, accept) => {
        this.dials.push({ host: options.host, timeMs: stage.timeline.nowMs });
        return network.connect(options, accept);
      },
    };
    this.peers = new Map(stage.addresses);
    this.isKnown = (other) => this.peers.has(other);
  }

  async start(more: Partial<ElectionPortOptions> = {}): Promise<ElectionPort> {
    this.port = await ElectionPort.listen(
      {
        network: this.network,
        clock: this.process.clock,
        logger: { ...silentLogger, warn: (message) => this.warnings.push(message) },
        mySid: this.sid,
        peers: () => this.peers,
        connectTimeoutMs: 5000,
        useV2: false,
        isKnown: (sid) => this.isKnown(sid),
        ...more,
      },
      {
        onMessage: (from, notification) => {
          this.#tell(this.received, `${from}: ${notification.electionEpoch}`);
        },
        word: () => this.word,
        onConnected: (sid) => {
          this.#tell(this.told, `connected ${sid}`);
        },
        onDisconnected: (sid) => {
          this.#tell(this.told, `disconnected ${sid}`);
        },
      },
    );
    const { port } = this;
    const send = port.send.bind(port);
    port.send = (to, notification) => {
      this.word = notification;
      send(to, notification);
    };
    return port;
  }

  #tell(list: string[], what: string): void {
    list.push(what);
    this.onTold(what);
  }

  get connected(): number[] {
    return [...(this.port?.connected() ?? [])].sort((a, b) => a - b);
  }
}

class Stage {
  readonly timeline = new Timeline();
  readonly random: SeededRandom;
  readonly network: SimNetwork;
  readonly addresses = new Map<number, PeerAddress>();

  constructor(sids: readonly number[], quality: Partial<LinkQuality> = {}, seed = 1) {
    this.random = new SeededRandom(seed);
    this.network = new SimNetwork(this.timeline, this.random, () => ({ ...goodLink, ...quality }));
    for (const sid of sids) {
      this.addresses.set(sid, { electionAddresses: [{ host: addressOf(sid), port: 3888 }] });
    }
  }

  server(sid: number): Server {
    return new Server(this, sid);
  }

  async play(forMs: number): Promise<void> {
    const untilMs = this.timeline.nowMs + forMs;
    while (this.timeline.step(untilMs)) await drained();
  }

  /** Connections that exist, as caller and called. */
  get links(): string[] {
    return [...this.network.links()]
      .map(({ near, far }) => `${near.host.name} to ${far.host.name}`)
      .sort();
  }

  /** Someone who writes what he likes. */
  caller(to: number, ...bytes: readonly Uint8Array[]): Caller {
    const caller = new Caller();
    const host = { name: 'caller', isDead: false, post: (task: () => void) => task() };
    const at = { host: addressOf(to), port: 3888 };
    this.network.dial(host, '10.9.9.9', at, {
      onOpen: (socket) => {
        socket.serve(caller);
        caller.socket = socket;
        for (const one of bytes) socket.write(one, 0, one.length);
      },
      onRefused: () => assert.fail('refused'),
    });
    return caller;
  }
}

class Caller implements SocketHandler {
  socket: Socket | null = null;
  isClosed = false;
  drains = 0;
  readonly received: number[] = [];

  onData(bytes: Uint8Array, start: number, end: number): void {
    this.received.push(...bytes.subarray(start, end));
  }

  onDrain(): void {
    this.drains++;
  }

  onClose(): void {
    this.isClosed = true;
  }
}

function helloOf(sid: number, host = addressOf(sid)): Uint8Array {
  const out = new Writer();
  writeHello(out, sid, [{ host, port: 3888 }], false);
  return out.take();
}

function framed(write: (out: Writer) => void): Uint8Array {
  const out = new Writer();
  out.writeInt(0);
  write(out);
  out.patchInt(0, out.pos - 4);
  return out.take();
}

const frameOf = (round: number): Uint8Array => framed((out) => writeNotification(out, vote(round)));

test('whoever speaks first, the connection is the one that the larger number opened', async () => {
  for (const first of [1, 2]) {
    const stage = new Stage([1, 2]);
    const servers = [stage.server(1), stage.server(2)];
    for (const server of servers) await server.start();
    const [speaker, other] = first === 1 ? servers : [...servers].reverse();
    assert.ok(speaker && other);
    speaker.port?.send(other.sid, vote(7));
    await stage.play(1000);
    assert.deepEqual(other.received, [`${first}: 7`]);
    other.port?.send(first, vote(8));
    await stage.play(1000);
    assert.deepEqual(speaker.received, [`${other.sid}: 8`]);
    assert.deepEqual(stage.links, ['server 2 to server 1']);
    assert.deepEqual(speaker.told, [`connected ${other.sid}`]);
    assert.deepEqual(other.told, [`connected ${first}`]);
  }
});

for (const latencyMs of [0.1, 20, 300, 900]) {
  test(`all speak at once, over links of ${latencyMs} ms: one connection for each pair`, async () => {
    for (let seed = 1; seed <= 8; seed++) {
      const quality = { latencyMs, jitterMs: latencyMs, cut: 0.5, cutToBytes: 0.3 };
      const stage = new Stage([1, 2, 3, 4, 5], quality, seed);
      const servers = [1, 2, 3, 4, 5].map((sid) => stage.server(sid));
      for (const server of servers) await server.start();
      for (const server of servers) {
        server.process.post(() => {
          for (const other of servers) server.port?.send(other.sid, vote(server.sid));
        });
      }
      await stage.play(60_000);
      assert.equal(stage.links.length, 10, `seed ${seed}`);
      for (const server of servers) {
        const others = servers.map(({ sid }) => sid).filter((sid) => sid !== server.sid);
        assert.deepEqual(server.connected, others);
        for (const sid of others) assert.ok(server.received.includes(`${sid}: ${sid}`));
        assert.ok(server.received.every((one) => /^(\d): \1$/.test(one)));
      }
      const quiet = servers.map(({ told }) => told.length);
      await stage.play(60_000);
      assert.deepEqual(
        servers.map(({ told }) => told.length),
        quiet,
        `seed ${seed} comes to rest`,
      );
    }
  });
}

test('of messages that have to wait only the last is sent', async () => {
  const stage = new Stage([1, 2]);
  const [one, two] = [stage.server(1), stage.server(2)];
  await two.start();
  for (const round of [1, 2, 3]) two.port?.send(1, vote(round));
  await stage.play(500);
  await one.start();
  await stage.play(2000);
  assert.deepEqual(one.received, ['2: 3']);
});

test('attempts to reach a server that is down come in growing pauses', async () => {
  const stage = new Stage([1, 2]);
  const two = stage.server(2);
  await two.start();
  two.port?.send(1, vote(1));
  await stage.play(300);
  two.port?.send(1, vote(2));
  two.port?.connectAll();
  await stage.play(20_000);
  const pauses = two.dials.slice(1).map(({ timeMs }, i) => timeMs - (two.dials[i]?.timeMs ?? 0));
  assert.ok(two.dials.length > 15 && two.dials.length < 30, `${two.dials.length}`);
  assert.ok(pauses.every((pause, i) => i === 0 || pause > 0.9 * (pauses[i - 1] ?? 0)));
  assert.ok(pauses.every((pause) => pause >= 50 && pause < 1100));
});

test('after a connection is lost what holds now is said on the next', async () => {
  const stage = new Stage([1, 2]);
  const [one, two] = [stage.server(1), stage.server(2)];
  for (const server of [one, two]) await server.start();
  two.port?.send(1, vote(1));
  one.port?.send(2, vote(2));
  await stage.play(5000);
  assert.deepEqual([one.received.at(-1), two.received.at(-1)], ['2: 1', '1: 2']);
  // an election later
  [one.word, two.word] = [vote(4), vote(3)];
  for (const link of stage.network.links()) stage.network.reset(link);
  await stage.play(5000);
  assert.deepEqual([one.received.at(-1), two.received.at(-1)], ['2: 3', '1: 4']);
  assert.deepEqual(one.told.slice(-2), ['disconnected 2', 'connected 2']);
  assert.deepEqual(stage.links, ['server 2 to server 1']);
});

test('a server that was killed is connected again when it is back', async () => {
  for (const sid of [1, 2]) {
    const stage = new Stage([1, 2]);
    const survivor = stage.server(3 - sid);
    const victim = stage.server(sid);
    for (const server of [survivor, victim]) await server.start();
    survivor.port?.connectAll();
    await stage.play(5000);
    victim.process.kill();
    stage.network.closeHost(victim.process);
    await stage.play(5000);
    assert.deepEqual(survivor.connected, []);
    const again = stage.server(sid);
    await again.start();
    await stage.play(1500);
    assert.deepEqual(survivor.connected, [sid]);
    assert.deepEqual(again.connected, [survivor.sid]);
  }
});

test('one that called and has gone is called, though there is nothing to say', async () => {
  for (const sid of [1, 3]) {
    const stage = new Stage([1, 2, 3]);
    const two = stage.server(2);
    await two.start();
    const caller = stage.caller(2, helloOf(sid));
    await stage.play(10);
    caller.socket?.destroy();
    const other = stage.server(sid);
    await stage.play(500);
    await other.start();
    await stage.play(1500);
    assert.deepEqual(two.connected, [sid]);
  }
});

test('a caller with a smaller number is called back, one with a larger one is kept', async () => {
  const stage = new Stage([1, 2, 3]);
  const two = stage.server(2);
  await two.start();
  const smaller = stage.caller(2, helloOf(1));
  const larger = stage.caller(2, Uint8Array.from([...helloOf(3), ...frameOf(5), ...frameOf(6)]));
  await stage.play(40);
  assert.ok(smaller.isClosed);
  assert.deepEqual(
    two.dials.map(({ host }) => host),
    [addressOf(1)],
  );
  assert.deepEqual(two.connected, [3]);
  assert.deepEqual(two.received, ['3: 5', '3: 6']);
  const another = stage.caller(2, helloOf(3));
  await stage.play(40);
  assert.ok(larger.isClosed);
  assert.ok(!another.isClosed);
  assert.deepEqual(two.told, ['connected 3', 'disconnected 3', 'connected 3']);
});

test('who calls with a smaller number has no connection, whatever it seems here', async () => {
  const stage = new Stage([1, 2]);
  const [one, two] = [stage.server(1), stage.server(2)];
  for (const server of [one, two]) await server.start();
  two.port?.connectAll();
  await stage.play(100);
  stage.caller(2, helloOf(1));
  await stage.play(0.3);
  stage.network.reception = () => 'ignored';
  await stage.play(100);
  assert.deepEqual(two.connected, []);
  assert.deepEqual(two.told, ['connected 1', 'disconnected 1']);
});

test('one that accepts and closes at once is called ever more seldom', async () => {
  const stage = new Stage([1, 2]);
  const two = stage.server(2);
  await two.start();
  await stage.server(1).network.listen({ host: addressOf(1), port: 3888 }, (socket) => {
    socket.end();
    return { onData() {}, onDrain() {}, onClose() {} };
  });
  two.port?.connectAll();
  await stage.play(20_000);
  assert.ok(two.dials.length > 15 && two.dials.length < 30, `${two.dials.length}`);
});

test('a port may be closed from inside what it tells', async () => {
  for (const at of ['connected 3', '3: 5']) {
    const stage = new Stage([2, 3]);
    const two = stage.server(2);
    await two.start();
    two.onTold = (what) => {
      if (what === at) void two.port?.close();
    };
    const bytes = Uint8Array.from([...helloOf(3), ...frameOf(5), ...frameOf(6)]);
    const caller = stage.caller(2, bytes);
    await stage.play(100);
    assert.ok(caller.isClosed);
    assert.deepEqual(two.told, ['connected 3']);
    assert.deepEqual(two.received, at === '3: 5' ? ['3: 5'] : []);
  }
});

test('who calls with the own number, an unknown one or nonsense is turned away alone', async () => {
  const stage = new Stage([1, 2, 3]);
  const two = stage.server(2);
  two.isKnown = (sid) => sid !== 9;
  await two.start();
  const good = stage.caller(2, helloOf(3));
  await stage.play(100);
  const bad = [
    stage.caller(2, helloOf(2)),
    stage.caller(2, helloOf(9)),
    stage.caller(2, helloOf(-1)),
    stage.caller(2, Uint8Array.of(0x7f, 255, 255, 255, 255, 255, 255, 255)),
    stage.caller(2, new TextEncoder().encode('\xff GET / HTTP/1.1\r\n\r\n')),
  ];
  await stage.play(100);
  assert.ok(bad.every(({ isClosed }) => isClosed));
  assert.ok(!good.isClosed);
  assert.deepEqual(two.told, ['connected 3']);
  assert.deepEqual(two.dials, []);
  assert.equal(two.warnings.filter((one) => one.includes('number of this server')).length, 1);
  assert.equal(two.warnings.filter((one) => one.includes('not known')).length, 3);
  assert.equal(two.warnings.filter((one) => one.includes('no hello')).length, 1);
});

test('a hello that does not come holds up nobody, and not for long', async () => {
  const stage = new Stage([1, 2, 3]);
  const two = stage.server(2);
  await two.start();
  const hung = stage.caller(2, helloOf(3).slice(0, 19));
  const many = Array.from({ length: 200 }, () => stage.caller(2));
  await stage.play(100);
  // those who wait longest go first
  assert.ok(hung.isClosed);
  assert.equal(many.filter(({ isClosed }) => isClosed).length, 200 - 128);
  const good = stage.caller(2, helloOf(3));
  await stage.play(100);
  assert.deepEqual(two.connected, [3]);
  await stage.play(5000);
  assert.ok(many.every(({ isClosed }) => isClosed));
  assert.ok(!good.isClosed);
  assert.equal(two.process.clock.pendingTimers, 0);
});

test('a body that is no vote is skipped, a frame that is none ends the connection', async () => {
  const empty = Uint8Array.of(0, 0, 0, 0);
  const tooLong = Uint8Array.of(0, 8, 0, 1);
  const negative = Uint8Array.of(255, 255, 255, 255);
  for (const bad of [empty, tooLong, negative]) {
    const stage = new Stage([1, 2]);
    const one = stage.server(1);
    await one.start();
    const short = framed((out) => out.writeInt(0));
    const caller = stage.caller(1, helloOf(2), short, frameOf(4), bad, frameOf(5));
    await stage.play(40);
    assert.deepEqual(one.received, ['2: 4']);
    assert.deepEqual(one.told, ['connected 2', 'disconnected 2']);
    assert.ok(caller.isClosed);
  }
});

test('the longest frame is taken', async () => {
  const stage = new Stage([1, 2]);
  const one = stage.server(1);
  await one.start();
  stage.caller(
    1,
    helloOf(2),
    framed((out) => {
      writeNotification(out, vote(9));
      const missing = 512 * 1024 + 4 - out.pos;
      out.ensure(missing);
      out.pos += missing;
    }),
  );
  await stage.play(1000);
  assert.deepEqual(one.received, ['2: 9']);
});

test('one that does not read gets the last message when it reads again', async () => {
  const stage = new Stage([1, 2], { windowBytes: 200 });
  const one = stage.server(1);
  await one.start();
  const slow = stage.caller(1, helloOf(2));
  await stage.play(10);
  slow.socket?.pause();
  for (let round = 1; round <= 50; round++) {
    one.port?.send(2, vote(round));
    await stage.play(1);
  }
  slow.socket?.resume();
  await stage.play(1000);
  const frameBytes = frameOf(1).length;
  const rounds = Array.from({ length: slow.received.length / frameBytes }, (_, i) =>
    slow.received.slice(i * frameBytes).at(31),
  );
  assert.ok(rounds.length >= 2 && rounds.length < 12, rounds.join(' '));
  assert.equal(rounds.at(-1), 50);
});

test('an address that does not answer is followed by the next one', async () => {
  const stage = new Stage([1, 2]);
  const [one, two] = [stage.server(1), stage.server(2)];
  await one.start();
  await two.start();
  const [real] = stage.addresses.get(1)?.electionAddresses ?? [];
  assert.ok(real);
  const addresses = [{ host: '10.0.9.1', port: 1 }, { host: 'no-such-name', port: 1 }, real];
  two.peers.set(1, { electionAddresses: addresses });
  two.port?.send(1, vote(1));
  await stage.play(40);
  assert.deepEqual(one.received, ['2: 1']);
});

test('a hung attempt is given up when the server it waits for calls', async () => {
  const stage = new Stage([1, 2]);
  const two = stage.server(2);
  await two.start();
  stage.network.reception = () => 'ignored';
  two.port?.send(1, vote(1));
  await stage.play(2000);
  stage.network.reception = () => 'answered';
  const one = stage.server(1);
  await one.start();
  one.port?.connectAll();
  await stage.play(100);
  assert.deepEqual(one.received, ['2: 1']);
  await stage.play(10_000);
  assert.deepEqual(stage.links, ['server 2 to server 1']);
  assert.deepEqual(two.told, ['connected 1']);
});

test('a server that may join is talked to at the address it tells, and forgotten after', async () => {
  const stage = new Stage([2]);
  const two = stage.server(2);
  two.isKnown = (sid) => sid === 1 || sid === 3;
  await two.start();
  const hellos: (Hello | 'malformed' | 'more')[] = [];
  let answer: Socket | null = null;
  const host = { name: 'guest', isDead: false, post: (task: () => void) => task() };
  await stage.network
    .portOf(host, '10.0.7.1', null)
    .listen({ host: '10.0.7.1', port: 3888 }, (socket) => {
      answer = socket;
      return {
        onData: (bytes, start, end) => {
          hellos.push(new HelloDecoder().push(bytes, start, end));
        },
        onDrain() {},
        onClose() {},
      };
    });
  const larger = stage.caller(2, helloOf(3));
  stage.caller(2, helloOf(1, '10.0.7.1'));
  await stage.play(100);
  assert.deepEqual(two.connected, [1, 3]);
  assert.deepEqual(hellos, [{ sid: 2n, addresses: [{ host: '10.0.0.2', port: 3888 }] }]);
  larger.socket?.destroy();
  (answer as Socket | null)?.destroy();
  await stage.play(10_000);
  assert.deepEqual(two.connected, []);
  assert.equal(two.dials.length, 1);
  assert.equal(two.process.clock.pendingTimers, 0);
  two.port?.send(3, vote(1));
  await stage.play(10_000);
  assert.equal(two.dials.length, 1);
  stage.caller(2, helloOf(1, '10.0.7.1'));
  await stage.play(100);
  assert.deepEqual(two.connected, [1]);
});

test('several addresses are told where everybody understands it', async () => {
  const stage = new Stage([1, 2]);
  const electionAddresses = [
    { host: addressOf(1), port: 3888 },
    { host: addressOf(1), port: 3889 },
  ];
  stage.addresses.set(1, { electionAddresses });
  const one = stage.server(1);
  await one.start({ useV2: true, listenHost: null });
  const hellos: (Hello | 'malformed' | 'more')[] = [];
  const two = stage.server(2);
  await two.network.listen({ host: addressOf(2), port: 3888 }, () => ({
    onData: (bytes, start, end) => {
      hellos.push(new HelloDecoder().push(bytes, start, end));
    },
    onDrain() {},
    onClose() {},
  }));
  one.port?.connectAll();
  await stage.play(40);
  assert.deepEqual(hellos, [{ sid: 1n, addresses: electionAddresses }]);
});

test('servers that left the configuration are dropped, the others stay', async () => {
  const stage = new Stage([1, 2, 3]);
  const servers = [1, 2, 3].map((sid) => stage.server(sid));
  for (const server of servers) await server.start();
  for (const server of servers) server.port?.connectAll();
  await stage.play(5000);
  const [one, two, three] = servers;
  assert.ok(one && two && three);
  two.peers.delete(3);
  two.port?.setPeers();
  assert.deepEqual(two.connected, [1]);
  assert.equal(two.told.at(-1), 'disconnected 3');
  two.port?.send(3, vote(1));
  await stage.play(5000);
  assert.deepEqual(two.connected, [1]);
  assert.deepEqual(one.connected, [2, 3]);
});

test('a port that is closed leaves nothing behind and says nothing more', async () => {
  const stage = new Stage([1, 2, 3]);
  const [one, two] = [stage.server(1), stage.server(2)];
  for (const server of [one, two]) await server.start();
  for (const server of [one, two]) server.port?.connectAll();
  stage.caller(2);
  await stage.play(5000);
  const told = two.told.length;
  await two.port?.close();
  two.port?.send(1, vote(1));
  two.port?.connectAll();
  await stage.play(20_000);
  assert.equal(two.told.length, told);
  assert.equal(two.process.clock.pendingTimers, 0);
  assert.deepEqual(one.connected, []);
  // the address is free
  await stage.server(2).start();
});

test('a port that cannot have one of its addresses has none', async () => {
  const stage = new Stage([1, 2]);
  const electionAddresses = [
    { host: addressOf(1), port: 3888 },
    { host: addressOf(1), port: 3889 },
  ];
  stage.addresses.set(1, { electionAddresses });
  const squatter = await stage
    .server(1)
    .network.listen({ host: addressOf(1), port: 3889 }, () => assert.fail('nobody calls'));
  await assert.rejects(stage.server(1).start(), /EADDRINUSE/);
  await squatter.close();
  await stage.server(1).start();
  await assert.rejects(stage.server(9).start(), /not in the configuration/);
});
