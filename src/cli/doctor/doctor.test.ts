/** Each fault is provoked, found by its name, explained, and nothing else is found with it. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { TestEnsemble } from '../../testing/test-ensemble.js';
import { TestServer } from '../../testing/test-server.js';
import { ensembleOf, visit, type DoubleOptions, type Visit } from './doctor.fixture.js';
import { hostSightOf } from './host-sight.js';
import { faults } from './faults.js';
import { diagnose } from './fault.js';

const leader: DoubleOptions = { sid: 1, mode: 'leader' };
const three: readonly DoubleOptions[] = [leader, { sid: 2 }, { sid: 3 }];
const provoked = new Set<string>();

function names({ found }: Visit): string[] {
  return found.map(({ fault }) => fault).sort();
}

function check(visited: Visit, expected: readonly string[], isWrong = true): void {
  assert.deepEqual([...new Set(names(visited))], [...expected].sort());
  assert.equal(visited.code, isWrong ? 1 : 0, visited.text);
  for (const { fault, seen, advice } of visited.found) {
    provoked.add(fault);
    const flat = visited.text.replace(/\s+/g, ' ');
    assert.ok(flat.includes(seen) && flat.includes(advice) && flat.includes(fault), visited.text);
  }
}

/** What is found at these servers; `absent` members are down. */
async function found(
  doubles: readonly DoubleOptions[],
  changes: Parameters<typeof ensembleOf>[1] = {},
): Promise<Visit> {
  const world = await ensembleOf(doubles, changes);
  try {
    return await visit(world.connectString);
  } finally {
    await world.close();
  }
}

const changed = (sid: number, options: Partial<DoubleOptions>): DoubleOptions[] =>
  three.map((one) => (one.sid === sid ? { ...one, ...options } : one));

test('three healthy servers: nothing is found, and one may fail', async () => {
  const visited = await found(three);
  check(visited, [], false);
  assert.match(visited.text, /^3 voters, a quorum is 2, 3 serve: 1 more may fail/);
});

const cases: readonly (readonly [
  what: string,
  expected: readonly string[],
  doubles: readonly DoubleOptions[],
  changes?: Parameters<typeof ensembleOf>[1],
])[] = [
  ['two leaders', ['two-leaders'], changed(2, { mode: 'leader' })],
  ['one of three is down', ['no-spare', 'unreachable'], three.slice(0, 2), { absent: [3] }],
  ['four voters', ['even-voters'], [...three, { sid: 4 }]],
  ['two voters', ['two-voters'], three.slice(0, 2)],
  ['one hangs', ['hanging', 'no-spare'], changed(3, { isHanging: true })],
  ['one is cut off', ['no-spare', 'read-only'], changed(3, { mode: 'read-only' })],
  [
    'a follower is behind and stays there',
    ['lagging'],
    three.map((one) => ({
      ...one,
      zxids: one.sid === 3 ? ['0x100000000'] : ['0x100001000', '0x100002000'],
    })),
  ],
  ['another server is at the address', ['wrong-identity', 'outsider'], changed(3, { claims: 9 })],
  ['two servers have one number', ['duplicate-id', 'wrong-identity'], changed(3, { claims: 2 })],
  [
    'one has an old configuration',
    ['members-disagree'],
    changed(3, { members: 'server.3=127.0.0.1:1:2:participant;127.0.0.1:3\nversion=0' }),
  ],
  ['an election port is closed', ['election-port-closed'], three, { closedElectionPorts: [2] }],
  ['an old release', ['known-data-loss', 'mixed-versions'], changed(2, { version: '3.9.3' })],
  ['digests differ', ['digests-differ'], changed(2, { figures: { digest_mismatches_count: 1 } })],
  ['a slow disk', ['slow-flushes'], changed(2, { figures: { avg_fsynctime: 80 } })],
  ['one slow flush', ['slow-flushes'], changed(2, { figures: { max_fsynctime: 4000 } })],
  ['slow requests', ['slow-requests'], changed(2, { figures: { avg_latency: 300.5 } })],
  [
    'requests pile up',
    ['requests-pile-up'],
    changed(1, { figures: { outstanding_requests: 900 } }),
  ],
  [
    'descriptors run out',
    ['few-descriptors'],
    changed(1, {
      figures: { open_file_descriptor_count: 950, max_file_descriptor_count: 1024 },
    }),
  ],
  ['watches leak', ['watch-leak'], changed(1, { figures: { watch_count: 40_000 } })],
  ['gigabytes', ['much-data'], changed(1, { figures: { approximate_data_size: 2 ** 31 } })],
  [
    'clients are turned away',
    ['connections-refused'],
    changed(1, { figures: { connection_rejected: 3 } }),
  ],
  ['passwords are wrong', ['sign-ins-fail'], changed(1, { figures: { auth_failed_count: 3 } })],
  [
    'leadership does not stay',
    ['frequent-elections'],
    changed(1, { figures: { cnt_election_time: 6, uptime: 600_000 } }),
  ],
  ['timings differ', ['timings-differ'], changed(3, { settings: { tickTime: 3000 } })],
];

for (const [what, expected, doubles, changes] of cases) {
  test(what, async () => {
    check(await found(doubles, changes), expected);
  });
}

test('voters that answer and find no leader', async () => {
  const visited = await found(three.map((one) => ({ ...one, mode: 'looking' as const })));
  check(visited, ['no-leader', 'no-quorum', 'not-serving']);
  assert.match(visited.text, /^3 voters, a quorum is 2, 0 serve: nothing can be written/);
});

test('too few voters are left', async () => {
  const world = await ensembleOf(three.map((one) => ({ ...one, mode: 'looking' as const })));
  const [, second, third] = world.doubles;
  await second?.close();
  await third?.close();
  try {
    check(await visit(world.connectString), ['no-quorum', 'not-serving', 'unreachable']);
  } finally {
    await world.close();
  }
});

test('two versions: a note, and no failure', async () => {
  check(await found(changed(2, { version: '3.9.6' })), ['mixed-versions'], false);
});

test('connections are all on one server: a note, and no failure', async () => {
  const visited = await found(changed(1, { figures: { num_alive_connections: 400 } }));
  check(visited, ['uneven-connections'], false);
});

test('servers that tell only srvr: as much as that tells', async () => {
  const visited = await found(three.map((one) => ({ ...one, isTightLipped: true })));
  check(visited, ['words-hidden'], false);
});

test('a member without a client address cannot be asked, and is not taken for dead', async () => {
  const world = await ensembleOf(three.slice(0, 2), {
    more: 'server.3=127.0.0.1:1:2:participant\n',
  });
  try {
    const visited = await visit(world.connectString);
    check(visited, ['election-port-closed', 'not-asked']);
    assert.match(visited.text, /2 serve, 1 were not asked/);
  } finally {
    await world.close();
  }
});

test('groups and weights: the smallest loss that stops it counts', async () => {
  const nine = Array.from({ length: 9 }, (_, i): DoubleOptions => ({ sid: i + 1 }));
  const visited = await found(
    nine.map((one) => (one.sid === 1 ? leader : one)),
    { more: 'group.1=1:2:3\ngroup.2=4:5:6\ngroup.3=7:8:9\n' },
  );
  check(visited, [], false);
  // two of one group and two of another; any three losses leave two whole groups' majorities
  assert.deepEqual(visited.redundancy, {
    ...{ voters: 9, quorum: 4, serving: 9, unknown: 0, spare: 3 },
  });
});

test('what lies on this host', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'zabra-doctor-'));
  t.after(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  const dataDir = join(directory, 'data');
  mkdirSync(join(dataDir, 'version-2'), { recursive: true });
  for (let i = 0; i < 15; i++) {
    writeFileSync(join(dataDir, 'version-2', `log.${i}`), '');
    writeFileSync(join(dataDir, 'version-2', `snapshot.${i}`), '');
  }
  const config = join(directory, 'zoo.cfg');
  const write = (more: string): void => {
    writeFileSync(
      config,
      `dataDir=${dataDir}\nclientPort=1\nserver.1=127.0.0.1:2:3\nserver.2=127.0.0.1:4:5\n${more}`,
    );
  };
  const world = await ensembleOf(three);
  t.after(() => world.close());
  write('forceSync=no\n');
  check(await visit(world.connectString, '--config', config), [
    'flushes-off',
    'myid-wrong',
    'purge-off',
  ]);
  write('autopurge.purgeInterval=1\n');
  writeFileSync(join(dataDir, 'myid'), '7\n');
  check(await visit(world.connectString, '--config', config), ['myid-wrong']);
  writeFileSync(join(dataDir, 'myid'), '1\n');
  check(await visit(world.connectString, '--config', config), [], false);
  const host = hostSightOf(config, new Map([['dataDir', dataDir]]));
  const full = { ...host, freeBytes: 2 ** 20 };
  const found = diagnose(faults, { servers: [], members: null, closedPorts: [], host: full });
  assert.deepEqual(
    found.map(({ fault }) => fault),
    ['disk-nearly-full', 'purge-off'],
  );
  provoked.add('disk-nearly-full');
});

test('a real ensemble: healthy, one killed, one paused, the rest killed', async (t) => {
  const ensemble = await TestEnsemble.start(3, { settings: { fourLetterWhitelist: '*' } as never });
  t.after(() => ensemble.stop());
  const addresses = ensemble.connectString;
  check(await visit(addresses), [], false);
  const follower = ensemble.servers.find(({ state }) => state === 'follower')?.id ?? 0;
  await ensemble.kill(follower);
  check(await visit(addresses), ['no-spare', 'unreachable']);
  const other = ensemble.servers.find(({ state }) => state === 'follower')?.id ?? 0;
  await ensemble.kill(other);
  const visited = await visit(addresses);
  assert.ok(names(visited).includes('unreachable'));
});

test('a server alone may not fail, and is told so without a word of blame', async (t) => {
  const server = await TestServer.start();
  t.after(() => server.stop());
  const visited = await visit(server.connectString);
  assert.match(visited.text, /^1 server, alone: it may not fail/);
});

test('every fault of the list was provoked above', () => {
  assert.deepEqual(
    faults.map(({ name }) => name).filter((name) => !provoked.has(name)),
    [],
  );
  assert.equal(new Set(faults.map(({ name }) => name)).size, faults.length);
});
