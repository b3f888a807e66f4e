/** Whether there is a leader and a quorum, and how far both are from being lost. */
import { isServing, nameOf, redundancyOf, type ServerSight } from './examination.js';
import type { Fault } from './fault.js';

const isLeading = ({ mode }: ServerSight): boolean => mode === 'leader';

export const quorumFaults: readonly Fault[] = [
  {
    name: 'no-quorum',
    advice:
      'Nothing can be written, and sessions expire once it returns: start the voters that are down. ' +
      'Where they are gone for good, `zabra recover` restarts from the survivors and says what may be lost.',
    look: (examination) => {
      const redundancy = redundancyOf(examination);
      if (redundancy === null || redundancy.spare >= 0) return [];
      // a leader or a follower that serves has a quorum behind it, whoever was asked
      if (examination.servers.some(isServing)) return [];
      const { serving, voters, quorum } = redundancy;
      const seen = `${serving} of ${voters} voters serve, ${quorum} are needed`;
      return [{ where: null, severity: 'critical', seen }];
    },
  },
  {
    name: 'no-leader',
    advice:
      'An election that does not end: voters cannot reach each other on their election ports ' +
      '(look at election-port-closed), or the one with the newest history is down.',
    look: (examination) => {
      const redundancy = redundancyOf(examination);
      if (redundancy === null || redundancy.voters < 2) return [];
      const answering = examination.servers.filter(
        ({ health }) => health === 'not-serving' || health === 'serving',
      );
      if (answering.length < redundancy.quorum || answering.some(isLeading)) return [];
      if (answering.some(isServing)) return [];
      const seen = `${answering.length} servers answer, and none of them has a leader`;
      return [{ where: null, severity: 'critical', seen }];
    },
  },
  {
    name: 'two-leaders',
    advice:
      'They are of different ensembles, or one has not noticed yet that it was deposed (then it is ' +
      'gone when you look again). Clients with these addresses in one connect string see two ' +
      'different trees: separate them before anything is written.',
    look: ({ servers }) => {
      const leaders = servers.filter(isLeading);
      if (leaders.length < 2) return [];
      const seen = `${leaders.map(nameOf).join(' and ')} both lead`;
      return [{ where: null, severity: 'critical', seen }];
    },
  },
  {
    name: 'no-spare',
    advice: 'The next voter that fails stops all writes: bring the missing ones back first.',
    look: (examination) => {
      const redundancy = redundancyOf(examination);
      if (redundancy === null || redundancy.voters < 3 || redundancy.unknown > 0) return [];
      // below that, who still serves has not noticed yet
      if (redundancy.spare > 0 || !examination.servers.some(isServing)) return [];
      const { serving, voters, quorum } = redundancy;
      const seen = `${serving} of ${voters} voters serve, and a quorum is ${quorum}`;
      return [{ where: null, severity: 'warning', seen }];
    },
  },
  {
    name: 'two-voters',
    advice:
      'The loss of either stops writes, so two are less available than one: add a third voter, or ' +
      'an oracle (oraclePath).',
    look: (examination) => {
      if (redundancyOf(examination)?.voters !== 2) return [];
      return [{ where: null, severity: 'warning', seen: '2 voters, and a quorum is both of them' }];
    },
  },
  {
    name: 'even-voters',
    advice:
      'One voter less survives as many failures and acknowledges sooner: make one an observer, or add one.',
    look: (examination) => {
      const redundancy = redundancyOf(examination);
      if (redundancy === null || examination.members?.groupOf.size !== 0) return [];
      const { voters } = redundancy;
      if (voters < 4 || voters % 2 === 1) return [];
      const survives = Math.ceil(voters / 2) - 1;
      const seen = `${voters} voters survive ${survives} failures, as ${voters - 1} would`;
      return [{ where: null, severity: 'warning', seen }];
    },
  },
];
