/**
 * Sessions that go on at another server while their clients wait for an answer, for events, or for
 * nothing: what the client gets is what it would have got, and what cannot be had ends its connection.
 */
import { AddWatchMode } from '../../../protocol/events.js';
import { OpCode } from '../../../protocol/opcodes.js';
import type { RequestBody } from '../../requests.js';
import { goodLink } from '../../parameters.js';
import type { Guest } from '../guest.js';
import type { Stage, Wait } from '../stage.js';
import { established } from './plots.js';
import type { Scenario } from './world.js';

const LONG_MS = 60_000;
const look: RequestBody = { op: OpCode.exists, value: { path: '/', watch: false } };

/** A guest at a follower, by the first balancer: the leader is emptied. Returns the follower. */
function* received(stage: Stage, guest: Guest): Generator<Wait, number> {
  yield* established(stage);
  const { front, leader } = stage;
  front.balancer(1).control('drain', leader, (balancer, server) => {
    balancer.drain(server);
  });
  yield stage.forMs(10);
  guest.connect(1);
  yield stage.until('the guest is served', () => guest.isServed);
  guest.ask(look);
  yield answered(stage, guest, 1);
  return front.serverOf(1, guest.session);
}

function answered(stage: Stage, guest: Guest, count: number): Wait {
  return stage.until(`${count} answers`, () => guest.replies.length >= count);
}

function created(stage: Stage, guest: Guest): number {
  return stage.txnsOf(guest.session, OpCode.create).length;
}

/** Everything was answered with success, and nothing was noticed. */
function content(stage: Stage, guest: Guest): void {
  if (guest.losses > 0) stage.fail('the guest has lost its connection');
  if (guest.replies.some(({ error }) => error !== 0)) stage.fail('the guest was told of an error');
}

function znode(path: string): RequestBody {
  const acl = [{ perms: 31, id: { scheme: 'world', id: 'anyone' } }];
  const value = { path, data: null, acl, flags: 0 };
  return { op: OpCode.create, value };
}

/** Several znodes in one transaction. */
function several(paths: readonly string[]): RequestBody {
  const acl = [{ perms: 31, id: { scheme: 'world', id: 'anyone' } }];
  const ops = paths.map((path) => ({
    type: OpCode.create,
    request: { path, data: null, acl, flags: 0 },
  }));
  return { op: OpCode.multi, value: { ops } };
}

export const balancerScenarios: readonly Scenario[] = [
  {
    name: 'balancer-answer-lost',
    kills: ['a write is asked again without asking for its fate'],
    about: 'A write is executed, its answer is lost with the server, and the client gets it.',
    balancers: 1,
    *script(stage) {
      const guest = stage.guest(20 * stage.tickMs);
      const sid = yield* received(stage, guest);
      stage.front.gag(sid, 1, LONG_MS);
      guest.ask(znode('/guest'));
      yield stage.until('it is executed', () => created(stage, guest) === 1);
      stage.front.hangUp(1, sid);
      stage.kill(sid);
      yield answered(stage, guest, 2);
      guest.ask(znode('/guest-after'));
      yield answered(stage, guest, 3);
      content(stage, guest);
      if (created(stage, guest) !== 2) stage.fail('it was executed twice');
      guest.leave();
    },
  },
  {
    name: 'balancer-write-fenced',
    about:
      'A write is on its way between a follower and the leader when the session moves: it is asked ' +
      'again elsewhere, executed once, and refused when it arrives late.',
    balancers: 1,
    *script(stage) {
      const guest = stage.guest(20 * stage.tickMs);
      const sid = yield* received(stage, guest);
      stage.gagTowards(sid, stage.leader, 1.5 * stage.tickMs);
      guest.ask(znode('/guest'));
      yield stage.forMs(20);
      if (created(stage, guest) > 0) stage.fail('it has arrived');
      stage.front.gag(sid, 1, LONG_MS);
      stage.front.hangUp(1, sid);
      yield answered(stage, guest, 2);
      if (stage.front.serverOf(1, guest.session) === sid) stage.fail('it has not moved');
      yield stage.forMs(3 * stage.tickMs);
      guest.ask(znode('/guest-after'));
      yield answered(stage, guest, 3);
      content(stage, guest);
      if (created(stage, guest) !== 2) stage.fail('it was executed twice');
      guest.leave();
    },
  },
  {
    name: 'balancer-read-before-write',
    kills: ['reads that were asked before an executed write are asked again'],
    about:
      'A read and a write behind it have no answers, and the write was executed: nobody can answer ' +
      'the read any more, the connection ends and the session goes on.',
    balancers: 1,
    *script(stage) {
      const guest = stage.guest(20 * stage.tickMs);
      const sid = yield* received(stage, guest);
      stage.front.gag(sid, 1, LONG_MS);
      guest.ask(look, znode('/guest'));
      yield stage.until('it is executed', () => created(stage, guest) === 1);
      stage.front.hangUp(1, sid);
      yield stage.until('its connection ends', () => guest.losses === 1);
      if (guest.replies.length > 1) stage.fail('something was answered');
      const { session } = guest;
      guest.connect(1);
      yield stage.until('it goes on', () => guest.isServed);
      guest.ask(look);
      yield answered(stage, guest, 2);
      if (guest.session !== session) stage.fail('it has another session');
      guest.leave();
    },
  },
  {
    name: 'balancer-events-cut',
    kills: [
      'events of a transaction that were told are told again',
      'a transaction of which one event was told counts as told',
    ],
    about:
      'The server is lost behind the first of many events of one transaction, the guest’s own: the ' +
      'others come once each, then its answer.',
    balancers: 1,
    // one event or two are under way at a time
    balancerLink: { ...goodLink, windowBytes: 100 },
    *script(stage) {
      const guest = stage.guest(20 * stage.tickMs);
      const sid = yield* received(stage, guest);
      const mode = AddWatchMode.persistentRecursive;
      guest.ask(znode('/m'), { op: OpCode.addWatch, value: { path: '/m', mode } });
      yield answered(stage, guest, 3);
      guest.onEvent = () => {
        guest.onEvent = () => undefined;
        stage.front.hangUp(1, sid);
      };
      const paths = Array.from({ length: 12 }, (_, i) => `/m/${'n'.repeat(20)}${i}`);
      guest.ask(several(paths));
      yield answered(stage, guest, 4);
      content(stage, guest);
      if (guest.events.length !== paths.length) {
        stage.fail(`${guest.events.length} events came, of ${paths.length}`);
      }
      guest.leave();
    },
  },
  {
    name: 'balancer-late',
    kills: ['who is late takes the session back'],
    about:
      'A balancer stands still while its client comes by the other one. When it goes on, it has ' +
      'something to send and lost its server: it must not take the session back.',
    balancers: 2,
    *script(stage) {
      const guest = stage.guest(20 * stage.tickMs);
      const sid = yield* received(stage, guest);
      const { front } = stage;
      front.balancer(1).pause(3 * stage.tickMs);
      guest.ask(znode('/late'));
      front.hangUp(1, sid);
      yield stage.forMs(5);
      guest.connect(2);
      yield stage.until('it is served by the other one', () => guest.isServed);
      guest.ask(look);
      yield answered(stage, guest, 2);
      yield stage.forMs(6 * stage.tickMs);
      if (front.serverOf(1, guest.session) > 0) stage.fail('the late one has the session');
      guest.ask(znode('/guest'));
      yield answered(stage, guest, 3);
      content(stage, guest);
      if (created(stage, guest) !== 1) stage.fail('what was late was executed');
      guest.leave();
    },
  },
  {
    name: 'balancer-late-to-find',
    kills: ['a silent client’s session is brought to another server'],
    about:
      'A client comes with its session by a balancer that finds no server, and goes to the other one ' +
      'without a word. When the first one finds a server, it must not take the session to it.',
    balancers: 2,
    *script(stage) {
      const timeoutMs = 20 * stage.tickMs;
      const guest = stage.guest(timeoutMs);
      yield* received(stage, guest);
      const { front } = stage;
      for (const { sid } of stage.members) front.gag(sid, 2, timeoutMs * 0.45);
      guest.connect(2);
      yield stage.forMs(timeoutMs * 0.1);
      guest.connect(1);
      yield stage.until('it is served by the other one', () => guest.isServed);
      guest.ask(look);
      yield answered(stage, guest, 2);
      yield stage.forMs(timeoutMs);
      if (front.serverOf(2, guest.session) > 0) stage.fail('the late one has the session');
      // a read would be answered by a server that has lost the session, too
      guest.ask(znode('/guest'));
      yield answered(stage, guest, 3);
      if (guest.losses > 0) stage.fail('the guest has lost its connection');
      guest.leave();
    },
  },
  {
    name: 'balancer-silent-client',
    kills: ['a silent client’s session is brought to another server'],
    about:
      'A client has been silent for more than a third of its timeout when its server dies: nobody ' +
      'else keeps its session alive.',
    balancers: 1,
    *script(stage) {
      const timeoutMs = 20 * stage.tickMs;
      const guest = stage.guest(timeoutMs);
      const sid = yield* received(stage, guest);
      guest.fallSilent();
      const { nowMs: silentMs } = stage;
      yield stage.forMs(timeoutMs * 0.4);
      stage.kill(sid);
      yield stage.until('the session ends', () => {
        return stage.txnsOf(guest.session, OpCode.closeSession).length > 0;
      });
      const tookMs = stage.nowMs - silentMs;
      if (tookMs > timeoutMs + 4 * stage.tickMs) {
        stage.fail(`it lived for ${Math.round(tookMs)} ms, of ${timeoutMs}`);
      }
    },
  },
  {
    name: 'balancer-drained',
    about:
      'A server is emptied while a client holds watches and waits for nothing: it moves unseen, and ' +
      'what happens after it is told.',
    balancers: 1,
    *script(stage) {
      const guest = stage.guest(20 * stage.tickMs);
      const sid = yield* received(stage, guest);
      guest.ask({ op: OpCode.exists, value: { path: '/seen', watch: true } });
      yield stage.until('it is answered', () => guest.replies.length === 2);
      stage.front.balancer(1).control('drain', sid, (balancer, server) => {
        balancer.drain(server);
      });
      yield stage.until('it has moved', () => {
        const at = stage.front.serverOf(1, guest.session);
        return at !== 0 && at !== sid;
      });
      guest.ask(znode('/seen'));
      yield stage.until(
        'it is told',
        () => guest.events.length === 1 && guest.replies.length === 3,
      );
      if (guest.losses > 0) stage.fail('the guest has lost its connection');
      guest.leave();
    },
  },
  {
    name: 'balancer-forgotten',
    about:
      'The only server that a session can be moved to has been started from a snapshot a moment ago and ' +
      'knows nothing of what the session’s watches missed: it goes back to where it was, unseen.',
    balancers: 1,
    *script(stage) {
      const guest = stage.guest(20 * stage.tickMs);
      const sid = yield* received(stage, guest);
      const [newcomer = 0] = stage.others(stage.leader, sid);
      guest.ask({ op: OpCode.exists, value: { path: '/unseen', watch: true } });
      yield answered(stage, guest, 2);
      yield stage.written(5);
      stage.kill(newcomer);
      yield stage.snapshotOf(newcomer, false);
      stage.start(newcomer);
      yield stage.serving(newcomer);
      const balancer = stage.front.balancer(1);
      yield stage.until('it is known to be well', () => {
        const servers = balancer.balancer?.status().servers ?? [];
        return servers[newcomer - 1]?.isHealthy === true;
      });
      balancer.control('drain', sid, (one, server) => {
        one.drain(server);
      });
      const at = (): number => stage.front.serverOf(1, guest.session);
      yield stage.until('it has left', () => at() !== sid);
      yield stage.until('it is given back', () => at() === sid);
      guest.ask(znode('/unseen'));
      yield stage.until('it is told', () => guest.events.length === 1);
      if (guest.losses > 0) stage.fail('the guest has lost its connection');
      guest.leave();
    },
  },
  {
    name: 'balancer-move-hangs',
    about:
      'A server is to be emptied, and no other one answers: a session with a short timeout stays where ' +
      'it is, and its server goes on hearing of it.',
    balancers: 1,
    *script(stage) {
      const timeoutMs = 6 * stage.tickMs;
      const guest = stage.guest(timeoutMs);
      const sid = yield* received(stage, guest);
      for (const other of stage.others(sid)) stage.front.gag(other, 1, LONG_MS);
      stage.front.balancer(1).control('drain', sid, (balancer, server) => {
        balancer.drain(server);
      });
      yield stage.forMs(5 * timeoutMs);
      guest.ask(look);
      yield answered(stage, guest, 2);
      content(stage, guest);
      guest.leave();
    },
  },
];
