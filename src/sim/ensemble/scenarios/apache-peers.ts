/**
 * Ensembles in which some servers behave as Apache's do (../apache-peer.ts): each leads and each
 * follows, through every way in which histories are brought together and broken off, and the bugs of
 * older releases come as what other servers get to see of them.
 */
import { apacheFlaws, type ApacheFlaw } from '../apache-peer.js';
import type { EnsembleSabotage } from '../sim-member.js';
import type { Stage, Wait } from '../stage.js';
import type { Scenario } from './world.js';

const STRANGER = 3;

/** The last server is of that make, or all but the first. */
function beside(
  sids: readonly number[],
  flaws: readonly ApacheFlaw[] = [],
): () => EnsembleSabotage {
  return () => ({ apache: new Map(sids.map((sid) => [sid, { flaws }])) });
}

/** A follower comes back behind the others (DIFF), once in the middle of being brought up to date. */
function* fallsBehind(stage: Stage, follower: number): Generator<Wait, void> {
  for (const calls of [0, 6, 12]) {
    stage.kill(follower, calls === 6 ? 'machine' : 'process');
    yield stage.written(15);
    stage.start(follower);
    if (calls > 0) {
      stage.member(follower).killAtDiskCall(calls, 'machine');
      yield stage.forMs(2 * stage.tickMs);
      stage.member(follower).spare();
      stage.start(follower);
    }
    yield stage.serving(1, 2, 3);
    yield stage.written(5);
  }
}

/** The leader of the moment has proposed what nobody heard, dies and comes back (TRUNC). */
function* goesAstray(stage: Stage): Generator<Wait, void> {
  const { leader } = stage;
  const { history } = stage.member(leader);
  stage.gag(leader);
  const before = history.end;
  yield stage.until('it proposes, and nobody hears', () => history.end > before + 1n);
  stage.kill(leader);
  yield stage.until('another leads', () => stage.leader !== 0 && stage.leader !== leader);
  yield stage.written(10);
  stage.heal();
  stage.start(leader);
  yield stage.serving(1, 2, 3);
  yield stage.written(5);
}

/** The logs of the others do not reach back to what a follower has (SNAP). */
function* losesTouch(stage: Stage, follower: number): Generator<Wait, void> {
  stage.kill(follower);
  yield stage.written(15);
  const others = stage.others(follower);
  for (const sid of others) {
    yield stage.stopped(sid);
    yield stage.snapshotOf(sid, false);
    stage.loseLogs(sid);
  }
  stage.start(...others);
  yield stage.serving(...others);
  yield stage.written(10);
  stage.start(follower);
  yield stage.serving(1, 2, 3);
  yield stage.written(5);
}

/** Three leaders, one after the other, the last server first; every follower meets with everything. */
function* everything(stage: Stage): Generator<Wait, void> {
  const leaders = new Set<number>();
  stage.start(1, 2, 3);
  yield stage.serving(1, 2, 3);
  for (let times = 0; times < 3; times++) {
    for (const follower of stage.others(stage.leader)) {
      leaders.add(stage.leader);
      if (follower === stage.leader) continue;
      yield* fallsBehind(stage, follower);
      yield* losesTouch(stage, follower);
    }
    yield* goesAstray(stage);
    leaders.add(stage.leader);
  }
  if (!leaders.has(STRANGER) || leaders.size === 1) stage.fail('not everybody has led');
  for (const how of ['by=trunc', 'sending a snapshot']) {
    if (stage.count(0, how) === 0) stage.fail(`nobody logged "${how}"`);
  }
  for (const sid of [1, 2, 3]) stage.kill(sid, 'machine');
  stage.start(1, 2, 3);
  yield stage.serving(1, 2, 3);
  yield stage.written(10);
}

/** Brought up to date again and again, with its power cut when it has said that it is. */
function* takenAtItsWord(stage: Stage): Generator<Wait, void> {
  stage.start(1, 2, 3);
  yield stage.serving(1, 2, 3);
  for (let times = 0; times < 4; times++) {
    if (stage.leader === STRANGER) {
      stage.kill(STRANGER);
      yield stage.until('another leads', () => stage.leader !== 0);
      stage.start(STRANGER);
      yield stage.serving(1, 2, 3);
    }
    const { leader } = stage;
    stage.kill(STRANGER);
    yield stage.written(15);
    // in an epoch that is new to it
    const [other = 0] = stage.others(leader, STRANGER);
    stage.hangUp(leader, other);
    yield stage.written(5);
    const moment = stage.cues.atPacket({ kind: 'upToDate', to: STRANGER }, () => {
      stage.kill(STRANGER, 'machine');
    });
    stage.start(STRANGER);
    yield stage.until('it has said that it has the history', () => moment.hasCome);
    yield stage.written(5);
    stage.start(STRANGER);
    yield stage.serving(1, 2, 3);
    yield stage.written(5);
  }
}

const harmless: readonly ApacheFlaw[] = ['acksBeforeNewLeader', 'failsOnCommit'];

export const apacheScenarios: readonly Scenario[] = [
  {
    name: 'Z43',
    about:
      'One server of three behaves as Apache does; it leads Zabra servers and follows one, through ' +
      'DIFF, TRUNC and SNAP, each broken off in the middle.',
    commitLogCount: 12,
    scenery: beside([STRANGER]),
    script: everything,
  },
  {
    name: 'Z43-one-among-strangers',
    about: 'The same with two such servers: one of Zabra leads them, and follows them.',
    commitLogCount: 12,
    scenery: beside([2, STRANGER]),
    script: everything,
  },
  {
    name: 'Z45',
    about:
      'A peer of an older release acknowledges proposals before NEWLEADER, those of older epochs as ' +
      'well, and falls over a COMMIT before UPTODATE (ZOOKEEPER-4685, 4394): it is led all the same.',
    commitLogCount: 12,
    scenery: beside([STRANGER], harmless),
    script: everything,
  },
  ...apacheFlaws
    .filter((flaw) => !harmless.includes(flaw))
    .map((flaw): Scenario => ({
      name: `Z45-${flaw.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
      about:
        flaw === 'epochBeforeHistory'
          ? 'Its epoch is written before the history (ZOOKEEPER-4643); the others hold what it lost.'
          : 'It counts history as logged that is not (ZOOKEEPER-3911, 4646, 4785, 3642, 5094); the ' +
            'others hold what it lost.',
      flushMs: 20,
      scenery: beside([STRANGER], [flaw]),
      script: takenAtItsWord,
    })),
];
