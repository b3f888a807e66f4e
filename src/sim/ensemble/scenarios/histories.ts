/** Histories that differ at their ends, and what brings them together. */
import { divided } from './plots.js';
import type { Scenario } from './world.js';

const misfit = 'is not in this history';
const trunc = 'by=trunc';
const snap = 'by=snap';

export const historyScenarios: readonly Scenario[] = [
  {
    name: 'Z3',
    kills: ['a learner keeps what it is told to cut off'],
    about: 'Too much is cut off, or too little (ZOOKEEPER-335, 1154, 1156, 1319).',
    *script(stage) {
      const old = yield* divided(stage);
      stage.heal();
      const isCut = stage.logged(0, trunc);
      stage.start(old);
      yield isCut;
      yield stage.serving(1, 2, 3);
      yield stage.written(10);
    },
  },
  {
    name: 'Z20',
    about:
      'After a cut the connection is lost before the history that follows: memory must not show more ' +
      'than the disk in the next election (ZOOKEEPER-5094, open).',
    *script(stage) {
      for (const delayMs of [0, 0.5, 1, 2, 5]) {
        const old = yield* divided(stage);
        stage.heal();
        const cut = `synchronising a learner server=${old}`;
        const isCut = stage.logged(0, cut);
        stage.start(old);
        yield isCut;
        const leader = stage.lastToSay(cut);
        yield stage.forMs(delayMs);
        stage.hangUp(old, leader);
        stage.kill(leader);
        yield stage.until('another leads', () => stage.leader !== 0);
        stage.start(leader);
      }
      yield stage.serving(1, 2, 3);
      yield stage.written(10);
      if (stage.count(0, trunc) === 0) stage.fail('nothing was cut off');
    },
  },
  {
    name: 'Z22',
    kills: ['a snapshot that is newer than the cut stays'],
    about:
      'A snapshot that is newer than the cut is left there, and a restart revives what was taken ' +
      'back (ZOOKEEPER-4837, open).',
    *script(stage) {
      const old = yield* divided(stage);
      yield stage.snapshotOf(old, true);
      stage.heal();
      const isCut = stage.logged(0, trunc);
      stage.start(old);
      yield isCut;
      yield stage.serving(old);
      if (stage.count(0, misfit) > 0) stage.fail('what was left was not what was meant');
      stage.kill(old);
      stage.start(old);
      yield stage.serving(1, 2, 3);
      yield stage.written(10);
    },
  },
  {
    name: 'no-snapshot-before-the-cut',
    about:
      'The leader wants a cut that no snapshot is old enough for (Apache ends the process): a ' +
      'snapshot is asked for.',
    *script(stage) {
      const old = yield* divided(stage);
      yield stage.snapshotOf(old, false);
      stage.heal();
      const { leader } = stage;
      const hasAsked = stage.logged(old, 'a snapshot is asked for');
      const isSent = stage.logged(0, snap);
      stage.start(old);
      yield hasAsked;
      yield isSent;
      yield stage.serving(1, 2, 3);
      if (stage.leader !== leader) stage.fail('it cost the others their leader');
      yield stage.written(10);
    },
  },
  {
    name: 'Z25-first-after-restart',
    about:
      'All are restarted, so no leader has anything in memory, and one lags behind: an empty or ' +
      'inverted range is no DIFF (ZOOKEEPER-4352, open).',
    *script(stage) {
      stage.start(1, 2, 3);
      yield stage.serving(1, 2, 3);
      yield stage.written(10);
      const lagging = [1, 2, 3].find((sid) => sid !== stage.leader) ?? 0;
      stage.kill(lagging);
      yield stage.written(20);
      for (const sid of [1, 2, 3]) stage.kill(sid);
      stage.start(1, 2, 3);
      yield stage.serving(1, 2, 3);
      yield stage.written(10);
    },
  },
  {
    name: 'Z25-uncommitted-on-disk',
    about:
      'What a leader has on its disk and never committed is sent to a learner as committed ' +
      '(ZOOKEEPER-3526, open).',
    commitLogCount: 1,
    *script(stage) {
      const old = yield* divided(stage);
      const lagging = [1, 2, 3].find((sid) => sid !== old && sid !== stage.leader) ?? 0;
      stage.kill(lagging);
      stage.heal();
      stage.start(old);
      yield stage.serving(old);
      yield stage.written(20);
      const { leader } = stage;
      stage.gag(leader);
      const { history } = stage.member(leader);
      const before = history.end;
      yield stage.until('it proposes again', () => history.end > before + 2n);
      stage.kill(leader);
      stage.heal();
      stage.start(lagging);
      yield stage.serving(old, lagging);
      yield stage.written(10);
      stage.start(leader);
      yield stage.serving(1, 2, 3);
      yield stage.written(10);
    },
  },
  {
    name: 'Z25-gap-in-the-logs',
    about:
      'A log is missing between what a learner has and what the leader has: history across the gap ' +
      'is no history (ZOOKEEPER-2846, open).',
    commitLogCount: 1,
    *script(stage) {
      stage.start(1, 2, 3);
      yield stage.serving(1, 2, 3);
      yield stage.written(10);
      const lagging = [1, 2, 3].find((sid) => sid !== stage.leader) ?? 0;
      stage.kill(lagging);
      yield stage.written(20);
      const others = [1, 2, 3].filter((sid) => sid !== lagging);
      for (const sid of others) {
        stage.kill(sid);
        yield stage.snapshotOf(sid, false);
        stage.loseLogs(sid);
      }
      stage.start(...others);
      yield stage.serving(...others);
      yield stage.written(10);
      const isSent = stage.logged(0, 'sending a snapshot');
      stage.start(lagging);
      yield isSent;
      yield stage.serving(1, 2, 3);
      yield stage.written(10);
    },
  },
  {
    name: 'Z33',
    about:
      'After a snapshot from the leader, taken while it writes, znodes have the ACLs of others ' +
      '(ZOOKEEPER-3306, 4846, 4689, open).',
    commitLogCount: 1,
    *script(stage) {
      stage.start(1, 2, 3);
      yield stage.serving(1, 2, 3);
      yield stage.written(40);
      // logs that do not reach back to the beginning
      for (const sid of [1, 2, 3]) {
        stage.kill(sid);
        yield stage.snapshotOf(sid, false);
        stage.loseLogs(sid);
      }
      stage.start(1, 2, 3);
      yield stage.serving(1, 2, 3);
      for (let times = 0; times < 3; times++) {
        yield stage.written(40);
        const follower = [1, 2, 3].find((sid) => sid !== stage.leader) ?? 0;
        const isSent = stage.logged(0, 'sending a snapshot');
        stage.wipe(follower);
        stage.start(follower);
        yield isSent;
        yield stage.serving(1, 2, 3);
        yield stage.written(20);
        stage.kill(stage.leader);
        yield stage.until('another leads', () => stage.leader !== 0);
        stage.start(1, 2, 3);
        yield stage.serving(1, 2, 3);
      }
    },
  },
];
