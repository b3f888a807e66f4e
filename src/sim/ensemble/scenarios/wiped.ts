/** Voters whose disks were emptied. */
import type { Scenario } from './world.js';

export const wipedScenarios: readonly Scenario[] = [
  {
    name: 'wiped-voter',
    kills: ['a wiped voter votes'],
    about:
      'A voter that lost its disk helps one that lags behind to be elected, and what the leader and ' +
      'it had committed is cut off when the leader comes back.',
    *script(stage) {
      stage.start(1, 2, 3);
      yield stage.serving(1, 2, 3);
      yield stage.written(20);
      const { leader } = stage;
      const [lagging = 0, wiped = 0] = [1, 2, 3].filter((sid) => sid !== leader);
      stage.kill(lagging);
      yield stage.written(20);
      stage.kill(leader);
      stage.wipe(wiped);
      stage.start(lagging, wiped);
      yield stage.forMs(5000);
      if (stage.leader !== 0) stage.fail('two servers that know nothing of it elect one of them');
      stage.start(leader);
      yield stage.serving(1, 2, 3);
      yield stage.written(10);
    },
  },
  {
    name: 'wiped-in-the-middle',
    kills: ['a wiped voter votes'],
    about:
      'A voter that lost its disk is being brought up to date when the leader dies: what it has by ' +
      'then is a piece of the history, and no base for a vote.',
    *script(stage) {
      stage.start(1, 2, 3);
      for (const calls of [12, 20, 26, 30, 34, 38, 42]) {
        yield stage.serving(1, 2, 3);
        yield stage.written(20);
        const { leader } = stage;
        const [lagging = 0, wiped = 0] = [1, 2, 3].filter((sid) => sid !== leader);
        stage.gagTowards(leader, lagging, 250);
        yield stage.written(5);
        const { history } = stage.member(wiped);
        stage.wipe(wiped);
        stage.member(wiped).killAtDiskCall(calls, 'process');
        stage.start(wiped);
        yield stage.until('it dies', () => !stage.member(wiped).isRunning);
        stage.kill(leader);
        const mayVote = history.currentEpoch > 0;
        stage.start(wiped);
        yield stage.forMs(4000);
        if (stage.leader !== 0 && !mayVote)
          stage.fail('a piece of the history is no base for a vote');
        stage.start(leader);
      }
      yield stage.serving(1, 2, 3);
      yield stage.written(10);
    },
  },
  {
    name: 'wiped-one-by-one',
    about: 'Each voter loses its disk in turn, and is brought up to date before the next one does.',
    *script(stage) {
      stage.start(1, 2, 3);
      for (const sid of [1, 2, 3, 2, 1]) {
        yield stage.serving(1, 2, 3);
        yield stage.written(15);
        stage.wipe(sid);
        stage.start(sid);
      }
      yield stage.serving(1, 2, 3);
      yield stage.written(10);
    },
  },
];
