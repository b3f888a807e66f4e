import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestEnsemble } from 'zabra/testing';
import { TestClient } from '../support/test-client.js';

async function withEnsemble(
  size: number,
  act: (ensemble: TestEnsemble) => Promise<void>,
): Promise<void> {
  const ensemble = await TestEnsemble.start(size);
  try {
    await act(ensemble);
  } finally {
    await ensemble.stop();
  }
}

function leaderOf(ensemble: TestEnsemble): number {
  const { leader } = ensemble;
  assert.ok(leader !== null, 'somebody leads');
  return leader;
}

/** Ids of those that do not lead. */
function othersOf(ensemble: TestEnsemble): [number, number] {
  const ids = ensemble.servers.map(({ id }) => id).filter((id) => id !== ensemble.leader);
  const [one = 0, other = 0] = ids;
  return [one, other];
}

async function on<T>(
  ensemble: TestEnsemble,
  id: number,
  ask: (client: TestClient) => Promise<T>,
): Promise<T> {
  const port = ensemble.servers[id - 1]?.port ?? 0;
  const client = await TestClient.connect({ host: '127.0.0.1', port }, { timeoutMs: 10_000 });
  try {
    return await ask(client);
  } finally {
    client.destroy();
  }
}

async function write(ensemble: TestEnsemble, id: number, path: string): Promise<void> {
  assert.equal(await on(ensemble, id, async (client) => (await client.create(path)).err), 0);
}

async function has(ensemble: TestEnsemble, id: number, path: string): Promise<boolean> {
  return await on(ensemble, id, async (client) => {
    await client.sync('/');
    return (await client.exists(path)).err === 0;
  });
}

test('an ensemble in this process: written through one server, read through the others', async () => {
  await withEnsemble(3, async (ensemble) => {
    assert.match(ensemble.connectString, /^127\.0\.0\.1:\d+(,127\.0\.0\.1:\d+){2}$/);
    const states = ensemble.servers.map(({ state }) => state).sort();
    assert.deepEqual(states, ['follower', 'follower', 'leader']);
    await write(ensemble, 1, '/written');
    for (const { id } of ensemble.servers) assert.ok(await has(ensemble, id, '/written'));
  });
});

test('a leader that is killed is followed by another, and comes back with what it missed', async () => {
  await withEnsemble(3, async (ensemble) => {
    const killed = leaderOf(ensemble);
    await write(ensemble, killed, '/before');
    await ensemble.kill(killed);
    assert.equal(ensemble.servers[killed - 1]?.state, 'down');
    await ensemble.untilServing();
    assert.notEqual(ensemble.leader, killed);
    const [one] = othersOf(ensemble).filter((id) => id !== killed);
    await write(ensemble, one ?? 0, '/after');
    await ensemble.restart(killed);
    assert.ok(await has(ensemble, killed, '/before'));
    assert.ok(await has(ensemble, killed, '/after'));
  });
});

test('all are killed, and what was acknowledged is there when they start again', async () => {
  await withEnsemble(3, async (ensemble) => {
    await write(ensemble, 2, '/kept');
    for (const id of [1, 2, 3]) await ensemble.kill(id);
    await ensemble.restart(1);
    assert.equal(ensemble.servers[0]?.state, 'looking');
    await ensemble.restart(2);
    assert.ok(await has(ensemble, 1, '/kept'));
  });
});

test('servers that come late to an epoch without a write are brought up to date', async () => {
  await withEnsemble(3, async (ensemble) => {
    const [one, other] = othersOf(ensemble);
    const third = leaderOf(ensemble);
    await write(ensemble, one, '/known-to-all');
    for (const id of [1, 2, 3]) await ensemble.kill(id);
    for (const id of [one, other, third]) await ensemble.restart(id);
    assert.equal(ensemble.servers[third - 1]?.state, 'follower', 'it lacked nothing');
    await ensemble.kill(third);
    await write(ensemble, one, '/known-to-two');
    for (const id of [one, other]) await ensemble.kill(id);
    for (const id of [one, other, third]) await ensemble.restart(id);
    assert.equal(ensemble.servers[third - 1]?.state, 'follower', 'it lacked a write');
    assert.ok(await has(ensemble, third, '/known-to-two'));
  });
});

test('a leader that stands still is replaced, and follows when it wakes', async () => {
  await withEnsemble(3, async (ensemble) => {
    const paused = leaderOf(ensemble);
    await ensemble.pause(paused);
    assert.equal(ensemble.servers[paused - 1]?.state, 'paused');
    await ensemble.untilServing();
    const leader = leaderOf(ensemble);
    assert.notEqual(leader, paused);
    await write(ensemble, leader, '/meanwhile');
    await ensemble.resume(paused);
    await ensemble.untilServing();
    assert.equal(ensemble.servers[paused - 1]?.state, 'follower');
    assert.ok(await has(ensemble, paused, '/meanwhile'));
  });
});

test('cut off from the others a leader serves nobody; healed, it has what they wrote', async () => {
  await withEnsemble(3, async (ensemble) => {
    const alone = leaderOf(ensemble);
    const [one, other] = othersOf(ensemble);
    ensemble.partition([one, other]);
    await ensemble.untilServing();
    assert.notEqual(ensemble.leader, alone);
    await write(ensemble, one, '/by-two');
    while (ensemble.servers[alone - 1]?.state !== 'looking') await sleep(10);
    ensemble.heal();
    await ensemble.untilServing();
    assert.ok(await has(ensemble, alone, '/by-two'));
  });
});

test('one server alone is no ensemble, and there is no server 4 of three', async () => {
  await assert.rejects(TestEnsemble.start(1), TypeError);
  await withEnsemble(2, async (ensemble) => {
    await assert.rejects(ensemble.kill(4), TypeError);
    assert.throws(() => {
      ensemble.partition([1, 3]);
    }, TypeError);
  });
});
