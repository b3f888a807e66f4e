/** Configured refusals: throttles, large requests, enforced authentication, other digests. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { OpCode } from 'zabra/protocol';
import { equal, fails, ok, that } from '../check.js';
import { group } from '../suite.js';
import { body, perms } from '../../support/requests.js';

export const connectionThrottleCases = group(
  'connection throttle',
  {
    owns: true,
    properties: {
      'zookeeper.connection_throttle_tokens': '4',
      'zookeeper.connection_throttle_fill_time': '1000000',
      'zookeeper.connection_throttle_freeze_time': '-1',
    },
  },
  (test) => {
    test('handshakes beyond the tokens are closed, sessions that exist go on', async (t) => {
      const clients = [await t.connect(), await t.connect(), await t.connect()];
      const refused = await t.open();
      equal(await refused.handshake(), null, 'the fifth (one made the path of this case)');
      for (const client of clients) ok(await client.exists(t.path));
      that((await t.fourLetter('ruok')) === 'imok', 'four-letter words need no token');
    });
  },
);

export const requestThrottleCases = group(
  'request throttle',
  { properties: { 'zookeeper.request_throttle_max_requests': '10' } },
  (test) => {
    test('more requests than that at once: all are answered', async (t) => {
      const clients = await Promise.all([1, 2, 3].map(async () => t.connect()));
      const posted = clients.map((client) =>
        Array.from({ length: 100 }, (_none, index) =>
          client.post(OpCode.setData, body.setData(t.path, String(index), -1)),
        ),
      );
      for (const [index, client] of clients.entries()) {
        for (const xid of posted[index] ?? []) equal((await client.reply(xid)).err, 0, 'err');
      }
      equal(ok(await (await t.connect()).exists(t.path)).version, 300, 'version');
    });
  },
);

export const largeRequestCases = group(
  'large requests',
  {
    properties: {
      'zookeeper.largeRequestThreshold': '1000',
      'zookeeper.largeRequestMaxBytes': '5000',
    },
  },
  (test) => {
    test('a large one is fine, one beyond the sum is closed', async (t) => {
      const client = await t.connect();
      ok(await client.setData(t.path, 'x'.repeat(3_000)));
      ok(await client.setData(t.path, 'x'.repeat(3_000)), 'the sum goes down again');
      client.post(OpCode.setData, body.setData(t.path, 'x'.repeat(6_000), -1));
      await client.untilClosed();
      const again = t.adopt(await client.reconnect());
      equal(ok(await again.exists(t.path)).version, 2, 'version');
    });
  },
);

export const enforcedAuthCases = group(
  'enforced authentication',
  {
    owns: true,
    properties: {
      'zookeeper.enforce.auth.enabled': 'true',
      'zookeeper.enforce.auth.schemes': 'digest',
    },
  },
  (test) => {
    test('who has not said who it is gets an error and is closed', async (t) => {
      const client = await t.connect();
      const reply = await client.exists('/');
      equal([reply.err, reply.zxid], [-124, 0n], 'err, zxid');
      await client.untilClosed();
    });

    test('who has may do everything', async (t) => {
      const client = await t.connect();
      ok(await client.auth('digest', 'a:b'));
      ok(await client.create(`/enforced${t.path.slice(1)}`));
      await client.close();
    });
  },
);

export const digestAlgorithmCases = group(
  'digest algorithm',
  { properties: { 'zookeeper.DigestAuthenticationProvider.digestAlg': 'SHA-256' } },
  (test) => {
    test('identities are made with it', async (t) => {
      const client = await t.connect();
      const hash = createHash('sha256').update('bob:secret').digest('base64');
      const acl = [{ perms: perms.all, scheme: 'digest', id: `bob:${hash}` }];
      ok(await client.create(`${t.path}/a`, { acl }));
      fails(await client.getData(`${t.path}/a`), 'noAuth');
      ok(await client.auth('digest', 'bob:secret'));
      ok(await client.getData(`${t.path}/a`));
    });
  },
);

export const fatalTtlCases = group('a TTL znode that is none', { owns: true }, (test) => {
  test(
    'createTTL with the flag for persistent and a ttl of -1',
    async (t) => {
      const client = await t.connect();
      if (t.target.isApache) t.server.willEnd();
      const reply = client.createTtl(`${t.path}/a`, -1n, { flags: 0 });
      if (t.target.isApache) {
        // it is logged, cannot be applied, and no server can load that log again
        await reply.catch(() => null);
        const ended = await Promise.race([t.server.exited, sleep(10_000, null)]);
        equal(ended?.code, 2, 'exit code of the server');
        return;
      }
      fails(await reply, 'badArguments');
      ok(await client.exists(t.path), 'the connection stays');
    },
    { deviates: 'Apache logs it, dies of it, and never starts again on that directory' },
  );
});
