/** Learners on their way to the leader's history, and what breaks off on it. */
import type { Packet } from '../cues.js';
import type { Stage, Wait } from '../stage.js';
import { behind, established, settled, syncModes, type SyncMode } from './plots.js';
import type { Scenario } from './world.js';

const ended = 'the role is over';

/** What followers acknowledge does not arrive: proposals are on their disks, and nobody commits them. */
function* proposedOnly(stage: Stage): Generator<Wait, number> {
  yield* settled(stage);
  const { leader } = stage;
  const [one = 0, other = 0] = stage.others(leader);
  for (const sid of [one, other]) stage.gagTowards(sid, leader);
  const before = stage.member(one).history.end;
  const isLogged = (sid: number): boolean => stage.member(sid).history.end > before + 2n;
  yield stage.until('proposals are logged', () => isLogged(one) && isLogged(other));
  return leader;
}

/** The server joins, and was not thrown back on the way. */
function* joins(stage: Stage, sid: number): Generator<Wait, void> {
  const before = stage.count(sid, ended);
  stage.start(sid);
  yield stage.serving(sid);
  yield stage.written(5);
  if (stage.count(sid, ended) > before) stage.fail(`server ${sid} was thrown back`);
}

/** Ways of a packet between a leader and a learner that joins, in the order of the protocol. */
const phases: readonly { readonly kind: string; readonly isLearners: boolean; after?: number }[] = [
  { kind: 'followerInfo', isLearners: true },
  { kind: 'leaderInfo', isLearners: false },
  { kind: 'ackEpoch', isLearners: true },
  { kind: 'sync', isLearners: false },
  { kind: 'proposal', isLearners: false },
  { kind: 'commit', isLearners: false },
  { kind: 'newLeader', isLearners: false },
  { kind: 'ack', isLearners: true },
  { kind: 'upToDate', isLearners: false },
  { kind: 'ack', isLearners: true, after: 1 },
  { kind: 'proposal', isLearners: false, after: 25 },
  { kind: 'commit', isLearners: false, after: 25 },
];

/** A learner of each kind joins and loses the leader at each packet; then the leader dies, too. */
function* matrix(stage: Stage, mode: SyncMode, lose: Loss): Generator<Wait, void> {
  yield* established(stage);
  for (const phase of phases) {
    const learner = yield* behind(stage, mode);
    const { leader } = stage;
    const kind = phase.kind === 'sync' ? mode : phase.kind;
    const [from, to] = phase.isLearners ? [learner, leader] : [leader, learner];
    const moment = stage.cues.atPacket({ kind, from, to, after: phase.after ?? 0 }, (packet) => {
      lose(stage, learner, packet);
    });
    stage.start(learner);
    yield stage.until(`${kind} is said`, () => moment.hasCome);
    yield stage.forMs(1);
    stage.kill(leader);
    stage.start(learner);
    yield stage.until('another leads', () => stage.leader !== 0 && stage.leader !== leader);
    yield stage.written(3);
    yield* settled(stage, 3);
  }
}

type Loss = (stage: Stage, learner: number, packet: Packet) => void;

const lostLink: Loss = (stage, _learner, { from, to }) => {
  stage.hangUp(from, to);
};

const lostLearner: Loss = (stage, learner) => {
  stage.kill(learner, 'machine');
};

export const synchronisationScenarios: readonly Scenario[] = [
  {
    name: 'Z11',
    about:
      'What a server has logged and nobody has committed is in its memory as well when it looks for the ' +
      'next leader (ZOOKEEPER-2845).',
    kills: ['memory forgets what was not committed'],
    *script(stage) {
      for (let times = 0; times < 3; times++) {
        const leader = yield* proposedOnly(stage);
        stage.kill(leader);
        stage.heal();
        yield stage.until('another leads', () => stage.leader !== 0);
        yield stage.written(10);
        stage.start(leader);
      }
      yield* settled(stage);
    },
  },
  {
    name: 'Z12',
    about:
      'What a DIFF brings is durable before NEWLEADER is acknowledged: the learner loses power as it ' +
      'says so, and the leader dies (ZOOKEEPER-3911).',
    kills: ['a synchronisation is acknowledged before it is durable'],
    *script(stage) {
      yield* established(stage);
      for (const mode of syncModes) {
        const learner = yield* behind(stage, mode);
        const { leader } = stage;
        const moment = stage.cues.atPacket({ kind: 'ack', from: learner, after: 1 }, () => {
          stage.kill(learner, 'machine');
          stage.kill(leader);
        });
        stage.start(learner);
        yield stage.until('it acknowledges', () => moment.hasCome);
        stage.start(learner);
        yield stage.until('another leads', () => stage.leader !== 0 && stage.leader !== leader);
        yield* settled(stage);
      }
    },
  },
  {
    name: 'Z13',
    about:
      'Records are logged while the loop goes on: NEWLEADER waits for their flush (ZOOKEEPER-4646).',
    flushMs: 30,
    kills: ['a flush is not waited for in a synchronisation'],
    *script(stage) {
      yield* established(stage, 5);
      for (let times = 0; times < 3; times++) {
        const learner = yield* behind(stage, 'diff');
        yield* joins(stage, learner);
      }
      yield* settled(stage, 5);
    },
  },
  {
    name: 'Z16',
    about:
      'Between NEWLEADER and UPTODATE a learner hears of commits, of what it was sent before and after: ' +
      'it is not thrown back, and applies each once (ZOOKEEPER-4394, 3023).',
    kills: ['a commit before UPTODATE is unexpected'],
    *script(stage) {
      yield* established(stage);
      for (const mode of syncModes) {
        const learner = yield* behind(stage, mode);
        const { leader } = stage;
        let commits = 0;
        const count = (): void => {
          commits++;
          if (stage.member(learner).member?.server === null) listen();
        };
        const listen = (): void => {
          stage.cues.atPacket({ kind: 'commit', from: leader, to: learner }, count);
        };
        stage.cues.atPacket({ kind: 'newLeader', to: learner }, () => {
          stage.gagTowards(learner, leader, 2 * stage.tickMs);
          listen();
        });
        yield* joins(stage, learner);
        if (commits < 3) stage.fail('nothing was committed meanwhile');
      }
      yield* settled(stage);
    },
  },
  {
    name: 'Z17',
    about:
      'A connection breaks while a long DIFF is logged, at several points; what was taken in is logged ' +
      'and in memory, or neither (ZOOKEEPER-4785).',
    flushMs: 10,
    kills: ['a flush is not waited for in a synchronisation'],
    *script(stage) {
      yield* established(stage);
      for (const after of [1, 4, 9]) {
        yield* settled(stage, 5);
        const [learner = 0] = stage.others(stage.leader);
        stage.kill(learner);
        yield stage.written(20);
        const { leader } = stage;
        stage.cues.atPacket({ kind: 'proposal', to: learner, after }, () => {
          stage.hangUp(learner, leader);
        });
        stage.start(learner);
        yield stage.serving(learner);
        yield stage.written(5);
        stage.kill(learner, 'machine');
        stage.start(learner);
        yield stage.serving(learner);
      }
      yield* settled(stage);
    },
  },
  {
    name: 'Z18',
    about:
      'A role ends while its log is being flushed: the next one begins when that is over, and nothing of ' +
      'the old one comes later (ZOOKEEPER-4712, 4541).',
    flushMs: 40,
    kills: ['a flush is not waited for in a synchronisation'],
    *script(stage) {
      yield* established(stage);
      for (let times = 0; times < 4; times++) {
        const { leader } = stage;
        const [follower = 0] = stage.others(leader);
        const busy = times % 2 === 0 ? follower : leader;
        const moment = stage.cues.atCall(
          { sid: busy, name: 'write', path: /\/log\.[0-9a-f]+$/ },
          () => {
            for (const sid of stage.others(leader)) stage.hangUp(leader, sid);
            return null;
          },
        );
        yield stage.until('it is cut off there', () => moment.hasCome);
        yield* settled(stage);
      }
    },
  },
  {
    name: 'Z19',
    about:
      'The connection is lost in a snapshot, and between it and NEWLEADER: what memory has of it and the ' +
      'disk has not must not be advertised (ZOOKEEPER-3642, 2872).',
    kills: ['a synchronisation is acknowledged before it is durable'],
    *script(stage) {
      yield* established(stage);
      for (const kind of ['snap', 'proposal', 'newLeader', 'upToDate']) {
        const learner = yield* behind(stage, 'snap');
        const { leader } = stage;
        const moment = stage.cues.atPacket({ kind, from: leader, to: learner }, ({ from, to }) => {
          stage.hangUp(from, to);
          stage.kill(leader);
        });
        stage.start(learner);
        yield stage.until('it is lost there', () => moment.hasCome);
        yield stage.until('another leads', () => stage.leader !== 0 && stage.leader !== leader);
        yield stage.written(5);
        yield* settled(stage);
      }
    },
  },
  {
    name: 'Z23',
    about:
      'The log cannot be cut, and the disk says so: the process ends; nothing is appended behind what ' +
      'was to go (ZOOKEEPER-1489, 3701).',
    kills: ['a learner keeps what it is told to cut off'],
    *script(stage) {
      const old = yield* behind(stage, 'trunc');
      for (const code of ['ENOSPC', 'EIO']) {
        const { starts } = stage.member(old);
        const path = /\/log\.[0-9a-f]+$/;
        const cut = stage.logged(0, 'by=trunc');
        stage.cues.atPacket({ kind: 'trunc', to: old }, () => {
          stage.cues.atCall({ sid: old, name: 'truncate', path }, () => ({ kind: 'error', code }));
        });
        stage.start(old);
        yield cut;
        yield stage.until('its process ends', () => stage.member(old).starts > starts + 1);
        stage.kill(old);
      }
      yield* settled(stage);
    },
  },
  {
    name: 'Z24',
    about:
      'A hole in what a leader remembers is not passed on: who is sent it says so (ZOOKEEPER-4925).',
    kills: ['a difference lacks its first transactions'],
    *script(stage) {
      yield* established(stage);
      for (const mode of ['diff', 'trunc', 'diff'] as const) {
        const learner = yield* behind(stage, mode);
        yield* joins(stage, learner);
        stage.kill(stage.leader);
        yield stage.until('another leads', () => stage.leader !== 0);
        yield* settled(stage);
      }
    },
  },
  {
    name: 'Z26',
    about:
      'Transactions are committed while a snapshot is on its way: NEWLEADER covers all that was sent, and ' +
      'the learner has it on its disk as it acknowledges (ZOOKEEPER-3104).',
    commitLogCount: 1,
    spendMs: 0.2,
    thinkMs: 2,
    kills: ['a snapshot reaches as far as the tree does at its end'],
    *script(stage) {
      yield* established(stage, 60);
      for (let times = 0; times < 3; times++) {
        const learner = yield* behind(stage, 'snap');
        const isSent = stage.logged(0, 'sending a snapshot');
        const before = stage.count(learner, ended);
        stage.start(learner);
        yield isSent;
        yield stage.serving(learner);
        if (stage.count(learner, ended) > before) stage.fail('it was thrown back');
        stage.kill(learner, 'machine');
        stage.start(learner);
        yield* settled(stage);
      }
    },
  },
  {
    name: 'Z27',
    about:
      'Between the end of a DIFF and the first forwarded proposal nothing is left out, under load ' +
      '(ZOOKEEPER-962, 1413).',
    thinkMs: 2,
    flushMs: 5,
    kills: ['what is outstanding is not told to who joins'],
    *script(stage) {
      yield* established(stage, 60);
      for (let times = 0; times < 6; times++) {
        const [learner = 0] = stage.others(stage.leader);
        stage.kill(learner);
        yield stage.written(10);
        yield* joins(stage, learner);
      }
      yield* settled(stage);
    },
  },
  {
    name: 'Z28',
    about:
      'A follower loses its leader in the middle of a proposal: what it has not read it has not seen, and ' +
      'ephemerals go everywhere at one zxid (ZOOKEEPER-2355).',
    leavers: 2,
    kills: ['a proposal that was not wholly read is taken as it is'],
    *script(stage) {
      yield* established(stage);
      for (let times = 0; times < 8; times++) {
        const { leader } = stage;
        const [follower = 0] = stage.others(leader);
        const moment = stage.cues.atPacket({ kind: 'proposal', to: follower, after: times }, () => {
          stage.hangUp(leader, follower);
        });
        yield stage.until('it is lost there', () => moment.hasCome);
        yield* settled(stage, 5);
      }
    },
  },
  {
    name: 'Z29',
    about:
      'A leader whose history ends with what nobody else has: it is committed when a quorum has ' +
      'acknowledged NEWLEADER behind it, and a learner that comes in between hears of everything once.',
    flushMs: 5,
    kills: ['NEWLEADER is taken for acknowledged when it is sent'],
    *script(stage) {
      yield* established(stage);
      for (let times = 0; times < 4; times++) {
        const { leader } = stage;
        const { history } = stage.member(leader);
        const before = history.end;
        stage.gag(leader);
        yield stage.until('it proposes, and nobody hears', () => history.end > before + 2n);
        for (const sid of stage.others()) stage.kill(sid);
        stage.heal();
        const [one = 0, late = 0] = stage.others(leader);
        stage.start(leader, one);
        stage.cues.atPacket({ kind: 'newLeader', to: one }, () => {
          stage.start(late);
        });
        yield* settled(stage, 8);
      }
    },
  },
  ...syncModes.flatMap((mode): Scenario[] => [
    {
      name: `Z30-${mode}`,
      about:
        `A learner that needs ${mode.toUpperCase()} loses its leader at each packet on the way, and ` +
        'then the leader dies.',
      kills: ['NEWLEADER is acknowledged before the epoch is the current one'],
      *script(stage) {
        yield* matrix(stage, mode, lostLink);
      },
    },
    {
      name: `Z30-${mode}-power`,
      about: `A learner that needs ${mode.toUpperCase()} loses power at each packet on the way.`,
      kills: ['a synchronisation is acknowledged before it is durable'],
      *script(stage) {
        yield* matrix(stage, mode, lostLearner);
      },
    },
  ]),
  {
    name: 'Z30-no-uptodate',
    about:
      'UPTODATE does not come: the learner gives up after initLimit, and nobody is served before.',
    kills: ['who has the history serves'],
    *script(stage) {
      yield* established(stage);
      const learner = yield* behind(stage, 'diff');
      const { leader } = stage;
      const moment = stage.cues.atPacket({ kind: 'newLeader', to: learner }, () => {
        stage.gagTowards(learner, leader);
        stage.cues.atPacket({ kind: 'upToDate', to: learner }, () => {
          stage.fail('nobody has acknowledged');
        });
      });
      stage.start(learner);
      yield stage.until('NEWLEADER comes', () => moment.hasCome);
      yield stage.forMs(3 * stage.tickMs);
      if (stage.member(learner).member?.server !== null) stage.fail('it serves');
      stage.cues.clear();
      stage.heal();
      yield* settled(stage);
    },
  },
  {
    name: 'Z30-no-quorum',
    about:
      'A leader loses its quorum while it waits for NEWLEADER to be acknowledged, and begins anew.',
    *script(stage) {
      yield* established(stage);
      for (let times = 0; times < 3; times++) {
        const { leader } = stage;
        let died = 0;
        stage.kill(leader);
        const said = stage.cues.atPacket({ kind: 'newLeader' }, ({ to }) => {
          died = to;
          stage.kill(to);
        });
        yield stage.until('it dies there', () => said.hasCome);
        yield stage.forMs(stage.tickMs);
        stage.start(died, leader);
        yield* settled(stage, 5);
      }
    },
  },
];
