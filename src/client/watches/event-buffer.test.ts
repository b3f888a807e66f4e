import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parentOf } from '../../protocol/paths.js';
import type { WatchEvent } from '../types.js';
import { EventBuffer } from './event-buffer.js';

const paths = ['/r', '/r/a', '/r/b', '/r/a/c', '/r/a/d', '/r/b/c'];

/** A set of paths with the number of changes of each, folded over events that must be possible. */
class Fold {
  readonly there = new Map<string, number>([['/', 0]]);

  take({ type, path }: WatchEvent): void {
    const count = this.there.get(path);
    if (type === 'created') {
      assert.equal(count, undefined, `${path} is there`);
      assert.ok(this.there.has(parentOf(path)), `the parent of ${path} is not there`);
      this.there.set(path, 0);
    } else {
      assert.ok(count !== undefined, `${path} is not there: ${type}`);
      if (type === 'changed') this.there.set(path, count + 1);
      if (type !== 'deleted') return;
      const children = [...this.there.keys()].filter((one) => parentOf(one) === path);
      assert.deepEqual(children, [], `${path} has children`);
      this.there.delete(path);
    }
  }
}

/** Turns wishes into events that can happen one after the other. */
function possible(wishes: readonly WatchEvent[]): WatchEvent[] {
  const fold = new Fold();
  return wishes.filter((event) => {
    try {
      fold.take(event);
      return true;
    } catch {
      return false;
    }
  });
}

const wish = fc.record({
  type: fc.constantFrom<WatchEvent['type']>('created', 'deleted', 'changed', 'children'),
  path: fc.constantFrom(...paths),
});

test('up to its limit a buffer is a queue', () => {
  fc.assert(
    fc.property(fc.array(wish, { maxLength: 100, size: 'max' }), (events) => {
      const buffer = new EventBuffer(100);
      for (const event of events) buffer.push(event);
      const out: WatchEvent[] = [];
      for (let one = buffer.shift(); one !== undefined; one = buffer.shift()) out.push(one);
      assert.deepEqual(out, events);
      assert.equal(buffer.size, 0);
    }),
  );
});

test('merged events are possible, come to the same, and are few', () => {
  const wishes = fc.array(wish, { maxLength: 300, size: 'max' });
  const pauses = fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(wishes, pauses, fc.integer({ min: 0, max: 10 }), (all, pace, keptMax) => {
      const events = possible(all);
      const buffer = new EventBuffer(keptMax);
      const reader = new Fold();
      const truth = new Fold();
      const untold = new Set<string>();
      let step = 0;
      let wait = pace[0] ?? 0;
      const take = (): void => {
        const event = buffer.shift();
        if (event === undefined) return;
        reader.take(event);
        if (event.type !== 'children') untold.delete(event.path);
      };
      for (const event of events) {
        buffer.push(event);
        truth.take(event);
        if (event.type === 'changed') untold.add(event.path);
        if (event.type === 'deleted') untold.delete(event.path);
        assert.ok(buffer.size <= Math.max(keptMax, 6 * paths.length));
        if (wait-- > 0) continue;
        wait = pace[++step % pace.length] ?? 0;
        take();
      }
      while (buffer.size > 0) take();
      assert.deepEqual([...reader.there.keys()].sort(), [...truth.there.keys()].sort());
      assert.deepEqual([...untold], [], 'no change goes without a word after it');
    }),
  );
});

test('a znode made anew is still told as gone and come, a passing one not at all', () => {
  const buffer = new EventBuffer(3);
  const events: WatchEvent[] = [
    { type: 'changed', path: '/kept', zxid: 1n },
    { type: 'deleted', path: '/anew', zxid: 2n },
    { type: 'created', path: '/passing', zxid: 3n },
    { type: 'created', path: '/anew', zxid: 4n },
    { type: 'changed', path: '/kept', zxid: 5n },
    { type: 'deleted', path: '/passing', zxid: 6n },
    { type: 'gap', path: '/' },
    { type: 'changed', path: '/anew', zxid: 7n },
    { type: 'changed', path: '/kept', zxid: 8n },
  ];
  for (const event of events) buffer.push(event);
  const out: string[] = [];
  for (let one = buffer.shift(); one !== undefined; one = buffer.shift()) {
    out.push(`${one.type} ${one.path} ${one.zxid ?? ''}`.trim());
  }
  assert.deepEqual(out, ['deleted /anew 2', 'created /anew 4', 'gap /', 'changed /kept 8']);
});
