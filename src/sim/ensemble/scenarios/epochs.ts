/** The two epoch files, and what they stand for: crashes and refusals at each step of their way. */
import type { DiskCallName } from '../../disk.js';
import type { KillKind } from '../../sim-server.js';
import type { CallCue } from '../cues.js';
import type { Stage, Wait } from '../stage.js';
import { behind, dying, established, settled } from './plots.js';
import type { Scenario } from './world.js';

type Step = Omit<CallCue, 'sid'>;

function step(name: DiskCallName, path: RegExp, after = 0): Step {
  return { name, path, after };
}

const kinds: readonly KillKind[] = ['process', 'machine'];

/** Of the way from the leader's first word to the ACK of NEWLEADER (Z14). */
const gaps: readonly (readonly [where: string, Step | null])[] = [
  ['before the step to the new epoch is noted', step('rename', /\.currentEpoch\.tmp$/)],
  ['after that, before the first transaction', step('write', /\/log\.[0-9a-f]+$/)],
  ['after that, before they are flushed', step('flush', /\/log\.[0-9a-f]+$/)],
  ['after that, before the epoch is the current one', step('rename', /\/currentEpoch\.tmp$/)],
  ['after that, before that is durable', step('syncDirectory', /version-2$/, 1)],
  ['after that, before the acknowledgement', null],
];

/** The server has died there; then its leader does, and what is left must have everything. */
function* afterCrash(stage: Stage, crashed: number): Generator<Wait, void> {
  const { leader } = stage;
  const [other = 0] = stage.others(leader, crashed);
  yield stage.until('it died', () => !stage.member(crashed).isRunning);
  yield stage.written(3);
  if (leader !== 0) stage.kill(leader);
  stage.start(crashed, other);
  yield stage.until('somebody leads', () => stage.leader !== 0 && stage.leader !== leader);
  yield stage.written(5);
  yield* settled(stage, 5);
}

/** The step to another name, and what makes it durable. */
const writing: readonly Step['name'][] = ['open', 'write', 'sync', 'rename', 'syncDirectory'];

export const epochScenarios: readonly Scenario[] = [
  {
    name: 'Z8',
    about:
      'A server dies when the history of the new epoch is on its disk and currentEpoch does not say so ' +
      'yet: it must start, and lose nothing (ZOOKEEPER-1653, 2354).',
    kills: ['a history that is newer than its epoch is refused'],
    *script(stage) {
      yield* established(stage);
      for (const kind of [...kinds, ...kinds]) {
        const lagging = yield* behind(stage, 'diff');
        // so that what it lacks is of an epoch that it has not seen
        stage.kill(stage.leader);
        stage.start(...stage.others(lagging));
        yield stage.serving(...stage.others(lagging));
        yield stage.written(5);
        const cue = { sid: lagging, ...step('rename', /\/currentEpoch\.tmp$/) };
        stage.cues.atCall(cue, dying(stage, lagging, kind));
        stage.start(lagging);
        yield* afterCrash(stage, lagging);
      }
    },
  },
  {
    name: 'Z9-crash',
    about:
      'A server dies at each call that brings an epoch to the disk: file first, then memory, then ' +
      'words; what is left of a step is no epoch (ZOOKEEPER-2307, 4269).',
    kills: ['an epoch is promised before that is durable'],
    *script(stage) {
      yield* established(stage, 5);
      for (const file of [/\.acceptedEpoch\.tmp$/, /\.currentEpoch\.tmp$/]) {
        for (const name of writing) {
          for (const kind of kinds) {
            const { leader } = stage;
            const [victim = 0] = stage.others(leader);
            const path = name === 'syncDirectory' ? /version-2$/ : file;
            stage.kill(leader);
            const moment = stage.cues.atCall(
              { sid: victim, name, path },
              dying(stage, victim, kind),
            );
            yield stage.until('it dies there', () => moment.hasCome);
            yield* settled(stage, 2);
          }
        }
      }
    },
  },
  {
    name: 'Z9-refused',
    about:
      'The disk refuses a step on the way of an epoch: the process ends, and nobody has been told of ' +
      'the epoch.',
    kills: ['an epoch that cannot be written is promised all the same'],
    *script(stage) {
      yield* established(stage, 5);
      for (const file of [/\.acceptedEpoch\.tmp$/, /\.currentEpoch\.tmp$/]) {
        for (const name of writing) {
          const { leader } = stage;
          const [victim = 0] = stage.others(leader);
          const { starts } = stage.member(victim);
          const path = name === 'syncDirectory' ? /version-2$/ : file;
          stage.kill(leader);
          stage.cues.atCall({ sid: victim, name, path }, () => ({ kind: 'error', code: 'EIO' }));
          yield stage.until('its process ends', () => stage.member(victim).starts > starts);
          yield* settled(stage, 2);
        }
      }
    },
  },
  {
    name: 'Z10',
    about:
      'A leader dies between NEWLEADER and UPTODATE, again and again: the epoch of those who have ' +
      'acknowledged is theirs, and no epoch is led twice (ZOOKEEPER-1264, 1291).',
    kills: ['NEWLEADER is acknowledged before the epoch is the current one'],
    *script(stage) {
      yield* established(stage);
      for (let times = 0; times < 5; times++) {
        let died = 0;
        const moment = stage.cues.atPacket({ kind: 'upToDate' }, ({ from }) => {
          died = from;
          stage.kill(from);
        });
        stage.kill(stage.leader);
        stage.start(...stage.others());
        yield stage.until('it dies there', () => moment.hasCome);
        yield stage.until('another leads', () => stage.leader !== 0 && stage.leader !== died);
        yield* settled(stage, 5);
      }
    },
  },
  ...kinds.map((kind): Scenario => ({
    name: kind === 'process' ? 'Z14' : 'Z14-power',
    about:
      `A learner ${kind === 'process' ? 'is killed' : 'loses power'} in each of the six gaps between ` +
      'the steps to a new epoch, and the leader dies next (ZOOKEEPER-4643).',
    kills: kind === 'process' ? ['the current epoch is written before its history'] : [],
    *script(stage) {
      yield* established(stage);
      for (const [where, at] of gaps) {
        const lagging = yield* behind(stage, 'diff');
        stage.kill(stage.leader);
        stage.start(...stage.others(lagging));
        yield stage.serving(...stage.others(lagging));
        yield stage.written(5);
        let isHere = false;
        const die = dying(stage, lagging, kind);
        // only from the leader's word on: starting takes calls of its own
        stage.cues.atPacket({ kind: 'ackEpoch', from: lagging }, () => {
          if (at === null) stage.cues.atPacket({ kind: 'ack', from: lagging }, die);
          else stage.cues.atCall({ sid: lagging, ...at }, die);
          isHere = true;
        });
        stage.start(lagging);
        yield stage.until(`it dies ${where}`, () => isHere && !stage.member(lagging).isRunning);
        yield* afterCrash(stage, lagging);
      }
    },
  })),
];
