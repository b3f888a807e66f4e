/** A service's own test with vitest: what becomes of its znode when its session ends. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from 'zabra';
import { TestServer } from 'zabra/testing';

let server;

beforeAll(async () => {
  server = await TestServer.start();
});

afterAll(() => server.stop());

test('whoever leads is forgotten with its session', async () => {
  const one = await new Client(server.connectString).connect();
  const other = await new Client(server.connectString).connect();
  await one.create('/leader', 'one', { mode: 'ephemeral' });
  expect((await other.getData('/leader')).data.toString()).toBe('one');

  server.expireSession(one.sessionId);

  await expect.poll(() => other.exists('/leader')).toBeNull();
  await one.close();
  await other.close();
});
