/**
 * Stories that have lost transactions of real ensembles, each told by its name (reliability.md,
 * section 4): `npm run sim -- --scenario Z20`. What is told is how it comes to it; that nothing is lost,
 * revived or served twice is what every run is judged by.
 */
import type { RunResult } from '../../run.js';
import { runEnsembleSeed } from '../run.js';
import { diskScenarios } from './disks.js';
import { historyScenarios } from './histories.js';
import { wipedScenarios } from './wiped.js';
import { sceneryOf, type Scenario } from './world.js';

export type { Scenario } from './world.js';

export const scenarios: readonly Scenario[] = [
  ...historyScenarios,
  ...diskScenarios,
  ...wipedScenarios,
];

export async function playScenario(
  scenario: Scenario,
  seed: number,
  sink: ((line: string) => void) | null,
): Promise<RunResult> {
  const { script } = scenario;
  const sabotage = sceneryOf(scenario);
  return await runEnsembleSeed(
    sink === null ? { seed, sabotage, script } : { seed, sabotage, script, sink },
  );
}
