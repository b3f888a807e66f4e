/** Who leads, and who only believes it. */
import { answering } from '../mutants.js';
import { electionPort, quorumPort } from '../parameters.js';
import type { Stage, Wait } from '../stage.js';
import { Broadcast } from '../../../zab/broadcast.js';
import { established, settled } from './plots.js';
import type { Scenario } from './world.js';

const FINALIZE_WAIT_MS = 200;

/**
 * Two of three have begun an epoch in which nothing has happened, the third has more of the one before:
 * the order of their votes is neither that of the epochs alone nor that of the zxids.
 */
function* crosswise(stage: Stage): Generator<Wait, number> {
  yield* established(stage);
  const old = stage.leader;
  stage.gag(old);
  const { history } = stage.member(old);
  const before = history.end;
  yield stage.until('it proposes, and nobody hears', () => history.end > before + 2n);
  const rest = stage.others(old);
  let hasBegun = false;
  const moment = stage.cues.atPacket({ kind: 'upToDate' }, () => {
    hasBegun = true;
  });
  stage.kill(old);
  yield stage.until('the next epoch begins', () => hasBegun && moment.hasCome);
  for (const sid of rest) stage.kill(sid);
  stage.heal();
  return old;
}

/** A counter that ends early: what is left of it when the leader stops is a reserve. */
const COUNTER_END = 60;

export const electionScenarios: readonly Scenario[] = [
  ...([5, 7] as const).map((voters): Scenario => ({
    name: `Z1-${voters}`,
    about:
      `${voters} servers with histories of different lengths and epochs settle on a leader within two ` +
      'finalize waits (ZOOKEEPER-1419).',
    voters,
    *script(stage) {
      yield* established(stage);
      // each is left behind at another point, in another epoch
      for (let times = 0; times < voters >> 1; times++) {
        const [behind = 0] = stage
          .others(stage.leader)
          .filter((sid) => stage.member(sid).isRunning);
        stage.kill(behind);
        yield stage.written(6);
        const { leader } = stage;
        stage.kill(leader);
        stage.start(leader);
        yield stage.until('somebody leads', () => stage.leader !== 0);
        yield stage.written(6);
      }
      for (const sid of stage.others()) stage.kill(sid);
      stage.start(...stage.others());
      const startedMs = stage.nowMs;
      yield stage.until('somebody leads', () => stage.leader !== 0);
      const tookMs = stage.nowMs - startedMs;
      if (tookMs > 2 * FINALIZE_WAIT_MS) stage.fail(`it took ${tookMs} ms`);
      yield* settled(stage);
    },
  })),
  {
    name: 'Z1-epoch-before-zxid',
    about: 'A longer history of an older epoch loses against a shorter one of a newer epoch.',
    kills: ['votes leave the epoch out'],
    *script(stage) {
      const old = yield* crosswise(stage);
      const [other = 0] = stage.others(old);
      stage.start(old, other);
      yield stage.serving(old, other);
      if (stage.leader !== other) stage.fail('the epoch comes first');
      yield* settled(stage);
    },
  },
  {
    name: 'Z2',
    about:
      'Who is late finds an ensemble that has a leader, and follows it, though it has more in its log ' +
      'and though it asks again and again (ZOOKEEPER-975, 1732).',
    kills: ['who has decided is not listened to'],
    *script(stage) {
      const old = yield* crosswise(stage);
      const rest = stage.others(old);
      stage.start(...rest);
      yield stage.serving(...rest);
      yield stage.written(10);
      const { leader } = stage;
      for (let times = 0; times < 3; times++) {
        stage.start(old);
        yield stage.serving(old);
        yield stage.written(5);
        stage.kill(old);
        yield stage.written(5);
      }
      if (stage.leader !== leader) stage.fail('it cost the others their leader');
      yield* settled(stage);
    },
  },
  {
    name: 'Z5',
    about:
      'Before the counter of an epoch is used up the leader steps down, and no zxid is given twice ' +
      `(ZOOKEEPER-1277). Here it ends at ${COUNTER_END}.`,
    scenery: () =>
      answering(Broadcast, 'isExhausted', function isExhausted() {
        return this.proposedLow >= COUNTER_END / 2;
      }),
    kills: ['a counter goes on to its end'],
    *script(stage) {
      yield* established(stage);
      yield stage.written(4 * COUNTER_END);
      const { highestCounter } = stage;
      if (highestCounter >= COUNTER_END) stage.fail(`the counter reached ${highestCounter}`);
      yield* settled(stage);
    },
  },
  {
    name: 'Z6-election-port',
    about:
      'The election port of a server cannot be reached, its quorum port can, and the others go on.',
    *script(stage) {
      yield* established(stage);
      const [cut = 0] = stage.others(stage.leader);
      stage.cutOff(cut, electionPort);
      yield stage.written(10);
      stage.kill(stage.leader);
      stage.start(...stage.others());
      yield stage.forMs(20 * stage.tickMs);
      stage.heal();
      yield* settled(stage);
    },
  },
  {
    name: 'Z6-quorum-port',
    about:
      'The quorum port of a server cannot be reached, its election port can: whoever votes for it does ' +
      'not wait for it for ever, and nothing is lost when it is reached again.',
    *script(stage) {
      yield* established(stage);
      const [cut = 0] = stage.others(stage.leader);
      stage.cutOff(cut, quorumPort);
      yield stage.written(10);
      stage.kill(stage.leader);
      stage.start(...stage.others());
      yield stage.forMs(20 * stage.tickMs);
      stage.heal();
      yield* settled(stage);
    },
  },
  {
    name: 'Z6-equal-votes',
    about: 'All have the same history: the highest number leads, and all agree on that.',
    *script(stage) {
      stage.start(...stage.others());
      yield stage.serving(...stage.others());
      if (stage.leader !== 3) stage.fail(`${stage.leader} leads`);
      yield* settled(stage, 20);
    },
  },
  {
    name: 'only-supporter-dies',
    about:
      'Of two that elect one of them the other dies before it has joined, and then the third is there ' +
      'again: the leader is not to wait for initLimit, but to look for one with the third.',
    initLimit: 100,
    kills: ['a leader that nobody has joined counts on whoever is gone'],
    *script(stage) {
      yield* established(stage);
      for (let times = 0; times < 3; times++) {
        const { leader: old } = stage;
        const joining = stage.cues.atPacket({ kind: 'followerInfo' }, ({ from }) => {
          stage.kill(from);
        });
        stage.kill(old);
        yield stage.until('its supporter dies', () => joining.hasCome);
        stage.start(old);
        const startedMs = stage.nowMs;
        yield stage.until('somebody leads', () => stage.leader !== 0);
        const tookMs = stage.nowMs - startedMs;
        // it starts, connects and asks; then they elect, one with a voter that is not there
        const limitMs = 5 * FINALIZE_WAIT_MS;
        if (tookMs > limitMs) stage.fail(`it took ${tookMs} ms, where ${limitMs} ms are enough`);
        yield stage.written(10);
        yield* settled(stage);
      }
    },
  },
  {
    name: 'Z7-deaf',
    about: 'A leader that is heard and hears nobody steps down within syncLimit ticks, and a half.',
    kills: ['a leader waits for those who say nothing'],
    *script(stage) {
      yield* established(stage);
      const { leader } = stage;
      const { tickTimeMs, ensemble } = stage.member(leader).config;
      stage.deafen(leader);
      const startedMs = stage.nowMs;
      yield stage.until('it steps down', () => !stage.member(leader).isLeading);
      const ticks = (stage.nowMs - startedMs) / tickTimeMs;
      if (ticks > ensemble.syncLimit + 0.5) stage.fail(`it took ${ticks} ticks`);
      stage.heal();
      yield* settled(stage);
    },
  },
  {
    name: 'Z7-mute',
    about: 'A leader that hears and is not heard steps down within syncLimit ticks, and a half.',
    kills: ['nobody minds silence'],
    *script(stage) {
      yield* established(stage);
      const { leader } = stage;
      const { tickTimeMs, ensemble } = stage.member(leader).config;
      stage.gag(leader);
      const startedMs = stage.nowMs;
      yield stage.until('it steps down', () => !stage.member(leader).isLeading);
      const ticks = (stage.nowMs - startedMs) / tickTimeMs;
      if (ticks > ensemble.syncLimit + 0.5) stage.fail(`it took ${ticks} ticks`);
      stage.heal();
      yield* settled(stage);
    },
  },
  {
    name: 'Z7-stalled',
    about:
      'A leader that stood still while the others went on without it commits nothing more, and shows ' +
      'nobody what has been overtaken as the newest.',
    *script(stage) {
      yield* established(stage);
      for (let times = 0; times < 3; times++) {
        const { leader } = stage;
        const { tickTimeMs, ensemble } = stage.member(leader).config;
        stage.member(leader).pause((ensemble.syncLimit + 6) * tickTimeMs);
        const led = (): boolean => stage.members.some((one) => one.isLeading && one.sid !== leader);
        yield stage.until('another leads', led);
        yield stage.written(10);
        yield stage.until('one leads', () => !stage.member(leader).isLeading);
        yield* settled(stage);
      }
    },
  },
];
