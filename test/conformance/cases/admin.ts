/** The AdminServer's commands that need no authorisation: JSON with the keys and types of Apache's. */
import { equal, ok, that } from '../check.js';
import { group, type Trial } from '../suite.js';
import { flags } from '../../support/requests.js';
import { addWatchMode } from './watch-words.js';

interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly text: string;
  readonly json: Record<string, unknown>;
}

async function get(t: Trial, path: string): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${t.server.adminPort}/commands/${path}`);
  const text = await response.text();
  const type = response.headers.get('content-type');
  const isJson = type?.startsWith('application/json') === true;
  const json: unknown = isJson ? JSON.parse(text) : {};
  return { status: response.status, type, text, json: json as Record<string, unknown> };
}

/** Sorted keys with the types of the values; of a list, its first member's. */
function shapeOf(value: unknown): unknown {
  if (value === null) return 'null';
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf);
  if (typeof value !== 'object') return typeof value;
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, shapeOf(inner)]));
}

const n = 1;
const s = '';

const brief = {
  remote_socket_address: s,
  interest_ops: n,
  outstanding_requests: n,
  packets_received: n,
  packets_sent: n,
};
const connection = {
  ...brief,
  session_id: n,
  last_operation: s,
  established: n,
  session_timeout: n,
  last_cxid: n,
  last_zxid: n,
  last_response_time: n,
  last_latency: n,
  min_latency: n,
  avg_latency: n,
  max_latency: n,
};
const sizes = { last_buffer_size: n, min_buffer_size: n, max_buffer_size: n };
const serverStats = {
  version: s,
  read_only: true,
  server_stats: {
    packets_sent: n,
    packets_received: n,
    fsync_threshold_exceed_count: n,
    client_response_stats: sizes,
    provider_null: true,
    data_dir_size: n,
    log_dir_size: n,
    last_processed_zxid: n,
    outstanding_requests: n,
    server_state: s,
    avg_latency: n,
    max_latency: n,
    min_latency: n,
    num_alive_client_connections: n,
    uptime: n,
    auth_failed_count: n,
    non_mtlsremote_conn_count: n,
    non_mtlslocal_conn_count: n,
  },
  client_response: sizes,
  node_count: n,
};

/** By command: an answer of the right shape, without `command` and `error`. */
const shapes: Record<string, Record<string, unknown>> = {
  connection_stat_reset: {},
  configuration: {
    client_port: n,
    data_dir: s,
    data_log_dir: s,
    tick_time: n,
    max_client_cnxns: n,
    min_session_timeout: n,
    max_session_timeout: n,
    server_id: n,
    client_port_listen_backlog: n,
  },
  connections: { connections: [connection], secure_connections: [] },
  dirs: { datadir_size: n, logdir_size: n },
  hash: { digests: [] },
  get_trace_mask: { tracemask: n },
  initial_configuration: { initial_configuration: s },
  is_read_only: { read_only: true },
  last_snapshot: { zxid: s, timestamp: n },
  observer_connection_stat_reset: {},
  ruok: {},
  server_stats: serverStats,
  stats: { ...serverStats, connections: [brief], secure_connections: [] },
  stat_reset: {},
  observers: { synced_observers: n, observers: [] },
  watch_summary: { num_connections: n, num_paths: n, num_total_watches: n },
};

const address = {
  empty: true,
  all_addresses: [s],
  wildcard_addresses: [s],
  all_ports: [n],
  all_host_strings: [s],
  reachable_address: s,
  all_reachable_addresses: [s],
  all_reachable_addresses_or_all: [s],
  reachable_or_one: s,
  one: s,
};
const voter = {
  server_addresses: [s],
  election_addresses: [s],
  client_address: s,
  learner_type: s,
};

/** What a member of an ensemble answers differently, by command; a standalone server's beside it. */
const memberShapes: Record<string, readonly [alone: object, member: (sids: number[]) => object]> = {
  voting_view: [
    { current_config: {} },
    (sids) => ({ current_config: Object.fromEntries(sids.map((sid) => [sid, voter])) }),
  ],
  zabstate: [
    { voting: true, zabstate: s },
    () => ({
      myid: n,
      is_leader: true,
      quorum_address: address,
      election_address: address,
      client_address: s,
      voting: true,
      last_zxid: s,
      zab_epoch: n,
      zab_counter: n,
      zabstate: s,
    }),
  ],
};

/** Of the three that the suite starts, an observer's among three voters. */
function votersOf(t: Trial): number[] {
  return t.target.mode === 'observer' ? [2, 3, 4] : [1, 2, 3];
}

function shapeAt(t: Trial, command: string, shape: Record<string, unknown>): unknown {
  const isStats = command === 'stats' || command === 'server_stats';
  return isStats && t.target.mode === 'leader' ? { ...shape, proposal_stats: sizes } : shape;
}

const aliases: Record<string, string> = {
  crst: 'connection_stat_reset',
  conf: 'configuration',
  config: 'configuration',
  cons: 'connections',
  dump: 'dump',
  env: 'environment',
  envi: 'environment',
  gtmk: 'get_trace_mask',
  icfg: 'initial_configuration',
  isro: 'is_read_only',
  lsnp: 'last_snapshot',
  lead: 'leader',
  mntr: 'monitor',
  orst: 'observer_connection_stat_reset',
  srvr: 'server_stats',
  stat: 'stats',
  srst: 'stat_reset',
  obsr: 'observers',
  sysp: 'system_properties',
  wchc: 'watches',
  wchp: 'watches_by_path',
  wchs: 'watch_summary',
};

const all = [
  ...Object.keys(shapes),
  ...Object.keys(memberShapes),
  ...['dump', 'environment', 'leader', 'monitor', 'restore', 'set_trace_mask', 'snapshot'],
  ...['system_properties', 'watches', 'watches_by_path'],
].sort();

const since39 = { since: [3, 9, 0], why: 'commands and version of 3.9' } as const;

export const adminCases = group(
  'admin server',
  { config: { 'admin.enableServer': 'true' }, owns: true },
  (test) => {
    for (const [command, shape] of Object.entries(shapes)) {
      test(command, async (t) => {
        await t.connect();
        const { status, type, json } = await get(t, command);
        equal([status, type], [200, 'application/json'], 'status, content type');
        const { command: name, error, ...rest } = json;
        equal([name, error], [command, null], 'command, error');
        equal(shapeOf(rest), shapeOf(shapeAt(t, command, shape)), 'keys and types');
        equal(Object.keys(json).slice(-2), ['command', 'error'], 'command and error come last');
      });
    }

    for (const [command, [alone, member]] of Object.entries(memberShapes)) {
      test(command, async (t) => {
        const shape = t.target.mode === 'standalone' ? alone : member(votersOf(t));
        const { command: name, error, ...rest } = (await get(t, command)).json;
        equal([name, error], [command, null], 'command, error');
        equal(shapeOf(rest), shapeOf(shape), 'keys and types');
      });
    }

    test(
      'the page lists every command',
      async (t) => {
        const { status, text } = await get(t, '');
        equal(status, 200, 'status');
        const links = [...text.matchAll(/<a href="\/commands\/([a-z_]+)">([a-z_]+)<\/a>/g)];
        equal(
          links.map((link) => link[1]),
          all,
          'links',
        );
      },
      since39,
    );

    test('short names', async (t) => {
      for (const [alias, command] of Object.entries(aliases)) {
        equal((await get(t, alias)).json['command'], command, alias);
      }
    });

    test('the JSON is laid out as Apache lays it out', async (t) => {
      equal((await get(t, 'ruok')).text, '{\n  "command" : "ruok",\n  "error" : null\n}', 'ruok');
      const { text } = await get(t, 'observers');
      that(text.includes('"observers" : [ ],\n'), `an empty list in ${text}`);
    });

    test('figures: configuration, dump, watches', async (t) => {
      const client = await t.connect();
      ok(await client.create(`${t.path}/e`, { flags: flags.ephemeral }));
      ok(await client.getData(t.path, true));
      ok(await client.addWatch(`${t.path}/p`, addWatchMode.persistent));
      const id = String(client.session.sessionId);
      const { json } = await get(t, 'configuration');
      equal([json['client_port'], json['tick_time']], [t.server.port, 200], 'configuration');
      const dump = await get(t, 'dump');
      const owners = dump.json['session_id_to_ephemeral_paths'] as Record<string, string[]>;
      equal(owners[id], [`${t.path}/e`], 'ephemerals of the session');
      that(dump.text.includes('"expiry_time_to_session_ids" : {'), 'expiry_time_to_session_ids');
      const watches = (await get(t, 'watches')).json['session_id_to_watched_paths'];
      equal((watches as Record<string, string[]>)[id]?.sort(), [t.path, `${t.path}/p`], 'watches');
      const byPath = (await get(t, 'watches_by_path')).text;
      that(byPath.includes(`"${t.path}" : [ ${id} ]`), `the session under its path in ${byPath}`);
    });

    test(
      'figures: server_stats',
      async (t) => {
        const client = await t.connect();
        const { zxid } = await client.create(`${t.path}/a`);
        const stats = (await get(t, 'server_stats')).json['server_stats'] as Record<
          string,
          unknown
        >;
        equal(stats['last_processed_zxid'], Number(zxid), 'last_processed_zxid');
        equal(stats['server_state'], t.target.mode, 'server_state');
        that(Number(stats['num_alive_client_connections']) >= 1, 'num_alive_client_connections');
        that(String((await get(t, 'server_stats')).json['version']).startsWith('3.9.5'), 'version');
      },
      since39,
    );

    test('initial_configuration is the file as it was read', async (t) => {
      const text = String((await get(t, 'icfg')).json['initial_configuration']);
      that(text.includes(`clientPort=${t.server.port}\n`), `clientPort in ${text}`);
      that(text.includes('tickTime=200\n'), `tickTime in ${text}`);
    });

    test('last_snapshot: the one that a start takes', async (t) => {
      const { zxid, timestamp } = (await get(t, 'lsnp')).json;
      that(/^[0-9a-f]+$/.test(String(zxid)), `zxid ${String(zxid)}`);
      that(Number(timestamp) > 1_700_000_000, `timestamp in seconds: ${String(timestamp)}`);
    });

    test('monitor has the figures of mntr without zk_', async (t) => {
      const { json } = await get(t, 'monitor');
      for (const key of ['version', 'server_state', 'znode_count', 'watch_count', 'uptime']) {
        that(key in json, key);
      }
      that('avg_fsynctime' in json && 'p99_readlatency' in json, 'summaries and percentiles');
    });

    test('set_trace_mask', async (t) => {
      equal((await get(t, 'stmk?traceMask=256')).json['tracemask'], 256, 'tracemask');
      equal((await get(t, 'gtmk')).json['tracemask'], 256, 'tracemask');
      await get(t, 'stmk?traceMask=306');
      equal(
        (await get(t, 'stmk')).json,
        { error: 'setTraceMask requires long traceMask argument', command: 'set_trace_mask' },
        'without an argument',
      );
      equal(
        (await get(t, 'stmk?traceMask=x')).json['error'],
        'setTraceMask requires long traceMask argument, got x',
        'with a bad one',
      );
    });

    test('leader: who leads, but in a standalone server', async (t) => {
      const { json } = await get(t, 'leader');
      if (t.target.mode === 'standalone') {
        equal(json, { error: 'server is not initialized', command: 'leader' }, 'answer');
        return;
      }
      const { leader_id: leader, ...rest } = json;
      const isLeader = t.target.mode === 'leader';
      const wanted = {
        is_leader: isLeader,
        leader_ip: '127.0.0.1',
        command: 'leader',
        error: null,
      };
      equal(rest, wanted, 'answer');
      equal(leader === t.target.sid, isLeader, `leader_id: ${String(leader)}`);
    });

    test('environment and system_properties', async (t) => {
      const { json } = await get(t, 'environment');
      that('zookeeper.version' in json && 'os.name' in json && 'user.dir' in json, 'environment');
      equal((await get(t, 'sysp')).status, 200, 'system_properties');
    });

    test('a command that nobody knows', async (t) => {
      const { status, json } = await get(t, 'nosuch');
      equal(status, 200, 'status');
      equal(json, { command: 'nosuch', error: 'Unknown command: nosuch' }, 'answer');
    });

    test(
      'snapshot and restore need authorisation',
      async (t) => {
        for (const command of ['snapshot', 'restore']) {
          const { status, json } = await get(t, command);
          equal(status, 401, `status of ${command}`);
          equal(json, { command, error: 'Auth info is missing for the command' }, 'answer');
        }
      },
      since39,
    );
  },
);
