import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { present } from '../../base/assert.js';
import { freePorts } from '../../node/free-port.js';
import { nodeWorld } from '../../node/world.js';
import { silentLogger } from '../../ports/logger.js';
import { Fate } from '../../protocol/continuation.js';
import { CreateMode } from '../../protocol/create-mode.js';
import { OpCode } from '../../protocol/opcodes.js';
import { Perms } from '../../protocol/perms.js';
import { zxidHigh, zxidLow, type Zxid } from '../../protocol/zxid.js';
import { SimDisk } from '../../sim/disk.js';
import { parseConfig, type ServerConfig } from '../config/config.js';
import { Member } from '../ensemble/member.js';
import type { RecentHistory } from './recent-history.js';
import { StageClient, type Reply } from './stage.fixture.js';

const OPEN = [{ perms: Perms.all, id: { scheme: 'world', id: 'anyone' } }];
const host = '127.0.0.1';

/** Three servers over sockets, an observer among them; each can go and come again. */
class Three {
  readonly #configs: readonly ServerConfig[];
  readonly #disks = [new SimDisk(), new SimDisk(), new SimDisk()];
  readonly members: (Member | null)[] = [null, null, null];

  private constructor(configs: readonly ServerConfig[]) {
    this.#configs = configs;
  }

  static async start(t: TestContext): Promise<Three> {
    const ports = await freePorts(9, host);
    const servers = [1, 2, 3].map((sid) => {
      const role = sid === 3 ? ':observer' : '';
      return `server.${sid}=${host}:${ports[sid - 1]}:${ports[sid + 2]}${role}`;
    });
    const configs = [1, 2, 3].map((sid) => {
      const lines = [
        ...servers,
        'dataDir=/data',
        `clientPort=${ports[sid + 5]}`,
        `clientPortAddress=${host}`,
        'tickTime=200',
        'maxSessionTimeout=3600000',
        'initLimit=50',
        'syncLimit=25',
        'preAllocSize=64',
        'admin.enableServer=false',
      ];
      const read = parseConfig({
        text: lines.join('\n'),
        file: 'zoo.cfg',
        env: {},
        properties: new Map(),
        myid: `${sid}`,
      });
      assert.ok('config' in read);
      return { ...read.config, commitLogCount: 1 };
    });
    const three = new Three(configs);
    t.after(async () => {
      for (const member of three.members) await member?.stop();
    });
    await Promise.all([1, 2, 3].map((sid) => three.launch(sid)));
    return three;
  }

  async launch(sid: number): Promise<void> {
    const config = present(this.#configs[sid - 1], 'one of three');
    const disk = present(this.#disks[sid - 1], 'one of three');
    this.members[sid - 1] = await Member.start(config, { ...nodeWorld(silentLogger), disk });
    while (this.#serverOf(sid)?.isServing !== true) await sleep(5);
  }

  async stop(sid: number): Promise<void> {
    const member = this.members[sid - 1];
    this.members[sid - 1] = null;
    await member?.stop();
  }

  #serverOf(sid: number): Member['server'] {
    return this.members[sid - 1]?.server ?? null;
  }

  async client(sid: number): Promise<StageClient> {
    const client = new StageClient((socket) => {
      return present(this.#serverOf(sid), 'it serves').port.accept(socket);
    });
    await client.open();
    return client;
  }

  recentOf(sid: number): RecentHistory {
    return present(this.#serverOf(sid), 'it serves').replica.applier.recent;
  }

  /** Its log begins with what comes next, so that whoever misses more gets a snapshot. */
  async forget(sid: number): Promise<void> {
    await present(this.#serverOf(sid), 'it serves').takeSnapshot();
    const disk = present(this.#disks[sid - 1], 'one of three');
    const logs = disk.listNow('/data/version-2').filter(({ name }) => name.startsWith('log.'));
    for (const { name } of logs) disk.unlinkNow(`/data/version-2/${name}`);
  }

  /** Resolves when that server has applied so much. */
  async reached(sid: number, zxid: Zxid): Promise<void> {
    while ((this.members[sid - 1]?.zxid ?? 0n) < zxid) await sleep(5);
  }
}

class Writing {
  readonly client: StageClient;
  readonly replies: Reply[] = [];

  constructor(client: StageClient) {
    this.client = client;
  }

  async write(count: number): Promise<Zxid> {
    let last = 0n;
    for (let i = 0; i < count; i++) {
      const path = `/n${this.replies.length % 7}`;
      const data = new Uint8Array(this.replies.length % 30);
      const create = { path, data, acl: OPEN, flags: CreateMode.persistent };
      const requests = [
        [OpCode.create2, create],
        [OpCode.setData, { path, data, version: -1 }],
        [OpCode.delete, { path, version: i % 3 }],
      ] as const;
      const [op, body] = requests[i % 3] ?? requests[0];
      const reply = await this.client.ask(op, body);
      this.replies.push(reply);
      last = reply.zxid;
    }
    return last;
  }

  /** How many of its writes the server knows; all after `covers`, and those as they were told. */
  knownAt(recent: RecentHistory): number {
    const { id } = this.client;
    const covers = present(recent.coversFrom, 'it serves');
    let known = 0;
    for (const { xid: cxid, zxid, error, body } of this.replies) {
      const fate = recent.fateOf(zxidHigh(id), zxidLow(id), cxid, zxid - 1n);
      if (fate.fate === Fate.executed) known++;
      if (fate.fate === Fate.executed) {
        assert.deepEqual(fate, { cxid, fate: Fate.executed, zxid, error, body });
      } else {
        assert.equal(fate.fate, Fate.unknown);
        assert.ok(zxid <= covers);
      }
    }
    return known;
  }
}

test('every server remembers every write, whoever took it', { timeout: 60_000 }, async (t) => {
  const three = await Three.start(t);
  for (const sid of [1, 2, 3]) {
    assert.notEqual(three.recentOf(sid).coversFrom, null, 'who serves knows what comes');
  }
  for (const sid of [1, 2, 3]) {
    const writing = new Writing(await three.client(sid));
    const last = await writing.write(30);
    for (const at of [1, 2, 3]) {
      await three.reached(at, last);
      assert.equal(writing.knownAt(three.recentOf(at)), 30, `of server ${sid}'s at ${at}`);
    }
  }
});

test(
  'a snapshot that the leader sent tells nothing of what came before its end, a log does',
  { timeout: 60_000 },
  async (t) => {
    const three = await Three.start(t);
    const writing = new Writing(await three.client(1));
    const before = await writing.write(30);
    await three.reached(3, before);
    await three.stop(3);
    await three.launch(3);
    assert.equal(writing.knownAt(three.recentOf(3)), 30, 'it is all in its log');

    await three.stop(3);
    const missed = await writing.write(60);
    for (const sid of [1, 2]) {
      await three.reached(sid, missed);
      await three.forget(sid);
    }
    let isBack = false;
    const launching = three.launch(3).then(() => {
      isBack = true;
    });
    while (!isBack) await writing.write(1);
    await launching;
    const covers = present(three.recentOf(3).coversFrom, 'it serves');
    assert.ok(covers >= missed, 'it came by a snapshot');
    const last = await writing.write(30);
    await three.reached(3, last);
    const known = writing.knownAt(three.recentOf(3));
    assert.ok(known >= 30 && known < writing.replies.length - 90);
  },
);
