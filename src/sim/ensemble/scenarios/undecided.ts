/** Configurations that were proposed and not decided when those who know of them die or are cut off. */
import { lineOf } from '../operator.js';
import type { Stage, Wait } from '../stage.js';
import { dying, established } from './plots.js';
import type { Scenario } from './world.js';

/** The leader votes alone, whatever the others are. */
function alone(leader: number, others: readonly string[]): { newMembers: string } {
  return { newMembers: [lineOf(leader, 'participant'), ...others].join(',') };
}

function joining(sid: number): { joiningServers: string } {
  return { joiningServers: lineOf(sid, 'participant') };
}

/** When the proposal that fits is about to leave for the other; `version`: of what was proposed last. */
function atProposal(
  stage: Stage,
  leader: number,
  to: number,
  fits: (zxid: bigint, version: bigint) => boolean,
  act: () => void,
): void {
  stage.cues.atPacket({ kind: 'proposal', from: leader, to }, ({ zxid }) => {
    const version = stage.member(leader).member?.membership.lastSeen.version ?? 0n;
    if (fits(zxid, version)) act();
    else atProposal(stage, leader, to, fits, act);
  });
}

/** It dies, and has not logged what it has just proposed. */
function atLogging(stage: Stage, leader: number, act: () => null): void {
  stage.cues.atCall({ sid: leader, name: 'write', path: /\/log\./ }, act);
}

const isVersion = (zxid: bigint, version: bigint): boolean => zxid === version;

/** The leader dies, and the other has logged what makes it a voter. */
function* diesLogging(stage: Stage, leader: number, other: number): Generator<Wait, void> {
  atProposal(stage, leader, other, isVersion, () => {
    atLogging(stage, leader, dying(stage, leader, 'process'));
  });
  stage.reconfigure(joining(other));
  yield stage.until('it dies there', () => !stage.member(leader).isRunning);
  yield stage.forMs(stage.tickMs);
}

/** As far as the server knows, one vote is all that it takes. */
function votesAlone(stage: Stage, sid: number): boolean {
  return stage.member(sid).member?.membership.inForce.quorum.voters.size === 1;
}

export const undecidedScenarios: readonly Scenario[] = [
  {
    name: 'undecided-voter',
    about:
      'A server that a proposed configuration makes a voter has not heard of it, and comes as the ' +
      'observer that it is in the one in force: that it is needed only the leader knows.',
    isReconfigurable: true,
    kills: ['who takes itself for an observer is not heard'],
    *script(stage) {
      yield* established(stage);
      const { leader } = stage;
      const [observer = 0, other = 0] = stage.others(leader);
      // it is in force, and the others are not told
      const decided = stage.cues.atPacket({ kind: 'commitAndActivate' }, () => {
        stage.gag(leader);
      });
      stage.reconfigure(
        alone(
          leader,
          [observer, other].map((sid) => lineOf(sid, 'observer')),
        ),
      );
      yield stage.until('it is decided', () => decided.hasCome);
      const isProposed = stage.logged(leader, 'a reconfiguration is proposed');
      stage.reconfigure(joining(observer));
      yield isProposed;
      yield stage.until('nobody leads', () => stage.leader === 0);
      stage.heal();
      yield stage.serving(leader, observer);
      yield stage.written(10);
    },
  },
  {
    name: 'undecided-leader',
    about:
      'The leader, which votes alone, dies with a configuration that it has saved and not yet logged; ' +
      'the server that this would make a voter has logged it, and is away for now: nobody needs it. ' +
      'When it is back it joins a leader that knows of no such configuration.',
    isReconfigurable: true,
    kills: [
      'a configuration that was never logged stays proposed',
      'who knows of a proposed configuration joins only those who do',
    ],
    *script(stage) {
      yield* established(stage);
      const { leader } = stage;
      const [out = 0] = stage.others(leader);
      stage.reconfigure(alone(leader, []));
      yield stage.until('all know', () => stage.others().every((sid) => votesAlone(stage, sid)));
      yield* diesLogging(stage, leader, out);
      stage.kill(out);
      stage.start(leader);
      yield stage.serving(leader);
      yield stage.written(5);
      stage.start(out);
      yield stage.serving(leader, out);
      yield stage.written(10);
    },
  },
  {
    name: 'undecided-history',
    about:
      'The same, and the other has not heard either that the leader votes alone: it takes itself for a ' +
      'voter of the configuration before, and its own history speaks of a later one than is in force.',
    isReconfigurable: true,
    kills: ['a configuration that is proposed hides one that is in force'],
    *script(stage) {
      yield* established(stage);
      const { leader } = stage;
      const [out = 0] = stage.others(leader);
      stage.reconfigure(alone(leader, []));
      yield stage.until('the leader knows', () => votesAlone(stage, leader));
      if (votesAlone(stage, out)) stage.fail('the other knows as well');
      yield* diesLogging(stage, leader, out);
      stage.start(leader);
      yield stage.serving(leader, out);
      yield stage.written(10);
    },
  },
  {
    name: 'undecided-ahead',
    about:
      'The leader, which votes alone, has logged what makes the other a voter, and dies with what it ' +
      'proposed next: the other has that as well, and whoever leads needs both.',
    isReconfigurable: true,
    kills: ['who votes in what is proposed never leads it'],
    *script(stage) {
      yield* established(stage);
      const { leader } = stage;
      const [out = 0] = stage.others(leader);
      stage.reconfigure(alone(leader, []));
      yield stage.until('all know', () => stage.others().every((sid) => votesAlone(stage, sid)));
      atProposal(stage, leader, out, isVersion, () => {
        // it is not to be decided
        stage.gagTowards(out, leader);
        atLogging(stage, leader, () => {
          const isNext = (zxid: bigint, version: bigint): boolean => zxid > version;
          atProposal(stage, leader, out, isNext, () => {
            atLogging(stage, leader, dying(stage, leader, 'process'));
          });
          return null;
        });
      });
      stage.reconfigure(joining(out));
      const isDead = (): boolean => !stage.member(leader).isRunning;
      // or nothing was written in time: then it has no more than the other
      yield stage.until('it dies there', () => isDead() || stage.leader === 0);
      stage.cues.clear();
      if (!isDead()) stage.kill(leader);
      yield stage.forMs(stage.tickMs);
      stage.heal();
      stage.start(leader);
      yield stage.serving(leader, out);
      yield stage.written(10);
    },
  },
];
