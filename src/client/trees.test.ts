import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TestServer } from '../testing/test-server.js';
import { Client } from '../node/client.js';
import { Acls } from './acls.js';
import { DeleteTreeError } from './delete-tree.js';
import { NoNodeError, NodeExistsError } from './errors.js';
import { countBelow } from './fallbacks.js';

async function withClient(body: (zk: Client, other: Client) => Promise<void>): Promise<void> {
  const server = await TestServer.start();
  const zk = await new Client(server.connectString).connect();
  const other = await new Client(server.connectString).connect();
  try {
    await body(zk, other);
  } finally {
    await Promise.all([zk.close(), other.close()]);
    await server.stop();
  }
}

describe('a tree at a time', () => {
  test('makePath creates what is missing, and says what is there', () =>
    withClient(async (zk) => {
      await zk.create('/a/b/c/d', 'x', { makePath: true });
      await zk.create('/a/b/e', '', { makePath: true, mode: 'ephemeral' });
      assert.equal(String((await zk.getData('/a/b/c/d')).data), 'x');
      await assert.rejects(zk.create('/a/b/c/d', '', { makePath: true }), NodeExistsError);
      const { path } = await zk.create('/q/', '', {
        makePath: true,
        mode: 'persistent-sequential',
      });
      assert.equal(path, '/q/0000000000');
    }));

  test('delete with recursive takes thousands, and what comes meanwhile', () =>
    withClient(async (zk, other) => {
      await zk.create('/t');
      const names = Array.from({ length: 2500 }, (_, i) => `/t/n${i}`);
      await Promise.all(names.map((name) => zk.create(name)));
      await Promise.all(names.slice(0, 300).map((name) => zk.create(`${name}/below`)));
      assert.equal(await countBelow(zk, '/t', {}), 2800);
      const coming = Promise.allSettled(
        Array.from({ length: 50 }, (_, i) => other.create(`/t/late${i}`)),
      );
      await zk.delete('/t', { recursive: true });
      await coming;
      assert.equal(await zk.exists('/t'), null);
      await assert.rejects(zk.delete('/t', { recursive: true }), NoNodeError);
    }));

  test('what may not be deleted stays, and is told', () =>
    withClient(async (zk, other) => {
      await other.addAuth('digest', 'o:o');
      await zk.create('/t');
      await zk.create('/t/open/x', '', { makePath: true });
      await other.create('/t/locked', '', { acl: Acls.creatorAll });
      await other.create('/t/locked/in', '', { acl: Acls.creatorAll });
      const error: unknown = await zk.delete('/t', { recursive: true }).catch((e: unknown) => e);
      assert.ok(error instanceof DeleteTreeError);
      assert.deepEqual(
        error.left.map(({ path }) => path),
        ['/t/locked'],
      );
      assert.deepEqual((await zk.getChildren('/t')).children, ['locked']);
    }));
});
