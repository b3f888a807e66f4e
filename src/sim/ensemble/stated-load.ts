/** The load at which the simulator's speed is told (../stated-load.ts), on five servers. */
import { SeededRandom } from '../../base/random.js';
import { goodLink } from '../parameters.js';
import { statedConfig, statedDisk, statedPace, underStatedLoad } from '../stated-load.js';
import { drawEnsemble, faultNames, hostOf, type EnsembleParameters } from './parameters.js';

const shape = { voters: 5, observers: 0 };

/** Nothing goes wrong. */
export function statedEnsemble({ seed }: EnsembleParameters): EnsembleParameters {
  const drawn = drawEnsemble(seed, new SeededRandom(seed), shape);
  const faults = Object.fromEntries(faultNames.map((name) => [name, Infinity]));
  return {
    ...underStatedLoad(drawn),
    configs: drawn.configs.map(({ ensemble, myid }, i) => ({
      ...statedConfig(hostOf(i + 1)),
      ensemble: { ...ensemble, initLimit: 10, syncLimit: 5, reconfigEnabled: false },
      myid,
    })),
    pace: statedPace,
    link: goodLink,
    clientLink: goodLink,
    disk: statedDisk,
    faults: faults as EnsembleParameters['faults'],
    relapse: 0,
    leaverCount: 0,
    walkStep: 0,
    reconfigMs: Infinity,
    hasLocalSessions: false,
    hasObserverMasters: false,
    autopilotDeadMs: 0,
  };
}

/** What goes wrong is the seed's. */
export function faultyEnsemble({ seed }: EnsembleParameters): EnsembleParameters {
  return underStatedLoad(drawEnsemble(seed, new SeededRandom(seed), shape));
}
