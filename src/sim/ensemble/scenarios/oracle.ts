/** Two voters and an oracle that says whether one may go on without the other. */
import type { Stage, Wait } from '../stage.js';
import type { Scenario } from './world.js';

/** Two servers lead nobody, and nothing is committed. */
function* refused(stage: Stage, what: string): Generator<Wait, void> {
  yield stage.until('nobody leads', () => stage.leader === 0);
  const { txns } = stage;
  yield stage.forMs(20 * stage.tickMs);
  if (stage.leader !== 0 || stage.txns > txns) stage.fail(`${what}: it goes on without leave`);
}

function* together(stage: Stage): Generator<Wait, void> {
  stage.start(1, 2);
  yield stage.serving(1, 2);
  stage.allow();
  yield stage.written(10);
}

export const oracleScenarios: readonly Scenario[] = [
  {
    name: 'oracle-one-is-killed',
    about:
      'Of two voters each is killed in turn, leading or following: with a yes the other goes on, ' +
      'after a no it stops, with a yes it leads alone, and who returns joins it.',
    voters: 2,
    hasOracle: true,
    *script(stage) {
      yield* together(stage);
      for (const isLeaderKilled of [false, true, true, false]) {
        const { leader } = stage;
        const [follower = 0] = stage.others(leader);
        const [victim, survivor] = isLeaderKilled ? [leader, follower] : [follower, leader];
        stage.allow(survivor);
        stage.kill(victim, 'machine');
        yield stage.until('the survivor leads', () => stage.leader === survivor);
        yield stage.written(10);
        stage.allow();
        yield* refused(stage, `without ${victim}`);
        stage.allow(survivor);
        yield stage.until('it leads alone', () => stage.leader === survivor);
        yield stage.written(10);
        yield* together(stage);
      }
    },
  },
  {
    name: 'oracle-says-no',
    kills: ['goes on alone without asking'],
    about: 'Of two voters each is killed in turn, and the oracle says no: the other must wait.',
    voters: 2,
    hasOracle: true,
    *script(stage) {
      yield* together(stage);
      for (const isLeaderKilled of [false, true]) {
        const { leader } = stage;
        const victim = isLeaderKilled ? leader : (stage.others(leader)[0] ?? 0);
        stage.kill(victim);
        yield* refused(stage, `without ${victim}`);
        yield* together(stage);
      }
    },
  },
  {
    name: 'oracle-parted',
    about:
      'Two voters live and do not hear each other. The one that the oracle names goes on, the other ' +
      'takes back what it proposed meanwhile.',
    voters: 2,
    hasOracle: true,
    *script(stage) {
      yield* together(stage);
      for (let i = 0; i < 2; i++) {
        const { leader } = stage;
        const [follower = 0] = stage.others(leader);
        stage.allow(follower);
        stage.gag(leader);
        stage.gag(follower);
        yield stage.until('the named one leads', () => stage.member(follower).isLeading);
        yield stage.until('the other does not', () => !stage.member(leader).isLeading);
        yield stage.written(15);
        stage.heal();
        yield* together(stage);
      }
    },
  },
];
