/** Servers that stay away are taken out of the configuration, and let in again when they return. */
import type { Stage, Wait } from '../stage.js';
import type { Scenario } from './world.js';

const TAKES_OUT = 'autopilot: takes out a server that stayed away';
const LETS_IN = 'autopilot: lets a server in again';
const all = [1, 2, 3, 4, 5];

function follower(stage: Stage, not: readonly number[] = []): number {
  return all.find((sid) => sid !== stage.leader && !not.includes(sid)) ?? 0;
}

/** In the configuration that the leader has in force. */
function membership(stage: Stage, sid: number, isIn: boolean): Wait {
  return stage.until(`server ${sid} is ${isIn ? 'in' : 'out of'} the configuration`, () => {
    const { leader } = stage;
    if (leader === 0) return false;
    const inForce = stage.member(leader).member?.membership.inForce;
    return inForce?.members.servers.has(sid) === isIn;
  });
}

export const autopilotScenarios: readonly Scenario[] = [
  {
    name: 'autopilot',
    about:
      'Of five servers three die one after the other. Two were taken out in time, so that those which ' +
      'are left go on; all come back by themselves.',
    voters: 5,
    autopilotDeadMs: 3000,
    *script(stage) {
      stage.start(...all);
      yield stage.serving(...all);
      yield stage.written(10);
      const dead: number[] = [];
      for (const isTakenOut of [true, true, false]) {
        const victim = follower(stage, dead);
        stage.kill(victim);
        dead.push(victim);
        if (isTakenOut) yield membership(stage, victim, false);
        yield stage.written(10);
      }
      yield stage.forMs(20_000);
      if (stage.count(0, TAKES_OUT) !== 2) stage.fail('two of three voters were left');
      yield stage.written(10);
      stage.start(...dead);
      for (const sid of all) yield membership(stage, sid, true);
      yield stage.serving(...all);
      yield stage.written(10);
      if (stage.count(0, LETS_IN) !== 2) stage.fail('it was not the autopilot that let them in');
    },
  },
  {
    name: 'autopilot-of-the-next-leader',
    about:
      'Who was taken out is let in by the next leader, and by one that knows it from a snapshot.',
    voters: 5,
    snapCount: 30,
    autopilotDeadMs: 2000,
    *script(stage) {
      stage.start(...all);
      yield stage.serving(...all);
      yield stage.written(10);
      const victim = follower(stage);
      stage.kill(victim);
      yield membership(stage, victim, false);
      yield stage.written(40);
      const { leader } = stage;
      stage.kill(leader);
      yield stage.until('another leads', () => stage.leader !== 0 && stage.leader !== leader);
      stage.start(victim);
      yield membership(stage, victim, true);
      stage.start(leader);
      yield stage.serving(...all);
      yield stage.written(10);
    },
  },
  {
    name: 'autopilot-and-a-restart',
    about:
      'Who comes back learns that it is out, and dies before it is let in: what it has on its disk ' +
      'must still tell it who it is.',
    voters: 5,
    autopilotDeadMs: 2000,
    *script(stage) {
      stage.start(...all);
      yield stage.serving(...all);
      const victim = follower(stage);
      stage.kill(victim);
      yield membership(stage, victim, false);
      for (let i = 0; i < 3; i++) {
        stage.start(victim);
        yield stage.serving(victim);
        const { member } = stage.member(victim);
        if (member?.membership.inForce.members.servers.has(victim) === true) break;
        yield stage.forMs(50);
        stage.kill(victim);
        yield stage.written(5);
      }
      stage.start(victim);
      yield membership(stage, victim, true);
      yield stage.serving(...all);
      yield stage.written(10);
    },
  },
  {
    name: 'autopilot-alone-with-the-silent',
    about:
      'A leader that hears two of the others no more takes nobody out, for it cannot know which of ' +
      'them is dead.',
    voters: 5,
    autopilotDeadMs: 1000,
    *script(stage) {
      stage.start(...all);
      yield stage.serving(...all);
      const first = follower(stage);
      const second = follower(stage, [first]);
      stage.kill(first, 'machine');
      stage.kill(second, 'machine');
      yield stage.forMs(30_000);
      if (stage.count(0, TAKES_OUT) > 0) stage.fail('two were away');
      stage.start(first);
      yield membership(stage, second, false);
      stage.start(second);
      yield membership(stage, second, true);
      yield stage.serving(...all);
      yield stage.written(10);
    },
  },
];
