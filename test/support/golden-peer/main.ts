/**
 * `node build/test/support/golden-peer/main.js [release…]`: captures test/golden/peer again. Four
 * servers of Apache's, the last an observer, live through what an ensemble can live through while a
 * proxy on every way between two of them writes down what they say.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { OpCode } from 'zabra/protocol';
import { fourLetterWord } from '../four-letter.js';
import { repositoryRoot, temporaryDirectory } from '../machine.js';
import { startOracle, type OracleVersion } from '../oracle.js';
import { body, flags, part } from '../requests.js';
import type { ServerProcess } from '../server-process.js';
import { TestClient } from '../test-client.js';
import { RecordingProxy, type Conversation } from './recording-proxy.js';
import { steadyPort } from './steady-port.js';

const sids = [1, 2, 3, 4] as const;
const observer = 4;
const tickMs = 500;
/** None of them ends in between. */
const sessionMs = 60_000;

interface Line {
  readonly what: string;
  readonly channel: 'election' | 'quorum';
  readonly caller: number;
  readonly called: number;
  readonly said: readonly (readonly [string, string])[];
}

const routeOf = (from: number, to: number): string => `${from} to ${to}`;

/**
 * All servers have one configuration, with names for hosts. What a name means is another matter for
 * each of them: itself, or the proxy on the way to somebody else.
 */
const nameOf = (sid: number): string => `zk${sid}.test`;
const addressOf = (sid: number): string => `127.0.1.${sid}`;
const wayOf = (from: number, to: number): string => `127.1.${from}.${to}`;

class Capture {
  readonly #release: OracleVersion;
  readonly #home = temporaryDirectory('golden-peer');
  #ports = { quorum: 0, election: 0 };
  readonly #quorum = new Map<string, RecordingProxy>();
  readonly #election = new Map<string, RecordingProxy>();
  readonly #servers = new Map<number, ServerProcess>();
  readonly #lines: { readonly line: Omit<Line, 'said'>; readonly conversation: Conversation }[] =
    [];

  constructor(release: OracleVersion) {
    this.#release = release;
  }

  async prepare(): Promise<void> {
    this.#ports = { quorum: await steadyPort(), election: await steadyPort() };
    for (const from of sids) {
      const hosts = sids.map(
        (to) => `${to === from ? addressOf(to) : wayOf(from, to)} ${nameOf(to)}`,
      );
      const itself = [`127.0.0.1 localhost`, `127.0.0.1 ${hostname()}`];
      const directory = this.#directoryOf(from);
      mkdirSync(directory);
      writeFileSync(join(directory, 'myid'), `${from}\n`);
      writeFileSync(this.#hostsFileOf(from), [...itself, ...hosts, ''].join('\n'));
      for (const to of sids) {
        if (to === from) continue;
        this.#quorum.set(routeOf(from, to), await this.#proxy(from, to, this.#ports.quorum));
        this.#election.set(routeOf(from, to), await this.#proxy(from, to, this.#ports.election));
      }
    }
  }

  #proxy(from: number, to: number, port: number): Promise<RecordingProxy> {
    const target = { host: addressOf(to), port };
    return RecordingProxy.listen({ host: wayOf(from, to), port }, target);
  }

  async start(sid: number): Promise<void> {
    const { quorum, election } = this.#ports;
    const servers = sids.map((other) => {
      const role = other === observer ? 'observer' : 'participant';
      return [`server.${other}`, `${nameOf(other)}:${quorum}:${election}:${role}`] as const;
    });
    const server = await startOracle(this.#release, {
      dataDir: this.#directoryOf(sid),
      port: await steadyPort(),
      config: {
        tickTime: String(tickMs),
        maxSessionTimeout: String(sessionMs),
        initLimit: '40',
        syncLimit: '10',
        reconfigEnabled: 'true',
        skipACL: 'yes',
        ...(sid === observer ? { peerType: 'observer' } : {}),
        ...Object.fromEntries(servers),
      },
      properties: {
        'jdk.net.hosts.file': this.#hostsFileOf(sid),
        // no DIFF from the log on disk: who has nothing gets a snapshot
        'zookeeper.snapshotSizeFactor': '-1',
        'zookeeper.skipACL': 'yes',
      },
    });
    this.#servers.set(sid, server);
  }

  server(sid: number): ServerProcess {
    return this.#found(this.#servers.get(sid));
  }

  quorum(from: number, to: number): RecordingProxy {
    return this.#found(this.#quorum.get(routeOf(from, to)));
  }

  election(from: number, to: number): RecordingProxy {
    return this.#found(this.#election.get(routeOf(from, to)));
  }

  /** To be written down, to its very end: the latest connection on this way, or the next. */
  async keep(
    what: string,
    channel: Line['channel'],
    caller: number,
    called: number,
  ): Promise<void> {
    const proxy =
      channel === 'quorum' ? this.quorum(caller, called) : this.election(caller, called);
    for (let waited = 0; waited < 1000; waited++) {
      const conversation = proxy.latest;
      // the election's may be over with the hello
      if (conversation !== null && (channel === 'election' || !conversation.isOver)) {
        this.#lines.push({ line: { what, channel, caller, called }, conversation });
        return;
      }
      await sleep(20);
    }
    throw new Error(`nobody called from ${caller} to ${called}: ${what}`);
  }

  write(more: readonly Line[]): void {
    const lines = this.#lines.map(({ line, conversation }): Line => {
      const said = conversation.said.map(
        ({ speaker, bytes }) => [speaker, bytes.toString('hex')] as const,
      );
      return { ...line, said };
    });
    const file = join(repositoryRoot, 'test', 'golden', 'peer', `${this.#release}.jsonl`);
    const text = [...lines, ...more].map((line) => JSON.stringify(line)).join('\n');
    writeFileSync(file, `${text}\n`);
    console.log(`captured ${lines.length + more.length} connections of ${this.#release}`);
  }

  async dispose(): Promise<void> {
    for (const server of this.#servers.values()) await server.dispose();
    for (const proxy of [...this.#quorum.values(), ...this.#election.values()]) await proxy.close();
    rmSync(this.#home, { recursive: true, force: true });
  }

  #directoryOf(sid: number): string {
    return join(this.#home, `server${sid}`);
  }

  #hostsFileOf(sid: number): string {
    return join(this.#home, `hosts${sid}`);
  }

  #found<T>(value: T | undefined): T {
    if (value === undefined) throw new Error('no such server');
    return value;
  }
}

/** All that a follower forwards, and what comes back for it. */
async function workThrough(server: ServerProcess): Promise<TestClient> {
  const client = await TestClient.connect(server, { timeoutMs: sessionMs });
  await client.call(OpCode.auth, body.auth('digest', 'ben:secret'), -4);
  await client.create('/a', { data: 'first' });
  await client.create('/a/ephemeral', { flags: flags.ephemeral });
  await client.create2('/a/seq-', { data: null, flags: flags.persistentSequential });
  await client.create('/a', { data: 'exists already' });
  await client.call(OpCode.setData, body.setData('/a', 'second', -1));
  await client.call(
    OpCode.setACL,
    body.setAcl('/a', [{ perms: 31, scheme: 'world', id: 'anyone' }], -1),
  );
  await client.call(OpCode.multi, body.multi([part.create('/a/m1'), part.create('/a/m2')]));
  await client.sync('/a');
  await client.delete('/a/m1');
  // learners tell in their pings of sessions that were heard of
  await client.ping();
  await sleep(2 * tickMs);
  return client;
}

async function capture(release: OracleVersion): Promise<void> {
  const run = new Capture(release);
  try {
    await run.prepare();
    // called back by number, not by name (3.8.0), it would be past the proxies
    run.election(1, 3).isDeaf = true;
    await Promise.all([run.start(1), run.start(3)]);
    run.election(1, 3).isDeaf = false;
    await run.keep('two servers elect the one with the larger number', 'election', 3, 1);
    await run.keep('a follower of an empty ensemble, and its requests', 'quorum', 1, 3);
    const client = await workThrough(run.server(1));

    await Promise.all([run.start(2), run.start(4)]);
    await run.keep('a late server asks a larger one to call it', 'election', 2, 3);
    if (release === '3.9.5') {
      await run.keep('a late server finds the leader that there is', 'election', 3, 2);
    }
    await run.keep('an observer finds the leader', 'election', 4, 3);
    await run.keep('a follower that has nothing: SNAP', 'quorum', 2, 3);
    await run.keep('an observer: SNAP', 'quorum', 4, 3);
    await client.call(OpCode.setData, body.setData('/a', 'third', -1));
    const moved = await client.reconnect({}, run.server(2));
    await moved.create('/b', { data: 'by way of the other follower' });
    await sleep(2 * tickMs);

    await run.server(2).kill('SIGKILL');
    const plain = await TestClient.connect(run.server(1), { timeoutMs: sessionMs });
    for (let i = 0; i < 3; i++) await plain.create(`/missed-${i}`, { data: `${i}` });
    await run.start(2);
    await run.keep('a follower that was away: DIFF', 'quorum', 2, 3);
    await plain.create('/c', { data: 'after the DIFF' });
    await plain.close();
    await sleep(2 * tickMs);

    // a proposal that only its leader has
    for (const learner of [1, 2, 4]) run.quorum(learner, 3).swallows = 'called';
    const last = await TestClient.open(run.server(3));
    const createSession = last.handshake({ timeoutMs: sessionMs });
    await sleep(500);
    await run.server(3).kill('SIGKILL');
    await createSession.catch(() => null);
    for (const learner of [1, 2, 4]) run.quorum(learner, 3).swallows = null;

    await untilFollowing(run.server(1));
    await run.keep('the survivors elect the one with the larger number', 'election', 2, 1);
    await run.keep('a follower that has everything: an empty DIFF', 'quorum', 1, 2);
    await run.start(3);
    await run.keep('a server that lost its leadership', 'election', 3, 2);
    await run.keep('a follower with a proposal that nobody has: TRUNC', 'quorum', 3, 2);
    const after = await TestClient.connect(run.server(1), { timeoutMs: sessionMs });
    await after.create('/d', { data: 'after the TRUNC' });
    await run.keep('an observer follows the next leader', 'quorum', 4, 2);
    await sleep(2 * tickMs);
    await after.call(OpCode.reconfig, body.reconfig(null, '4', null, -1n));
    await sleep(2 * tickMs);
    run.write(release === '3.9.5' ? [await captureSecondHello(release)] : []);
  } finally {
    await run.dispose();
  }
}

async function untilFollowing(server: ServerProcess): Promise<void> {
  for (let waited = 0; waited < 500; waited++) {
    const answer = await fourLetterWord(server, 'srvr').catch(() => '');
    if (answer.includes('Mode: follower')) return;
    await sleep(50);
  }
  throw new Error('no leader was elected');
}

/** The hello of a server that tells several addresses. */
async function captureSecondHello(release: OracleVersion): Promise<Line> {
  const home = temporaryDirectory('golden-peer');
  const dataDir = join(home, 'data');
  mkdirSync(dataDir);
  writeFileSync(join(dataDir, 'myid'), '1\n');
  const [quorum, election] = [await steadyPort(), await steadyPort()];
  const own = [1, 2].map((which) => `127.0.2.${which}:${quorum}:${election}`);
  const nobody = { host: '127.0.2.4', port: election };
  const silent = createServer().listen(nobody.port, nobody.host);
  const other = await RecordingProxy.listen({ host: '127.0.2.3', port: election }, nobody);
  const start = startOracle(release, {
    dataDir,
    startTimeoutMs: 4_000,
    port: await steadyPort(),
    config: {
      initLimit: '10',
      syncLimit: '5',
      'server.1': own.join('|'),
      'server.2': `127.0.2.3:${quorum}:${election}`,
    },
    properties: { 'zookeeper.multiAddress.enabled': 'true' },
  });
  // it has nobody to serve with: it is ended when the time is over
  await start.then(
    (server) => server.dispose(),
    () => undefined,
  );
  await other.close();
  silent.close();
  rmSync(home, { recursive: true, force: true });
  const said = (other.latest?.said ?? []).map(
    ({ speaker, bytes }) => [speaker, bytes.toString('hex')] as const,
  );
  const what = 'a server with several addresses asks a larger one to call it';
  return { what, channel: 'election', caller: 1, called: 2, said };
}

const releases: readonly OracleVersion[] = ['3.9.5', '3.8.0'];
const wanted = process.argv.slice(2);
for (const release of releases) {
  if (wanted.length === 0 || wanted.includes(release)) await capture(release);
}
