/**
 * `node build/test/cluster/main.js [--cycles N] [--seed N]`: kill -9 under load, again and again, on
 * one data directory. Clients pipeline creates, sets and deletes; the server is killed at a random
 * moment and started again; at the end, and after every tenth start, each acknowledged write must be
 * there, each znode must hold the last acknowledged value or one that was sent after it, and no
 * write may have happened that nobody sent. The page cache survives a killed process, so this proves
 * the order of acknowledging, not the disk: power loss is the simulator's and `test/crash`'s.
 */
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { OpCode } from 'zabra/protocol';
import { temporaryDirectory } from '../support/machine.js';
import { body } from '../support/requests.js';
import type { ServerProcess } from '../support/server-process.js';
import { TestClient } from '../support/test-client.js';
import { startZabra } from '../support/zabra-process.js';
import { SeededRandom } from '../conformance/differential/random.js';

const WRITERS = 4;
const PIPELINE = 32;
const CHECK_EVERY = 10;

/** One writer's znode: what was acknowledged, and how far it went on sending. */
class Ledger {
  readonly path: string;
  sent = 0;
  readonly acknowledged = new Set<number>();
  lastAcknowledged = 0;

  constructor(path: string) {
    this.path = path;
  }
}

async function write(server: ServerProcess, ledger: Ledger): Promise<void> {
  const client = await TestClient.connect(server).catch(() => null);
  if (client === null) return; // killed before it answered
  try {
    for (;;) {
      const sends: Promise<void>[] = [];
      for (let i = 0; i < PIPELINE; i++) {
        const number = ++ledger.sent;
        const bytes = new TextEncoder().encode(String(number));
        client.post(OpCode.create, body.create(`${ledger.path}/n${number}`));
        const xid = client.post(OpCode.setData, body.setData(ledger.path, bytes, -1));
        sends.push(
          client.reply(xid).then(({ err }) => {
            if (err !== 0) throw new Error(`setData answered ${err}`);
            ledger.acknowledged.add(number);
            ledger.lastAcknowledged = number;
          }),
        );
      }
      const outcomes = await Promise.allSettled(sends);
      if (outcomes.some((outcome) => outcome.status === 'rejected')) return;
    }
  } finally {
    client.destroy();
  }
}

async function check(server: ServerProcess, ledgers: readonly Ledger[]): Promise<string[]> {
  const problems: string[] = [];
  const client = await TestClient.connect(server);
  for (const { path, acknowledged, lastAcknowledged, sent } of ledgers) {
    const { value } = await client.getData(path);
    const last = Number(new TextDecoder().decode(value?.data ?? undefined));
    if (last < lastAcknowledged) {
      problems.push(`${path} holds ${last}, ${lastAcknowledged} was acknowledged`);
    }
    if (last > sent) problems.push(`${path} holds ${last}, only ${sent} were sent`);
    const children = new Set((await client.getChildren(path)).value ?? []);
    for (const number of acknowledged) {
      if (!children.has(`n${number}`)) problems.push(`${path}/n${number} is lost`);
    }
    for (const name of children) {
      if (Number(name.slice(1)) > sent) problems.push(`${path}/${name} was never sent`);
    }
  }
  await client.close();
  return problems;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { cycles: { type: 'string' }, seed: { type: 'string' } },
  });
  const cycles = Number(values.cycles ?? '40');
  const seed = Number(values.seed ?? String(Date.now() % 1_000_000));
  const random = new SeededRandom(seed);
  const dataDir = temporaryDirectory('kill');
  const ledgers = Array.from({ length: WRITERS }, (_, index) => new Ledger(`/w${index}`));
  const start = (): Promise<ServerProcess> =>
    startZabra({
      dataDir,
      config: { tickTime: '2000' },
      properties: { 'zookeeper.snapCount': '2000' },
    });
  let server = await start();
  const first = await TestClient.connect(server);
  for (const { path } of ledgers) await first.create(path, { data: '0' });
  await first.close();
  let failed = 0;
  for (let cycle = 1; cycle <= cycles; cycle++) {
    const writers = ledgers.map((ledger) => write(server, ledger));
    await sleep(30 + random.below(250));
    await server.kill('SIGKILL');
    await Promise.allSettled(writers);
    server = await start();
    if (cycle % CHECK_EVERY !== 0 && cycle !== cycles) continue;
    const problems = await check(server, ledgers);
    for (const problem of problems.slice(0, 10)) console.log(`FAIL cycle ${cycle}: ${problem}`);
    failed += problems.length;
    const total = ledgers.reduce((sum, ledger) => sum + ledger.acknowledged.size, 0);
    console.log(
      `cycle ${cycle} of ${cycles}, seed ${seed}: ${2 * total} acknowledged writes, ${problems.length} problems`,
    );
  }
  await server.stop();
  console.log(`${cycles - Math.min(failed, cycles)} passed, ${Math.min(failed, cycles)} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

await main();
