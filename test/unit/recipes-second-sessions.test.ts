/**
 * A client may give its session up while the servers still keep it: what the old session has made
 * stands beside what the new one makes. Nothing may be counted twice then.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { NodeExistsError, type Client, type ZkClient } from 'zabra/client';
import { DoubleBarrier, GroupMembership, WaitTimeoutError } from 'zabra/recipes';
import { RecipeBench } from '../support/recipe-bench.js';

let bench: RecipeBench;

before(async () => {
  bench = await RecipeBench.start();
});
after(() => bench[Symbol.asyncDispose]());

/** One client to its recipe, with the session of `first`, and from `change` on that of `second`. */
function inTwoSessions(first: Client, second: Client): { client: ZkClient; change(): void } {
  let now = first;
  const listeners = new Set<() => void>();
  const client = new Proxy<ZkClient>(first, {
    get(_target, name) {
      if (name === 'on')
        return (event: string, listener: () => void) => {
          if (event !== 'session') return () => undefined;
          listeners.add(listener);
          return () => listeners.delete(listener);
        };
      const value: unknown = Reflect.get(now, name, now);
      return typeof value === 'function'
        ? (value as (...args: unknown[]) => unknown).bind(now)
        : value;
    },
  });
  return {
    client,
    change() {
      now = second;
      for (const listener of [...listeners]) listener();
    },
  };
}

describe('double barrier', () => {
  it('counts nobody twice whose old session has not ended yet', async () => {
    const zk = await bench.connect();
    const changing = inTwoSessions(await bench.connect(), await bench.connect());
    const own = new DoubleBarrier(changing.client, '/double/twice', { size: 2 });
    const entering = own.enter();
    let isIn = false;
    entering.then(
      () => (isIn = true),
      () => undefined,
    );
    const members = () => bench.children('/double/twice');
    await bench.until(async () => (await members()).length === 1);
    const [old = ''] = await members();
    changing.change();
    await bench.until(async () => (await members()).some((name) => name !== old));
    await bench.settle();
    assert.equal(isIn, false, 'alone, and in');
    assert.equal((await members()).includes(old), false);
    const other = new DoubleBarrier(zk, '/double/twice', { size: 2 });
    await Promise.all([entering, other.enter()]);
    await Promise.all([own.leave(), other.leave()]);
    assert.deepEqual(await members(), []);
  });

  it('asks what is there now before it believes that all are', async () => {
    const zk = await bench.connect();
    const path = '/double/behind';
    await zk.create(`${path}/ready`, '', { makePath: true });
    let isBehind = true;
    const behind = new Proxy<ZkClient>(zk, {
      get(target, name) {
        if (name === 'sync') isBehind = false;
        if (name === 'getChildren' && isBehind)
          return async (...args: Parameters<ZkClient['getChildren']>) => {
            const read = await target.getChildren(...args);
            return { ...read, children: [...read.children, 'somebody'] };
          };
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function'
          ? (value as (...args: unknown[]) => unknown).bind(target)
          : value;
      },
    });
    const barrier = new DoubleBarrier(behind, path, { size: 2 });
    await assert.rejects(barrier.enter({ timeoutMs: 50 }), WaitTimeoutError);
  });
});

describe('group membership', () => {
  it('is joined although what was made goes before it is written again', async () => {
    const zk = await bench.connect();
    const steps: string[] = [];
    const client = new Proxy<ZkClient>(zk, {
      get(target, name) {
        if (name === 'create' && !steps.includes('made'))
          return async (...args: Parameters<ZkClient['create']>) => {
            const { path } = await target.create(...args);
            steps.push('made');
            // as one finds it who did not hear the answer, and tries again
            throw new NodeExistsError(path);
          };
        if (name === 'setData' && !steps.includes('gone'))
          return async (...args: Parameters<ZkClient['setData']>) => {
            steps.push('gone');
            await target.delete(args[0]);
            return await target.setData(...args);
          };
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function'
          ? (value as (...args: unknown[]) => unknown).bind(target)
          : value;
      },
    });
    await zk.create('/group');
    const group = new GroupMembership(client, '/group', { id: 'a' });
    await group.join();
    assert.deepEqual(steps, ['made', 'gone']);
    assert.deepEqual(await bench.children('/group'), ['a']);
    await group.leave();
  });
});
