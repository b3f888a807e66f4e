/**
 * What happened when: the load generator writes its latencies in slices of 50 ms, the files of a data
 * directory know when they were begun and finished, and the probe in the server's event loop says
 * how long it was held up. Laid over each other they tell what a snapshot does to those who write
 * meanwhile, without anything in the server's way while it is measured.
 */
import { percentile, type Counted } from './statistics.js';

/** As zkload.c has it. */
const sliceMs = 50;

export interface Interval {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Slice extends Interval {
  /** Latencies in microseconds. */
  readonly counted: readonly Counted[];
}

function numberOf(text: string, line: string): number {
  const value = Number(text);
  if (text === '' || !Number.isFinite(value)) throw new Error(`not a line of a timeline: ${line}`);
  return value;
}

/** Reads the file of `zkload -L`; throws on anything else. */
export function parseTimeline(text: string): Slice[] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const [end = '', ...pairs] = line.split(' ');
    const toMs = numberOf(end, line);
    const counted = pairs.map((pair): Counted => {
      const [value = '', count = '', more] = pair.split(':');
      if (more !== undefined) throw new Error(`not a line of a timeline: ${line}`);
      return [numberOf(value, line), numberOf(count, line)];
    });
    return { fromMs: toMs - sliceMs, toMs, counted };
  });
}

/** The longest hold-up of the event loop in the tenth of a second that ended at `toMs`. */
export interface LoopTurn extends Interval {
  readonly longestMs: number;
  /** Of it: ready to run, without a core. */
  readonly waitedMs: number;
}

/** The longest of these turns under `key`, what it waited under `waitedKey`; nothing without turns. */
export function longestTurn(
  turns: readonly LoopTurn[],
  key: string,
  waitedKey?: string,
): Record<string, number> {
  let longest: LoopTurn | null = null;
  for (const turn of turns) {
    if (longest === null || turn.longestMs > longest.longestMs) longest = turn;
  }
  if (longest === null) return {};
  const waited = waitedKey === undefined ? {} : { [waitedKey]: longest.waitedMs };
  return { [key]: longest.longestMs, ...waited };
}

/** Reads what loop-probe.ts writes; a last line cut short is left out. */
export function parseLoopTurns(text: string): LoopTurn[] {
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line) => {
    const [from = '', to = '', longest = '', waited = ''] = line.split(' ');
    return {
      fromMs: numberOf(from, line),
      toMs: numberOf(to, line),
      longestMs: numberOf(longest, line),
      waitedMs: numberOf(waited, line),
    };
  });
}

export function overlaps(one: Interval, other: Interval): boolean {
  return one.fromMs < other.toMs && other.fromMs < one.toMs;
}

/**
 * The parts of a run that are compared: what was going on before a snapshot and while one was
 * written. What lies before `warmMs` belongs to neither, nor what came after the last snapshot, nor
 * a snapshot that was begun before the server was warm.
 */
export function splitBySnapshots<Part extends Interval>(
  parts: readonly Part[],
  snapshots: readonly Interval[],
  warmMs: number,
): { readonly before: Part[]; readonly during: Part[] } {
  const measured = snapshots.filter((snapshot) => snapshot.fromMs >= warmMs);
  const lastBeginMs = Math.max(...measured.map((snapshot) => snapshot.fromMs));
  const isIn = (part: Part, some: readonly Interval[]): boolean =>
    some.some((snapshot) => overlaps(part, snapshot));
  const warm = parts.filter((part) => part.fromMs >= warmMs);
  return {
    before: warm.filter((part) => part.toMs <= lastBeginMs && !isIn(part, snapshots)),
    during: warm.filter((part) => isIn(part, measured)),
  };
}

export interface Stretch {
  readonly seconds: number;
  readonly count: number;
  readonly p999Us: number;
  readonly maxUs: number;
}

/** All of these slices taken together; null when nothing was answered in them. */
export function stretchOf(slices: readonly Slice[]): Stretch | null {
  const counted = slices.flatMap((slice) => slice.counted);
  const p999Us = percentile(counted, 0.999);
  if (p999Us === null) return null;
  return {
    seconds: (slices.length * sliceMs) / 1000,
    count: counted.reduce((sum, [, count]) => sum + count, 0),
    p999Us,
    maxUs: counted.reduce((longest, [value]) => Math.max(longest, value), 0),
  };
}
