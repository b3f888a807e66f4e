/**
 * A persistent recursive watch at Apache's servers, held through a balancer that lists again what a lost
 * server cannot tell, while each server is killed and others change the tree. The client keeps its one
 * connection, and who goes by its events alone has the tree as it is, with the last change of each znode.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'zabra/client';
import { OpCode } from 'zabra/protocol';
import { Members } from '../../cluster/members.js';
import { xids, type WatchEvent } from '../../support/raw-client.js';
import { TestClient } from '../../support/test-client.js';
import { churn, seeded } from '../../support/watching.js';
import { ZabraBalancer } from '../../support/zabra-balancer.js';
import type { Tally } from '../ensemble/tally.js';

const ROUNDS = 2;
const ROOT = '/r';
const CHANGES = 40;
const SETTLE_MS = 1000;
const PING_MS = 1000;
const RECURSIVE = 1;
const [CREATED, DELETED] = [1, 2];

export async function relistedAtApache(seed: number, tally: Tally): Promise<void> {
  const members = await Members.prepare(['apache', 'apache', 'apache'], { purpose: 'relisted' });
  let balancer: ZabraBalancer | null = null;
  let writer: Client | null = null;
  let pings: NodeJS.Timeout | undefined;
  const before = tally.failed;
  try {
    await members.startAll();
    await members.untilAllServe();
    const servers = members.sids
      .map((sid) => members.addressOf(sid))
      .map(({ host, port }) => `${host}:${port}`);
    balancer = await ZabraBalancer.start(servers, ['--relist-persistent']);
    writer = new Client(servers.join(','), { sessionTimeoutMs: 20_000 });
    await writer.connect();
    await writer.create(ROOT);
    const random = seeded(seed);
    await churn(writer, ROOT, CHANGES, random);
    const client = await TestClient.connect(
      { host: '127.0.0.1', port: balancer.port },
      { timeoutMs: 20_000 },
    );
    pings = setInterval(() => {
      client.post(OpCode.ping, undefined, xids.ping);
    }, PING_MS);
    const told = new Told();
    for (const [path, zxid] of await treeOf(writer)) told.there.set(path, zxid);
    await client.addWatch(ROOT, RECURSIVE);
    for (let round = 1; round <= ROUNDS; round++) {
      for (const sid of members.sids) {
        // some while it is told, some when its server is gone, some while it is brought elsewhere
        await churn(writer, ROOT, CHANGES, random);
        const ended = members.end(sid, 'SIGKILL');
        await churn(writer, ROOT, CHANGES, random);
        await ended;
        await sleep(SETTLE_MS);
        await members.start(sid);
        await members.untilAllServe();
      }
    }
    await writer.create(`${ROOT}/end`);
    const there = await treeOf(writer);
    for (let event = null; event?.path !== `${ROOT}/end`;) {
      event = await client.event();
      told.take(event);
    }
    tally.check('its connection is the first one', client.isClosed, false);
    tally.none('what it was told can be', told.faults);
    tally.none('and is the tree', told.differencesTo(there));
    tally.check('servers were lost', lossesIn(balancer) > 0, true);
    await client.close();
  } finally {
    clearInterval(pings);
    await writer?.close().catch(() => undefined);
    if (tally.failed > before) console.log(balancer?.log().split('\n').slice(-40).join('\n'));
    await balancer?.dispose();
    await members.dispose();
  }
}

/** The tree as events tell it, with the zxid of each znode's last one. */
class Told {
  readonly there = new Map<string, bigint>();
  readonly faults: string[] = [];

  take({ type, path, zxid }: WatchEvent): void {
    const wasThere = this.there.has(path);
    if (wasThere === (type === CREATED)) this.faults.push(`${type} of ${path}, there: ${wasThere}`);
    if (type === DELETED) this.there.delete(path);
    else this.there.set(path, zxid);
  }

  differencesTo(there: ReadonlyMap<string, bigint>): string[] {
    const paths = [...new Set([...this.there.keys(), ...there.keys()])];
    return paths
      .filter((path) => this.there.get(path) !== there.get(path))
      .map((path) => `${path}: told of ${this.there.get(path)}, is of ${there.get(path)}`);
  }
}

/** What is there, each with the zxid of its last change. */
async function treeOf(client: Client): Promise<Map<string, bigint>> {
  const found = new Map<string, bigint>();
  const visit = async (path: string): Promise<void> => {
    const { children, stat } = await client.getChildren(path);
    found.set(path, stat.mzxid);
    for (const name of children) await visit(`${path}/${name}`);
  };
  await client.sync(ROOT);
  await visit(ROOT);
  return found;
}

function lossesIn(balancer: ZabraBalancer): number {
  return balancer
    .log()
    .split('\n')
    .filter((line) => line.includes('did not notice')).length;
}
