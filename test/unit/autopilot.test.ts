/** The autopilot of a `ZooServer`: what it shows of who is out, and that whoever returns is in again. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { OpCode } from 'zabra/protocol';
import { ZooServer } from 'zabra/server';
import { freePorts } from '../support/machine.js';

const home = mkdtempSync(join(tmpdir(), 'zabra-autopilot-'));
const members: ZooServer[] = [];
const sids = [1, 2, 3, 4];
after(async () => {
  await Promise.all(members.map((member) => member.stop()));
  rmSync(home, { recursive: true, force: true });
});

async function until(what: string, isSo: () => boolean): Promise<void> {
  const endMs = performance.now() + 20_000;
  while (!isSo()) {
    assert.ok(performance.now() < endMs, what);
    await sleep(20);
  }
}

test('one of four is taken out, is shown as that by all, and is let in again', async () => {
  const ports = await freePorts(2 * sids.length);
  const servers: Record<number, string> = {};
  for (const id of sids) {
    servers[id] = `127.0.0.1:${ports[2 * id - 2] ?? 0}:${ports[2 * id - 1] ?? 0}`;
  }
  for (const id of sids) {
    const options = { tickTimeMs: 200, autopilotDeadMs: 1000, preAllocBytes: 65_536 };
    members.push(new ZooServer({ id, servers, dataDir: join(home, String(id)), ...options }));
  }
  await Promise.all(members.map((member) => member.start()));
  await Promise.all(members.map((member) => member.leaderElection()));
  const victim = members.find((member) => member.status().state === 'follower');
  assert.ok(victim !== undefined);
  const { id } = victim.status();
  const others = members.filter((member) => member !== victim);
  const votes = (member: ZooServer): boolean => member.config.ensemble.servers.has(id);

  const stoppedMs = Date.now();
  await victim.stop();
  await until('it is taken out', () => others.every((member) => !votes(member)));
  for (const member of others) {
    const list = member.replicaList();
    assert.deepEqual(
      list.map((replica) => replica.id),
      sids,
    );
    for (const replica of list) {
      if (replica.id !== id) assert.equal(replica.outSinceMs, null);
      else assert.ok((replica.outSinceMs ?? 0) >= stoppedMs, 'since it was stopped');
    }
  }
  const [witness] = others;
  assert.ok(witness !== undefined);
  const read = { op: OpCode.getData, body: { path: '/zookeeper/autopilot', watch: false } };
  const { data } = (await witness.submitRequest(read)).body as { data: Uint8Array };
  const text = new TextDecoder().decode(data);
  assert.match(text, new RegExp(`^server\\.${id}=127\\.0\\.0\\.1:.*\\nsince\\.${id}=\\d+\\n$`));
  const write = { op: OpCode.setData, body: { path: read.body.path, data, version: -1 } };
  assert.equal((await witness.submitRequest(write)).error, -102, 'clients do not write it');

  await victim.start();
  await until('it is let in again', () => members.every((member) => votes(member)));
  for (const member of members) {
    assert.ok(member.replicaList().every(({ outSinceMs }) => outSinceMs === null));
  }
});
