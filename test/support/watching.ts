/**
 * Watching a tree that others change: what the tests of the client's watches have in common, whatever
 * server they run against.
 */
import assert from 'node:assert/strict';
import { isRetryable, SessionExpiredError } from 'zabra/client';
import type { StreamOptions, ZkClient } from 'zabra/client';

/** Folds events until `end` is created there: what is there, and its versions as they were seen. */
export async function fold(
  client: ZkClient,
  root: string,
  more: StreamOptions = {},
): Promise<Map<string, number>> {
  const there = new Map<string, number>();
  for await (const { type, path } of client.watch(root, { initial: true, ...more })) {
    if (type === 'deleted') {
      assert.ok(there.delete(path), `${path} was there`);
    } else {
      assert.equal(there.has(path), type !== 'created', `${type} ${path}`);
      there.set(path, await versionOf(client, path));
    }
    if (path === `${root}/end`) break;
  }
  return there;
}

export async function versionOf(client: ZkClient, path: string): Promise<number> {
  for (;;) {
    try {
      return (await client.exists(path))?.version ?? -1;
    } catch (error) {
      // the connection was cut, or the session ended: look again
      assert.ok(isRetryable(error) || error instanceof SessionExpiredError);
    }
  }
}

export async function listing(client: ZkClient, root: string): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  const visit = async (path: string): Promise<void> => {
    const { children, stat } = await client.getChildren(path);
    found.set(path, stat.version);
    for (const name of children) await visit(`${path}/${name}`);
  };
  await visit(root);
  return found;
}

/** Changes that are sometimes refused, and may be interrupted. */
export async function churn(client: ZkClient, root: string, count: number, random: () => number) {
  const paths = ['/a', '/b', '/a/c', '/a/d', '/b/c', '/b/c/e'].map((path) => root + path);
  for (let i = 0; i < count; i++) {
    const path = paths[Math.floor(random() * paths.length)] ?? '';
    const calls = [
      () => client.create(path, `${i}`),
      () => client.setData(path, `${i}`),
      () => client.delete(path),
      () => client.create(path, `${i}`),
    ];
    await calls[Math.floor(random() * calls.length)]?.().catch(() => undefined);
  }
}

export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 0) / 2 ** 32;
  };
}

export async function until(told: readonly string[], line: string): Promise<boolean> {
  while (!told.includes(line)) await new Promise((resolve) => setImmediate(resolve));
  return true;
}

/** Rejects when it takes longer. */
export async function within<T>(what: Promise<T>, limitMs = 60_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`not within ${limitMs} ms`));
    }, limitMs);
  });
  return await Promise.race([what, late]).finally(() => {
    clearTimeout(timer);
  });
}

/** Resolves when the client knows that it has no connection. */
export async function away(client: ZkClient): Promise<void> {
  if (client.state !== 'connected') return;
  await new Promise<void>((resolve) => {
    client.once('state', () => {
      resolve();
    });
  });
}

/** Resolves when it next comes to that state. */
export function stateOf(client: ZkClient, wanted: string): Promise<void> {
  return new Promise((resolve) => {
    const off = client.on('state', (state) => {
      if (state !== wanted) return;
      off();
      resolve();
    });
  });
}
