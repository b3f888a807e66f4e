import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseEnsembleServer } from '../config/ensemble-config.js';
import { runAdminCommand } from './admin-commands.js';
import { EnsembleFixture, memberFixture, membersText } from './ensemble.fixture.js';
import { runFourLetterWord } from './four-letter-answers.js';
import type { FourLetterWord } from './four-letter-words.js';
import { writeJson } from './json.js';
import { FixtureView } from './view.fixture.js';
import type { ProcessView } from './view.js';

function word(name: FourLetterWord, view: ProcessView): string {
  const answer = runFourLetterWord(name, view);
  return typeof answer === 'string' ? answer : [...answer].join('');
}

function admin(name: string, view: ProcessView): Record<string, unknown> {
  const request = {
    method: 'GET',
    params: new Map<string, string>(),
    authorization: null,
  } as const;
  const { body } = runAdminCommand(name, request, view);
  return JSON.parse([...writeJson(body)].join('')) as Record<string, unknown>;
}

function keys(name: 'leader' | 'follower' | 'observer' | 'read-only'): string[] {
  return word('mntr', memberFixture(name))
    .split('\n')
    .map((line) => line.split('\t')[0] ?? '');
}

test('conf goes on with the own ports and the members, and ends without a newline', () => {
  const lines = word('conf', memberFixture('leader')).split('serverId=3\n')[1];
  assert.equal(
    lines,
    `initLimit=20\nsyncLimit=6\nelectionAlg=3\nelectionPort=29048\nquorumPort=29047\npeerType=0\nmembership: \n${membersText}`,
  );
  assert.match(word('conf', memberFixture('observer')), /^peerType=1$/m);
});

test('without a quorum conf says nothing of the members', () => {
  assert.match(word('conf', memberFixture('read-only')), /peerType=0\n$/);
});

test('srvr of a leader ends with the sizes of proposals', () => {
  assert.match(
    word('srvr', memberFixture('leader')),
    /\nProposal sizes last\/min\/max: 66\/48\/91\n$/,
  );
  assert.doesNotMatch(word('srvr', memberFixture('follower')), /Proposal/);
});

test('dump of a learner lists the sessions that the leader judges, by their ids', () => {
  const text = word('dump', memberFixture('follower'));
  assert.match(
    text,
    /^SessionTracker dump:\nGlobal Sessions\(2\):\n0x1000011eb9f0000\t30000ms\n0x2000011eb9f0000\t10000ms\nephemeral nodes dump:\n/,
  );
  assert.deepEqual(admin('dump', memberFixture('follower'))['expiry_time_to_session_ids'], {});
});

test('dump tells local sessions from those of the ensemble', () => {
  const local = [{ expiresMs: 1_206_000, sessionIds: [7n] }];
  const leader = memberFixture('leader');
  leader.localSessionExpiries = () => local;
  assert.match(
    word('dump', leader),
    /Local Session Sets \(1\)\/\(1\):[^G]*Global Session Sets \(1\)/,
  );
  const expiries = admin('dump', leader)['expiry_time_to_session_ids'] as Record<string, number[]>;
  assert.equal(expiries['1206000']?.length, 2);
  const follower = memberFixture('follower');
  follower.localSessionExpiries = () => local;
  assert.match(
    word('dump', follower),
    /Local Session Sets \(1\)\/\(1\):[^G]*Global Sessions\(2\):/,
  );
});

test('mntr shows each role its gauges, where Apache has them', () => {
  const leader = keys('leader');
  assert.deepEqual(leader.slice(0, 8), [
    'zk_version',
    'zk_server_state',
    'zk_peer_state',
    'zk_ephemerals_count',
    'zk_num_alive_connections',
    'zk_avg_latency',
    'zk_min_proposal_size',
    'zk_outstanding_requests',
  ]);
  const own = [
    ...['zk_min_proposal_size', 'zk_max_proposal_size', 'zk_synced_followers'],
    ...['zk_synced_non_voting_followers', 'zk_synced_observers', 'zk_last_proposal_size'],
    ...['zk_pending_syncs', 'zk_leader_uptime', 'zk_learners'],
  ];
  assert.deepEqual(
    leader.filter((key) => own.includes(key)),
    own,
  );
  for (const role of ['follower', 'observer', 'read-only'] as const) {
    assert.deepEqual(
      keys(role).filter((key) => own.includes(key)),
      [],
    );
  }
  assert.ok(keys('follower').includes('zk_quorum_size'));
  assert.equal(keys('observer')[3], 'zk_observer_master_id');
  assert.match(word('mntr', memberFixture('observer')), /^zk_peer_state\tobserving - broadcast$/m);
  assert.ok(!keys('read-only').includes('zk_peer_state'));
  assert.ok(!keys('read-only').includes('zk_quorum_size'));
});

test('mntr ends with who hears whom, on which port and since when', () => {
  const lines = word('mntr', memberFixture('leader')).split('\n');
  const peers = lines.filter((line) => /^zk_peer_\d/.test(line));
  assert.deepEqual(peers, [
    'zk_peer_1_state\tfollower',
    'zk_peer_1_zxid\t0x100000206',
    'zk_peer_1_lag\t2',
    'zk_peer_1_election_connected\t1',
    'zk_peer_1_election_address\t127.0.0.1:29044',
    'zk_peer_1_election_connected_ms\t1000',
    'zk_peer_1_election_heard_ms\t800',
    'zk_peer_1_quorum_connected\t1',
    'zk_peer_1_quorum_address\t127.0.0.1:40001',
    'zk_peer_1_quorum_connected_ms\t500',
    'zk_peer_1_quorum_heard_ms\t10',
    'zk_peer_2_state\tunknown',
    'zk_peer_2_election_connected\t0',
    'zk_peer_2_quorum_connected\t0',
  ]);
  assert.equal(lines.indexOf(peers[0] ?? ''), lines.length - peers.length - 1);
});

test('leader: who leads', () => {
  assert.deepEqual(admin('leader', memberFixture('follower')), {
    is_leader: false,
    leader_id: 3,
    leader_ip: '127.0.0.1',
    command: 'leader',
    error: null,
  });
  assert.equal(admin('lead', memberFixture('leader'))['is_leader'], true);
  assert.match(String(admin('leader', memberFixture('read-only'))['error']), /not initialized/);
});

test('observers: of the server that they learn from', () => {
  const seen = admin('observers', memberFixture('leader'));
  assert.equal(seen['synced_observers'], 1);
  const [one] = seen['observers'] as Record<string, unknown>[];
  assert.deepEqual(Object.keys(one ?? {}), [
    ...['remote_socket_address', 'sid', 'established', 'queued_packets', 'queued_packets_size'],
    ...['packets_received', 'packets_sent', 'requests', 'last_zxid'],
  ]);
  assert.equal(one?.['remote_socket_address'], '/127.0.0.1:49486');
  assert.equal(one['last_zxid'], 0x100000208);
  assert.deepEqual(admin('observers', memberFixture('follower'))['observers'], []);
  const leader = memberFixture('leader');
  admin('orst', leader);
  assert.ok(leader.ensemble instanceof EnsembleFixture);
  assert.deepEqual(leader.ensemble.done, ['resetObservers']);
});

test('voting_view: the voters, with the client address where it is known', () => {
  const view = memberFixture('follower');
  const voters = admin('voting_view', view)['current_config'] as Record<string, unknown>;
  assert.deepEqual(Object.keys(voters), ['1', '2', '3']);
  assert.deepEqual(voters['1'], {
    server_addresses: ['127.0.0.1:29043'],
    election_addresses: ['127.0.0.1:29044'],
    client_address: '0.0.0.0:2181',
    learner_type: 'participant',
  });
  const addresses = Object.values(voters).map(
    (one) => (one as Record<string, unknown>)['client_address'],
  );
  assert.deepEqual(addresses, ['0.0.0.0:2181', '', '0.0.0.0:2183']);
});

test('zabstate: the own addresses and how far it is', () => {
  const seen = admin('zabstate', memberFixture('observer'));
  assert.equal(seen['myid'], 4);
  assert.equal(seen['voting'], false);
  assert.equal(seen['zabstate'], 'broadcast');
  assert.equal(seen['last_zxid'], '0x4');
  assert.deepEqual([seen['zab_epoch'], seen['zab_counter']], [0, 4]);
  const quorum = seen['quorum_address'] as Record<string, unknown>;
  assert.deepEqual(quorum['all_addresses'], ['127.0.0.1:29049']);
  assert.deepEqual(quorum['wildcard_addresses'], ['0.0.0.0:29049']);
});

test('server_stats of a leader has the sizes of proposals', () => {
  const stats = admin('server_stats', memberFixture('leader'));
  assert.deepEqual(stats['proposal_stats'], {
    last_buffer_size: 66,
    min_buffer_size: 48,
    max_buffer_size: 91,
  });
  assert.ok(!('proposal_stats' in admin('server_stats', memberFixture('follower'))));
});

test('without a role only what concerns the process is answered', () => {
  const whole = new FixtureView('idle');
  const idle: ProcessView = {
    config: whole.config,
    isServing: false,
    traceMask: 306n,
    environment: () => whole.environment(),
  };
  assert.equal(word('ruok', idle), 'imok');
  assert.equal(word('isro', idle), 'null');
  assert.equal(word('gtmk', idle), '306');
  assert.match(word('envi', idle), /^Environment:\n/);
  assert.equal(runFourLetterWord('stmk', idle, 256n), '256');
  assert.equal(idle.traceMask, 256n);
  for (const name of ['srvr', 'mntr', 'conf', 'dump', 'wchs'] as const) {
    assert.equal(word(name, idle), 'This ZooKeeper instance is not currently serving requests\n');
  }
  assert.deepEqual(admin('zabstate', idle), {
    voting: false,
    zabstate: '',
    command: 'zabstate',
    error: null,
  });
  for (const name of ['monitor', 'leader', 'observers']) {
    assert.match(String(admin(name, idle)['error']), /not currently serving/);
  }
});

test('mntr shows whom the autopilot has out, everywhere, and what it thinks where it leads', () => {
  const autopilotLines = (view: FixtureView): string[] =>
    word('mntr', view)
      .split('\n')
      .filter((line) => line.includes('autopilot'));
  const leader = memberFixture('leader');
  assert.deepEqual(autopilotLines(leader), []);
  const { ensemble } = leader;
  assert.ok(ensemble instanceof EnsembleFixture);
  ensemble.autopilot = { deadMs: 60_000, state: 'watching' };
  const line = 'server.5=10.0.0.5:2888:3888:participant;10.0.0.5:2181';
  const reading = parseEnsembleServer(5, line.slice('server.5='.length));
  assert.ok(reading.ok);
  const peer = {
    sid: 5,
    role: 'unknown',
    election: null,
    quorum: null,
    zxid: null,
    lag: null,
  } as const;
  const sinceMs = leader.clock.wallMs() - 5000;
  const out = [{ sid: 5, server: reading.server, line, sinceMs, peer }];
  ensemble.out = out;
  const shown = [
    'zk_autopilot_out_count\t1',
    'zk_autopilot_out_5_ms\t5000',
    `zk_autopilot_out_5_line\t${line}`,
    'zk_autopilot_out_5_connected\t0',
  ];
  const own = ['zk_autopilot_dead_ms\t60000', 'zk_autopilot_state\twatching'];
  assert.deepEqual(autopilotLines(leader), [...own, ...shown]);
  const follower = memberFixture('follower');
  assert.ok(follower.ensemble instanceof EnsembleFixture);
  follower.ensemble.out = out;
  assert.deepEqual(autopilotLines(follower), shown);
});
