/**
 * Bugs of reconfigurations put back in (see mutants.ts): each lets a quorum decide that does not share a
 * server with one that decides elsewhere.
 */
import { ConfigKeeper } from '../../server/ensemble/config-keeper.js';
import { Membership } from '../../server/ensemble/membership.js';
import { Broadcast } from '../../zab/broadcast.js';
import { majorityQuorum } from '../../zab/quorum.js';
import { replacing, type EnsembleMutant } from './mutants.js';
import { reconfigurable, type EnsembleParameters } from './parameters.js';
import type { EnsembleSabotage } from './sim-member.js';

/** Members change all the time; with `kills`, so do the processes. */
function withReconfigurations(sabotage: EnsembleSabotage, kills = {}): EnsembleSabotage {
  const tune = (drawn: EnsembleParameters): EnsembleParameters =>
    reconfigurable({ ...drawn, reconfigMs: 200, faults: { ...drawn.faults, ...kills } });
  return { ...sabotage, tune };
}

export const reconfigMutants: readonly EnsembleMutant[] = [
  {
    name: 'a configuration is committed by a quorum of the old one alone',
    seed: 2,
    make: () =>
      withReconfigurations(
        replacing(Broadcast, (original) => ({
          reconfigure(next) {
            // no voters, and everybody is a majority of them: whoever acknowledged it
            const { voters, version } = next.quorum;
            const anybody = { ...majorityQuorum(voters, version), contains: () => true };
            original.reconfigure.call(this, { ...next, quorum: anybody });
          },
        })),
      ),
  },
  {
    name: 'a configuration that was proposed counts for nobody until it is in force',
    seed: 2,
    make: () =>
      withReconfigurations(
        replacing(Membership, () => ({
          quorums() {
            return [this.inForce.quorum];
          },
        })),
      ),
  },
  {
    name: 'a proposed configuration is acknowledged before it is saved',
    seed: 12,
    make: () =>
      withReconfigurations(
        replacing(ConfigKeeper, () => ({
          saveSeen: () => Promise.resolve(),
        })),
        { killAll: 600, killLeader: 400, isolate: 1000, split: 1000 },
      ),
  },
];
