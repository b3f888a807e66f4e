/** Operators who restore a snapshot. */
import type { Restoration } from '../restoration.js';
import type { Stage, Wait } from '../stage.js';
import { established, settled } from './plots.js';
import type { Scenario } from './world.js';

/** Until what was under way is over, and short of any session's timeout. */
const REST_TICKS = 1;

/** Clients are away, and the leader has begun. */
function* begun(stage: Stage): Generator<Wait, Restoration> {
  stage.shutClientsOut();
  yield stage.forMs(REST_TICKS * stage.tickMs);
  let restoration: Restoration | null = null;
  yield stage.restored((one) => {
    restoration = one;
  });
  yield stage.until('it has begun', () => restoration !== null);
  return restoration as unknown as Restoration;
}

/** Those who serve and have the znode that was restored. */
function holders(stage: Stage, { path }: Restoration): number {
  const has = ({ member }: Stage['members'][number]): boolean => {
    const tree = member?.server?.tree;
    return tree !== undefined && tree.findPath(path) !== 0;
  };
  return stage.members.filter(has).length;
}

export const restoreScenarios: readonly Scenario[] = [
  {
    name: 'restore',
    kills: ['who restored goes on with what it had to tell'],
    about:
      'The leader restores a snapshot: it leads again with that, the others take it over whole, and ' +
      'nobody goes on with what there was before.',
    *script(stage) {
      yield* established(stage, 30);
      for (let times = 0; times < 3; times++) {
        const restoration = yield* begun(stage);
        yield stage.until('it is restored', () => restoration.outcome !== 'under way');
        if (restoration.outcome !== 'done') stage.fail(restoration.reason);
        stage.heal();
        yield* settled(stage);
        if (holders(stage, restoration) !== 3) stage.fail('it is not with everybody');
      }
    },
  },
  {
    name: 'restore-at-each-step',
    about:
      'The leader loses its power at one call to the disk after the other while it restores: all have ' +
      'what was restored in the end, or nobody has.',
    *script(stage) {
      yield* established(stage, 30);
      for (let calls = 1; calls < 40; calls += 2) {
        const { leader } = stage;
        stage.member(leader).killAtDiskCall(calls, 'machine');
        const restoration = yield* begun(stage);
        yield stage.forMs(4 * stage.tickMs);
        stage.member(leader).spare();
        stage.heal();
        stage.start(leader);
        yield* settled(stage);
        const count = holders(stage, restoration);
        if (count !== 0 && count !== 3) stage.fail(`${count} servers have what was restored`);
      }
    },
  },
];
