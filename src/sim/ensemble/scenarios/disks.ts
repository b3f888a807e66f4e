/** Disks that fail under a role, or do not answer. */
import type { Stage, Wait } from '../stage.js';
import { established, settled } from './plots.js';
import type { Scenario } from './world.js';

const FINALIZE_WAIT_MS = 200;
const LATE_MS = 50;

/**
 * The leader's disk hangs, and the two others elect one of them before it answers: at the latest after
 * syncLimit ticks, the eighth of one until that is looked at, an election with a voter that says
 * nothing, and discovery. `onEnd` happens at the end of the old role.
 */
function* outlived(stage: Stage, onEnd: (leader: number) => void): Generator<Wait, void> {
  const { leader } = stage;
  const { tickTimeMs, ensemble } = stage.member(leader).config;
  const limitMs = (ensemble.syncLimit + 0.5) * tickTimeMs + 2 * FINALIZE_WAIT_MS;
  const hung = stage.hangDisk(leader, 2 * limitMs);
  yield stage.until('its disk hangs', () => hung.hasCome);
  const sinceMs = stage.nowMs;
  yield stage.logged(leader, 'the role is over: leading');
  onEnd(leader);
  const leads = (): boolean => stage.members.some((one) => one.isLeading && one.sid !== leader);
  yield stage.until('another leads', leads);
  const tookMs = stage.nowMs - sinceMs;
  if (tookMs > limitMs) stage.fail(`it took ${tookMs} ms, where ${limitMs} ms are enough`);
  yield stage.written(10);
  yield* settled(stage);
}

export const diskScenarios: readonly Scenario[] = [
  {
    name: 'Z21',
    kills: ['a flush that the disk refuses is taken for done'],
    about:
      "A follower's disk refuses what it has in memory already: it must not vote with that, nor go " +
      'on with a hole in its log (ZOOKEEPER-4882, open).',
    *script(stage) {
      stage.start(1, 2, 3);
      for (let times = 0; times < 4; times++) {
        yield stage.serving(1, 2, 3);
        yield stage.written(15);
        const follower = [1, 2, 3].find((sid) => sid !== stage.leader) ?? 0;
        const sid = times % 2 === 0 ? follower : stage.leader;
        const { starts } = stage.member(sid);
        stage.breakDisk(sid);
        yield stage.until('its process ends', () => stage.member(sid).starts > starts);
      }
      yield stage.serving(1, 2, 3);
      yield stage.written(10);
    },
  },
  {
    name: 'hung-flush',
    kills: ['a leader waits for its disk'],
    about:
      "A leader's disk does not answer a flush of the log: it gives up after syncLimit, and the others " +
      'go on while the disk hangs; when it answers, the old leader follows.',
    *script(stage) {
      yield* established(stage);
      for (let times = 0; times < 3; times++) yield* outlived(stage, () => undefined);
    },
  },
  {
    name: 'slow-first-epoch',
    kills: [],
    about:
      'What a new leader writes first takes its disk a tick, long after the process has begun: nobody ' +
      'has waited for this disk before, and it leads.',
    *script(stage) {
      yield* established(stage);
      const { tickTimeMs, ensemble } = stage.member(stage.leader).config;
      yield stage.forMs((ensemble.syncLimit + 1) * tickTimeMs);
      for (let times = 0; times < 3; times++) {
        const old = stage.leader;
        const slow = stage
          .others(old)
          .map((sid) => stage.hangDisk(sid, tickTimeMs, 'acceptedEpoch'));
        stage.kill(old);
        const leads = (): boolean => stage.members.some((one) => one.isLeading && one.sid !== old);
        yield stage.until('another leads', leads);
        if (!slow.some(({ hasCome }) => hasCome)) stage.fail('no disk was slow');
        const given = stage.others().map((sid) => stage.count(sid, 'the disk does not answer'));
        if (given.some((count) => count > 0)) stage.fail('who leads gave up for its disk');
        yield* settled(stage);
      }
    },
  },
  {
    name: 'hung-flush-late-news',
    kills: ['a leader waits for its disk', 'who has led goes on saying that it leads'],
    about:
      'The same, and one of the others hears a little later that the leader gave up: the first is not ' +
      'to be called back by the two, to wait for the disk with them.',
    *script(stage) {
      yield* established(stage);
      for (let times = 0; times < 3; times++) {
        yield* outlived(stage, (leader) => {
          const [late = 0] = stage.others(leader);
          stage.member(late).pause(LATE_MS);
        });
      }
    },
  },
];
