/** Snapshots that are taken while the tree changes, sessions that outlive everybody, full disks. */
import { DigestHistory, type DigestEntry } from '../../../tree/digest-history.js';
import { replacing } from '../mutants.js';
import type { EnsembleSabotage } from '../sim-member.js';
import type { Stage, Wait } from '../stage.js';
import { behind, established, settled } from './plots.js';
import type { Scenario } from './world.js';

/** A digest is noted after each transaction, and not only after each 128th: stories are short. */
function fineDigests(): EnsembleSabotage {
  const noted = new WeakMap<DigestHistory, DigestEntry[]>();
  return replacing(DigestHistory, () => ({
    note(zxidHigh, zxidLow, digestHigh, digestLow) {
      const entries = noted.get(this) ?? [];
      noted.set(this, entries);
      const digest = (BigInt(digestHigh | 0) << 32n) | BigInt(digestLow >>> 0);
      entries.push({ zxid: (BigInt(zxidHigh >>> 0) << 32n) | BigInt(zxidLow >>> 0), digest });
    },
    clear() {
      noted.delete(this);
    },
    *entries() {
      yield* noted.get(this) ?? [];
    },
  }));
}

/** All of these are killed by a power failure, and come back. */
function* restarted(stage: Stage, ...sids: readonly number[]): Generator<Wait, void> {
  for (const sid of sids) stage.kill(sid, 'machine');
  stage.start(...sids);
  yield stage.serving(...sids);
}

export const stateScenarios: readonly Scenario[] = [
  {
    name: 'Z31',
    about:
      'Snapshots are taken all the time while sessions, ephemerals and their parents change; servers ' +
      'restart from them, and what they replay is replayed twice (ZOOKEEPER-3144, 3145, 3125, 1573).',
    snapCount: 8,
    thinkMs: 2,
    leavers: 2,
    kills: ['a snapshot is named after what comes later'],
    *script(stage) {
      yield* established(stage, 40);
      for (let times = 0; times < 6; times++) {
        yield* restarted(stage, ...stage.others().slice(0, 1 + (times % 3)));
        yield stage.written(25);
      }
      yield* settled(stage);
    },
  },
  {
    name: 'Z34',
    about:
      'All are restarted while sessions live whose clients do not come back: they end after their whole ' +
      'timeout, and not before, with what they own (ZOOKEEPER-1367, 2332).',
    leavers: 3,
    kills: ['nobody expires after a restart'],
    *script(stage) {
      yield* established(stage, 40);
      for (let times = 0; times < 3; times++) {
        yield* restarted(stage, ...stage.others());
        yield stage.written(10);
      }
      yield* settled(stage);
    },
  },
  {
    name: 'Z34-empty-log',
    about: 'The last log is an empty file, which is what a crash leaves of its beginning.',
    *script(stage) {
      yield* established(stage, 20);
      for (const sid of stage.others()) {
        yield stage.stopped(sid);
        stage.writeFile(sid, `log.${(stage.member(sid).history.end + 1n).toString(16)}`, '');
      }
      yield* settled(stage);
    },
  },
  {
    name: 'Z36',
    about:
      'The disk is full whenever a snapshot is written: servers go on, the old snapshot and the logs ' +
      'behind it stay, and a restart finds everything.',
    snapCount: 10,
    kills: ['a snapshot that cannot be written ends the process'],
    *script(stage) {
      let refused = 0;
      const refuse = (sid: number): void => {
        const path = /\/(?:\.?snapshot\.|\.tmp)[^/]*$/;
        stage.cues.atCall({ sid, name: 'write', path }, () => {
          refused++;
          refuse(sid);
          return { kind: 'error', code: 'ENOSPC' };
        });
      };
      yield* established(stage, 5);
      const before = stage.members.map(({ starts }) => starts).join();
      for (const sid of stage.others()) refuse(sid);
      yield stage.written(60);
      if (refused < 3) stage.fail('no snapshot was refused');
      const after = stage.members.map(({ starts }) => starts).join();
      if (after !== before) stage.fail('it cost a process');
      stage.cues.clear();
      yield* restarted(stage, ...stage.others());
      yield* settled(stage);
    },
  },
  {
    name: 'digests-after-a-snapshot',
    about:
      'A snapshot from the leader holds more than its zxid says; the learner is restarted and replays ' +
      'what comes after: of that moment it must not note a digest that is of a later one.',
    commitLogCount: 1,
    thinkMs: 1,
    spendMs: 1,
    scenery: fineDigests,
    kills: ['digests are noted while what is replayed is not what was'],
    *script(stage) {
      yield* established(stage, 60);
      for (let times = 0; times < 3; times++) {
        const learner = yield* behind(stage, 'snap');
        const isSent = stage.logged(0, 'sending a snapshot');
        stage.start(learner);
        yield isSent;
        yield stage.serving(learner);
        yield* restarted(stage, learner);
        yield stage.written(10);
      }
      yield* settled(stage);
    },
  },
  {
    name: 'digests-after-a-snapshot-without-end',
    about:
      'The same, and the leader is lost between the snapshot and UPTODATE: the next one only goes on ' +
      'with what the learner has.',
    thinkMs: 1,
    spendMs: 1,
    scenery: fineDigests,
    *script(stage) {
      yield* established(stage, 60);
      for (let times = 0; times < 3; times++) {
        const learner = yield* behind(stage, 'snap');
        const lost = stage.cues.atPacket({ kind: 'upToDate', to: learner }, ({ from, to }) => {
          stage.hangUp(from, to);
        });
        stage.start(learner);
        yield stage.until('it is lost there', () => lost.hasCome);
        yield* settled(stage);
      }
    },
  },
];
