import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../base/random.js';
import { OpCode } from '../protocol/opcodes.js';
import { OutcomeUnknownError, ZkError } from './errors.js';
import { Stage, type ScriptedServer } from './stage.fixture.js';

interface Tally {
  readonly applied: number[];
  readonly done: number[];
  readonly failed: number[];
  readonly unknown: number[];
}

/** Servers of one ensemble, as far as this test goes: they share the sessions and what was written. */
function misbehave(server: ScriptedServer, random: SeededRandom, applied: number[]): void {
  server.onGreeting = (connection, request) => {
    if (random.chance(0.1)) connection.socket.destroy();
    else if (!random.chance(0.05)) server.greet(connection, request);
  };
  server.onRequest = (connection, request) => {
    if (connection.isClosed || random.chance(0.01)) {
      connection.socket.destroy();
      connection.isClosed = true;
      return;
    }
    if (request.op === OpCode.setData) {
      const { reader } = request;
      const start = reader.pos;
      reader.readString();
      applied.push(Number(reader.readString()));
      reader.pos = start;
    }
    if (random.chance(0.01)) connection.isClosed = true;
    if (!connection.isClosed) server.answer(connection, request);
    else if (random.chance(0.5)) connection.socket.destroy();
  };
}

async function run(seed: number): Promise<Tally> {
  const random = new SeededRandom(seed);
  const stage = new Stage(seed);
  const tally: Tally = { applied: [], done: [], failed: [], unknown: [] };
  const sessions = new Set<bigint>();
  for (const name of ['h1', 'h2', 'h3']) {
    const server = await stage.server(name);
    Object.assign(server, { sessions, nextId: BigInt(name.slice(1)) * 1000n });
    misbehave(server, random, tally.applied);
  }
  const client = stage.client('h1,h2,h3', { sessionTimeoutMs: 6000 });
  await stage.outcome(client.connect().catch(() => client.connect({ timeoutMs: 60_000 })));
  const settled: Promise<unknown>[] = [];
  for (let i = 1; i <= 150; i++) {
    const wrote = client.setData('/', `${i}`).then(
      () => tally.done.push(i),
      (error: unknown) => {
        assert.ok(error instanceof ZkError, String(error));
        (error instanceof OutcomeUnknownError ? tally.unknown : tally.failed).push(i);
      },
    );
    settled.push(wrote);
    if (random.chance(0.3)) settled.push(client.getData('/').catch(() => null));
    if (random.chance(0.5)) await stage.pass(random.below(random.chance(0.1) ? 3000 : 30));
    if (random.chance(0.01)) stage.stall(random.below(8000));
  }
  await stage.outcome(Promise.all(settled), 100_000);
  await stage.outcome(client.close());
  return tally;
}

test('whatever servers do: in order, at most once, and never told what is not so', async () => {
  let unknown = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const tally = await run(seed);
    const { applied, done, failed } = tally;
    unknown += tally.unknown.length;
    const there = new Set(applied);
    assert.equal(there.size, applied.length, `seed ${seed}: one was applied twice`);
    assert.deepEqual(
      applied,
      applied.toSorted((a, b) => a - b),
      `seed ${seed}: out of order`,
    );
    assert.ok(
      done.every((i) => there.has(i)),
      `seed ${seed}: done, and was not`,
    );
    assert.ok(
      failed.every((i) => !there.has(i)),
      `seed ${seed}: failed, and was done`,
    );
    assert.deepEqual(
      done,
      done.toSorted((a, b) => a - b),
    );
    assert.equal(done.length + failed.length + tally.unknown.length, 150);
  }
  assert.ok(unknown > 50);
});
