import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { freePorts } from '../node/free-port.js';
import { ZooServer } from '../node/zoo-server.js';
import { readMembers } from '../server/config/members.js';
import { main } from './main.js';
import { processTerminal, type Terminal } from './terminal.js';

const home = mkdtempSync(join(tmpdir(), 'zabra-join-'));
const host = '127.0.0.1';
const servers: ZooServer[] = [];
const adminPorts: number[] = [];
/** `super:secret`. */
const superDigest = 'super:lK75jTNcA+U9vtVEw5vB51mj/w4=';
const auth = ['--auth', 'digest:super:secret'];
/** Nothing here waits for a tick; in one of them a busy machine has to let everybody speak. */
const tickTimeMs = 5000;

/** A command at work: what it says, and the signal that ends it. */
class Run {
  printed = '';
  complained = '';
  readonly ended: Promise<number>;
  signal: () => void = () => undefined;

  constructor(argv: readonly string[], env: Terminal['env'] = {}) {
    this.ended = main(argv, {
      ...{ env, inputFd: 0, startServer: processTerminal.startServer },
      print: (text) => (this.printed += text),
      complain: (line) => (this.complained += `${line}\n`),
      untilStopped: () =>
        new Promise((resolve) => {
          this.signal = () => {
            resolve('SIGTERM');
          };
        }),
      onCrash: () => undefined,
    });
  }

  async until(pattern: RegExp): Promise<void> {
    const failed = this.ended.then((code) => `it ended with ${code}: ${this.complained}`);
    while (!pattern.test(this.printed)) {
      const tick = new Promise((resolve) => setTimeout(resolve, 20, null));
      const problem = await Promise.race([failed, tick]);
      if (typeof problem === 'string' && !pattern.test(this.printed)) assert.fail(problem);
    }
  }
}

async function complaintOf(...argv: string[]): Promise<string> {
  const run = new Run(argv);
  const code = await run.ended;
  assert.ok(code === 1 || code === 2, `it ended with ${code}: ${run.printed}`);
  return run.complained.trim();
}

function ensembleAddress(): string {
  return servers[0]?.connectString ?? '';
}

function voters(): number[] {
  return [...(servers[0]?.config.ensemble.servers.keys() ?? [])].sort();
}

before(async () => {
  const ports = await freePorts(9, host);
  const places: Record<number, string> = {};
  for (const id of [1, 2, 3]) {
    const [quorum = 0, election = 0] = ports.slice(3 * id - 3);
    places[id] = `${host}:${quorum}:${election}`;
    adminPorts.push(ports[3 * id - 1] ?? 0);
  }
  for (const id of [1, 2, 3]) {
    servers.push(
      new ZooServer({
        ...{ id, servers: places, dataDir: join(home, String(id)), superDigest, tickTimeMs },
        ...{ adminServerEnabled: true, adminServerAddress: host, preAllocBytes: 65_536 },
        adminServerPort: adminPorts[id - 1] ?? 0,
      }),
    );
  }
  await Promise.all(servers.map((server) => server.start()));
  await Promise.all(servers.map((server) => server.leaderElection()));
});

after(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  rmSync(home, { recursive: true, force: true });
});

test('a new server joins by one address, is started again, and leaves', async () => {
  const [quorum = 0, election = 0, client = 0] = await freePorts(3, host);
  const data = join(home, 'four');
  const place = ['--address', host, '--ports', `${quorum}:${election}`];
  const own = ['--id', '4', ...place, '--client-port', String(client), '--data', data];
  const argv = ['join', `127.0.0.1:1,${ensembleAddress()}`, ...own, `-DtickTime=${tickTimeMs}`];

  const denied = await complaintOf(...argv);
  assert.match(denied, /^zabra join: \S+ refuses: not everybody may change it: --auth /);
  assert.deepEqual(voters(), [1, 2, 3]);

  // what the first attempt wrote is no hindrance
  const joining = new Run(argv, { ZABRA_AUTH: 'digest:super:secret' });
  await joining.until(/later starts: zabra server .*zoo\.cfg\n/);
  assert.match(
    joining.printed,
    /^the ensemble at \S+: servers 1, 2, 3 vote; it survives the loss of 1\nwrote /,
  );
  assert.match(joining.printed, /\nserver 4 is a voter: servers 1, 2, 3, 4 vote/);
  assert.deepEqual(voters(), [1, 2, 3, 4]);
  joining.signal();
  assert.equal(await joining.ended, 0);
  const zooCfg = readFileSync(join(data, 'zoo.cfg'), 'utf8');
  assert.match(zooCfg, /^tickTime=5000$/m);
  const dynamic = /^dynamicConfigFile=(.+)$/m.exec(zooCfg)?.[1] ?? '';
  const reading = readMembers(readFileSync(dynamic, 'utf8'));
  assert.ok(reading.ok && reading.members.servers.has(4), 'later starts find it in the file');

  const again = new Run([...argv, ...auth]);
  await again.until(/later starts/);
  assert.match(again.printed, /server 4 is a member already: only started/);

  const left = new Run(['leave', ensembleAddress(), '--id', '4', ...auth]);
  assert.equal(await left.ended, 0, left.complained);
  assert.match(left.printed, /^server 4 is out: servers 1, 2, 3 vote; .* 1\nstop it now/);
  again.signal();
  assert.equal(await again.ended, 0);
});

test('an observer joins as one', async () => {
  const [quorum = 0, election = 0, client = 0] = await freePorts(3, host);
  const joining = new Run([
    ...['join', ensembleAddress(), '--id', '5', '--address', host, '--observer', ...auth],
    ...['--ports', `${quorum}:${election}`, '--client-port', String(client)],
    ...['--data', join(home, 'five'), `-DtickTime=${tickTimeMs}`],
  ]);
  await joining.until(/later starts/);
  assert.match(joining.printed, /server 5 is an observer: servers 1, 2, 3 vote, 5 only serve/);
  assert.equal(servers[0]?.config.ensemble.servers.get(5)?.role, 'observer');
  assert.equal(await new Run(['leave', ensembleAddress(), '--id', '5', ...auth]).ended, 0);
  joining.signal();
  assert.equal(await joining.ended, 0);
});

test('what cannot be is said before anything is written', async () => {
  const data = join(home, 'never');
  const own = ['--address', '10.0.0.9', '--data', data];
  const at = ensembleAddress();
  const found = servers[0]?.config.ensemble.servers.get(2)?.addresses[0];
  const taken = `${found?.quorumPort ?? 0}:${found?.electionPort ?? 0}`;
  assert.match(
    await complaintOf('join', at, '--id', '2', ...own),
    /--id 2 is taken, by the server at 127\.0\.0\.1:.*; 4, 5, 6 are free$/,
  );
  assert.match(
    await complaintOf('join', at, '--id', '7', '--address', host, '--ports', taken, '--data', data),
    /127\.0\.0\.1:\d+ is where server 2 is$/,
  );
  assert.match(
    await complaintOf('join', at, '--id', '7', ...own, '--auth', 'nonsense:a:b'),
    /does not accept --auth nonsense:…$/,
  );
  assert.match(
    await complaintOf('join', '127.0.0.1:1', '--id', '7', ...own),
    /nobody answers: .*ECONNREFUSED/,
  );
  const kept = join(home, 'kept');
  mkdirSync(kept);
  writeFileSync(join(kept, 'precious'), '');
  assert.match(
    await complaintOf('join', at, '--id', '7', '--address', '10.0.0.9', '--data', kept),
    /is not empty, and not of an earlier attempt to join as 7/,
  );
  assert.equal(existsSync(data), false);
});

test('arguments that are missing or make no sense are told', async () => {
  const cases: readonly (readonly [RegExp, ...string[]])[] = [
    [/where is the ensemble/, 'join'],
    [/--id is missing/, 'join', 'a:1'],
    [/--address is missing/, 'join', 'a:1', '--id', '4'],
    [/no address of a host/, 'join', 'a:1', '--id', '4', '--address', '10.0.0.4:2888'],
    [/every address/, 'join', 'a:1', '--id', '4', '--address', '0.0.0.0'],
    [/--ports is/, 'join', 'a:1', '--id', '4', '--address', 'd', '--ports', '1'],
    [/are three/, 'join', 'a:1', '--id', '4', '--address', 'd', '--ports', '2181:3888'],
    [/--data is missing/, 'join', 'a:1', '--id', '4', '--address', 'd'],
    [/where is the ensemble/, 'leave'],
    [/--id is missing/, 'leave', 'a:1'],
    [/host:port of an AdminServer/, 'handover', '--server', 'here'],
    [/--auth is digest:USER:PASSWORD$/, 'handover', '--auth', 'hunter2'],
  ];
  for (const [pattern, ...argv] of cases) assert.match(await complaintOf(...argv), pattern);
});

test('who is no member cannot leave', async () => {
  const complaint = await complaintOf('leave', ensembleAddress(), '--id', '9', ...auth);
  assert.match(complaint, /^zabra leave: there is no server 9: servers 1, 2, 3 vote/);
});

test('where reconfiguration is disabled, the key is named; a server alone is no ensemble', async () => {
  const own = ['--id', '7', '--address', '10.0.0.9', '--data', join(home, 'disabled')];
  const [quorum = 0, election = 0] = await freePorts(2, host);
  const fixed = new ZooServer({
    ...{ id: 1, servers: { 1: `${host}:${quorum}:${election}` }, reconfigEnabled: false },
    dataDir: join(home, 'fixed'),
  });
  await fixed.start();
  await fixed.leaderElection();
  const alone = new ZooServer({ dataDir: join(home, 'alone') });
  await alone.start();
  try {
    assert.match(
      await complaintOf('join', fixed.connectString, ...own),
      /refuses: reconfiguration is disabled: set reconfigEnabled=true in the zoo\.cfg of each/,
    );
    assert.match(await complaintOf('join', alone.connectString, ...own), /stands alone/);
  } finally {
    await fixed.stop();
    await alone.stop();
  }
});

test('leadership is handed over, to the best or to the one that is named', async () => {
  const leaderOf = (): number =>
    servers.find((one) => one.status().state === 'leader')?.status().id ?? 0;
  const at = (id: number): string => `${host}:${adminPorts[id - 1] ?? 0}`;
  const leader = leaderOf();
  const [other = 0, third = 0] = [1, 2, 3].filter((id) => id !== leader);
  // each of them has another port on this machine, so one that follows cannot say where the leader's is
  assert.match(
    await complaintOf('handover', '--server', at(other)),
    new RegExp(`is not its AdminServer: --server names that of server ${leader}$`),
  );
  const run = new Run(['handover', '--to', String(other), '--server', at(leader)]);
  assert.equal(await run.ended, 0, run.complained);
  const said = `^server ${leader} leads, at 127.0.0.1\nserver ${other} leads now; clients waited [\\d.]+ ms\n$`;
  assert.match(run.printed, new RegExp(said));
  const best = new Run(['handover', '--server', at(other), ...auth]);
  assert.equal(await best.ended, 0, best.complained);
  const now = Number(/server (\d) leads now/.exec(best.printed)?.[1]);
  assert.ok(now === leader || now === third);
  assert.match(
    await complaintOf('handover', '--to', '9', '--server', at(now)),
    /^zabra handover: there is no server 9: the voters are 1, 2, 3$/,
  );
  assert.match(
    await complaintOf('handover', '--server', ensembleAddress()),
    /is it the AdminServer/,
  );
});
