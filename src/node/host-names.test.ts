import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemHostNames } from './host-names.js';

const never = (): Promise<never> => new Promise(() => undefined);

test('the system is asked first, and alone where it answers', async () => {
  const asked: string[] = [];
  const names = systemHostNames([], {
    system: () => Promise.resolve(['10.0.0.1']),
    direct: (host) => {
      asked.push(host);
      return Promise.resolve(['10.9.9.9']);
    },
    patienceMs: 50,
  });
  assert.deepEqual(await names.addresses('zk1'), ['10.0.0.1']);
  assert.deepEqual(await names.addresses('192.0.2.7'), ['192.0.2.7']);
  assert.deepEqual(asked, []);
});

test('where it hangs, name servers are asked directly', async () => {
  const direct = (): Promise<string[]> => Promise.resolve(['10.0.0.2']);
  const names = systemHostNames([], { system: never, direct, patienceMs: 1 });
  assert.deepEqual(await names.addresses('zk1'), ['10.0.0.2']);
});

test('a direct answer that fails leaves it to the system, which may be slow', async () => {
  let tell: (addresses: string[]) => void = () => undefined;
  const names = systemHostNames([], {
    system: () => new Promise((resolve) => void (tell = resolve)),
    direct: () => {
      setImmediate(() => {
        tell(['10.0.0.3']);
      });
      return Promise.reject(new Error('no such name'));
    },
    patienceMs: 1,
  });
  assert.deepEqual(await names.addresses('only-in-a-file'), ['10.0.0.3']);
});

test('name servers that are given are asked first, and the system for what they do not know', async () => {
  const asked: string[] = [];
  const names = systemHostNames(['127.0.0.1:8600'], {
    system: (host) => {
      asked.push(host);
      return Promise.resolve(['10.0.0.1']);
    },
    direct: (host) =>
      host === 'zk1.consul' ? Promise.resolve(['10.9.9.9']) : Promise.reject(new Error('no')),
    patienceMs: 1000,
  });
  assert.deepEqual(await names.addresses('zk1.consul'), ['10.9.9.9']);
  assert.deepEqual(await names.addresses('localhost'), ['10.0.0.1']);
  assert.deepEqual(asked, ['localhost']);
});

test('the system’s own reason is told when there is no address', async () => {
  const names = systemHostNames([], {
    system: () => Promise.reject(new Error('getaddrinfo ENOTFOUND zk1')),
    direct: never,
    patienceMs: 1000,
  });
  await assert.rejects(names.addresses('zk1'), /ENOTFOUND zk1/);
});

test('this machine knows itself', async () => {
  const found = await systemHostNames().addresses('localhost');
  assert.ok(found.some((address) => ['127.0.0.1', '::1'].includes(address)));
});
