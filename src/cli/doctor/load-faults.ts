/** What servers suffer from: slow disks, too many of something, work that piles up. */
import { figure, isServing, nameOf, type Examination } from './examination.js';
import { ofEach, type Fault, type Finding } from './fault.js';

const limits = {
  flushAverageMs: 50,
  flushMaxMs: 1000,
  latencyAverageMs: 100,
  outstanding: 500,
  descriptorShare: 0.85,
  watchesPerConnection: 10_000,
  dataBytes: 2 ** 30,
  znodes: 1_000_000,
  /** More than so many, and this many times the fewest. */
  connectionsApart: 50,
  connectionsRatio: 3,
  elections: 3,
  leaderUptimeMs: 3_600_000,
} as const;

const count = (value: number): string => value.toLocaleString('en-US');

/** Told when the figure is above the limit. */
function above(
  examination: Examination,
  name: string,
  limit: number,
  tell: (value: number) => string,
): Finding[] {
  return ofEach(examination, 'warning', (server) => {
    const value = figure(server, name);
    return value !== null && value > limit ? tell(value) : null;
  });
}

export const loadFaults: readonly Fault[] = [
  {
    name: 'slow-flushes',
    advice:
      'Each write waits for a flush of the log on a quorum of servers: give dataLogDir a disk of its ' +
      'own, and look for what else writes there.',
    look: (examination) => [
      ...above(
        examination,
        'avg_fsynctime',
        limits.flushAverageMs,
        (ms) => `a flush of the log takes ${ms.toFixed(0)} ms on the average`,
      ),
      ...above(
        examination,
        'max_fsynctime',
        limits.flushMaxMs,
        (ms) => `a flush of the log took ${ms.toFixed(0)} ms`,
      ),
    ],
  },
  {
    name: 'slow-requests',
    advice:
      'Clients wait: look at slow-flushes, at the load of the host, and for large replies (children ' +
      'of one znode by the ten thousand).',
    look: (examination) =>
      above(
        examination,
        'avg_latency',
        limits.latencyAverageMs,
        (ms) => `requests take ${ms.toFixed(0)} ms on the average`,
      ),
  },
  {
    name: 'requests-pile-up',
    advice:
      'More comes than is done; at globalOutstandingLimit (1,000) clients are no longer read: slow ' +
      'the writers down, or mend what slows the server.',
    look: (examination) =>
      above(
        examination,
        'outstanding_requests',
        limits.outstanding,
        (value) => `${count(value)} requests wait`,
      ),
  },
  {
    name: 'few-descriptors',
    advice: 'At the limit no client can connect: raise LimitNOFILE (ulimit -n), or find who leaks.',
    look: (examination) =>
      ofEach(examination, 'warning', (server) => {
        const open = figure(server, 'open_file_descriptor_count');
        const max = figure(server, 'max_file_descriptor_count');
        if (open === null || max === null || max <= 0) return null;
        return open > limits.descriptorShare * max
          ? `${count(open)} of ${count(max)} file descriptors are in use`
          : null;
      }),
  },
  {
    name: 'watch-leak',
    advice:
      'Some client sets watches and never lets go: `wchs` and the AdminServer’s watch_summary count ' +
      'them, watches_by_path names the paths.',
    look: (examination) =>
      ofEach(examination, 'warning', (server) => {
        const watches = figure(server, 'watch_count');
        const connections = figure(server, 'num_alive_connections');
        if (watches === null || connections === null) return null;
        return watches > limits.watchesPerConnection * Math.max(1, connections)
          ? `${count(watches)} watches of ${count(connections)} connections`
          : null;
      }),
  },
  {
    name: 'much-data',
    advice:
      'It is all in memory, is snapshotted whole and is sent whole to a server that returns empty: ' +
      '`zabra cli du /` shows where it is.',
    look: (examination) => [
      ...above(
        examination,
        'approximate_data_size',
        limits.dataBytes,
        (bytes) => `${(bytes / 2 ** 30).toFixed(1)} GiB of data`,
      ),
      ...above(examination, 'znode_count', limits.znodes, (value) => `${count(value)} znodes`),
    ],
  },
  {
    name: 'connections-refused',
    advice:
      'Clients were turned away: maxClientCnxns (60 for each address) or maxCnxns is too low, or a ' +
      'client opens one connection after another.',
    look: (examination) =>
      above(
        examination,
        'connection_rejected',
        0,
        (value) => `${count(value)} connections were refused`,
      ),
  },
  {
    name: 'sign-ins-fail',
    advice: 'Somebody shows wrong passwords or certificates: the server’s log has the addresses.',
    look: (examination) =>
      above(examination, 'auth_failed_count', 0, (value) => `${count(value)} sign-ins failed`),
  },
  {
    name: 'uneven-connections',
    advice:
      'After a rolling restart the last server has few clients: they move when they reconnect; a new ' +
      'list of servers makes clients that know updateServers spread out.',
    look: ({ servers }) => {
      const known = servers.filter(isServing).flatMap((server) => {
        const value = figure(server, 'num_alive_connections');
        return value === null ? [] : [{ server, value }];
      });
      const [fewest, ...others] = [...known].sort((a, b) => a.value - b.value);
      const most = others.at(-1);
      if (fewest === undefined || most === undefined) return [];
      if (most.value - fewest.value <= limits.connectionsApart) return [];
      if (most.value <= limits.connectionsRatio * fewest.value) return [];
      const seen =
        `${nameOf(most.server)} has ${count(most.value)} connections, ` +
        `${nameOf(fewest.server)} ${count(fewest.value)}`;
      return [{ where: null, severity: 'note', seen }];
    },
  },
  {
    name: 'frequent-elections',
    advice:
      'Leadership is lost again and again: look at slow-flushes, at pauses of the processes, and at ' +
      'the network; syncLimit says how long a follower may be silent.',
    look: (examination) =>
      ofEach(examination, 'warning', (server) => {
        const elections = figure(server, 'cnt_election_time');
        const uptimeMs = figure(server, 'uptime');
        if (elections === null || uptimeMs === null || elections < limits.elections) return null;
        return elections * limits.leaderUptimeMs > uptimeMs * limits.elections
          ? `${count(elections)} elections in ${duration(uptimeMs)}`
          : null;
      }),
  },
];

function duration(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  return minutes < 120 ? `${Math.max(1, minutes)} min` : `${Math.round(minutes / 60)} h`;
}
