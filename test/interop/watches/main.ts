/**
 * `node build/test/interop/watches/main.js`: the client's watches at Apache's own servers. 3.9 tells
 * which change an event is of, 3.8 does not, 3.5 knows no persistent watches: on each, while others
 * change a tree and connections are cut, the events folded have to be what is there.
 */
import assert from 'node:assert/strict';
import { Client, TransactionError } from 'zabra/client';
import { Gate } from '../../support/gate.js';
import { MissingError } from '../../support/machine.js';
import { startOracle, type OracleVersion } from '../../support/oracle.js';
import { churn, fold, listing, seeded, stateOf, until, within } from '../../support/watching.js';

const options = { sessionTimeoutMs: 10_000, backoff: { minMs: 5, maxMs: 50 } } as const;
const versions: readonly OracleVersion[] = ['3.9.5', '3.8.0', '3.5.10'];

/** With cuts between the changes, and changes while the reader is away. */
async function follow(reader: Client, writer: Client, gate: Gate): Promise<void> {
  await writer.create('/r');
  const told: string[] = [];
  const watch = await within(
    reader.addWatch('/r', { recursive: true }, ({ type, path }) => told.push(`${type} ${path}`)),
  );
  const folded = fold(reader, '/r', { recursive: true, bufferedMax: 20 });
  const random = seeded(95);
  for (let round = 0; round < 12; round++) {
    await churn(writer, '/r', 30, random);
    if (round % 3 === 0) gate.cut();
    if (round % 3 === 1) {
      gate.shut();
      await churn(writer, '/r', 10, random);
      gate.open();
    }
  }
  await writer.create('/r/end');
  const there = await within(folded, 30_000);
  assert.deepEqual([...there].sort(), [...(await listing(writer, '/r'))].sort());
  await within(until(told, 'created /r/end'));
  await watch.remove();
}

async function setAgain(reader: Client, gate: Gate): Promise<number> {
  const told = new Set<string>();
  const paths = Array.from({ length: 10_000 }, (_, i) => `/some/quite/ordinary/path-${i}`);
  const watch = ({ path }: { readonly path: string }): Set<string> => told.add(path);
  await Promise.all(paths.map((path) => reader.exists(path, { watch })));
  const connected = stateOf(reader, 'connected');
  gate.cut();
  await within(connected);
  const startMs = performance.now();
  await within(reader.exists('/'));
  const tookMs = performance.now() - startMs;
  await reader.create('/some/quite/ordinary/path-77', '', { makePath: true });
  await reader.exists('/');
  assert.deepEqual([...told], ['/some/quite/ordinary/path-77']);
  return tookMs;
}

async function transact(client: Client): Promise<void> {
  const [plain, container] = await client
    .transaction()
    .create('/plain')
    .create('/container', '', { mode: 'container' })
    .commit();
  assert.equal(plain.path, '/plain');
  assert.equal(container.stat?.version, 0);
  await assert.rejects(
    client.transaction().check('/plain').delete('/plain', { version: 7 }).commit(),
    (error) => error instanceof TransactionError && error.index === 1,
  );
}

async function run(version: OracleVersion): Promise<void> {
  const server = await startOracle(version);
  const gate = await Gate.before(server.port);
  const reader = new Client(gate.connectString, options);
  const writer = new Client(`127.0.0.1:${server.port}`, options);
  try {
    await Promise.all([reader.connect(), writer.connect()]);
    await follow(reader, writer, gate);
    await transact(writer);
    const tookMs = await setAgain(reader, gate);
    assert.ok(gate.arrivals < 40, `${gate.arrivals} connections: it goes round in circles`);
    console.log(
      `Apache ${version}: as it should be; 10,000 watches again in ${tookMs.toFixed(0)} ms`,
    );
  } finally {
    await Promise.all([reader.close(), writer.close()]);
    await gate.close();
    await server.stop();
  }
}

async function main(): Promise<number> {
  let failed = 0;
  for (const version of versions) {
    try {
      await run(version);
    } catch (error) {
      if (error instanceof MissingError) {
        console.log(`skip: ${error.message}`);
        continue;
      }
      failed++;
      console.error(`Apache ${version}:`, error);
    }
  }
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main();
