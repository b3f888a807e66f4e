/**
 * The rows about three servers as one ensemble. Rows that can share an ensemble do, in the order in
 * which they disturb each other least; one that fails takes its ensemble with it, and the next one
 * gets another.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BenchEnsemble, type EnsembleOptions } from './ensemble.js';
import { behind, handovers, joinFromEmpty, kills, stop } from './failure-rows.js';
import type { Peer } from './peers.js';
import { slowFsync, type Target } from './programs.js';
import type { Figures } from './results.js';
import { measureLoad, warm, type LoadRow, type RowContext } from './steady-rows.js';

/** Of the machine by itself, in the same round; microseconds. */
export interface Physics {
  readonly flushUs: number;
  readonly roundTripUs: number;
}

export interface EnsembleContext extends RowContext {
  /** Null: it could not be measured in this round. */
  readonly physics: Physics | null;
  /** Runs the work; false when it failed, which is counted and shown. */
  attempt(what: string, work: () => Promise<void>): Promise<boolean>;
}

/** Reports its figures itself: what was measured before an error is not lost. */
type RunRow = (context: EnsembleContext, ensemble: BenchEnsemble) => Promise<void>;

interface Section {
  readonly name: string;
  readonly isWarmed: boolean;
  options(context: EnsembleContext): Omit<EnsembleOptions, 'workDir'>;
  readonly rows: readonly (readonly [id: string, run: RunRow])[];
}

const extraMs = 2;
const outstanding = 64;

/** N / (F + RTT), per second. */
export function outstandingBound({ flushUs, roundTripUs }: Physics): number {
  return outstanding / ((extraMs * 1000 + flushUs + roundTripUs) / 1e6);
}

function load(
  id: string,
  row: Omit<LoadRow, 'id'>,
  targetOf: (ensemble: BenchEnsemble) => Target | Promise<Target> = (ensemble) => ensemble,
): readonly [string, RunRow] {
  const run: RunRow = async (context, ensemble) => {
    const target = await targetOf(ensemble);
    context.report(id, await measureLoad(context, target, { ...row, id }));
  };
  return [id, run];
}

/** Clients of that one only; the CPU time is of all three. */
async function through(role: 'leader' | 'follower', ensemble: BenchEnsemble): Promise<Target> {
  const { leader, followers } = await ensemble.untilWhole();
  const sid = role === 'leader' ? leader : (followers[0] ?? leader);
  return { address: ensemble.server(sid).address, pids: ensemble.pids };
}

const create = { mode: 'create', keys: ['opsPerSecond', 'p50Us', 'p99Us'] } as const;
const one = { connections: 1, outstanding: 1 };
const many = { connections: outstanding, outstanding: 1 };

/** The heaviest last: what it leaves behind is larger the faster the servers were. */
const loadSection: Section = {
  name: 'load',
  isWarmed: true,
  options: () => ({}),
  rows: [
    load('ens-create-1x1-follower', { ...create, ...one }, async (ensemble) =>
      through('follower', ensemble),
    ),
    load('ens-create-1x1-leader', { ...create, ...one }, async (ensemble) =>
      through('leader', ensemble),
    ),
    load('ens-getData-48x32', { ...create, mode: 'get', connections: 48, outstanding: 32 }),
    load('ens-mix', { mode: 'mix:90', keys: ['opsPerSecond', 'p50Us', 'p999Us'], ...many }),
    load('ens-create-64x1', { ...create, ...many }),
    load('ens-create-4x64', { ...create, connections: 4, outstanding: 64 }),
  ],
};

const slowDiskSection: Section = {
  name: 'slow-disk',
  isWarmed: true,
  options: () => ({ env: slowFsync(extraMs) }),
  rows: [['ens-fsync-2ms', createOnSlowDisk]],
};

async function createOnSlowDisk(context: EnsembleContext, ensemble: BenchEnsemble): Promise<void> {
  const id = 'ens-fsync-2ms';
  const figures = await measureLoad(context, ensemble, { id, ...create, ...many });
  let share: Figures = {};
  if (context.physics !== null && typeof figures['opsPerSecond'] === 'number') {
    share = { share: (100 * figures['opsPerSecond']) / outstandingBound(context.physics) };
  }
  context.report(id, { ...figures, ...share });
}

const failureSection: Section = {
  name: 'failure',
  isWarmed: true,
  options: ({ scale }) => ({ settings: { tickTime: String(scale.failureTickMs) } }),
  rows: [
    ['ens-kill', kills],
    ['ens-handover', handovers],
    ['ens-stop', stop],
    ['ens-behind', behind],
  ],
};

/** The znodes that it is loaded with are what warms it. */
const joinSection: Section = {
  name: 'join',
  isWarmed: false,
  options: () => ({ isProbed: true }),
  rows: [['ens-join', joinFromEmpty]],
};

const sections = [loadSection, slowDiskSection, failureSection, joinSection];

/** The ensemble of a section: there when it is first wanted, and again when it was given up. */
class SharedEnsemble {
  readonly #start: (workDir: string) => Promise<BenchEnsemble>;
  readonly #workDir: string;
  #running: BenchEnsemble | null = null;

  constructor(workDir: string, start: (workDir: string) => Promise<BenchEnsemble>) {
    this.#workDir = workDir;
    this.#start = start;
  }

  async get(): Promise<BenchEnsemble> {
    if (this.#running === null) {
      mkdirSync(this.#workDir, { recursive: true });
      this.#running = await this.#start(this.#workDir);
    }
    return this.#running;
  }

  get isRunning(): boolean {
    return this.#running !== null;
  }

  /** With everything that it has written. */
  async giveUp(): Promise<void> {
    const running = this.#running;
    this.#running = null;
    await running?.dispose();
    rmSync(this.#workDir, { recursive: true, force: true });
  }
}

async function runSection(
  context: EnsembleContext,
  peer: Peer,
  workDir: string,
  section: Section,
): Promise<void> {
  const wanted = section.rows.filter(([id]) => context.isWanted(id));
  const shared = new SharedEnsemble(join(workDir, section.name), async (directory) => {
    const options = { ...section.options(context), workDir: directory };
    const ensemble = await BenchEnsemble.start(peer, context.programs, options);
    try {
      if (section.isWarmed) await warm(context.programs, ensemble, peer.warmSeconds);
    } catch (error) {
      await ensemble.dispose();
      throw error;
    }
    return ensemble;
  });
  try {
    for (const [id, run] of wanted) {
      const isDone = await context.attempt(`${peer.title}, ${id}`, async () => {
        const ensemble = await shared.get();
        try {
          await run(context, ensemble);
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error);
          throw new Error(`${reason}\n${ensemble.lastOutput()}`, { cause: error });
        }
      });
      if (isDone) continue;
      // what cannot be started would not be for the next row either
      if (!shared.isRunning) break;
      await shared.giveUp();
    }
  } finally {
    await shared.giveUp();
  }
}

/** All wanted rows, in `workDir`, which starts empty. */
export async function runEnsembleRows(
  context: EnsembleContext,
  peer: Peer,
  workDir: string,
): Promise<void> {
  for (const section of sections) await runSection(context, peer, workDir, section);
}
