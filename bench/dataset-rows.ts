/**
 * The rows about a large tree: what an idle server takes, what a million znodes add, how fast a
 * killed server is back on their directory, and what a snapshot of them does to those who write.
 * Each builds on the one before, so one directory goes through all of them.
 */
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { snapshotCounter } from './figures.js';
import type { Peer } from './peers.js';
import type { Figures } from './results.js';
import { withServer, type BenchServer, type StartOptions } from './server.js';
import type { RowContext } from './steady-rows.js';
import {
  longestTurn,
  parseLoopTurns,
  parseTimeline,
  splitBySnapshots,
  stretchOf,
  type Interval,
} from './timeline.js';

const parent = '/data';
const megabyte = 1e6;
/** A snapshot file that has not changed for so long is finished. */
const quietMs = 1_500;
/** A snapshot measured begins at least that long after the server is warm. */
const beforeMsMin = 1_000;
const underLoadSecondsMax = 90;

interface SnapshotFile extends Interval {
  readonly counter: number;
  readonly bytes: number;
}

/** Finished ones, oldest first. When they were begun and ended is what the filesystem says. */
function snapshotsIn(dataDir: string): SnapshotFile[] {
  const directory = join(dataDir, 'version-2');
  if (!existsSync(directory)) return [];
  const found: SnapshotFile[] = [];
  for (const name of readdirSync(directory)) {
    const counter = snapshotCounter(name);
    if (counter === null) continue;
    const { birthtimeMs, ctimeMs, size } = statSync(join(directory, name));
    if (Date.now() - ctimeMs < quietMs) continue;
    if (birthtimeMs === 0) throw new Error('this filesystem does not tell when a file was made');
    found.push({ fromMs: birthtimeMs, toMs: ctimeMs, counter, bytes: size });
  }
  return found.sort((left, right) => left.fromMs - right.fromMs);
}

/** Idle memory, then the znodes, which stay in the directory. */
async function fill(context: RowContext, peer: Peer, server: BenchServer): Promise<void> {
  const { scale, programs } = context;
  const settle = async (): Promise<void> => await sleep(scale.settleSeconds * 1000);
  await settle();
  const idleBytes = server.residentBytes();
  if (context.isWanted('idle')) context.report('idle', { rssMb: idleBytes / megabyte });
  if (!['memory', 'restart', 'snapshot'].some((row) => context.isWanted(row))) return;
  const load = await programs.load(server, {
    ...{ mode: 'create', connections: 4, outstanding: 64, parent, creates: scale.znodes },
    ...{ seconds: 0, warmSeconds: 0 },
  });
  await settle();
  if (!context.isWanted('memory')) return;
  const fullBytes = server.residentBytes();
  let collected: Figures = {};
  if (peer.collect !== null) {
    await peer.collect(server.pid);
    await settle();
    collected = { collectedMb: server.residentBytes() / megabyte };
  }
  context.report('memory', {
    growthBytes: (fullBytes - idleBytes) / scale.znodes,
    rssMb: fullBytes / megabyte,
    ...collected,
    opsPerSecond: load.opsPerSecond,
  });
}

function reportRestart(
  context: RowContext,
  startMs: number,
  newest: SnapshotFile | undefined,
): void {
  context.report('restart', {
    firstAnswerMs: startMs,
    snapshotMb: (newest?.bytes ?? 0) / megabyte,
    tailTxns: Math.max(0, context.scale.znodes - (newest?.counter ?? 0)),
  });
}

/** False: there was none in all that time, or the load has ended before. */
async function untilSnapshot(
  server: BenchServer,
  warmMs: number,
  loaded: Promise<unknown>,
): Promise<boolean> {
  const untilMs = Date.now() + underLoadSecondsMax * 1000;
  while (Date.now() < untilMs) {
    const isOver = await Promise.race([loaded.then(() => true), sleep(250, false)]);
    if (isOver) return false;
    const isThere = snapshotsIn(server.dataDir).some((one) => one.fromMs > warmMs + beforeMsMin);
    if (isThere) return true;
  }
  return false;
}

interface UnderLoad {
  readonly warmMs: number;
  readonly snapshots: readonly SnapshotFile[];
}

/** Load until a snapshot that was begun on a warm server is whole. */
async function loadUntilSnapshot(
  context: RowContext,
  peer: Peer,
  server: BenchServer,
  timelineFile: string,
): Promise<UnderLoad> {
  const startedMs = Date.now();
  const warmMs = startedMs + peer.warmSeconds * 1000;
  const load = context.programs.startLoad(server, {
    ...{ mode: 'delcreate', connections: 64, outstanding: 1, parent: '/under-load' },
    ...{ seconds: underLoadSecondsMax + 10, warmSeconds: 0, timelineFile },
  });
  const isTaken = await untilSnapshot(server, warmMs, load.finished);
  load.end();
  await load.finished;
  await sleep(quietMs);
  if (!isTaken) throw new Error(`no snapshot within ${underLoadSecondsMax} s of load`);
  const snapshots = snapshotsIn(server.dataDir).filter((one) => one.toMs >= startedMs);
  return { warmMs, snapshots };
}

function reportUnderLoad(
  context: RowContext,
  { warmMs, snapshots }: UnderLoad,
  timeline: string,
  loopTurns: string | null,
): void {
  const slices = splitBySnapshots(parseTimeline(timeline), snapshots, warmMs);
  const before = stretchOf(slices.before);
  const during = stretchOf(slices.during);
  if (before === null || during === null) throw new Error('no creates before or during a snapshot');
  let loopFigures: Figures = {};
  if (loopTurns !== null) {
    const turns = splitBySnapshots(parseLoopTurns(loopTurns), snapshots, warmMs);
    // stretches as short as those of the smoke run may hold no report of the probe
    loopFigures = {
      ...longestTurn(turns.during, 'loopMs', 'loopMsWaited'),
      ...longestTurn(turns.before, 'loopMsBefore'),
    };
  }
  const written = snapshots.filter((one) => one.fromMs >= warmMs);
  context.report('snapshot', {
    slowdown: during.p999Us / before.p999Us,
    p999UsBefore: before.p999Us,
    p999UsWhile: during.p999Us,
    maxUsWhile: during.maxUs,
    ...loopFigures,
    creates: before.count / before.seconds,
    createsWhile: during.count / during.seconds,
    snapshotMs: Math.max(...written.map((one) => one.toMs - one.fromMs)),
  });
}

async function snapshotUnderLoad(context: RowContext, peer: Peer, workDir: string): Promise<void> {
  const timelineFile = join(workDir, 'timeline');
  const probeFile = join(workDir, 'loop-turns');
  const start: StartOptions = {
    workDir,
    path: parent,
    settings: { snapCount: String(context.scale.snapCount) },
    env: peer.loopProbe?.(probeFile) ?? {},
  };
  const measured = await withServer(peer, context.programs, start, async (server) =>
    loadUntilSnapshot(context, peer, server, timelineFile),
  );
  const loopTurns = existsSync(probeFile) ? readFileSync(probeFile, 'utf8') : null;
  reportUnderLoad(context, measured, readFileSync(timelineFile, 'utf8'), loopTurns);
}

/** All wanted rows, in `workDir`, which starts empty. */
export async function runDatasetRows(
  context: RowContext,
  peer: Peer,
  workDir: string,
): Promise<void> {
  const { programs } = context;
  await withServer(peer, programs, { workDir }, async (server) => fill(context, peer, server));
  if (context.isWanted('restart')) {
    const newest = snapshotsIn(join(workDir, 'data')).at(-1);
    const start: StartOptions = { workDir, path: parent };
    await withServer(peer, programs, start, (server) => {
      reportRestart(context, server.startMs, newest);
    });
  }
  if (context.isWanted('snapshot')) await snapshotUnderLoad(context, peer, workDir);
}
