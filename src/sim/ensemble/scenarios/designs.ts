/** Rules of our own design that no number of the list stands for. */
import type { DiskCallName } from '../../disk.js';
import { quorumPort } from '../parameters.js';
import { behind, dying, established, settled } from './plots.js';
import type { Scenario } from './world.js';

/** Steps of taking over a snapshot from the leader, by the calls that they begin with. */
const installing: readonly (readonly [DiskCallName, RegExp])[] = [
  ['write', /\/\.install\.snapshot/],
  ['sync', /\/\.install\.snapshot/],
  ['rename', /\/\.install\.tmp$/],
  ['rename', /\/\.install\.snapshot/],
  ['unlink', /\/log\./],
  ['unlink', /\/snapshot\./],
  ['unlink', /\/\.install$/],
];

/** And of a cut. */
const cutting: readonly (readonly [DiskCallName, RegExp])[] = [
  ['unlink', /\/snapshot\./],
  ['write', /\/\.tail$/],
  ['truncate', /\/log\./],
  ['sync', /\/log\./],
  ['rename', /\/currentEpoch\.tmp$/],
];

export const designScenarios: readonly Scenario[] = [
  {
    name: 'acks-belong-to-links',
    about:
      'A follower acknowledges a proposal, loses its connection, is cut back and comes again: what it ' +
      'acknowledged before does not count any more.',
    voters: 5,
    flushMs: 20,
    *script(stage) {
      yield* established(stage);
      for (let heldMs = 6; heldMs < 36; heldMs += 3) {
        const { leader } = stage;
        const [returning = 0, third = 0, ...silent] = stage.others(leader);
        // two of five have it until the third speaks, and one of the two loses it meanwhile
        for (const sid of silent) stage.gagTowards(sid, leader, 120);
        const cue = { kind: 'ack', from: returning, after: 1 };
        const acked = stage.cues.atPacket(cue, () => {
          stage.gagTowards(third, leader, heldMs);
        });
        yield stage.until('it acknowledges', () => acked.hasCome);
        yield stage.forMs(0.5);
        stage.hangUp(returning, leader, quorumPort);
        yield stage.forMs(150);
        yield* settled(stage, 5);
      }
    },
  },
  {
    name: 'commit-before-the-own-flush',
    about:
      'COMMIT comes to a follower whose disk has not got so far: it waits for its own flush before it ' +
      'shows anybody.',
    flushMs: 20,
    kills: ['acknowledges a proposal before its flush has ended'],
    *script(stage) {
      yield* established(stage, 20);
      for (let times = 0; times < 3; times++) {
        const [follower = 0] = stage.others(stage.leader);
        const seen = stage.cues.atPacket({ kind: 'commit', to: follower }, () => undefined);
        yield stage.until('a commit is said', () => seen.hasCome);
        stage.kill(follower, 'machine');
        yield* settled(stage);
      }
    },
  },
  {
    name: 'install-at-each-step',
    about:
      'A learner loses power at each step of taking over a snapshot: it has the old state or the new ' +
      'one, and never a mixture.',
    *script(stage) {
      yield* established(stage);
      for (const [name, path] of installing) {
        const learner = yield* behind(stage, 'snap');
        yield stage.snapshotOf(learner, true);
        const cue = { sid: learner, name, path };
        let moment = { hasCome: false };
        stage.cues.atPacket({ kind: 'snap', to: learner }, () => {
          moment = stage.cues.atCall(cue, dying(stage, learner, 'machine'));
        });
        stage.start(learner);
        yield stage.until(`it dies at ${name} ${path.source}`, () => moment.hasCome);
        yield* settled(stage);
      }
    },
  },
  {
    name: 'cut-at-each-step',
    about:
      'A learner loses power at each step of a cut: what is left is a history without a gap, and is cut ' +
      'again.',
    kills: ['a snapshot that is newer than the cut stays'],
    *script(stage) {
      const old = yield* behind(stage, 'trunc');
      yield stage.snapshotOf(old, true);
      for (const [name, path] of cutting) {
        const { leader } = stage;
        let moment = { hasCome: false };
        stage.cues.atPacket({ kind: 'trunc', to: old }, () => {
          moment = stage.cues.atCall({ sid: old, name, path }, dying(stage, old, 'machine'));
        });
        stage.start(old);
        const serves = (): boolean => stage.member(old).member?.server?.isServing === true;
        const isOver = (): boolean => moment.hasCome || serves();
        yield stage.until(`it dies at ${name} ${path.source}`, isOver);
        if (stage.leader !== leader) stage.fail('it cost the others their leader');
        stage.kill(old);
        if (stage.count(0, 'is not in this history') > 0) stage.fail('it was cut elsewhere');
      }
      yield* settled(stage);
    },
  },
  {
    name: 'hand-over',
    about:
      'A leader that is stopped in order hands over to one that has everything: no election, no wait for ' +
      'one, and nobody loses a write.',
    *script(stage) {
      yield* established(stage);
      for (let times = 0; times < 4; times++) {
        const { leader } = stage;
        yield stage.forMs(3 * stage.tickMs);
        const startedMs = stage.nowMs;
        const stopped = stage.stopped(leader);
        yield stage.until('another leads', () => stage.leader !== 0 && stage.leader !== leader);
        const tookMs = stage.nowMs - startedMs;
        if (tookMs > 100) stage.fail(`it took ${tookMs} ms`);
        yield stopped;
        yield* settled(stage);
      }
      if (stage.count(0, 'the leader has named the next one') < 8) stage.fail('nobody was named');
    },
  },
];
