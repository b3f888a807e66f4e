import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../ports/clock.js';
import { OpCode } from '../protocol/opcodes.js';
import { Writer } from '../protocol/writer.js';
import { SessionTracker } from '../session/tracker.js';
import { Tree } from '../tree/tree.js';
import { Applier } from './applier.js';
import { PendingWrite } from './pending.js';
import type { ProposingReplica } from './proposing-replica.js';
import { RecentHistory } from './recent/recent-history.js';
import { standaloneReplica } from './standalone-replica.js';

const WALL_MS = 1_700_000_000_000;

interface Stage {
  readonly replica: ProposingReplica;
  /** What was answered, by its name. */
  readonly answered: string[];
  readonly propose: (name: string) => void;
  readonly sync: (name: string) => void;
  /** The disk has written what it was given. */
  readonly flushed: () => void;
}

function stage(wallMs = WALL_MS): Stage {
  const soon: (() => void)[] = [];
  const flushes: (() => void)[] = [];
  const clock: Clock = {
    monotonicMs: () => 0,
    wallMs: () => wallMs,
    soon: (run) => soon.push(run),
    after: () => ({ cancel: () => undefined }),
  };
  const sessions = new SessionTracker({ tickTimeMs: 1000, serverId: 1, wallMs });
  const applier = new Applier(new Tree(), sessions, new RecentHistory(0), () => 0);
  const replica = standaloneReplica(applier, {
    clock,
    log: { append: () => undefined, flush: (done) => flushes.push(done), flushesMax: 1 },
    prepare: {
      ...{ skipAcl: true, enforceQuota: false, extendedTypesEnabled: false, emulate353Ttl: false },
      ...{ digestEnabled: false, closeSessionTxnEnabled: false, schemes: new Map() },
      onQuotaExceeded: () => undefined,
    },
    onTurnEnd: () => undefined,
  });
  const answered: string[] = [];
  const pendingOf = (name: string, op: number): PendingWrite =>
    new PendingWrite({ onApplied: () => answered.push(name) }, op, 0, 0);
  return {
    replica,
    answered,
    propose: (name) => {
      const session = sessions.create(4000, 0);
      session.moveTo(0);
      replica.proposeSession(session, pendingOf(name, OpCode.createSession));
      for (const run of soon.splice(0)) run();
    },
    sync: (name) => {
      const path = new Writer();
      path.writeString('/');
      const { request } = replica;
      [request.op, request.bytes, request.start, request.end] = [9, path.bytes, 0, path.pos];
      assert.equal(replica.submit(pendingOf(name, OpCode.sync)), true);
    },
    flushed: () => flushes.shift()?.(),
  };
}

test('a sync waits for what is under way before it, and for nothing behind it', () => {
  const { replica, answered, propose, sync, flushed } = stage();
  assert.equal(replica.mustSync, false, 'everything that was asked for is applied');
  propose('one');
  assert.equal(replica.mustSync, true);
  sync('first');
  propose('two');
  sync('second');
  assert.deepEqual(answered, [], 'nothing is durable yet');
  flushed();
  assert.deepEqual(answered, ['one', 'first']);
  flushed();
  assert.deepEqual(answered, ['one', 'first', 'two', 'second']);
  assert.equal(replica.mustSync, false);
});

test('who takes up a session comes behind all that is under way', () => {
  const { replica, propose } = stage();
  propose('one');
  const session = [...replica.sessions.all()][0];
  assert.ok(session !== undefined);
  assert.equal(replica.attach(session, 0n)?.zxid, 1n);
  propose('two');
  assert.equal(replica.attach(session, 0n)?.zxid, 2n);
});

test('generations are greater than those of a server that ended before', () => {
  const before = stage();
  before.propose('one');
  const after = stage(WALL_MS + 1);
  after.propose('one');
  const [one, two] = [before, after].map(({ replica }) => {
    const session = [...replica.sessions.all()][0];
    assert.ok(session !== undefined);
    let generation = 0n;
    for (let i = 0; i < 1000; i++) generation = replica.attach(session, 0n)?.generation ?? 0n;
    return { first: generation - 999n, last: generation };
  });
  assert.ok(one !== undefined && two !== undefined && two.first > one.last);
});
