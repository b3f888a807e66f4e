/** Configurations that change while servers die. */
import { lineOf } from '../operator.js';
import type { Stage, Wait } from '../stage.js';
import { established, settled } from './plots.js';
import type { Scenario } from './world.js';

function membersOf(stage: Stage, sid: number): readonly number[] {
  const { member } = stage.member(sid);
  return [...(member?.membership.inForce.members.servers.keys() ?? [])];
}

/** In force with the leader, whoever that is. */
function inForce(stage: Stage, what: string, fits: (sids: readonly number[]) => boolean): Wait {
  return stage.until(what, () => stage.leader !== 0 && fits(membersOf(stage, stage.leader)));
}

function joining(sid: number): { joiningServers: string } {
  return { joiningServers: lineOf(sid, 'participant') };
}

function leaving(sid: number): { leavingServers: string } {
  return { leavingServers: String(sid) };
}

function* letIn(stage: Stage, sid: number): Generator<Wait, void> {
  stage.reconfigure(joining(sid));
  yield inForce(stage, `${sid} is in again`, (sids) => sids.includes(sid));
}

export const reconfigurationScenarios: readonly Scenario[] = [
  {
    name: 'Z37',
    about:
      'The leader dies with COMMITANDACTIVATE on its lips: whether the configuration is in force is ' +
      'decided by those who are left, and the same for all.',
    isReconfigurable: true,
    *script(stage) {
      yield* established(stage);
      for (let times = 0; times < 4; times++) {
        const { leader } = stage;
        const [out = 0] = stage.others(leader);
        const moment = stage.cues.atPacket(
          { kind: 'commitAndActivate', after: times % 2 },
          ({ from }) => {
            stage.kill(from);
          },
        );
        stage.reconfigure(leaving(out));
        yield stage.until('it dies there', () => moment.hasCome);
        stage.start(...stage.others());
        yield stage.until('somebody leads', () => stage.leader !== 0);
        yield stage.written(10);
        if (!membersOf(stage, stage.leader).includes(out)) yield* letIn(stage, out);
        yield* settled(stage);
      }
    },
  },
  {
    name: 'Z38',
    about:
      'A server comes back that has a later configuration than those who look for a leader: they take ' +
      'it over and begin again.',
    isReconfigurable: true,
    voters: 5,
    *script(stage) {
      yield* established(stage);
      const { leader } = stage;
      const [away = 0, out = 0, knows = 0] = stage.others(leader);
      stage.kill(away);
      stage.reconfigure(leaving(out));
      yield inForce(stage, 'it is out', (sids) => !sids.includes(out));
      yield stage.written(10);
      for (const sid of stage.others(away)) stage.kill(sid);
      stage.start(away);
      yield stage.forMs(3 * stage.tickMs);
      stage.start(...stage.others(away, knows, out));
      yield stage.until('somebody leads', () => stage.leader !== 0);
      if (membersOf(stage, stage.leader).includes(out)) stage.fail('it was taken out');
      stage.start(knows, out);
      yield stage.written(10);
      yield* letIn(stage, out);
      yield* settled(stage);
    },
  },
  {
    name: 'Z39',
    about:
      'Servers are restarted one by one where reconfiguration is not allowed: nobody is thrown out, and ' +
      'each comes back (ZOOKEEPER-2819, 3829).',
    *script(stage) {
      yield* established(stage);
      for (const sid of [1, 2, 3, 3, 2, 1]) {
        yield stage.stopped(sid);
        yield stage.until('the others are led', () => stage.leader !== 0 && stage.leader !== sid);
        yield stage.written(5);
        stage.start(sid);
        yield stage.serving(sid);
      }
      yield* settled(stage);
    },
  },
  {
    name: 'Z40',
    about:
      'The leader is taken out: another one leads in the new configuration, and nothing is lost.',
    isReconfigurable: true,
    voters: 5,
    *script(stage) {
      yield* established(stage);
      for (let times = 0; times < 3; times++) {
        const { leader } = stage;
        stage.reconfigure(leaving(leader));
        yield inForce(stage, 'it is out', (sids) => !sids.includes(leader));
        yield stage.until('another leads', () => stage.leader !== 0 && stage.leader !== leader);
        yield stage.written(15);
        yield* letIn(stage, leader);
        yield* settled(stage);
      }
    },
  },
  {
    name: 'Z41',
    about:
      'Two reconfigurations are asked for at once: one after the other, or one of them not at all.',
    isReconfigurable: true,
    voters: 5,
    *script(stage) {
      yield* established(stage);
      for (let times = 0; times < 3; times++) {
        const [one = 0, other = 0] = stage.others(stage.leader);
        stage.reconfigure(leaving(one));
        stage.reconfigure(leaving(other));
        yield inForce(stage, 'one is out', (sids) => sids.length < 5);
        yield stage.written(15);
        for (const sid of [one, other]) {
          if (!membersOf(stage, stage.leader).includes(sid)) yield* letIn(stage, sid);
        }
        yield* settled(stage);
      }
    },
  },
  {
    name: 'Z42',
    about:
      'Those who would be the majority of the new configuration are not there: it does not come into ' +
      'force, and the old one goes on.',
    isReconfigurable: true,
    voters: 5,
    kills: ['a configuration is committed by a quorum of the old one alone'],
    *script(stage) {
      yield* established(stage);
      const { leader } = stage;
      const [a = 0, b = 0, c = 0, d = 0] = stage.others(leader);
      // it looks as if they were there, and they do not answer any more
      for (const sid of [c, d]) {
        for (const other of stage.others(sid)) stage.gagTowards(sid, other, 2 * stage.tickMs);
      }
      const members = [leader, c, d].map((sid) => lineOf(sid, 'participant')).join(',');
      stage.reconfigure({ newMembers: members });
      yield stage.forMs(stage.tickMs);
      const now = membersOf(stage, leader);
      if (now.length !== 5) stage.fail('a minority of the new members has decided');
      stage.kill(leader);
      stage.start(leader);
      yield stage.until('somebody leads', () => stage.leader !== 0);
      yield stage.written(10);
      stage.heal();
      for (const sid of [a, b]) {
        if (stage.leader !== 0 && !membersOf(stage, stage.leader).includes(sid))
          yield* letIn(stage, sid);
      }
      yield stage.written(5);
    },
  },
];
