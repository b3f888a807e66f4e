import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErrorCode, ZkError } from '../../protocol/errors.js';
import type { StreamOptions, WatchEvent } from '../types.js';
import { FakeHost, FakeTree } from './watch-host.fixture.js';
import { WatchStream } from './watch-stream.js';

function start(options: StreamOptions = {}): {
  tree: FakeTree;
  host: FakeHost;
  stream: WatchStream;
} {
  const tree = new FakeTree();
  tree.create('/r');
  const host = new FakeHost(tree);
  return { tree, host, stream: new WatchStream(host, '/r', options) };
}

function line({ type, path, zxid }: WatchEvent): string {
  return `${type} ${path} ${zxid ?? ''}`.trim();
}

async function take(stream: WatchStream, count: number): Promise<string[]> {
  const lines: string[] = [];
  for (let i = 0; i < count; i++) {
    const { value } = await stream.next();
    lines.push(value === undefined ? 'done' : line(value));
  }
  return lines;
}

test('events are told in order, to calls made before and after them', async () => {
  const { tree, host, stream } = start();
  const early = [stream.next(), stream.next()];
  host.settle();
  tree.set('/r');
  tree.create('/r/a');
  tree.set('/r');
  host.settle();
  const told = await Promise.all(early);
  assert.deepEqual(
    told.map(({ value }) => (value === undefined ? '' : line(value))),
    ['changed /r 102', 'children /r 103'],
  );
  assert.deepEqual(await take(stream, 1), ['changed /r 104']);
  assert.equal(stream[Symbol.asyncIterator](), stream);
});

test('with initial, the beginning is told as well', async () => {
  const { tree, host, stream } = start({ recursive: true, initial: true });
  tree.create('/r/a');
  host.settle();
  tree.delete('/r/a');
  host.settle();
  assert.deepEqual(await take(stream, 3), [
    'created /r 101',
    'created /r/a 102',
    'deleted /r/a 103',
  ]);
});

test('leaving the loop takes the watch off and ends the stream', async () => {
  const { tree, host, stream } = start();
  host.settle();
  tree.set('/r');
  tree.set('/r');
  host.settle();
  for await (const event of stream) {
    assert.equal(line(event), 'changed /r 102');
    break;
  }
  assert.equal(host.book.size, 0);
  assert.deepEqual(await stream.next(), { done: true, value: undefined });
  tree.set('/r');
  host.settle();
  assert.deepEqual(await stream.next(), { done: true, value: undefined });
});

test('who waits when the stream is left is told that it is over', async () => {
  const { host, stream } = start();
  host.settle();
  const waiting = [stream.next(), stream.next()];
  await stream[Symbol.asyncDispose]();
  assert.deepEqual(
    (await Promise.all(waiting)).map(({ done }) => done),
    [true, true],
  );
});

test('an aborted signal ends it with its reason, once', async () => {
  const reason = new Error('enough');
  const controller = new AbortController();
  const { tree, host, stream } = start({ signal: controller.signal });
  host.settle();
  tree.set('/r');
  host.settle();
  controller.abort(reason);
  await assert.rejects(stream.next(), reason);
  assert.equal((await stream.next()).done, true);
  assert.equal(host.book.size, 0);

  const { stream: dead, host: other } = start({ signal: AbortSignal.abort(reason) });
  await assert.rejects(dead.next(), reason);
  other.settle();
  assert.equal(other.book.size, 0);
});

test('a waiting call is rejected by the abort', async () => {
  const controller = new AbortController();
  const { host, stream } = start({ signal: controller.signal });
  host.settle();
  const waiting = stream.next();
  const next = stream.next();
  controller.abort(new Error('enough'));
  await assert.rejects(waiting, /enough/);
  assert.equal((await next).done, true);
});

test('when the client is closed it is over; when its session is over for good it says so', async () => {
  const closed = start();
  closed.host.settle();
  closed.tree.set('/r');
  closed.host.settle();
  closed.host.close();
  assert.deepEqual(await take(closed.stream, 2), ['changed /r 102', 'done']);

  const lost = start();
  lost.host.settle();
  lost.host.expire();
  lost.host.close();
  await assert.rejects(
    lost.stream.next(),
    (error) => error instanceof ZkError && error.code === ErrorCode.sessionExpired,
  );
  assert.equal((await new WatchStream(lost.host, '/r').next()).done, true);
});

test('what the server refuses is told after what was heard before', async () => {
  const tree = new FakeTree();
  const host = new FakeHost(tree);
  host.addServerWatch = (_path, _isRecursive, _watcher, answer) => {
    host.clock.soon(() => answer(new ZkError(ErrorCode.noAuth, '/r')));
  };
  const stream = new WatchStream(host, '/r', { initial: true });
  host.settle();
  await assert.rejects(stream.next(), (error) => error instanceof ZkError && error.path === '/r');
  assert.equal((await stream.next()).done, true);
});

test('a reader who sleeps finds what it comes to, not everything that happened', async () => {
  const { tree, host, stream } = start({ recursive: true, bufferedMax: 10 });
  host.settle();
  for (let i = 0; i < 1000; i++) {
    tree.set('/r');
    tree.create('/r/passing');
    tree.delete('/r/passing');
    host.settle();
  }
  tree.create('/r/a');
  host.settle();
  const told: string[] = [];
  for await (const event of stream) {
    told.push(line(event));
    if (event.path === '/r/a') break;
  }
  assert.ok(told.length <= 11, `${told.length} events`);
});

test('a gap is closed without the reader noticing more than the difference', async () => {
  const { tree, host, stream } = start({ recursive: true });
  tree.create('/r/a');
  host.settle();
  host.drop();
  tree.create('/r/b');
  tree.set('/r/a');
  tree.set('/r/a');
  host.expire();
  host.reconnect();
  host.settle();
  tree.delete('/r/b');
  host.settle();
  assert.deepEqual(await take(stream, 3), [
    'created /r/b 103',
    'changed /r/a 105',
    'deleted /r/b 106',
  ]);
});
