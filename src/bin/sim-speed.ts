/**
 * `npm run sim -- --speed`: how fast the simulator is at the load of src/sim/stated-load.ts. Time is the
 * processor's, so that whoever else works on the machine is not in the figures.
 */
import { faultyEnsemble, statedEnsemble } from '../sim/ensemble/stated-load.js';
import { runEnsembleSeed } from '../sim/ensemble/run.js';
import { runSeed, type RunResult } from '../sim/run.js';
import { statedLoad, underStatedLoad } from '../sim/stated-load.js';

interface Trial {
  readonly name: string;
  run(seed: number): Promise<RunResult>;
}

const alone: readonly Trial[] = [
  { name: 'one server', run: (seed) => runSeed({ seed, tune: statedLoad }) },
  { name: 'one server, faults', run: (seed) => runSeed({ seed, tune: underStatedLoad }) },
];

const ensembles: readonly Trial[] = [
  {
    name: 'five servers',
    run: (seed) => runEnsembleSeed({ seed, sabotage: { tune: statedEnsemble } }),
  },
  {
    name: 'five servers, faults',
    run: (seed) => runEnsembleSeed({ seed, sabotage: { tune: faultyEnsemble } }),
  },
];

/** Run first, and not counted: code gets its speed by being run. */
const WARM_UP_RUNS = 2;
const RUNS = 10;

/** False: a run broke a promise, so that its speed means nothing. */
export async function tellSpeed(isEnsemble: boolean, first: number): Promise<boolean> {
  console.log(
    `ten clients, 20 writes/s and 200 reads/s; ${RUNS} runs of 60 simulated seconds and their end\n\n` +
      row(['', 'events/s', 'x real time', 'events/sim. s', 'answers/sim. s', 'txns/sim. s']),
  );
  for (const trial of isEnsemble ? ensembles : alone) {
    for (let i = 1; i <= WARM_UP_RUNS; i++) await trial.run(first + RUNS + i);
    const results: RunResult[] = [];
    const before = process.cpuUsage();
    for (let i = 0; i < RUNS; i++) results.push(await trial.run(first + i));
    const { user, system } = process.cpuUsage(before);
    const broken = results.find(({ violation }) => violation !== null);
    if (broken !== undefined) {
      console.log(`${trial.name}: seed ${broken.seed} broke ${broken.violation?.message ?? ''}`);
      return false;
    }
    const sum = (of: (result: RunResult) => number): number =>
      results.reduce((total, result) => total + of(result), 0);
    const [cpuS, simulatedS] = [(user + system) / 1e6, sum((one) => one.simulatedMs) / 1000];
    const events = sum((one) => one.events);
    const perSimulatedS = [events, sum((one) => one.replies), sum((one) => one.txns)];
    console.log(
      row([
        trial.name,
        Math.round(events / cpuS).toLocaleString('en'),
        (simulatedS / cpuS).toFixed(0),
        ...perSimulatedS.map((count) => (count / simulatedS).toFixed(0)),
      ]),
    );
  }
  return true;
}

function row([name = '', ...figures]: readonly string[]): string {
  return name.padEnd(24) + figures.map((figure) => figure.padStart(16)).join('');
}
