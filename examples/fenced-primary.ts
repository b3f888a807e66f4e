/**
 * A database's primary is switched, and the old one cannot do harm: whoever is primary writes its
 * address with a guard, and the storage refuses tokens older than the newest it has seen. The old
 * primary wakes from a long pause and still believes in itself; neither lets it in.
 */
import assert from 'node:assert/strict';
import { Client } from 'zabra/client';
import { LeaderLatch, NotHeldError } from 'zabra/recipes';
import { TestServer } from 'zabra/testing';

/** What the replicas share: takes writes of the newest primary only. */
class Storage {
  readonly rows: string[] = [];
  #token = 0n;

  write(row: string, token: bigint): void {
    if (token < this.#token) throw new Error(`token ${token} is older than ${this.#token}`);
    this.#token = token;
    this.rows.push(row);
  }
}

const server = await TestServer.start();
const storage = new Storage();
const one = await new Client(server.connectString).connect();
const two = await new Client(server.connectString).connect();
await one.create('/db/primary', 'nobody', { makePath: true });

const oldLatch = new LeaderLatch(one, '/db/latch', { id: 'db-1' }).start();
const old = await oldLatch.untilLeader();
await old.guard((tx) => tx.setData('/db/primary', 'db-1:5432'));
storage.write('first', old.fencingToken);

// db-2 waits; db-1 stands still for so long that its session ends
const newLatch = new LeaderLatch(two, '/db/latch', { id: 'db-2' }).start();
server.expireSession(one.sessionId);
const young = await newLatch.untilLeader();
await young.guard((tx) => tx.setData('/db/primary', 'db-2:5432'));
storage.write('second', young.fencingToken);

// db-1 wakes up in the middle of what it was doing
await assert.rejects(
  old.guard((tx) => tx.setData('/db/primary', 'db-1:5432')),
  NotHeldError,
);
assert.throws(() => storage.write('third', old.fencingToken), /is older/);

const { data } = await two.getData('/db/primary');
assert.equal(data.toString(), 'db-2:5432');
assert.deepEqual(storage.rows, ['first', 'second']);
console.log(`primary: ${data.toString()}; rows: ${storage.rows.join(', ')}`);
await oldLatch.close();
await newLatch.close();
await one.close();
await two.close();
await server.stop();
