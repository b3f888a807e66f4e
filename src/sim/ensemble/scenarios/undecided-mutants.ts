/** Bugs put back in that leave servers waiting for each other over a configuration that is not decided. */
import { Membership } from '../../../server/ensemble/membership.js';
import { Election } from '../../../zab/election.js';
import { LearnerLinks } from '../../../zab/learner-links.js';
import { replacing } from '../mutants.js';
import type { ScenarioMutant } from './mutants.js';

export const undecidedMutants: readonly ScenarioMutant[] = [
  {
    name: 'who takes itself for an observer is not heard',
    make: () => replacing(LearnerLinks, () => ({ hasVoice: (learner) => !learner.isObserver })),
  },
  {
    name: 'a configuration that was never logged stays proposed',
    make: () =>
      replacing(Membership, () => ({
        forgetUnlogged() {
          // it may have been decided, for all that this server knows
        },
      })),
  },
  {
    name: 'who knows of a proposed configuration joins only those who do',
    make: () =>
      replacing(Membership, (original) => ({
        quorums() {
          const all = original.quorums.call(this);
          return all.map((quorum) => ({
            ...quorum,
            contains: (sids) => all.every((one) => one.contains(sids)),
          }));
        },
      })),
  },
  {
    name: 'who votes in what is proposed never leads it',
    make: () =>
      replacing(Election, (original) => ({
        start(nowMs, own) {
          original.start.call(this, nowMs, { ...own, standsUntilMs: nowMs });
        },
      })),
  },
  {
    name: 'a configuration that is proposed hides one that is in force',
    make: () =>
      replacing(Membership, () => ({ isNews: (version, inHistory) => version >= inHistory })),
  },
];
