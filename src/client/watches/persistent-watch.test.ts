import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErrorCode, ZkError } from '../../protocol/errors.js';
import type { WatchOptions, WatchRegistration } from '../types.js';
import { addPersistentWatch } from './persistent-watch.js';
import { FakeHost, FakeTree, type FakeHostOptions } from './watch-host.fixture.js';

interface Scene {
  readonly tree: FakeTree;
  readonly host: FakeHost;
  readonly told: string[];
  readonly added: Promise<WatchRegistration>;
  /** Until nothing moves; then what was told since the last time. */
  readonly rest: () => Promise<string[]>;
}

function scene(options: WatchOptions = {}, server: FakeHostOptions = {}): Scene {
  const tree = new FakeTree();
  tree.create('/r');
  const host = new FakeHost(tree, server);
  const told: string[] = [];
  const added = addPersistentWatch(host, '/r', options, ({ type, path }) => {
    told.push(`${type} ${path}`);
  });
  const rest = async (): Promise<string[]> => {
    host.settle();
    host.reconnect();
    host.settle();
    await Promise.resolve();
    return told.splice(0);
  };
  return { tree, host, told, added, rest };
}

test('every event is told until the watch is removed', async () => {
  const { tree, host, added, rest } = scene({ recursive: true });
  host.settle();
  const registration = await added;
  tree.create('/r/a');
  tree.set('/r');
  tree.delete('/r/a');
  assert.deepEqual(await rest(), ['created /r/a', 'changed /r', 'deleted /r/a']);
  await registration.remove();
  await registration.remove();
  assert.equal(host.book.size, 0);
  tree.set('/r');
  assert.deepEqual(await rest(), []);
});

test('a reconnect is told as a gap, before the events of the new connection', async () => {
  const { tree, host, added, rest } = scene();
  host.settle();
  await added;
  host.drop();
  tree.set('/r');
  host.reconnect();
  tree.create('/r/a');
  assert.deepEqual(await rest(), ['gap /r', 'children /r']);
  host.expire();
  assert.deepEqual(await rest(), ['gap /r']);
  tree.set('/r');
  assert.deepEqual(await rest(), ['changed /r']);
});

test('where the server knows no persistent watches it is done by reading', async () => {
  const { tree, added, rest } = scene({ recursive: true }, { isOld: true, hidesZxids: true });
  assert.deepEqual(await rest(), []);
  const registration = await added;
  tree.create('/r/a');
  await rest().then((told) => assert.deepEqual(told, ['created /r/a']));
  tree.set('/r/a');
  tree.set('/r/a');
  assert.deepEqual(await rest(), ['changed /r/a']);
  tree.delete('/r/a');
  tree.delete('/r');
  assert.deepEqual(await rest(), ['deleted /r/a', 'deleted /r']);
  await registration.remove();
  tree.create('/r');
  assert.deepEqual(await rest(), []);
});

test('a session that comes to an older server, and on to a newer one, is watched there', async () => {
  const { tree, host, added, rest } = scene();
  host.settle();
  await added;
  host.isOld = true;
  host.drop();
  assert.deepEqual(await rest(), ['gap /r']);
  tree.set('/r');
  assert.deepEqual(await rest(), ['changed /r']);
  tree.create('/r/a');
  assert.deepEqual(await rest(), ['children /r']);
  host.isOld = false;
  host.hasPersistentWatches = true;
  host.drop();
  tree.set('/r');
  assert.deepEqual(await rest(), ['changed /r']);
});

test('a watch that a server dropped is asked for again on the next that knows it', async () => {
  const { tree, host, added, rest } = scene();
  host.settle();
  await added;
  host.book.dropPersistent();
  host.drop();
  assert.deepEqual(await rest(), ['gap /r']);
  tree.set('/r');
  assert.deepEqual(await rest(), ['changed /r']);
});

test('an abort before the answer rejects, and leaves no watch behind', async () => {
  const controller = new AbortController();
  const { tree, host, added, rest } = scene({ signal: controller.signal });
  host.serve();
  controller.abort(new Error('enough'));
  await assert.rejects(added, /enough/);
  tree.set('/r');
  assert.deepEqual(await rest(), []);
  assert.equal(host.book.size, 0);
  await assert.rejects(scene({ signal: AbortSignal.abort(new Error('before')) }).added, /before/);
});

test('a refusal, or the loss of the connection, is the outcome of the call', async () => {
  const { tree, host, added, rest } = scene();
  host.serve();
  host.drop();
  await assert.rejects(
    added,
    (error) => error instanceof ZkError && error.code === ErrorCode.connectionLoss,
  );
  tree.set('/r');
  assert.deepEqual(await rest(), []);
});
