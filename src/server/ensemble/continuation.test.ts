import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AttachStatus, ContinuationCapability, Fate } from '../../protocol/continuation.js';
import { ErrorCode } from '../../protocol/errors.js';
import { EventType } from '../../protocol/events.js';
import { OpCode } from '../../protocol/opcodes.js';
import { Reader } from '../../protocol/reader.js';
import { freePorts } from '../../node/free-port.js';
import { nodeWorld } from '../../node/world.js';
import { silentLogger } from '../../ports/logger.js';
import { SimDisk } from '../../sim/disk.js';
import { TestEnsemble, type TestEnsembleOptions } from '../../testing/test-ensemble.js';
import {
  ContinuingClient,
  createBody,
  everything,
  requestOf,
  type Standing,
} from '../continuing-client.fixture.js';
import { parseConfig } from '../config/config.js';
import { Member } from './member.js';

const asksForAll = { capabilities: everything, generation: 0n };
const shows = (generation: bigint): typeof asksForAll => ({ ...asksForAll, generation });
const sequential = 2;
const limits = { timeout: 60_000 };

interface Scene {
  readonly ensemble: TestEnsemble;
  readonly leader: number;
  readonly one: number;
  readonly other: number;
  readonly attach: (
    at: number,
    session: Standing | null,
    block?: typeof asksForAll | null,
    alongside?: readonly Uint8Array[],
  ) => Promise<ContinuingClient>;
}

async function three(
  options: TestEnsembleOptions,
  act: (scene: Scene) => Promise<void>,
): Promise<void> {
  const ensemble = await TestEnsemble.start(3, options);
  try {
    const { leader } = ensemble;
    const [one, other] = [1, 2, 3].filter((id) => id !== leader);
    assert.ok(leader !== null && one !== undefined && other !== undefined);
    const attach: Scene['attach'] = async (at, session, block = asksForAll, alongside = []) => {
      const { port } = ensemble.servers[at - 1] ?? { port: 0 };
      return await ContinuingClient.attach(port, session, block, { alongside });
    };
    await act({ ensemble, leader, one, other, attach });
  } finally {
    await ensemble.stop();
  }
}

async function childrenOf(client: ContinuingClient, xid: number, path: string): Promise<string[]> {
  client.post(xid, OpCode.sync, (out) => {
    out.writeString('/');
  });
  const { error, body } = await client.call(xid + 1, OpCode.getChildren, (out) => {
    out.writeString(path);
    out.writeBool(false);
  });
  assert.equal(error, 0);
  const reader = new Reader().reset(body, 0, body.length);
  return Array.from({ length: reader.readCount(4) }, () => reader.readString() ?? '');
}

test(
  'a session goes on at each server, and its writes come behind its attach',
  limits,
  async () => {
    await three({}, async ({ leader, one, other, attach }) => {
      let client = await attach(one, null);
      const { generation, zxid } = client.granted;
      assert.equal(generation, zxid, 'a new session begins with its own transaction');
      assert.equal(client.granted.capabilities, everything);
      let xid = 0;
      for (const at of [other, leader, one, other]) {
        const written = await client.create(++xid, `/n${xid}`);
        assert.equal(written.error, 0);
        const next = await attach(at, client.standing, shows(generation));
        assert.equal(next.granted.generation, generation);
        assert.equal(next.granted.capabilities, everything);
        assert.ok(next.granted.zxid >= written.zxid);
        client = next;
      }
    });
  },
);

test(
  'who is late is refused by every server, and the session keeps its connection',
  limits,
  async () => {
    await three({}, async ({ leader, one, other, attach }) => {
      const first = await attach(one, null);
      const old = first.granted.generation;
      let xid = 0;
      for (const at of [one, other, leader]) {
        const { generation } = first.granted;
        const present = await attach(at, first.standing);
        assert.ok(present.granted.generation > generation);
        for (const lateAt of [one, other, leader]) {
          const late = await attach(lateAt, first.standing, shows(old));
          assert.equal(late.hasSession, false, `the session at ${at}, who is late at ${lateAt}`);
          assert.equal(late.granted.status, AttachStatus.superseded);
          await late.untilClosed();
          assert.equal((await present.create(++xid, `/n${xid}`)).error, 0);
        }
      }
    });
  },
);

test('a client of Apache’s kind at a follower counts as a later one', limits, async () => {
  await three({}, async ({ one, other, attach }) => {
    const first = await attach(one, null);
    const plain = await attach(one, first.standing, null);
    assert.equal(plain.standing.attach, null);
    for (const at of [one, other]) {
      const late = await attach(at, first.standing, shows(first.granted.generation));
      assert.equal(late.granted.status, AttachStatus.superseded);
    }
    assert.equal((await plain.create(1, '/a')).error, 0);
  });
});

test(
  'what the server before has still to send is refused, and executed once when sent again',
  limits,
  async () => {
    await three({}, async ({ ensemble, leader, one, other, attach }) => {
      const before = await attach(one, null);
      const { generation, zxid } = before.granted;
      assert.equal((await before.create(1, '/q')).error, 0);
      ensemble.partition([leader, other], [one]);
      before.post(2, OpCode.create, createBody('/q/n-', sequential));
      // the read comes back in its turn, so the write was taken before it; its answer is not there
      const after = await attach(other, before.standing, shows(generation));
      const asked = await after.fates(10, zxid, [1, 2]);
      assert.equal(asked[0]?.fate, Fate.executed);
      assert.deepEqual(asked[1], { cxid: 2, fate: Fate.never });
      ensemble.heal();
      await before.untilClosed();
      assert.equal(before.hasReply(2), false, 'whoever is there is not answered');
      assert.deepEqual((await after.fates(20, zxid, [2]))[0], { cxid: 2, fate: Fate.never });
      assert.deepEqual(await childrenOf(after, 30, '/q'), []);
      assert.equal((await after.create(2, '/q/n-', sequential)).error, 0);
      assert.equal((await after.fates(40, zxid, [2]))[0]?.fate, Fate.executed);
      assert.equal((await childrenOf(after, 50, '/q')).length, 1);
    });
  },
);

test(
  'the server dies with writes in flight: those that were executed are told of as they were answered',
  limits,
  async () => {
    await three({}, async ({ ensemble, one, other, attach }) => {
      const before = await attach(one, null);
      const { generation, zxid } = before.granted;
      await before.create(1, '/q');
      const witness = await attach(other, null);
      for (let xid = 2; xid <= 20; xid++) {
        before.post(xid, OpCode.create, createBody('/q/n-', sequential));
      }
      // the first is there, of the others nobody knows
      for (let xid = 1; (await childrenOf(witness, xid, '/q')).length === 0; xid += 2);
      await ensemble.kill(one);
      await before.untilClosed();
      const after = await attach(other, before.standing, shows(generation));
      const cxids = Array.from({ length: 19 }, (_, index) => index + 2);
      const fates = await after.fates(100, zxid, cxids);
      const executed = fates.filter(({ fate }) => fate === Fate.executed);
      assert.ok(executed.length >= 1);
      assert.deepEqual(fates.slice(0, executed.length), executed, 'in the order of the requests');
      const names = await childrenOf(after, 200, '/q');
      assert.equal(names.length, executed.length);
      for (const [index, one] of executed.entries()) {
        assert.ok(one.fate === Fate.executed);
        const path = new Reader().reset(one.body, 0, one.body.length).readString();
        assert.equal(path, `/q/n-${String(index).padStart(10, '0')}`);
        if (before.hasReply(one.cxid)) {
          const { zxid: told, body } = await before.reply(one.cxid);
          assert.deepEqual([told, body], [one.zxid, one.body]);
        }
      }
      for (const { cxid, fate } of fates.slice(executed.length)) {
        assert.equal(fate, Fate.never);
        assert.equal((await after.create(cxid, '/q/n-', sequential)).error, 0);
      }
      assert.equal((await childrenOf(after, 300, '/q')).length, 19, 'each exactly once');
    });
  },
);

test('what nobody remembers is unknown', limits, async () => {
  await three({ settings: { recentHistoryBytes: 0 } }, async ({ ensemble, one, other, attach }) => {
    const before = await attach(one, null);
    const { generation, zxid } = before.granted;
    await before.create(1, '/a');
    await ensemble.kill(one);
    const after = await attach(other, before.standing, shows(generation));
    assert.deepEqual(await after.fates(2, zxid, [1, 9]), [
      { cxid: 1, fate: Fate.unknown },
      { cxid: 9, fate: Fate.unknown },
    ]);
  });
});

test('another leader knows what became of writes, and who had the session', limits, async () => {
  await three({}, async ({ ensemble, leader, one, other, attach }) => {
    const before = await attach(leader, null);
    const { generation, zxid } = before.granted;
    const { zxid: written } = await before.create(1, '/a');
    await ensemble.kill(leader);
    await ensemble.untilServing();
    const after = await attach(one, before.standing, shows(generation));
    assert.equal(after.granted.generation, generation);
    const [first, second] = await after.fates(2, zxid, [1, 9]);
    assert.ok(first?.fate === Fate.executed);
    assert.equal(first.zxid, written);
    assert.equal(second?.fate, Fate.never);
    const fresh = await attach(other, before.standing);
    assert.ok(fresh.granted.generation > generation, 'greater than all of the leader before');
    const late = await attach(one, before.standing, shows(generation));
    assert.equal(late.granted.status, AttachStatus.superseded);
  });
});

test('watches go on at another server with all that they missed', limits, async () => {
  await three({}, async ({ ensemble, leader, one, other, attach }) => {
    const before = await attach(one, null);
    const { generation } = before.granted;
    const { zxid: delivered } = await before.create(1, '/a');
    await before.call(2, OpCode.addWatch, (out) => {
      out.writeString('/');
      out.writeInt(1);
    });
    await ensemble.kill(one);
    const writer = await attach(leader, null);
    const owner = await attach(leader, null);
    const made = (await owner.create(1, '/e', 1)).zxid;
    const ended = (await owner.call(2, OpCode.closeSession)).zxid;
    const gone = await writer.call(1, OpCode.delete, (out) => {
      out.writeString('/a');
      out.writeInt(-1);
    });
    const after = await attach(other, before.standing, shows(generation));
    after.post(9, OpCode.sync, (out) => {
      out.writeString('/');
    });
    assert.equal(await after.catchUp(10, delivered, { recursive: ['/'] }), ErrorCode.ok);
    assert.deepEqual(after.heard, [
      9,
      { type: EventType.nodeCreated, path: '/e', zxid: made },
      { type: EventType.nodeDeleted, path: '/e', zxid: ended },
      { type: EventType.nodeDeleted, path: '/a', zxid: gone.zxid },
      10,
    ]);
    await writer.create(2, '/b');
    await after.until(() => after.events.length === 4);
  });
});

test(
  'a server that the leader does not hear keeps who goes on waiting, and their writes',
  limits,
  async () => {
    await three({}, async ({ ensemble, leader, one, other, attach }) => {
      const first = await attach(one, null);
      const { generation } = first.granted;
      const { standing } = first;
      await first.create(1, '/q');
      const present = await attach(other, standing);
      first.destroy();
      ensemble.partition([leader, other], [one]);
      const write = requestOf(5, OpCode.create, createBody('/q/late'));
      const late = attach(one, standing, shows(generation), [write]);
      ensemble.heal();
      assert.equal((await late).granted.status, AttachStatus.superseded);
      assert.deepEqual(await childrenOf(present, 10, '/q'), []);
    });
  },
);

test(
  'at one server the last that comes by itself has the session, whatever is still under way',
  limits,
  async () => {
    await three({}, async ({ ensemble, leader, one, other, attach }) => {
      const first = await attach(other, null);
      const { standing } = first;
      const { generation } = first.granted;
      ensemble.partition([leader, other], [one]);
      const going = attach(one, standing, shows(generation));
      const plain = attach(one, standing);
      // a later one that shows its generation is known to be late at once
      const late = await attach(one, standing, shows(generation));
      assert.equal(late.granted.status, AttachStatus.superseded);
      ensemble.heal();
      const present = await plain;
      assert.ok(present.granted.generation > generation);
      await assert.rejects(async () => (await going).standing, /closed instead of answering/);
      assert.equal((await present.create(1, '/a')).error, 0);
    });
  },
);

test('sessions of one server alone are not for moving, and know their writes', limits, async () => {
  const ports = await freePorts(6, '127.0.0.1');
  const lines = ['initLimit=20', 'syncLimit=4', 'localSessionsEnabled=true'];
  for (const id of [1, 2]) {
    lines.push(`server.${id}=127.0.0.1:${ports[2 * id]}:${ports[2 * id + 1]}`);
  }
  const members = await Promise.all([1, 2].map((id) => memberOf(id, ports[id - 1] ?? 0, lines)));
  try {
    const { fate, catchUp } = ContinuationCapability;
    for (const [index, member] of members.entries()) {
      const at = ports[index] ?? 0;
      const attach = async (
        session: Standing | null,
        block = asksForAll,
      ): Promise<ContinuingClient> => await ContinuingClient.attach(at, session, block);
      const client = await attach(null);
      const { generation, zxid, capabilities } = client.granted;
      assert.equal(capabilities, fate | catchUp);
      assert.equal((await client.create(1, `/n${at}`)).error, 0);
      assert.deepEqual(
        (await client.fates(2, zxid, [1, 9])).map((told) => told.fate),
        [Fate.executed, Fate.never],
      );
      const again = await attach(client.standing, shows(generation));
      assert.equal(again.granted.generation, generation);
      const isLeader = member.state === 'leading';
      assert.equal(again.granted.capabilities, isLeader ? fate | catchUp : catchUp);
      const later = await attach(client.standing);
      const late = await attach(client.standing, shows(generation));
      assert.equal(late.granted.status, AttachStatus.superseded);
      assert.equal((await later.create(5, `/m${at}`)).error, 0);
    }
  } finally {
    await Promise.all(members.map((member) => member.stop()));
  }
});

/** Resolves when it serves. */
async function memberOf(id: number, clientPort: number, lines: readonly string[]): Promise<Member> {
  const own = [`clientPort=${clientPort}`, 'tickTime=500', 'dataDir=/zabra', 'preAllocSize=64'];
  const text = [...lines, ...own, 'admin.enableServer=false'].join('\n');
  const result = parseConfig({ text, file: null, env: {}, properties: new Map(), myid: `${id}` });
  assert.ok('config' in result);
  const member = await Member.start(result.config, {
    ...nodeWorld(silentLogger),
    disk: new SimDisk(),
    onFatal: (error): never => {
      throw error;
    },
  });
  while (member.server?.isServing !== true) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
  return member;
}
