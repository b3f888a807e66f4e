/**
 * The report: docs/benchmarks.md, and the same table on the terminal. What stands in the file below
 * `handMark` was written by people and stays.
 */
import type { MachineClass } from './machine-class.js';
import { figureOf, matrix, type Group, type Metric, type Party, type Row } from './matrix.js';
import type { Scale } from './options.js';
import { taken, valuesOf, type Figures, type Results, type Verdict } from './results.js';
import type { Summary } from './statistics.js';

export const handMark = '<!-- written by hand from here on; `npm run bench` keeps it -->';

const defaultNotes = `## Notes

Nothing yet.
`;

export interface Subject {
  readonly scale: Scale;
  readonly machine: MachineClass;
  readonly results: Results;
  readonly apacheTitle: string;
  /** Sentences on who was not run. */
  readonly missing: readonly string[];
}

function formatNumber(value: number, digits: number): string {
  return value.toLocaleString('en-US', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

/** The median and, where there was more than one round, how far they spread. */
export function formatSummary(summary: Summary | null, digits: number): string {
  if (summary === null) return '–';
  const show = (value: number): string => formatNumber(value, digits);
  if (summary.count === 1) return show(summary.median);
  return `${show(summary.median)} (${show(summary.min)}–${show(summary.max)})`;
}

function formatVerdicts(verdicts: readonly Verdict[]): string {
  const word = (verdict: Verdict): string => {
    if (verdict.isReached === null) return 'cannot be told';
    return verdict.isReached ? 'reached' : '**not reached**';
  };
  return verdicts.map((verdict) => `${verdict.aim}: ${word(verdict)}`).join('; ');
}

/** A median with its spread; what is taken of all values otherwise, and how many there were. */
function formatMetric(results: Results, row: Row, party: Party, metric: Metric): string {
  const summary = results.summary(row, party, metric);
  const value = results.value(row, party, metric);
  if (metric.take === undefined || summary === null || value === null) {
    return formatSummary(summary, metric.digits);
  }
  return `${formatNumber(value, metric.digits)} (of ${summary.count})`;
}

function tableLine(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function metricCells(results: Results, row: Row, metric: Metric): string[] | null {
  const theirs = results.value(row, 'apache', metric);
  const ours = results.value(row, 'zabra', metric);
  if (theirs === null && ours === null) return null;
  const ratio = results.ratio(row, metric);
  return [
    `${metric.label}, ${metric.unit}`,
    formatMetric(results, row, 'apache', metric),
    formatMetric(results, row, 'zabra', metric),
    ratio === null ? '–' : formatNumber(ratio, 2),
    formatVerdicts(results.verdicts(row, metric)),
  ];
}

/** Without any figure of these groups: null. */
function comparison(subject: Subject, groups: readonly Group[]): string[] | null {
  const heads = ['row', 'figure', subject.apacheTitle, 'Zabra', 'Zabra / Apache', 'aim'];
  const lines = [tableLine(heads), '|---|---|--:|--:|--:|---|'];
  for (const row of matrix) {
    if (!groups.includes(row.group)) continue;
    let name = `\`${row.id}\``;
    for (const metric of row.metrics) {
      const cells = metricCells(subject.results, row, metric);
      if (cells === null) continue;
      lines.push(tableLine([name, ...cells]));
      name = '';
    }
  }
  return lines.length > 2 ? lines : null;
}

/** Under their headings; what was not measured has none. */
function comparisons(subject: Subject): readonly (readonly [heading: string, lines: string[]])[] {
  const all = [
    ['One server', comparison(subject, ['steady', 'dataset'])],
    ['Three servers as one ensemble', comparison(subject, ['ensemble'])],
  ] as const;
  return all.flatMap(([heading, lines]) => (lines === null ? [] : [[heading, lines] as const]));
}

function machineTable(results: Results): string[] {
  const lines = [tableLine(['row', 'what', 'figure', 'median (min–max)']), '|---|---|---|--:|'];
  for (const row of matrix) {
    if (row.group !== 'machine') continue;
    let head = [`\`${row.id}\``, row.what];
    for (const metric of row.metrics) {
      const summary = results.summary(row, 'machine', metric);
      if (summary === null) continue;
      const figure = `${metric.label}, ${metric.unit}`;
      lines.push(tableLine([...head, figure, formatSummary(summary, metric.digits)]));
      head = ['', ''];
    }
  }
  return lines;
}

function ensembleMethod(scale: Scale): string[] {
  return [
    '- `ens-…`: three servers of one kind on this machine and one zoo.cfg for all of them, that of ' +
      'the single servers with `server.1` to `server.3`, `initLimit=10` and `syncLimit=5`. Fresh ' +
      'directories for the rows of load, for those with the slow disk, for those whose servers go ' +
      'and come back and for `ens-join`; warmed like a single server, through all three. CPU is ' +
      'the sum of the three.',
    '- `ens-kill`, `ens-stop`, `ens-handover`: `bench/zkfailover.c`. One session on a survivor writes ' +
      'all the time, eight on all three servers once in 20 ms each; half a second later the signal ' +
      'is sent and another session is begun on the other survivor. Who is cut off tries the ' +
      'survivors in turn every 2 ms. A write counts as the first one when its zxid is of a later ' +
      'epoch than those before the signal. All servers are back and in sync before the next one ' +
      `goes. Times in each round: ${scale.kills} kills, ${scale.handovers} hand-overs, one stop` +
      `${scale.failureTickMs === 2_000 ? '' : ` (with tickTime=${scale.failureTickMs})`}.`,
    `- \`ens-behind\`: ${formatNumber(scale.behindTxns, 0)} creates are missed. \`ens-join\`: ` +
      `${formatNumber(scale.joinZnodes, 0)} znodes of 100 bytes; 500 writes a second go to the ` +
      'other two servers, each at its moment, and latencies run from that moment. In sync is who ' +
      'says `Mode: follower` and the zxid of the leader to `srvr`, asked every 5 ms.',
    '- `ens-fsync-2ms`: `bench/slow-fsync.c`, loaded into all three servers, lets every fsync and ' +
      'fdatasync (and every write with RWF_DSYNC) sleep for 2 ms first.',
  ];
}

function method({ scale, machine, apacheTitle }: Subject): string[] {
  const rows = matrix.filter((row) => row.group !== 'machine');
  return [
    `- Machine: ${machine.computer}; data on ${machine.filesystem}; Node ${machine.node}, ` +
      `${machine.java}. Servers and client share the machine and are not pinned to cores.`,
    `- ${scale.rounds} rounds; in each: the machine by itself, then the rows of load on Apache and on ` +
      'Zabra, then the rows of the large tree on Apache and on Zabra, then the ensembles of Apache ' +
      'and of Zabra. The table has the median of the rounds and, in brackets, the least and the ' +
      'greatest; a p95 or a worst is that of all values of all rounds, with their number. Ratios ' +
      'are of what the table shows.',
    `- ${apacheTitle} from its own jars with \`-Xmx1g\`, Zabra as \`bin/zabra server\`, both on the ` +
      'same zoo.cfg: `tickTime=2000`, `maxClientCnxns=0`, `forceSync=yes`, ' +
      '`admin.enableServer=false`, everything else at its default (preallocation 64 MB, snapCount ' +
      '100,000). Fresh directories on the same filesystem.',
    `- The JVM gets ${scale.jvmWarmSeconds} s of mixed load before anything is measured, Node ` +
      `${scale.nodeWarmSeconds} s; each row then ${scale.rowWarmSeconds} s that do not count and ` +
      `${scale.seconds} s that do. Values are 100 bytes; reads go over 1,000 znodes.`,
    '- Load: `bench/zkload.c` and `bench/zkfanout.c`, one thread of C with raw frames and epoll, a ' +
      'closed loop. Server CPU is user plus system time of the server process over the same window.',
    `- \`fanout\`: ${formatNumber(scale.watchers, 0)} sessions, ${scale.shots} sets, median. ` +
      `\`memory\` and what follows: ${formatNumber(scale.znodes, 0)} znodes; RSS ` +
      `${scale.settleSeconds} s after the load, less that of the idle server.`,
    `- \`snapshot\`: the tree is loaded again with \`snapCount=${scale.snapCount}\`, then 64 ` +
      'connections create and delete in turn; latencies of creates in slices of 50 ms are laid over ' +
      'the times at which the snapshot file was begun and finished. The turn of the event loop is ' +
      'told by a probe loaded into the process (up to 2 ms too much), and so is how long its thread was ready in that turn and had no core.',
    ...ensembleMethod(scale),
    ...rows.map((row) => `- \`${row.id}\`: ${row.what}.`),
  ];
}

const caveats: readonly string[] = [
  'Client and server compete for the same cores: where a server needs little, the client is part of ' +
    'what bounds the figure, and that favours the slower one.',
  'With 64 outstanding on a connection a server that answers in batches is asked in batches: those ' +
    'rows show what pipelining clients can get, not independent ones.',
  'Directories are in the page cache at `restart`: it shows the work of the server, not of the disk. ' +
    'Apache writes a snapshot at each start before it serves, Zabra does not; that is part of it. ' +
    'Each server starts on the directory that it wrote itself.',
  'RSS of a JVM holds garbage that it has not collected yet and memory it may never give back; the ' +
    'figure after a forced full collection is there beside it.',
  'Three servers and their clients share the cores, too: an ensemble here is bound by the CPU time ' +
    'that all three need for a request together; on machines of their own it would not be.',
  'Client libraries wait before they come back to a server (up to a second in the Java client): what ' +
    '`ens-kill` shows is when the servers would have served, not when such a client asks.',
  'fdatasync is what the virtual or real disk of this machine makes of it (see the first table); on ' +
    'slower disks the ratios of the create rows approach 1.',
];

/** The part of the file that is made anew each time. */
function generated(subject: Subject): string {
  return [
    '# Benchmarks',
    '',
    'Written by `npm run bench`. Aims are of the project; one that is not reached is shown as such.',
    '',
    ...subject.missing.map((sentence) => `${sentence}.\n`),
    '## Results',
    '',
    ...comparisons(subject).flatMap(([heading, lines]) => [`### ${heading}`, '', ...lines, '']),
    '## The machine by itself, in the same run',
    '',
    ...machineTable(subject.results),
    '',
    '## How',
    '',
    ...method(subject),
    '',
    '## Caveats',
    '',
    ...caveats.map((caveat) => `- ${caveat}`),
    '',
  ].join('\n');
}

/** The whole file, given what it holds so far (null: it is not there). */
export function renderReport(subject: Subject, existing: string | null): string {
  const at = existing?.indexOf(handMark) ?? -1;
  const byHand =
    existing === null || at < 0 ? `${handMark}\n\n${defaultNotes}` : existing.slice(at);
  return `${generated(subject)}\n${byHand}`;
}

/** For the terminal: the tables, columns aligned. */
export function renderTables(subject: Subject): string {
  const aligned = (lines: readonly string[]): string => {
    const rows = lines
      .filter((line) => !line.startsWith('|--'))
      .map((line) => line.replaceAll('**', '').slice(2, -2).split(' | '));
    const widths = (rows[0] ?? []).map((_, column) =>
      Math.max(...rows.map((cells) => cells[column]?.length ?? 0)),
    );
    return rows
      .map((cells) =>
        cells
          .map((cell, at) => cell.padEnd(widths[at] ?? 0))
          .join('  ')
          .trimEnd(),
      )
      .join('\n');
  };
  const tables = [machineTable(subject.results), ...comparisons(subject).map(([, lines]) => lines)];
  return tables.map(aligned).join('\n\n');
}

/** One line of progress. */
export function describeFigures(row: Row, figures: Figures): string {
  const shown = row.metrics.flatMap((metric) => {
    const value = taken(metric, valuesOf(figures[figureOf(metric)] ?? []));
    if (value === null) return [];
    return [`${metric.label} ${formatNumber(value, metric.digits)} ${metric.unit}`];
  });
  return `${row.id.padEnd(23)} ${shown.join(', ')}`;
}
