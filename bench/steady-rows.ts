/**
 * The rows of load on one server process: first it is warmed, then reads, then writes, the heaviest
 * last, because the tree that it leaves behind is larger the faster the server was.
 */
import type { Programs, Load, Target } from './programs.js';
import type { Scale } from './options.js';
import type { Figures } from './results.js';
import { median } from './statistics.js';
import type { BenchServer } from './server.js';

export interface RowContext {
  readonly scale: Scale;
  readonly programs: Programs;
  isWanted(rowId: string): boolean;
  /** Keeps the figures of a row and shows them. */
  report(rowId: string, figures: Figures): void;
}

export interface LoadRow {
  readonly id: string;
  readonly mode: string;
  readonly connections: number;
  readonly outstanding: number;
  readonly keys: readonly ('opsPerSecond' | 'p50Us' | 'p99Us' | 'p999Us')[];
}

function loadRow(id: string, mode: string, ...keys: LoadRow['keys']): LoadRow {
  const [connections = 1, outstanding = 1] = (id.split('-')[1] ?? '').split('x').map(Number);
  return { id, mode, connections, outstanding, keys };
}

const beforeFanout: readonly LoadRow[] = [
  loadRow('getData-1x1', 'get', 'p50Us', 'p99Us'),
  loadRow('getData-64x1', 'get', 'opsPerSecond', 'p50Us', 'p99Us'),
  loadRow('getData-4x64', 'get', 'opsPerSecond', 'p50Us', 'p99Us'),
  loadRow('create-1x1', 'create', 'opsPerSecond', 'p50Us', 'p99Us'),
  loadRow('mix-64x1', 'mix:90', 'opsPerSecond', 'p50Us', 'p999Us'),
];
const afterFanout: readonly LoadRow[] = [
  loadRow('create-64x1', 'create', 'opsPerSecond', 'p50Us', 'p999Us'),
  loadRow('create-4x64', 'create', 'opsPerSecond', 'p50Us', 'p999Us'),
];

/** Reads, updates, creates and deletes, so that no row meets code that has never run. */
export async function warm(programs: Programs, target: Target, seconds: number): Promise<void> {
  const half: Omit<Load, 'mode' | 'parent'> = {
    connections: 16,
    outstanding: 4,
    seconds: seconds / 2,
    warmSeconds: 0,
  };
  await programs.load(target, { ...half, mode: 'mix:50', parent: '/warm-mix' });
  await programs.load(target, { ...half, mode: 'delcreate', parent: '/warm-create' });
}

/** What the row's keys say, and what it cost the servers. */
export async function measureLoad(
  context: RowContext,
  target: Target,
  row: LoadRow,
): Promise<Figures> {
  const figures = await context.programs.load(target, {
    mode: row.mode,
    connections: row.connections,
    outstanding: row.outstanding,
    seconds: context.scale.seconds,
    warmSeconds: context.scale.rowWarmSeconds,
    parent: `/${row.id}`,
  });
  const wanted = row.keys.map((key) => [key, figures[key]] as const);
  return {
    ...Object.fromEntries(wanted),
    cpuUsPerOp: figures.serverCpuUs / figures.operations,
  };
}

async function runLoadRow(context: RowContext, server: BenchServer, row: LoadRow): Promise<void> {
  if (!context.isWanted(row.id)) return;
  context.report(row.id, await measureLoad(context, server, row));
}

async function runFanout(context: RowContext, server: BenchServer): Promise<void> {
  if (!context.isWanted('fanout')) return;
  const { watchers, shots } = context.scale;
  const figures = await context.programs.fanout(server, watchers, shots);
  context.report('fanout', {
    lastEventMs: median(figures.lastEventMs),
    cpuUsPerEvent: figures.serverCpuUs / (watchers * shots),
    openMs: figures.openMs,
  });
}

/** All wanted rows of load, on a server that is warm. */
export async function runSteadyRows(context: RowContext, server: BenchServer): Promise<void> {
  for (const row of beforeFanout) await runLoadRow(context, server, row);
  await runFanout(context, server);
  for (const row of afterFanout) await runLoadRow(context, server, row);
}
