import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fate, type WatchLists } from '../../protocol/continuation.js';
import { CreateMode } from '../../protocol/create-mode.js';
import { ErrorCode } from '../../protocol/errors.js';
import { OpCode } from '../../protocol/opcodes.js';
import { Perms } from '../../protocol/perms.js';
import { zxidHigh, zxidLow, zxidOfParts } from '../../protocol/zxid.js';
import { Writer } from '../../protocol/writer.js';
import { OWN_CLIENTS } from '../../session/session.js';
import { create, txnOf } from '../../tree/kit.js';
import { Tree } from '../../tree/tree.js';
import { deleteContainer } from '../container-deletion.js';
import { RecentHistory } from './recent-history.js';
import { Dice, Stage, type Reply, type StageClient } from './stage.fixture.js';

const OPEN = [{ perms: Perms.all, id: { scheme: 'world', id: 'anyone' } }];
/** Whoever made it, and nobody else. */
const OWN = [{ perms: Perms.all, id: { scheme: 'auth', id: '' } }];
/** All may write and delete, and only one may read. */
const HIDDEN = [
  { perms: Perms.all & ~Perms.read, id: { scheme: 'world', id: 'anyone' } },
  { perms: Perms.read, id: { scheme: 'digest', id: 'ada:x' } },
];
const PATHS = [
  '/',
  '/a',
  '/a/b',
  '/a/b/c',
  '/a/\u00e9t\u00e9',
  '/b',
  '/b/longer-name-than-the-others',
  '/b/longer-name-than-the-others/x',
  '/c',
];
const NOTHING: WatchLists = { data: [], exist: [], child: [], persistent: [], recursive: [] };

interface Asked {
  readonly session: bigint;
  readonly op: number;
  readonly reply: Reply;
}

/** Watches that were set when the server had applied that zxid. */
interface Watching {
  readonly client: StageClient;
  readonly lists: WatchLists;
  readonly since: bigint;
}

class Play {
  readonly stage: Stage;
  readonly #dice: Dice;
  readonly asked: Asked[] = [];
  readonly watching: Watching[] = [];
  #writers: StageClient[] = [];

  constructor(stage: Stage, seed: number) {
    this.stage = stage;
    this.#dice = new Dice(seed);
  }

  get zxid(): bigint {
    const { lastZxidHigh, lastZxidLow } = this.stage.server.tree;
    return zxidOfParts(lastZxidHigh, lastZxidLow);
  }

  async step(): Promise<void> {
    const dice = this.#dice;
    while (this.#writers.length < 3) this.#writers.push(await this.stage.client('ada'));
    const writer = dice.pick(this.#writers);
    const kind = dice.below(100);
    if (kind < 6) await this.#beginWatching();
    else if (kind < 10) {
      // what it owns goes with it
      this.#writers = this.#writers.filter((one) => one !== writer);
      if (dice.chance(50)) await this.#ask(writer, OpCode.closeSession, null);
      else {
        const { server } = this.stage;
        const session = server.sessions.get(writer.id);
        if (session !== undefined) server.expireSession(session);
        await this.#settled();
      }
    } else if (kind < 14) {
      const { replica } = this.stage.server;
      deleteContainer(replica, dice.pick(PATHS), 0);
      await this.#settled();
    } else if (kind < 34) {
      const ops = Array.from({ length: 1 + dice.below(5) }, () => this.#write(true));
      await this.#ask(writer, OpCode.multi, { ops });
    } else {
      const { type, request } = this.#write(false);
      await this.#ask(writer, type, request);
    }
  }

  async #ask(client: StageClient, op: number, body: object | null): Promise<void> {
    const reply = await client.ask(op, body);
    this.asked.push({ session: client.id, op, reply });
  }

  async #settled(): Promise<void> {
    await this.stage.server.replica.idle();
  }

  #write(isInMulti: boolean): { type: number; request: object } {
    const dice = this.#dice;
    const path = dice.pick(PATHS);
    const data = new Uint8Array(dice.below(40)).fill(7);
    const acl = dice.pick([OPEN, OPEN, OWN, HIDDEN]);
    const version = dice.chance(90) ? -1 : dice.below(3);
    switch (dice.below(isInMulti ? 8 : 9)) {
      case 0:
      case 1: {
        const flags = dice.pick([0, 0, CreateMode.ephemeral, CreateMode.persistentSequential]);
        return { type: OpCode.create, request: { path, data, acl, flags } };
      }
      case 2: {
        const flags = dice.pick([0, CreateMode.ephemeralSequential]);
        return { type: OpCode.create2, request: { path, data, acl, flags } };
      }
      case 3: {
        const flags = CreateMode.container;
        return { type: OpCode.createContainer, request: { path, data, acl, flags } };
      }
      case 4: {
        const flags = CreateMode.persistentWithTtl;
        return { type: OpCode.createTTL, request: { path, data, acl, flags, ttl: 1000n } };
      }
      case 5:
        return { type: OpCode.setData, request: { path, data, version } };
      case 6:
      case 7:
        if (isInMulti && dice.chance(30)) return { type: OpCode.check, request: { path, version } };
        return { type: OpCode.delete, request: { path, version } };
      default:
        return { type: OpCode.setACL, request: { path, acl, version } };
    }
  }

  async #beginWatching(): Promise<void> {
    const dice = this.#dice;
    const client = await this.stage.client(dice.chance(50) ? 'bob' : null);
    const lists = {
      data: dice.some(PATHS, 20),
      exist: dice.some(PATHS, 20),
      child: dice.some(PATHS, 20),
      persistent: dice.some(PATHS, 10),
      recursive: dice.some(PATHS, 10),
    };
    this.stage.watch(client, lists);
    this.watching.push({ client, lists, since: this.zxid });
  }

  /** What the history says of each write is what its asker was told, or that it does not know. */
  checkFates(recent: RecentHistory): { executed: number; unknown: number } {
    const count = { executed: 0, unknown: 0 };
    const covers = recent.coversFrom ?? this.zxid;
    for (const { session, op, reply } of this.asked) {
      const { xid: cxid, zxid, error, body } = reply;
      const [high, low] = [zxidHigh(session), zxidLow(session)];
      const since = zxid - 1n;
      const fate = recent.fateOf(high, low, cxid, since);
      if (fate.fate === Fate.executed) {
        count.executed++;
        assert.deepEqual(fate, { cxid, fate: Fate.executed, zxid, error, body });
        // of a later client of the session it is none
        const later = recent.fateOf(high, low, cxid, zxid).fate;
        assert.equal(later, zxid < covers ? Fate.unknown : Fate.never);
        assert.equal(recent.fateOf(high, low ^ 0x40000000, cxid, zxid).fate, later);
      } else {
        count.unknown++;
        assert.equal(fate.fate, Fate.unknown);
        assert.ok(since < covers, `${op} at ${zxid} is forgotten, and known from ${covers}`);
      }
    }
    return count;
  }

  /** Whoever catches up is told what the watches that were in place told, and has left what they are. */
  checkEvents(recent: RecentHistory): { caughtUp: number; events: number } {
    const count = { caughtUp: 0, events: 0 };
    const { port } = this.stage.server;
    const covers = recent.coversFrom ?? this.zxid;
    for (const { client, lists, since } of this.watching) {
      const connection = this.stage.connectionOf(client);
      const told: string[] = [];
      const result = recent.catchUp(
        since,
        lists,
        (acl) => port.allows(acl, Perms.read, connection.caller),
        (type, path, high, low) => told.push(`${type} ${path} ${zxidOfParts(high, low)}`),
      );
      assert.equal(result.isCovered, since >= covers);
      if (!result.isCovered) {
        assert.deepEqual(told, []);
        continue;
      }
      assert.deepEqual(told, client.events);
      assert.deepEqual(heldOf(result.left), [connection.dataPaths, connection.childPaths]);
      count.caughtUp++;
      count.events += told.length;
    }
    return count;
  }
}

/** As the tables hold them: 1 once, 2 for ever, 4 with all below. */
function heldOf({ data, exist, child, persistent, recursive }: WatchLists): Map<string, number>[] {
  const held = [new Map<string, number>(), new Map<string, number>()];
  const add = (table: number, paths: readonly string[], mode: number): void => {
    for (const path of paths) held[table]?.set(path, (held[table].get(path) ?? 0) | mode);
  };
  add(0, [...data, ...exist], 1);
  add(1, child, 1);
  add(0, persistent, 2);
  add(1, persistent, 2);
  add(0, recursive, 4);
  return held;
}

test('a write is remembered as its asker was told of it, byte for byte, and events as they came', async (t) => {
  const sum = { executed: 0, events: 0, caughtUp: 0 };
  for (let seed = 1; seed <= 6; seed++) {
    const play = new Play(await Stage.start(t), seed);
    for (let i = 0; i < 400; i++) {
      await play.step();
      if (i % 100 === 0) play.checkEvents(play.stage.recent);
    }
    const { executed, unknown } = play.checkFates(play.stage.recent);
    assert.equal(unknown, 0);
    const { caughtUp, events } = play.checkEvents(play.stage.recent);
    assert.equal(caughtUp, play.watching.length);
    sum.executed += executed;
    sum.caughtUp += caughtUp;
    sum.events += events;
  }
  assert.ok(sum.executed > 1500 && sum.caughtUp > 60 && sum.events > 200, JSON.stringify(sum));
});

test('with room for little, what is beyond is unknown, and what is not is right', async (t) => {
  const sum = { executed: 0, unknown: 0, caughtUp: 0 };
  for (let seed = 101; seed <= 106; seed++) {
    const recentHistoryBytes = 1024 * (1 + (seed % 8));
    const play = new Play(await Stage.start(t, { recentHistoryBytes }), seed);
    for (let i = 0; i < 400; i++) {
      await play.step();
      if (i % 20 !== 0) continue;
      sum.caughtUp += play.checkEvents(play.stage.recent).caughtUp;
      const { executed, unknown } = play.checkFates(play.stage.recent);
      sum.executed += executed;
      sum.unknown += unknown;
    }
  }
  assert.ok(sum.executed > 500 && sum.unknown > 500 && sum.caughtUp > 20, JSON.stringify(sum));
});

test('after a restart the log has told it all again', async (t) => {
  for (let seed = 201; seed <= 204; seed++) {
    const play = new Play(await Stage.start(t), seed);
    for (let i = 0; i < 200; i++) await play.step();
    const before = play.checkFates(play.stage.recent);
    assert.equal(before.unknown, 0);
    const stage = await play.stage.again();
    const { executed } = play.checkFates(stage.recent);
    // the first transaction showed that the snapshot was whole
    assert.equal(stage.recent.coversFrom, 1n);
    assert.equal(executed, before.executed);
  }
});

test('what a snapshot may have had already is not told again after a restart', async (t) => {
  let known = 0;
  for (let seed = 301; seed <= 306; seed++) {
    const play = new Play(await Stage.start(t), seed);
    for (let i = 0; i < 100; i++) await play.step();
    const writing = play.stage.server.takeSnapshot();
    for (let i = 0; i < 30; i++) await play.step();
    const { zxid } = await writing;
    for (let i = 0; i < 100; i++) await play.step();
    const stage = await play.stage.again();
    const { executed, unknown } = play.checkFates(stage.recent);
    assert.ok((stage.recent.coversFrom ?? 0n) >= zxid);
    assert.ok(unknown > 0);
    known += executed;
  }
  assert.ok(known > 300, `${known}`);
});

test('it is not settled before the end of what the snapshot says that it may hold', () => {
  const foreseen = new Tree();
  const tree = new Tree();
  const recent = new RecentHistory(1 << 16);
  recent.follow(tree, 3n);
  const known = [1n, 2n, 3n, 4n].map((zxid) => {
    const { bytes } = txnOf(zxid, create(`/n${zxid}`, { cversion: Number(zxid) + 1 }));
    foreseen.apply(bytes, 0, bytes.length);
    const out = new Writer();
    out.writeBytes(bytes, 0, bytes.length);
    out.writeInt(2);
    out.writeLongParts(foreseen.digestHigh, foreseen.digestLow);
    tree.apply(out.bytes, 0, out.pos);
    assert.equal(tree.digestVerdict, 'equal');
    return recent.coversFrom;
  });
  assert.deepEqual(known, [null, null, 3n, 3n]);
  assert.equal(recent.size, 1);
  recent.settle();
  assert.equal(recent.size, 1, 'settled it was');
  recent.follow(new Tree());
  assert.equal(tree.recorder, null);
  assert.deepEqual([recent.coversFrom, recent.size], [null, 0]);
});

test('without digests nobody says where a snapshot ends: it begins with the serving', async (t) => {
  const play = new Play(await Stage.start(t, { digestEnabled: false }), 401);
  for (let i = 0; i < 50; i++) await play.step();
  assert.equal(play.checkFates(play.stage.recent).unknown, 0);
  const last = play.zxid;
  const stage = await play.stage.again();
  assert.equal(play.checkFates(stage.recent).executed, 0);
  assert.ok((stage.recent.coversFrom ?? 0n) >= last);
});

test('who is told of a deletion is asked by the ACL that the znode had, whatever came after', async (t) => {
  const stage = await Stage.start(t);
  const ada = await stage.client('ada');
  const since = zxidOfParts(stage.server.tree.lastZxidHigh, stage.server.tree.lastZxidLow);
  const create = { path: '/a', data: null, acl: OWN, flags: 0 };
  await ada.ask(OpCode.create, create);
  await ada.ask(OpCode.delete, { path: '/a', version: -1 });
  // its list has gone out of use, and others came
  for (let i = 0; i < 20; i++) {
    const acl = [{ perms: Perms.all, id: { scheme: 'digest', id: `u${i}:x` } }];
    await ada.ask(OpCode.create, { ...create, path: `/b${i}`, acl });
  }
  const told = (client: StageClient): string[] => {
    const events: string[] = [];
    const { caller } = stage.connectionOf(client);
    const lists = { ...NOTHING, persistent: ['/a'] };
    const result = stage.recent.catchUp(
      since,
      lists,
      (acl) => stage.server.port.allows(acl, Perms.read, caller),
      (type, path) => events.push(`${type} ${path}`),
    );
    assert.ok(result.isCovered);
    return events;
  };
  assert.deepEqual(told(ada), ['1 /a', '2 /a']);
  assert.deepEqual(told(await stage.client('bob')), []);
  assert.deepEqual(told(await stage.client()), []);
});

test('an ACL is let go of with the last event that names it', async (t) => {
  const stage = await Stage.start(t, { recentHistoryBytes: 2048 });
  const ada = await stage.client('ada');
  await ada.ask(OpCode.create, { path: '/o', data: null, acl: OPEN, flags: 0 });
  const { acls } = stage.server.tree;
  const sizeBefore = acls.size;
  for (let i = 0; i < 300; i++) {
    const acl = [{ perms: Perms.all, id: { scheme: 'digest', id: `u${i}:x` } }, ...OPEN];
    const { error } = await ada.ask(OpCode.create, { path: `/a${i}`, data: null, acl, flags: 0 });
    assert.equal(error, ErrorCode.ok);
    // its parent's is one more to be kept
    await ada.ask(OpCode.createContainer, { path: `/a${i}/b`, data: null, acl: OPEN, flags: 4 });
    await ada.ask(OpCode.delete, { path: `/a${i}/b`, version: -1 });
    await ada.ask(OpCode.delete, { path: `/a${i}`, version: -1 });
  }
  assert.ok(acls.size > sizeBefore && acls.size < sizeBefore + 30, `${acls.size}`);
  for (let i = 0; i < 100; i++) {
    await ada.ask(OpCode.create, { path: `/o${i}`, data: null, acl: OPEN, flags: 0 });
  }
  assert.equal(acls.size, sizeBefore);
});

test('a transaction longer than all there is room for takes everything before it along', async (t) => {
  const stage = await Stage.start(t, { recentHistoryBytes: 4096 });
  const ada = await stage.client('ada');
  await ada.ask(OpCode.create, { path: '/a', data: null, acl: OWN, flags: 0 });
  const ops = Array.from({ length: 100 }, (_, i) => {
    const request = { path: `/a/number-${i}`, data: null, acl: OWN, flags: 0 };
    return { type: OpCode.create2, request };
  });
  const long = await ada.ask(OpCode.multi, { ops });
  assert.equal(long.error, ErrorCode.ok);
  assert.equal(stage.recent.coversFrom, long.zxid);
  assert.equal(stage.recent.size, 0);
  const [high, low] = [zxidHigh(ada.id), zxidLow(ada.id)];
  assert.equal(stage.recent.fateOf(high, low, long.xid, 0n).fate, Fate.unknown);
  const after = await ada.ask(OpCode.setData, { path: '/a', data: null, version: -1 });
  assert.equal(stage.recent.fateOf(high, low, after.xid, 0n).fate, Fate.executed);
  assert.equal(stage.recent.fateOf(high, low, after.xid + 1, long.zxid).fate, Fate.never);
});

test('switched off it knows nothing, and takes nothing', async (t) => {
  const stage = await Stage.start(t, { recentHistoryBytes: 0 });
  const ada = await stage.client('ada');
  const reply = await ada.ask(OpCode.create, { path: '/a', data: null, acl: OPEN, flags: 0 });
  assert.equal(reply.error, ErrorCode.ok);
  assert.equal(stage.server.tree.recorder, null);
  assert.equal(stage.recent.coversFrom, null);
  const fate = stage.recent.fateOf(zxidHigh(ada.id), zxidLow(ada.id), reply.xid, reply.zxid);
  assert.equal(fate.fate, Fate.unknown);
  const never = (): never => assert.fail('nobody is asked');
  assert.equal(stage.recent.catchUp(reply.zxid, NOTHING, never, never).isCovered, false);
});

test('a request that came too late, from a server that the session has left, is none', async (t) => {
  const stage = await Stage.start(t);
  const ada = await stage.client('ada');
  const { recent, server } = stage;
  const session = server.sessions.get(ada.id);
  assert.ok(session !== undefined);
  session.moveTo(OWN_CLIENTS + 1);
  const since = zxidOfParts(server.tree.lastZxidHigh, server.tree.lastZxidLow);
  void ada.ask(OpCode.create, { path: '/late', data: null, acl: OPEN, flags: 0 });
  await server.replica.idle();
  assert.ok(ada.isClosed);
  assert.ok(zxidOfParts(server.tree.lastZxidHigh, server.tree.lastZxidLow) > since);
  const fate = recent.fateOf(zxidHigh(ada.id), zxidLow(ada.id), ada.xid, since);
  assert.equal(fate.fate, Fate.never);
});
