/**
 * Stories that have lost transactions of real ensembles, each told by its name (reliability.md,
 * section 4): `npm run sim -- --scenario Z20`. What is told is how it comes to it; that nothing is lost,
 * revived or served twice is what every run is judged by.
 */
import type { RunResult } from '../../run.js';
import { together } from '../mutants.js';
import { runEnsembleSeed } from '../run.js';
import type { EnsembleSabotage } from '../sim-member.js';
import { apacheScenarios } from './apache-peers.js';
import { autopilotScenarios } from './autopilot.js';
import { balancerScenarios } from './balancers.js';
import { designScenarios } from './designs.js';
import { diskScenarios } from './disks.js';
import { electionScenarios } from './elections.js';
import { epochScenarios } from './epochs.js';
import { historyScenarios } from './histories.js';
import { oracleScenarios } from './oracle.js';
import { readOnlyScenarios } from './read-only.js';
import { reconfigurationScenarios } from './reconfigurations.js';
import { restoreScenarios } from './restores.js';
import { stateScenarios } from './states.js';
import { synchronisationScenarios } from './synchronisations.js';
import { undecidedScenarios } from './undecided.js';
import { wipedScenarios } from './wiped.js';
import { sceneryOf, type Scenario } from './world.js';

export type { Scenario } from './world.js';

export const scenarios: readonly Scenario[] = [
  ...electionScenarios,
  ...epochScenarios,
  ...synchronisationScenarios,
  ...historyScenarios,
  ...diskScenarios,
  ...stateScenarios,
  ...reconfigurationScenarios,
  ...undecidedScenarios,
  ...designScenarios,
  ...wipedScenarios,
  ...autopilotScenarios,
  ...oracleScenarios,
  ...readOnlyScenarios,
  ...restoreScenarios,
  ...apacheScenarios,
  ...balancerScenarios,
];

/** What has not come by then is not waited for when a bug was put back in. */
const MUTANT_PATIENCE_MS = 6000;

/** With a bug put back in, or as it is. */
export async function playScenario(
  scenario: Scenario,
  seed: number,
  sink: ((line: string) => void) | null,
  mutant: EnsembleSabotage | null = null,
): Promise<RunResult> {
  const { script } = scenario;
  const scenery = sceneryOf(scenario);
  return await runEnsembleSeed({
    seed,
    script,
    sabotage: mutant === null ? scenery : within(scenery, mutant),
    ...(mutant === null ? {} : { patienceMs: MUTANT_PATIENCE_MS }),
    ...(sink === null ? {} : { sink }),
  });
}

function within(scenery: EnsembleSabotage, mutant: EnsembleSabotage): EnsembleSabotage {
  return {
    ...scenery,
    wrapWorld(world, sid) {
      const wrapped = scenery.wrapWorld?.(world, sid) ?? world;
      return mutant.wrapWorld?.(wrapped, sid) ?? wrapped;
    },
    ...together(scenery, mutant),
  };
}
