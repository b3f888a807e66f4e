/** Bugs of an autopilot put back in (see mutants.ts): it acts where an operator would have waited. */
import { Autopilot } from '../../server/ensemble/autopilot.js';
import { replacing, type EnsembleMutant } from './mutants.js';
import { faultNames, reconfigurable, type EnsembleParameters } from './parameters.js';
import type { EnsembleSabotage } from './sim-member.js';

/** Of five servers some are down for long, and nothing else goes wrong. */
function withLongAbsences(sabotage: EnsembleSabotage): EnsembleSabotage {
  const never = Object.fromEntries(faultNames.map((name) => [name, Infinity]));
  const tune = (drawn: EnsembleParameters): EnsembleParameters => {
    const faults = { ...(never as EnsembleParameters['faults']), killProcess: 5000 };
    const shaped = reconfigurable({ ...drawn, faults, reconfigMs: 1e12, restartMs: 20_000 });
    const configs = shaped.configs.map((config) => {
      const ensemble = { ...config.ensemble, syncLimit: 3 };
      return { ...config, ensemble, autopilotDeadMs: 20 * config.tickTimeMs };
    });
    return { ...shaped, configs, safetyMs: 90_000 };
  };
  return { ...sabotage, tune };
}

export const autopilotMutants: readonly EnsembleMutant[] = [
  {
    name: 'an autopilot takes out a server while another voter is away',
    seed: 73,
    make: () =>
      withLongAbsences(
        replacing(Autopilot, () => ({
          unsound: () => [],
        })),
      ),
  },
];
