/** What `npm run sim` simulates: one server, an ensemble, with balancers before it, or the recipes. */
import { autopilotMutants } from '../sim/ensemble/autopilot-mutants.js';
import { balancerMutants } from '../sim/ensemble/balancer-mutants.js';
import { ensembleMutants } from '../sim/ensemble/mutants.js';
import { oracleMutants } from '../sim/ensemble/oracle-mutants.js';
import { reconfigMutants } from '../sim/ensemble/reconfig-mutants.js';
import { sessionMutants } from '../sim/ensemble/session-mutants.js';
import { runEnsembleSeed } from '../sim/ensemble/run.js';
import { mutants } from '../sim/mutants.js';
import { recipeMutants } from '../sim/recipes/mutants.js';
import { runRecipeSeed } from '../sim/recipes/run.js';
import { runSeed, type RunResult } from '../sim/run.js';

type Sink = (line: string) => void;

export interface Subject {
  /** Of the command that replays a run. */
  readonly option: string;
  run(seed: number, sink: Sink | null): Promise<RunResult>;
  readonly mutants: readonly Mutant[];
}

export interface Mutant {
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

/** What was asked for on the command line, and what a worker is told. */
export interface Choice {
  readonly ensemble: boolean;
  readonly balancers: boolean;
  readonly recipes: boolean;
  /** Of the recipes, those whose names contain this. */
  readonly only: string;
}

export function subjectOf({ ensemble: isEnsemble, balancers, recipes, only }: Choice): Subject {
  if (recipes) return recipesOf(only);
  if (!isEnsemble) return alone;
  return balancers ? balancedEnsemble : ensemble;
}
