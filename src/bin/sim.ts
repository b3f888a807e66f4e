#!/usr/bin/env node
/**
 * `npm run sim`: simulated runs, by seed. One line for each that fails, with the command that replays
 * it; now and then how far it got; at the end the sum. Nothing here is part of a run: the clock and the
 * dice of this file only say which seeds are tried and for how long.
 */
import { inspect, parseArgs } from 'node:util';
import { autopilotMutants } from '../sim/ensemble/autopilot-mutants.js';
import { balancerMutants } from '../sim/ensemble/balancer-mutants.js';
import { ensembleMutants } from '../sim/ensemble/mutants.js';
import { oracleMutants } from '../sim/ensemble/oracle-mutants.js';
import { reconfigMutants } from '../sim/ensemble/reconfig-mutants.js';
import { sessionMutants } from '../sim/ensemble/session-mutants.js';
import { playScenario, scenarios } from '../sim/ensemble/scenarios/index.js';
import { runEnsembleSeed } from '../sim/ensemble/run.js';
import { mutants } from '../sim/mutants.js';
import { recipeMutants } from '../sim/recipes/mutants.js';
import { runRecipeSeed } from '../sim/recipes/run.js';
import { runSeed, type RunResult } from '../sim/run.js';
import { tellSpeed } from './sim-speed.js';

const usage = `Usage: sim [--ensemble [--balancers]] [--seed N] [--seeds COUNT] [--minutes M] [--trace] [--hits]
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

/** What a run left behind without anybody catching it: a failure of that run. */
const stray: unknown[] = [];
process.on('unhandledRejection', (problem) => {
  stray.push(problem);
});

type Sink = (line: string) => void;

/** What is simulated: one server, or an ensemble. */
interface Subject {
  /** Of the command that replays a run. */
  readonly option: string;
  run(seed: number, sink: Sink | null): Promise<RunResult>;
  readonly mutants: readonly Mutant[];
}

interface Mutant {
  readonly name: string;
  /** One that kills it. */
  readonly seed: number;
  run(seed: number): Promise<RunResult>;
}

const alone: Subject = {
  option: '',
  run: (seed, sink) => runSeed(sink === null ? { seed } : { seed, sink }),
  mutants: mutants.map((mutant) => ({
    name: mutant.name,
    seed: mutant.seed,
    run: (seed) => runSeed({ seed, sabotage: mutant.make() }),
  })),
};

const ensemble: Subject = {
  option: '--ensemble ',
  run: (seed, sink) => runEnsembleSeed(sink === null ? { seed } : { seed, sink }),
  mutants: [
    ...ensembleMutants,
    ...reconfigMutants,
    ...autopilotMutants,
    ...sessionMutants,
    ...oracleMutants,
  ].map(({ name, seed, make }) => ({
    name,
    seed,
    run: (other) => runEnsembleSeed({ seed: other, sabotage: make() }),
  })),
};

const balancedEnsemble: Subject = {
  option: '--ensemble --balancers ',
  run: (seed, sink) => {
    const options = { seed, hasBalancers: true };
    return runEnsembleSeed(sink === null ? options : { ...options, sink });
  },
  mutants: balancerMutants.map(({ name, seed, make }) => ({
    name,
    seed,
    run: (other) => runEnsembleSeed({ seed: other, sabotage: make() }),
  })),
};

function recipesOf(only: string): Subject {
  return {
    option: only === '' ? '--recipes ' : `--recipes --only ${only} `,
    run: (seed, sink) => runRecipeSeed(sink === null ? { seed, only } : { seed, only, sink }),
    mutants: recipeMutants.map((mutant) => ({
      name: `${mutant.recipe}: ${mutant.name}`,
      seed: mutant.seed,
      run: (seed) => runRecipeSeed({ seed, only: mutant.recipe, sabotage: mutant.make() }),
    })),
  };
}

async function run(start: () => Promise<RunResult>): Promise<RunResult> {
  stray.length = 0;
  const result = await start();
  const [problem] = stray;
  if (problem === undefined || result.violation !== null) return result;
  const message = problem instanceof Error ? (problem.stack ?? problem.message) : inspect(problem);
  return { ...result, violation: { invariant: 'assert', message, atMs: result.simulatedMs } };
}

class Campaign {
  readonly #subject: Subject;
  readonly #startedMs = performance.now();
  readonly #hits = new Map<string, number>();
  #toldMs = this.#startedMs;
  #passed = 0;
  #failed = 0;
  #events = 0;
  #simulatedMs = 0;

  constructor(subject: Subject) {
    this.#subject = subject;
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
          `    replay: npm run sim -- ${this.#subject.option}--seed ${result.seed} --trace`,
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

async function runSeeds(
  subject: Subject,
  first: number,
  count: number,
  forMs: number,
  more: Flags,
): Promise<boolean> {
  const campaign = new Campaign(subject);
  for (let i = 0; i < count && campaign.elapsedMs < forMs; i++) {
    const seed = (first + i) % SEEDS;
    const sink = (line: string): void => {
      console.log(line);
    };
    const result = await run(() => subject.run(seed, more.trace ? sink : null));
    campaign.add(result);
    if (count === 1) console.log(`trace ${result.hash}, ${describe(result)}`);
  }
  campaign.tell(more.hits);
  return !campaign.hasFailed;
}

function describe(result: RunResult): string {
  return (
    `${result.events} events, ${result.replies} replies, ${result.watchEvents} watch events, ` +
    `${result.txns} transactions, ${result.starts} starts`
  );
}

async function runMutants(subject: Subject, only: string): Promise<boolean> {
  let alive = 0;
  for (const mutant of subject.mutants.filter(({ name }) => name.includes(only))) {
    const killed = await kill(mutant);
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
async function kill(mutant: Mutant): Promise<RunResult | null> {
  for (let i = 0; i <= MUTANT_SEEDS; i++) {
    const seed = i === 0 ? mutant.seed : i;
    const result = await run(() => mutant.run(seed));
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
    const result = await run(() => playScenario(scenario, seed, trace ? sink : null));
    const { violation } = result;
    if (violation !== null) failed++;
    const verdict =
      violation === null ? 'ok' : `broke ${violation.invariant}: ${violation.message}`;
    console.log(`${scenario.name}: ${verdict} (${describe(result)})\n    ${scenario.about}`);
  }
  console.log(`${chosen.length - failed} passed, ${failed} failed`);
  return failed === 0;
}

interface Flags {
  readonly trace: boolean;
  readonly hits: boolean;
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
  const ofEnsembles = values.balancers ? balancedEnsemble : ensemble;
  const ofServers = values.ensemble ? ofEnsembles : alone;
  const subject = values.recipes ? recipesOf(values.only) : ofServers;
  const passed = values.mutants
    ? await runMutants(subject, values.only)
    : await runSeeds(subject, first, count, forMs, values);
  if (!passed) process.exitCode = 1;
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
