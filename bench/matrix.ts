/**
 * The rows of the benchmark: what each one is called, what is done in it, which figures it gives and
 * what the project wants of them. An aim is shown as reached or not and changes nothing else.
 */

/** `machine` is neither server: what the computer does by itself in the same run. */
export type Party = 'machine' | 'apache' | 'zabra';

export type Aim =
  /** Ours divided by Apache's. */
  | { readonly kind: 'ratioAtLeast' | 'ratioAtMost'; readonly bound: number }
  /** Ours alone, in the figure's unit. */
  | { readonly kind: 'atMost' | 'atLeast'; readonly bound: number };

export interface Metric {
  readonly key: string;
  /** The figure it is made of, when several are made of one; its own otherwise. */
  readonly of?: string;
  /** What stands for all values of all rounds; the median when not given. */
  readonly take?: 'median' | 'p95' | 'worst';
  readonly label: string;
  readonly unit: string;
  readonly digits: number;
  readonly aims?: readonly Aim[];
}

export type Group = 'machine' | 'steady' | 'dataset' | 'ensemble';

export interface Row {
  readonly id: string;
  readonly group: Group;
  readonly what: string;
  readonly metrics: readonly Metric[];
}

/** Where the values of a metric are kept. */
export function figureOf(metric: Metric): string {
  return metric.of ?? metric.key;
}

function throughput(...aims: Aim[]): Metric {
  return { key: 'opsPerSecond', label: 'throughput', unit: 'ops/s', digits: 0, aims };
}
function latency(key: 'p50Us' | 'p99Us' | 'p999Us', ...aims: Aim[]): Metric {
  const label = { p50Us: 'p50', p99Us: 'p99', p999Us: 'p99.9' }[key];
  return { key, label, unit: 'us', digits: 0, aims };
}
const cpu: Metric = { key: 'cpuUsPerOp', label: 'server CPU', unit: 'us/op', digits: 2 };
const atLeast = (bound: number): Aim => ({ kind: 'ratioAtLeast', bound });
const atMost = (bound: number): Aim => ({ kind: 'ratioAtMost', bound });
const absolute = (bound: number): Aim => ({ kind: 'atMost', bound });
const least = (bound: number): Aim => ({ kind: 'atLeast', bound });
const third = 1 / 3;

const machineRows: readonly Row[] = [
  {
    id: 'echo-1x1',
    group: 'machine',
    what: '50 bytes to a C echo server and back, 1 connection',
    metrics: [throughput(), latency('p50Us'), latency('p99Us')],
  },
  {
    id: 'echo-64x1',
    group: 'machine',
    what: '50 bytes to a C echo server and back, 64 connections',
    metrics: [throughput(), latency('p50Us'), latency('p99Us')],
  },
  {
    id: 'fdatasync',
    group: 'machine',
    what: '4 KB written to a preallocated file and fdatasync, by a C program',
    metrics: [throughput(), latency('p50Us'), latency('p99Us'), latency('p999Us')],
  },
];

const steadyRows: readonly Row[] = [
  {
    id: 'getData-1x1',
    group: 'steady',
    what: 'getData, 1 connection, 1 outstanding',
    metrics: [latency('p50Us'), latency('p99Us'), cpu],
  },
  {
    id: 'getData-64x1',
    group: 'steady',
    what: 'getData, 64 connections, 1 outstanding each',
    metrics: [throughput(atLeast(1.5)), latency('p50Us'), latency('p99Us'), cpu],
  },
  {
    id: 'getData-4x64',
    group: 'steady',
    what: 'getData, 4 connections, 64 outstanding each',
    metrics: [throughput(atLeast(10)), latency('p50Us'), latency('p99Us'), cpu],
  },
  {
    id: 'create-1x1',
    group: 'steady',
    what: 'create, 1 connection, 1 outstanding',
    metrics: [latency('p50Us', atMost(0.6)), latency('p99Us'), throughput(), cpu],
  },
  {
    id: 'mix-64x1',
    group: 'steady',
    what: '90 % getData and 10 % setData, 64 connections, 1 outstanding each',
    metrics: [throughput(), latency('p50Us'), latency('p999Us'), cpu],
  },
  {
    id: 'fanout',
    group: 'steady',
    what: 'one znode watched by many sessions is set: time until the last has its event',
    metrics: [
      { key: 'lastEventMs', label: 'last event', unit: 'ms', digits: 1, aims: [atMost(0.25)] },
      { key: 'cpuUsPerEvent', label: 'server CPU', unit: 'us/event', digits: 2 },
      { key: 'openMs', label: 'to open the sessions', unit: 'ms', digits: 0 },
    ],
  },
  {
    id: 'create-64x1',
    group: 'steady',
    what: 'create, 64 connections, 1 outstanding each',
    metrics: [throughput(atLeast(2)), latency('p50Us'), latency('p999Us', atMost(0.25)), cpu],
  },
  {
    id: 'create-4x64',
    group: 'steady',
    what: 'create, 4 connections, 64 outstanding each',
    metrics: [throughput(atLeast(4)), latency('p50Us'), latency('p999Us'), cpu],
  },
];

const datasetRows: readonly Row[] = [
  {
    id: 'idle',
    group: 'dataset',
    what: 'a server just started on an empty directory and left alone',
    metrics: [{ key: 'rssMb', label: 'RSS', unit: 'MB', digits: 0, aims: [absolute(90)] }],
  },
  {
    id: 'memory',
    group: 'dataset',
    what: 'znodes of 100 bytes created under one parent by 4 connections x 64',
    metrics: [
      {
        key: 'growthBytes',
        label: 'RSS growth',
        unit: 'bytes/znode',
        digits: 0,
        aims: [absolute(260), atMost(third)],
      },
      { key: 'rssMb', label: 'RSS', unit: 'MB', digits: 0 },
      { key: 'collectedMb', label: 'RSS after a forced full collection', unit: 'MB', digits: 0 },
      { key: 'opsPerSecond', label: 'creates meanwhile', unit: 'ops/s', digits: 0 },
    ],
  },
  {
    id: 'restart',
    group: 'dataset',
    what: 'kill -9, then from starting the process to the first getData answered',
    metrics: [
      { key: 'firstAnswerMs', label: 'first answer', unit: 'ms', digits: 0, aims: [atMost(third)] },
      { key: 'snapshotMb', label: 'newest snapshot', unit: 'MB', digits: 0 },
      { key: 'tailTxns', label: 'log after it', unit: 'txns', digits: 0 },
    ],
  },
  {
    id: 'snapshot',
    group: 'dataset',
    what: '64 connections create and delete in turn while a snapshot of all znodes is written',
    metrics: [
      {
        key: 'slowdown',
        label: 'p99.9 while / before',
        unit: 'x',
        digits: 2,
        aims: [absolute(1.5)],
      },
      { key: 'p999UsBefore', label: 'create p99.9 before', unit: 'us', digits: 0 },
      { key: 'p999UsWhile', label: 'create p99.9 while', unit: 'us', digits: 0 },
      { key: 'maxUsWhile', label: 'longest create while', unit: 'us', digits: 0 },
      {
        key: 'loopMs',
        label: 'longest turn of the event loop',
        unit: 'ms',
        digits: 1,
        aims: [absolute(10)],
      },
      { key: 'loopMsWaited', label: 'of it without a core', unit: 'ms', digits: 1 },
      { key: 'loopMsBefore', label: 'longest turn before', unit: 'ms', digits: 1 },
      { key: 'creates', label: 'creates before', unit: '/s', digits: 0 },
      { key: 'createsWhile', label: 'creates while', unit: '/s', digits: 0 },
      { key: 'snapshotMs', label: 'time to write it', unit: 'ms', digits: 0 },
    ],
  },
];

/** Median, 95th percentile and worst of one time that is measured again and again. */
function waits(of: string, label: string, medianMs: number, worstMs: number): readonly Metric[] {
  const common = { of, unit: 'ms', digits: 0 } as const;
  return [
    { ...common, key: of, label: `${label}: median`, aims: [absolute(medianMs)] },
    { ...common, key: `${of}P95`, label: `${label}: p95`, take: 'p95' },
    {
      ...common,
      key: `${of}Worst`,
      label: `${label}: worst`,
      take: 'worst',
      aims: [absolute(worstMs)],
    },
  ];
}

const ensembleCpu: Metric = { ...cpu, label: 'CPU of all three' };
/** syncLimit and half a tick, at the default ticks. */
const stopAim = absolute(11_000);

const ensembleRows: readonly Row[] = [
  {
    id: 'ens-create-1x1-follower',
    group: 'ensemble',
    what: 'create through a follower, 1 connection, 1 outstanding',
    metrics: [latency('p50Us', absolute(145)), latency('p99Us'), throughput(), ensembleCpu],
  },
  {
    id: 'ens-create-1x1-leader',
    group: 'ensemble',
    what: 'create through the leader, 1 connection, 1 outstanding',
    metrics: [latency('p50Us', absolute(105)), latency('p99Us'), throughput(), ensembleCpu],
  },
  {
    id: 'ens-getData-48x32',
    group: 'ensemble',
    what: 'getData, 48 connections over all three servers, 32 outstanding each',
    metrics: [throughput(atLeast(2)), latency('p50Us'), latency('p99Us'), ensembleCpu],
  },
  {
    id: 'ens-mix',
    group: 'ensemble',
    what: '90 % getData and 10 % setData, 64 connections over all three servers, 1 outstanding each',
    metrics: [throughput(), latency('p50Us'), latency('p999Us'), ensembleCpu],
  },
  {
    id: 'ens-create-64x1',
    group: 'ensemble',
    what: 'create, 64 connections over all three servers, 1 outstanding each',
    metrics: [throughput(atLeast(3)), latency('p50Us'), latency('p99Us', atMost(0.2)), ensembleCpu],
  },
  {
    id: 'ens-create-4x64',
    group: 'ensemble',
    what: 'create, 4 connections over all three servers, 64 outstanding each',
    metrics: [throughput(atLeast(5)), latency('p50Us'), latency('p99Us'), ensembleCpu],
  },
  {
    id: 'ens-fsync-2ms',
    group: 'ensemble',
    what:
      'create, 64 connections over all three servers, 1 outstanding each, every flush of every ' +
      'server 2 ms longer; the share is of N / (F + RTT) with N = 64 outstanding, F = 2 ms + the ' +
      'p50 of `fdatasync` and RTT = the p50 of `echo-1x1` in the same round',
    metrics: [
      throughput(),
      { key: 'share', label: 'share of N / (F + RTT)', unit: '%', digits: 1, aims: [least(90)] },
      latency('p50Us'),
      latency('p99Us'),
      ensembleCpu,
    ],
  },
  {
    id: 'ens-kill',
    group: 'ensemble',
    what:
      'kill -9 of the leader under light load, then how long until the first acknowledged write of ' +
      'a session that was on a survivor, and of one that is begun there at that moment',
    metrics: [
      ...waits('connectedMs', 'session on a survivor', 80, 200),
      ...waits('newMs', 'new session', 80, 200),
    ],
  },
  {
    id: 'ens-stop',
    group: 'ensemble',
    what:
      'SIGSTOP of the leader under light load (its connections stay open and say nothing), then how ' +
      'long until the first acknowledged write, as in `ens-kill`',
    metrics: [
      {
        key: 'connectedMs',
        label: 'session on a survivor',
        unit: 'ms',
        digits: 0,
        aims: [stopAim],
      },
      { key: 'newMs', label: 'new session', unit: 'ms', digits: 0, aims: [stopAim] },
    ],
  },
  {
    id: 'ens-handover',
    group: 'ensemble',
    what:
      'SIGTERM of the leader under light load: the longest time between two acknowledged writes of ' +
      'a session on a survivor that writes all the time',
    metrics: [
      { key: 'gapMs', label: 'gap: median', unit: 'ms', digits: 1, aims: [absolute(30)] },
      { key: 'gapMsWorst', of: 'gapMs', take: 'worst', label: 'gap: worst', unit: 'ms', digits: 1 },
    ],
  },
  {
    id: 'ens-behind',
    group: 'ensemble',
    what:
      'a follower is killed, many znodes are created, it is started again: from starting the ' +
      'process until it serves with the zxid of the leader',
    metrics: [
      { key: 'inSyncMs', label: 'in sync', unit: 'ms', digits: 0, aims: [atMost(third)] },
      { key: 'aloneMs', label: 'the same with nothing missed', unit: 'ms', digits: 0 },
    ],
  },
  {
    id: 'ens-join',
    group: 'ensemble',
    what: 'a follower with an empty directory joins an ensemble of many znodes while others write a little',
    metrics: [
      { key: 'inSyncMs', label: 'in sync', unit: 'ms', digits: 0 },
      {
        key: 'loopMs',
        label: "longest turn of the leader's event loop",
        unit: 'ms',
        digits: 1,
        aims: [absolute(10)],
      },
      { key: 'loopMsWaited', label: 'of it without a core', unit: 'ms', digits: 1 },
      { key: 'loopMsBefore', label: 'longest turn before', unit: 'ms', digits: 1 },
      { key: 'p999UsWhile', label: 'p99.9 of writes meanwhile', unit: 'us', digits: 0 },
      { key: 'p999UsBefore', label: 'p99.9 of writes before', unit: 'us', digits: 0 },
      { key: 'maxUsWhile', label: 'longest write meanwhile', unit: 'us', digits: 0 },
    ],
  },
];

export const matrix: readonly Row[] = [
  ...machineRows,
  ...steadyRows,
  ...datasetRows,
  ...ensembleRows,
];

/**
 * The rows whose ids contain one of the words, or the one whose id is that word; all when there are
 * no words. Those of the machine are always among them: figures without them say little. Throws on a
 * word that means nothing.
 */
export function chooseRows(words: readonly string[]): ReadonlySet<string> {
  const chosen = new Set(matrix.filter((row) => row.group === 'machine').map((row) => row.id));
  for (const word of words.length === 0 ? [''] : words) {
    const wanted = word.toLowerCase();
    const exact = matrix.filter((row) => row.id.toLowerCase() === wanted);
    const meant =
      exact.length > 0 ? exact : matrix.filter((row) => row.id.toLowerCase().includes(wanted));
    if (meant.length === 0) {
      throw new Error(`no row ${word}; rows: ${matrix.map((row) => row.id).join(' ')}`);
    }
    for (const row of meant) chosen.add(row.id);
  }
  return chosen;
}
