/** Bugs put back in (see mutants.ts) of two voters with an oracle. */
import { SeededRandom } from '../../base/random.js';
import { LearnerLinks } from '../../zab/learner-links.js';
import { hasOracle } from '../../zab/quorum.js';
import { replacing, type EnsembleMutant } from './mutants.js';
import { advised, drawEnsemble, type EnsembleParameters } from './parameters.js';
import type { EnsembleSabotage } from './sim-member.js';

/** Two voters, whose oracle is never wrong, die now and then. */
function asPair(drawn: EnsembleParameters): EnsembleParameters {
  const shape = { voters: 2, observers: 0 };
  const pair = drawEnsemble(drawn.seed, new SeededRandom(drawn.seed), shape);
  return advised({
    ...pair,
    faults: { ...pair.faults, killProcess: 2000, isolate: 3000 },
    reconfigMs: Infinity,
    oracle: { meanMs: 400, wrongChance: 0 },
  });
}

function withPair(sabotage: EnsembleSabotage): EnsembleSabotage {
  return { ...sabotage, tune: asPair };
}

export const oracleMutants: readonly EnsembleMutant[] = [
  {
    name: 'goes on alone without asking',
    seed: 3,
    make: () =>
      withPair(
        replacing(LearnerLinks, () => ({
          mayGoOnAlone(quorum) {
            if (!hasOracle(quorum) || this.takesPart === null) return false;
            for (const learner of this) if (this.takesPart(learner)) return false;
            return true;
          },
        })),
      ),
  },
];
