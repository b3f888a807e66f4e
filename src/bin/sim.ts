#!/usr/bin/env node
/**
 * `npm run sim`: simulated runs, by seed. One line for each that fails, with the command that replays
 * it; now and then how far it got; at the end the sum. Nothing here is part of a run: the clock and the
 * dice of this file only say which seeds are tried and for how long.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { playScenario, scenarios } from '../sim/ensemble/scenarios/index.js';
import type { RunResult } from '../sim/run.js';
import { present } from '../base/assert.js';
import { caught } from './sim-caught.js';
import { tellSpeed } from './sim-speed.js';
import { subjectOf, type Mutant, type Subject } from './sim-subjects.js';
import { SimWorkers } from './sim-workers.js';

const usage = `Usage: sim [--ensemble [--balancers]] [--seed N] [--seeds COUNT] [--minutes M] [--jobs N] [--trace] [--hits]
       sim [--ensemble [--balancers]] --mutants [--only TEXT]
       sim [--ensemble] --speed [--seed N]
       sim --recipes [--only TEXT] [--mutants | as above]
       sim --scenario NAME | --scenarios [--seed N] [--trace]
  --ensemble    servers that elect a leader, instead of one that is alone
  --balancers   clients come by balancers, which have faults of their own
  --recipes     processes that use the client's recipes, instead of servers alone
  --seed N      run this seed (with --seeds: begin with it)
  --seeds N     run so many seeds, one after the other
  --minutes M   run random seeds for so long (10 when nothing is said)
  --jobs N      so many at a time (as many as there are processors)
  --trace       write every line of the trace to the standard output
  --hits        say at the end how often each fault struck
  --mutants     put known bugs back in, one after the other: each must be found
  --only TEXT   of them, or of the recipes, those whose names contain this
  --speed       measure the simulator at a load that is always the same
  --scenario N  play this story of an ensemble (\`--scenarios\`: each of them)`;

/** A mutant that its own seed does not kill has so many chances more. */
const MUTANT_SEEDS = 100;
const PROGRESS_EVERY_MS = 5000;
const SEEDS = 2 ** 31;

class Campaign {
  /** Of the command that replays a run. */
  readonly #option: string;
  readonly #startedMs = performance.now();
  readonly #hits = new Map<string, number>();
  #toldMs = this.#startedMs;
  #passed = 0;
  #failed = 0;
  #events = 0;
  #simulatedMs = 0;

  constructor(option: string) {
    this.#option = option;
  }

  get elapsedMs(): number {
    return performance.now() - this.#startedMs;
  }

  get hasFailed(): boolean {
    return this.#failed > 0;
  }

  add(result: RunResult): void {
    this.#events += result.events;
    this.#simulatedMs += result.simulatedMs;
    for (const [name, hits] of result.hits)
      this.#hits.set(name, (this.#hits.get(name) ?? 0) + hits);
    if (result.violation === null) this.#passed++;
    else {
      this.#failed++;
      const { invariant, message, atMs } = result.violation;
      console.log(
        `seed ${result.seed} broke ${invariant} at ${atMs.toFixed(3)} ms: ${message}\n` +
          `    replay: npm run sim -- ${this.#option}--seed ${result.seed} --trace`,
      );
    }
    if (performance.now() - this.#toldMs < PROGRESS_EVERY_MS) return;
    this.#toldMs = performance.now();
    console.log(`… ${this.#passed} passed, ${this.#failed} failed, at seed ${result.seed}`);
  }

  tell(withHits: boolean): void {
    if (withHits) {
      for (const [name, hits] of [...this.#hits].sort()) {
        console.log(`${String(hits).padStart(8)} ${name}`);
      }
    }
    const realMs = this.elapsedMs;
    const perSecond = Math.round((this.#events / realMs) * 1000);
    const hours = (this.#simulatedMs / 3_600_000).toFixed(2);
    const speed = Math.round(this.#simulatedMs / realMs);
    console.log(
      `${this.#passed} passed, ${this.#failed} failed; ${perSecond} events/s, ` +
        `${hours} h simulated in ${(realMs / 1000).toFixed(1)} s (${speed}x)`,
    );
  }
}

/** Runs a seed, with one of the subject's mutants or none. */
interface Runner {
  /** So many at a time. */
  readonly jobs: number;
  run(seed: number, mutant: number | null): Promise<RunResult>;
}

function here(subject: Subject, sink: ((line: string) => void) | null): Runner {
  const chosen = (mutant: number | null): Pick<Subject, 'run'> | Mutant =>
    mutant === null ? subject : present(subject.mutants[mutant], 'a mutant of the subject');
  return { jobs: 1, run: (seed, mutant) => caught(() => chosen(mutant).run(seed, sink)) };
}

async function runSeeds(
  { option }: Subject,
  runner: Runner,
  first: number,
  count: number,
  forMs: number,
  withHits: boolean,
): Promise<boolean> {
  const campaign = new Campaign(option);
  let begun = 0;
  const lane = async (): Promise<void> => {
    while (begun < count && campaign.elapsedMs < forMs) {
      const result = await runner.run((first + begun++) % SEEDS, null);
      campaign.add(result);
      if (count === 1) console.log(`trace ${result.hash}, ${describe(result)}`);
    }
  };
  await Promise.all(Array.from({ length: runner.jobs }, lane));
  campaign.tell(withHits);
  return !campaign.hasFailed;
}

function describe(result: RunResult): string {
  return (
    `${result.events} events, ${result.replies} replies, ${result.watchEvents} watch events, ` +
    `${result.txns} transactions, ${result.starts} starts`
  );
}

async function runMutants(subject: Subject, runner: Runner, only: string): Promise<boolean> {
  const chosen = [...subject.mutants.entries()].filter(([, { name }]) => name.includes(only));
  const kills = new Map<number, Promise<RunResult | null>>();
  if (runner.jobs > 1) for (const [at, { seed }] of chosen) kills.set(at, kill(runner, at, seed));
  let alive = 0;
  for (const [at, mutant] of chosen) {
    const killed = await (kills.get(at) ?? kill(runner, at, mutant.seed));
    if (killed === null) {
      alive++;
      console.log(`SURVIVES  ${mutant.name}`);
      continue;
    }
    const { invariant, message } = killed.violation ?? { invariant: '', message: '' };
    const known = killed.seed === mutant.seed ? '' : ` (not by ${mutant.seed})`;
    console.log(
      `killed    ${mutant.name}\n          by seed ${killed.seed}${known}, ` +
        `${invariant}: ${message.split('\n')[0]?.slice(0, 120) ?? ''}`,
    );
  }
  console.log(alive === 0 ? 'every mutant was killed' : `${alive} mutants survive`);
  return alive === 0;
}

/** The run that finds it; null: none did. */
async function kill(runner: Runner, mutant: number, own: number): Promise<RunResult | null> {
  for (let i = 0; i <= MUTANT_SEEDS; i++) {
    const result = await runner.run(i === 0 ? own : i, mutant);
    if (result.violation !== null) return result;
  }
  return null;
}

/** Null: all of them. */
async function playScenarios(name: string | null, seed: number, trace: boolean): Promise<boolean> {
  const chosen = scenarios.filter((one) => name === null || one.name === name);
  if (chosen.length === 0) {
    throw new TypeError(`no scenario ${name ?? ''}: ${scenarios.map((one) => one.name).join(' ')}`);
  }
  let failed = 0;
  for (const scenario of chosen) {
    const sink = (line: string): void => {
      console.log(line);
    };
    const result = await caught(() => playScenario(scenario, seed, trace ? sink : null));
    const { violation } = result;
    if (violation !== null) failed++;
    const verdict =
      violation === null ? 'ok' : `broke ${violation.invariant}: ${violation.message}`;
    console.log(`${scenario.name}: ${verdict} (${describe(result)})\n    ${scenario.about}`);
  }
  console.log(`${chosen.length - failed} passed, ${failed} failed`);
  return failed === 0;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string' },
      minutes: { type: 'string' },
      trace: { type: 'boolean', default: false },
      hits: { type: 'boolean', default: false },
      ensemble: { type: 'boolean', default: false },
      balancers: { type: 'boolean', default: false },
      recipes: { type: 'boolean', default: false },
      mutants: { type: 'boolean', default: false },
      jobs: { type: 'string' },
      only: { type: 'string', default: '' },
      speed: { type: 'boolean', default: false },
      scenario: { type: 'string' },
      scenarios: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return;
  }
  if (values.scenarios || values.scenario !== undefined) {
    const seed = number(values.seed ?? '1');
    if (!(await playScenarios(values.scenario ?? null, seed, values.trace))) process.exitCode = 1;
    return;
  }
  if (values.speed) {
    if (!(await tellSpeed(values.ensemble, number(values.seed ?? '1')))) process.exitCode = 1;
    return;
  }
  const isCounted = values.seeds !== undefined || values.seed !== undefined;
  const first = values.seed === undefined ? Math.floor(Math.random() * SEEDS) : number(values.seed);
  const count = isCounted ? number(values.seeds ?? '1') : Infinity;
  const forMs =
    isCounted && values.minutes === undefined ? Infinity : 60_000 * number(values.minutes ?? '10');
  const subject = subjectOf(values);
  const jobs = jobsOf(values.jobs, values.trace || (count === 1 && !values.mutants));
  const workers = jobs > 1 ? new SimWorkers(jobs, values) : null;
  const runner: Runner =
    workers === null
      ? here(subject, values.trace ? (line) => console.log(line) : null)
      : { jobs, run: (seed, mutant) => workers.run({ seed, mutant }) };
  try {
    const passed = values.mutants
      ? await runMutants(subject, runner, values.only)
      : await runSeeds(subject, runner, first, count, forMs, values.hits);
    if (!passed) process.exitCode = 1;
  } finally {
    // they would keep this process alive
    workers?.stop();
  }
}

function jobsOf(asked: string | undefined, isOne: boolean): number {
  if (isOne) return 1;
  return asked === undefined ? availableParallelism() : Math.max(1, number(asked));
}

function number(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new TypeError(`not a number: ${text}\n${usage}`);
  return value;
}

main().catch((problem: unknown) => {
  console.error(problem instanceof TypeError ? problem.message : problem);
  process.exitCode = 1;
});
