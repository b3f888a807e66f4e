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
  | { readonly kind: 'atMost'; readonly bound: number };

export interface Metric {
  readonly key: string;
  readonly label: string;
  readonly unit: string;
  readonly digits: number;
  readonly aims?: readonly Aim[];
}

export type Group = 'machine' | 'steady' | 'dataset';

export interface Row {
  readonly id: string;
  readonly group: Group;
  readonly what: string;
  readonly metrics: readonly Metric[];
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
      { key: 'loopMsBefore', label: 'the same before', unit: 'ms', digits: 1 },
      { key: 'creates', label: 'creates before', unit: '/s', digits: 0 },
      { key: 'createsWhile', label: 'creates while', unit: '/s', digits: 0 },
      { key: 'snapshotMs', label: 'time to write it', unit: 'ms', digits: 0 },
    ],
  },
];

export const matrix: readonly Row[] = [...machineRows, ...steadyRows, ...datasetRows];

/**
 * The rows whose ids contain one of the words; all when there are none. Those of the machine are
 * always among them: figures without them say little. Throws on a word that means nothing.
 */
export function chooseRows(words: readonly string[]): ReadonlySet<string> {
  const chosen = new Set(matrix.filter((row) => row.group === 'machine').map((row) => row.id));
  for (const word of words.length === 0 ? [''] : words) {
    const meant = matrix.filter((row) => row.id.toLowerCase().includes(word.toLowerCase()));
    if (meant.length === 0) {
      throw new Error(`no row ${word}; rows: ${matrix.map((row) => row.id).join(' ')}`);
    }
    for (const row of meant) chosen.add(row.id);
  }
  return chosen;
}
