/**
 * How big a run is. `full` is what the report is written from; `quick` is to see where one stands;
 * `smoke` does every row in a tiny form to see that it works at all, and its figures mean nothing.
 */
import { parseArgs } from 'node:util';
import { chooseRows } from './matrix.js';

export interface Scale {
  readonly name: 'full' | 'quick' | 'smoke';
  readonly rounds: number;
  /** Measured in each row of load, after `rowWarmSeconds` that do not count. */
  readonly seconds: number;
  readonly rowWarmSeconds: number;
  /** Load on a fresh server before its first row. */
  readonly jvmWarmSeconds: number;
  readonly nodeWarmSeconds: number;
  readonly znodes: number;
  readonly watchers: number;
  readonly shots: number;
  /** Before memory is looked at. */
  readonly settleSeconds: number;
  /** snapCount while a snapshot under load is wanted. */
  readonly snapCount: number;
  readonly machineSeconds: number;
  readonly kills: number;
  readonly handovers: number;
  /** Of the ensembles whose leader is taken away. */
  readonly failureTickMs: number;
  /** What a follower has missed. */
  readonly behindTxns: number;
  /** In the ensemble that an empty follower joins. */
  readonly joinZnodes: number;
  /** Of light writes before it does. */
  readonly joinSecondsBefore: number;
}

const scales: Readonly<Record<Scale['name'], Scale>> = {
  full: {
    name: 'full',
    rounds: 5,
    seconds: 5,
    rowWarmSeconds: 1,
    jvmWarmSeconds: 10,
    nodeWarmSeconds: 1,
    znodes: 1_000_000,
    watchers: 10_000,
    shots: 5,
    settleSeconds: 5,
    snapCount: 400_000,
    machineSeconds: 2,
    kills: 10,
    handovers: 3,
    failureTickMs: 2_000,
    behindTxns: 100_000,
    joinZnodes: 1_000_000,
    joinSecondsBefore: 5,
  },
  quick: {
    name: 'quick',
    rounds: 1,
    seconds: 2,
    rowWarmSeconds: 0.5,
    jvmWarmSeconds: 5,
    nodeWarmSeconds: 1,
    znodes: 200_000,
    watchers: 2_000,
    shots: 3,
    settleSeconds: 2,
    snapCount: 100_000,
    machineSeconds: 1,
    kills: 5,
    handovers: 2,
    failureTickMs: 2_000,
    behindTxns: 50_000,
    joinZnodes: 200_000,
    joinSecondsBefore: 3,
  },
  smoke: {
    name: 'smoke',
    rounds: 1,
    seconds: 0.5,
    rowWarmSeconds: 0.2,
    jvmWarmSeconds: 1,
    nodeWarmSeconds: 0.5,
    znodes: 20_000,
    watchers: 500,
    shots: 1,
    settleSeconds: 0.5,
    snapCount: 10_000,
    machineSeconds: 0.3,
    kills: 2,
    handovers: 1,
    failureTickMs: 400,
    behindTxns: 5_000,
    joinZnodes: 10_000,
    joinSecondsBefore: 1,
  },
};

/** Rounds without which a median is not worth writing down. */
export const reportRoundsMin = 3;

export interface BenchOptions {
  readonly scale: Scale;
  readonly rows: ReadonlySet<string>;
  readonly isEveryRow: boolean;
  /** The program and its first arguments; the path of zoo.cfg is added. Null: this repository's. */
  readonly zabraCommand: readonly string[] | null;
}

export const usage = `usage: npm run bench [-- [rows] [--rounds N] [--seconds S] [--quick | --smoke]
                        [--zabra "program arguments"]]`;

function positive(text: string, name: string): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value)) throw new Error(`--${name} ${text}: not a number`);
  return value;
}

/** Throws with one clear line on anything that it does not understand. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      quick: { type: 'boolean' },
      smoke: { type: 'boolean' },
      zabra: { type: 'string' },
    },
  });
  const name = values.smoke === true ? 'smoke' : values.quick === true ? 'quick' : 'full';
  const base = scales[name];
  const rounds = values.rounds === undefined ? base.rounds : positive(values.rounds, 'rounds');
  if (!Number.isInteger(rounds)) throw new Error(`--rounds ${rounds}: not a whole number`);
  const seconds = values.seconds === undefined ? base.seconds : positive(values.seconds, 'seconds');
  return {
    scale: { ...base, rounds, seconds },
    rows: chooseRows(positionals),
    isEveryRow: positionals.length === 0,
    zabraCommand: values.zabra?.split(/\s+/).filter((word) => word !== '') ?? null,
  };
}
