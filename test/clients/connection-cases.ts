/** Sessions that outlive connections, and what is told when one does not. */
import assert from 'node:assert/strict';
import { Client, SessionExpiredError, type SessionEvent, type WatchEvent } from 'zabra/client';
import { Gate } from '../support/gate.js';
import { until, type Case, type Scene } from './suite.js';

/** What is done to the doors of all servers at once. */
type Doors = Readonly<Record<'cut' | 'shut' | 'open', () => void>>;

/** Connected through a gate before each of the servers. */
async function throughGates(
  { running }: Scene,
  act: (zk: Client, doors: Doors) => Promise<void>,
): Promise<void> {
  const ports = running.connectString.split(',').map((one) => Number(one.split(':').at(-1)));
  const gates = await Promise.all(ports.map((port) => Gate.before(port)));
  const connectString = gates.map((gate) => gate.connectString).join(',');
  const zk = await new Client(connectString, { sessionTimeoutMs: 20_000 }).connect();
  try {
    const all = (name: keyof Doors) => () => {
      for (const gate of gates) gate[name]();
    };
    await act(zk, { cut: all('cut'), shut: all('shut'), open: all('open') });
  } finally {
    await zk.close();
    await Promise.all(gates.map((gate) => gate.close()));
  }
}

export const connectionCases: readonly Case[] = [
  {
    name: 'a connection that breaks takes neither session nor ephemerals nor watches along',
    async run(scene) {
      const { path } = scene;
      const other = await scene.client();
      await throughGates(scene, async (zk, { cut }) => {
        const { sessionId } = zk;
        await zk.create(`${path}/mortal`, '', { mode: 'ephemeral' });
        const events: WatchEvent[] = [];
        await zk.getData(path, { watch: (event) => void events.push(event) });
        const states: string[] = [];
        zk.on('state', (state) => void states.push(state));
        cut();
        await until(() => states.includes('connected'), 'the connection is back');
        assert.deepEqual(states, ['suspended', 'connected']);
        assert.equal(zk.sessionId, sessionId);
        assert.notEqual(await other.exists(`${path}/mortal`), null);
        await other.setData(path, 'changed');
        await until(() => events.length === 1, 'the watch of before');
      });
    },
  },
  {
    name: 'a stream misses nothing while connections break',
    async run(scene) {
      const { path } = scene;
      const other = await scene.client();
      await throughGates(scene, async (zk, { cut }) => {
        const there = new Set<string>();
        const end = new AbortController();
        const done = (async () => {
          for await (const event of zk.watch(path, { recursive: true, signal: end.signal })) {
            assert.notEqual(event.type, 'gap');
            if (event.type === 'created') there.add(event.path);
            if (event.type === 'deleted') there.delete(event.path);
          }
        })().catch((error: unknown) => {
          if (!end.signal.aborted) throw error;
        });
        await until(async () => {
          await other.create(`${path}/probe-`, '', { mode: 'persistent-sequential' });
          return there.size > 0;
        }, 'the watch');
        for (let i = 0; i < 60; i++) {
          if (i % 15 === 7) cut();
          await other.create(`${path}/n${i}`);
          if (i % 3 === 0) await other.delete(`${path}/n${i}`);
        }
        const wanted = Array.from({ length: 60 }, (_, i) => i)
          .filter((i) => i % 3 !== 0)
          .map((i) => `${path}/n${i}`);
        await until(
          () => wanted.every((one) => there.has(one)) && !there.has(`${path}/n0`),
          'every znode',
        );
        for (let i = 0; i < 60; i += 3) assert.ok(!there.has(`${path}/n${i}`));
        end.abort();
        await done;
      });
    },
  },
  {
    name: 'a session that was closed elsewhere is lost, told, and another one begins',
    async run(scene) {
      const { client, adopt, path, running } = scene;
      await throughGates(scene, async (zk, doors) => {
        const ticket = await zk.detach();
        const first = adopt(await Client.resume(ticket, { recreateSession: true }));
        await first.create(`${path}/mortal`, '', { mode: 'ephemeral' });
        const sessions: SessionEvent[] = [];
        const states: string[] = [];
        first.on('session', (event) => void sessions.push(event));
        first.on('state', (state) => void states.push(state));
        const second = await client();
        // the session's own close, from another connection: what an administrator's tool does
        doors.shut();
        const { connectString } = running;
        const thief = adopt(await Client.resume({ ...ticket, connectString }));
        await thief.close();
        doors.open();
        await until(() => sessions.length > 0, 'a new session');
        assert.ok(states.includes('lost'));
        assert.equal(sessions[0]?.isNew, true);
        assert.equal(await second.exists(`${path}/mortal`), null);
      });
    },
  },
  {
    name: 'a session goes to another process with its ticket',
    async run({ client, adopt, path }) {
      const zk = await client({ sessionTimeoutMs: 20_000 });
      const { sessionId } = zk;
      await zk.create(`${path}/mortal`, 'kept', { mode: 'ephemeral' });
      const ticket = JSON.parse(JSON.stringify(await zk.detach())) as Awaited<
        ReturnType<Client['detach']>
      >;
      assert.equal(zk.state, 'closed');
      const resumed = adopt(await Client.resume(ticket));
      assert.equal(resumed.sessionId, sessionId);
      assert.equal((await resumed.getData(`${path}/mortal`)).data.toString(), 'kept');
      await resumed.close();
      await assert.rejects(Client.resume(ticket), SessionExpiredError);
    },
  },
  {
    name: 'close ends the session at once, and calls after it are refused',
    async run({ client, path }) {
      const zk = await client();
      const other = await client();
      await zk.create(`${path}/mortal`, '', { mode: 'ephemeral' });
      const last = zk.create(`${path}/last`);
      await zk.close();
      await last;
      await other.sync('/');
      assert.equal(await other.exists(`${path}/mortal`), null);
      assert.notEqual(await other.exists(`${path}/last`), null);
      await assert.rejects(zk.getData('/'), { name: 'ClientClosedError' });
    },
  },
  {
    name: 'the leader is killed: the session, its ephemerals and its stream live on',
    needsEnsemble: true,
    async run({ client, path, running }) {
      const zk = await client({ sessionTimeoutMs: 20_000 });
      const { sessionId } = zk;
      await zk.create(`${path}/mortal`, '', { mode: 'ephemeral' });
      const there = new Set<string>();
      const end = new AbortController();
      const done = (async () => {
        for await (const event of zk.watch(path, { recursive: true, signal: end.signal })) {
          if (event.type === 'created') there.add(event.path);
        }
      })().catch(() => undefined);
      const other = await client();
      const write = async (name: string): Promise<void> => {
        await until(async () => {
          try {
            await other.create(`${path}/${name}`);
            return true;
          } catch (error) {
            return error instanceof Error && 'codeName' in error && error.codeName === 'NODEEXISTS';
          }
        }, `a write of ${name}`);
      };
      await write('before');
      await running.killLeader();
      await write('between');
      await running.startAgain();
      await write('after');
      await until(() => there.has(`${path}/after`) && there.has(`${path}/between`), 'all events');
      assert.equal(zk.sessionId, sessionId);
      assert.notEqual(await zk.exists(`${path}/mortal`), null);
      end.abort();
      await done;
    },
  },
  {
    name: 'the only server is killed and comes back: the same session',
    needsOne: true,
    async run({ client, path, running }) {
      const zk = await client({ sessionTimeoutMs: 20_000 });
      const { sessionId } = zk;
      await zk.create(`${path}/mortal`, '', { mode: 'ephemeral' });
      await running.killLeader();
      await running.startAgain();
      await until(() => zk.state === 'connected', 'it is connected again');
      assert.equal(zk.sessionId, sessionId);
      assert.notEqual(await zk.exists(`${path}/mortal`), null);
    },
  },
];
