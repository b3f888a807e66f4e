import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ErrorCode } from '../../protocol/errors.js';
import { EventType, WatcherType } from '../../protocol/events.js';
import { OpCode } from '../../protocol/opcodes.js';
import { SetWatches2 } from '../../protocol/records.js';
import { Writer } from '../../protocol/writer.js';
import type { WatchEvent, Watcher } from '../types.js';
import { WatchBook, type WatchList } from './watch-book.js';

const { nodeCreated, nodeDeleted, nodeDataChanged, nodeChildrenChanged } = EventType;

/** Who was told what: `name type path`. */
function bookWithLog(): { book: WatchBook; log: string[]; watcher: (name: string) => Watcher } {
  const log: string[] = [];
  return {
    book: new WatchBook(),
    log,
    watcher: (name) => (event) => log.push(`${name} ${event.type} ${event.path}`),
  };
}

test('each event spends the one-shot watches that it fires, and no others', () => {
  const lists = ['data', 'exist', 'child'] as const;
  const fired: readonly (readonly [number, readonly string[]])[] = [
    [nodeCreated, ['data', 'exist']],
    [nodeDataChanged, ['data', 'exist']],
    [nodeChildrenChanged, ['child']],
    [nodeDeleted, ['data', 'exist', 'child']],
  ];
  for (const [type, wanted] of fired) {
    const { book, log, watcher } = bookWithLog();
    for (const list of lists) book.add(list, '/a', watcher(list));
    assert.equal(book.dispatch(type, '/a', 7n), wanted.length);
    assert.deepEqual(
      log.map((line) => line.split(' ')[0]),
      wanted,
    );
    assert.equal(book.size, lists.length - wanted.length);
    assert.equal(book.dispatch(type, '/a', 8n), 0, 'they were spent');
  }
});

test('persistent watchers hear all of their path, recursive ones all below but no children', () => {
  const { book, log, watcher } = bookWithLog();
  book.add('persistent', '/a', watcher('p'));
  book.add('recursive', '/a', watcher('r'));
  book.add('recursive', '/', watcher('top'));
  for (const type of [nodeCreated, nodeDataChanged, nodeChildrenChanged, nodeDeleted]) {
    book.dispatch(type, '/a', 7n);
  }
  book.dispatch(nodeCreated, '/a/b/c', 8n);
  book.dispatch(nodeChildrenChanged, '/a/b', 8n);
  book.dispatch(nodeCreated, '/ab', 9n);
  book.dispatch(nodeDataChanged, '/', 10n);
  assert.deepEqual(log, [
    ...['p created /a', 'r created /a', 'top created /a'],
    ...['p changed /a', 'r changed /a', 'top changed /a'],
    'p children /a',
    ...['p deleted /a', 'r deleted /a', 'top deleted /a'],
    ...['r created /a/b/c', 'top created /a/b/c'],
    'top created /ab',
    'top changed /',
  ]);
});

test('a watcher in several lists is told once, a watcher of two roots once for each', () => {
  const { book, log, watcher } = bookWithLog();
  const one = watcher('one');
  book.add('data', '/app/x', one, 0);
  book.add('child', '/app/x', one, 0);
  book.add('persistent', '/app/x', one, 0);
  book.add('persistent', '/app/x', one, 4);
  book.dispatch(nodeDeleted, '/app/x', 1n);
  assert.deepEqual(log, ['one deleted /app/x', 'one deleted /x']);
});

test('the root of a handle is cut off, the whole of it is "/"', () => {
  const { book, log, watcher } = bookWithLog();
  book.add('data', '/app', watcher('a'), 4);
  book.add('recursive', '/app', watcher('b'), 4);
  book.dispatch(nodeDataChanged, '/app', 1n);
  book.dispatch(nodeDataChanged, '/app/x/y', 2n);
  assert.deepEqual(log, ['a changed /', 'b changed /', 'b changed /x/y']);
});

test('the zxid is told where the server tells one', () => {
  const events: WatchEvent[] = [];
  const book = new WatchBook((_watcher, event) => events.push(event));
  book.add('persistent', '/a', () => undefined);
  book.dispatch(nodeDataChanged, '/a', 5n);
  book.dispatch(nodeDataChanged, '/a', -1n);
  assert.deepEqual(events, [
    { type: 'changed', path: '/a', zxid: 5n },
    { type: 'changed', path: '/a' },
  ]);
});

test('a read that failed leaves no watcher, but exists of what is not there waits for it', () => {
  const { book, log, watcher } = bookWithLog();
  assert.equal(book.addByRead('getData', ErrorCode.noNode, '/a', watcher('no')), false);
  assert.equal(book.addByRead('exists', ErrorCode.noAuth, '/a', watcher('no')), false);
  assert.equal(book.addByRead('exists', ErrorCode.noNode, '/a', watcher('exist')), true);
  assert.equal(book.addByRead('getData', ErrorCode.ok, '/a', watcher('data')), true);
  assert.equal(book.addByRead('getChildren', ErrorCode.ok, '/a', watcher('child')), true);
  assert.ok(book.has('/a', 'children'));
  assert.equal(book.size, 3);
  book.dispatch(nodeCreated, '/a', 1n);
  assert.deepEqual(log, ['data created /a', 'exist created /a']);
});

test('who watches again while being told is told of the next event, not of this one', () => {
  const book = new WatchBook();
  let told = 0;
  const again = (): void => {
    told++;
    book.add('data', '/a', again);
    book.add('persistent', '/a', later);
  };
  let late = 0;
  const later = (): void => {
    late++;
  };
  book.add('data', '/a', again);
  book.dispatch(nodeDataChanged, '/a', 1n);
  assert.deepEqual([told, late], [1, 0]);
  book.dispatch(nodeDataChanged, '/a', 2n);
  assert.deepEqual([told, late], [2, 1]);
});

test('an error of a watcher does not keep others from being told', (t) => {
  const { book, log, watcher } = bookWithLog();
  const thrown: (() => void)[] = [];
  t.mock.method(globalThis, 'queueMicrotask', (run: () => void) => thrown.push(run));
  book.add('data', '/a', () => {
    throw new Error('mine');
  });
  book.add('data', '/a', watcher('next'));
  book.dispatch(nodeDataChanged, '/a', 1n);
  assert.deepEqual(log, ['next changed /a']);
  assert.throws(() => thrown[0]?.(), /mine/);
});

test('what nobody waits for, and what is no event, is dropped', () => {
  const { book, log, watcher } = bookWithLog();
  book.add('recursive', '/', watcher('r'));
  for (const type of [-1, 0, 5, 6, 7, 99]) assert.equal(book.dispatch(type, '/a', 1n), 0);
  assert.equal(book.dispatch(nodeCreated, '', 1n), 0);
  assert.equal(book.dispatch(nodeCreated, 'a', 1n), 0);
  assert.deepEqual(log, []);
});

test('watches are removed by kind, of one watcher or of all, save for those that are kept', () => {
  const { book, log, watcher } = bookWithLog();
  const [a, b, own] = [watcher('a'), watcher('b'), watcher('own')];
  book.keep(own);
  for (const one of [a, b, own]) book.add('data', '/a', one);
  book.add('exist', '/a', a);
  book.add('child', '/a', a);
  book.add('persistent', '/a', a);
  assert.equal(book.remove('/a', 'data', watcher('stranger')), false);
  assert.equal(book.remove('/a', 'data', a), true);
  assert.equal(book.remove('/a', 'data', a), false);
  assert.equal(book.remove('/a', 'data'), true);
  assert.ok(book.has('/a', 'data', own));
  assert.equal(book.remove('/a', 'data'), false);
  assert.equal(book.remove('/a', 'data', own), true);
  assert.equal(book.remove('/a', 'any'), true);
  assert.equal(book.size, 0);
  assert.deepEqual(log, []);
});

test('the server is asked to remove only what nobody else needs', () => {
  const { book, watcher } = bookWithLog();
  assert.equal(book.serverRemoval('/a', 'data'), WatcherType.data);
  book.add('exist', '/a', watcher('x'));
  assert.equal(book.serverRemoval('/a', 'data'), null);
  assert.equal(book.serverRemoval('/a', 'children'), WatcherType.children);
  assert.equal(book.serverRemoval('/a', 'any'), null);
  assert.equal(book.serverRemoval('/a', 'persistent'), WatcherType.persistent);
  assert.equal(book.serverRemoval('/a', 'persistent', false), null, 'any would take the other too');
  assert.equal(book.serverRemoval('/b', 'persistent', false), WatcherType.any);
  const arrived = book.expect('recursive', '/b');
  assert.equal(book.serverRemoval('/b', 'persistent-recursive'), null, 'one is on its way');
  arrived();
  arrived();
  assert.equal(book.serverRemoval('/b', 'persistent-recursive'), WatcherType.persistentRecursive);
});

test('watches are set again in packets of at most 128 KiB, each path once and in its list', () => {
  const lists = ['data', 'exist', 'child', 'persistent', 'recursive'] as const;
  const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 });
  const entry = fc.tuple(fc.constantFrom(...lists), name, fc.integer({ min: 0, max: 30_000 }));
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 40, size: 'max' }), (entries) => {
      const book = new WatchBook();
      const wanted = new Set<string>();
      for (const [list, part, length] of entries) {
        const path = `/${part}${'x'.repeat(length)}`;
        book.add(list, path, () => undefined);
        wanted.add(`${list} ${path}`);
      }
      const packets = book.registrations(5n);
      const found: string[] = [];
      for (const { op, request } of packets) {
        assert.equal(request.relativeZxid, 5n);
        assert.equal(op, book.hasPersistent ? OpCode.setWatches2 : OpCode.setWatches);
        const writer = new Writer();
        const { persistentWatches = [], persistentRecursiveWatches = [] } =
          request as Partial<SetWatches2>;
        const { dataWatches, existWatches, childWatches } = request;
        const all = [dataWatches, existWatches, childWatches];
        all.push(persistentWatches, persistentRecursiveWatches);
        SetWatches2.write(writer, {
          ...{ relativeZxid: 5n, dataWatches, existWatches, childWatches },
          ...{ persistentWatches, persistentRecursiveWatches },
        });
        assert.ok(writer.pos <= 128 * 1024 + 28, 'and the zxid and five counts');
        for (const [i, list] of lists.entries()) {
          for (const path of all[i] ?? []) found.push(`${list} ${path}`);
        }
      }
      assert.equal(found.length, wanted.size);
      assert.deepEqual(new Set(found), wanted);
    }),
    { numRuns: 50 },
  );
});

test('servers before 3.6 are sent the form that they know, as long as it says everything', () => {
  const { book, watcher } = bookWithLog();
  assert.deepEqual(book.registrations(1n), []);
  book.add('data', '/a', watcher('a'));
  assert.deepEqual(
    book.registrations(1n).map(({ op }) => op),
    [OpCode.setWatches],
  );
  book.add('persistent', '/a', watcher('a'));
  assert.deepEqual(
    book.registrations(1n).map(({ op }) => op),
    [OpCode.setWatches2],
  );
  book.dropPersistent();
  assert.deepEqual(
    book.registrations(1n).map(({ op }) => op),
    [OpCode.setWatches],
  );
});

test('when the session is over one-shot watchers are told so, once, and persistent ones stay', () => {
  const { book, log, watcher } = bookWithLog();
  const one = watcher('one');
  book.add('data', '/app/a', one, 4);
  book.add('child', '/app/a', one, 4);
  book.add('exist', '/app/b', watcher('two'), 4);
  book.add('persistent', '/app/a', watcher('p'), 4);
  book.lost();
  assert.deepEqual(log, ['one gap /a', 'two gap /b']);
  assert.equal(book.size, 1);
  book.lost();
  assert.equal(log.length, 2);
  book.dropPersistent();
  assert.deepEqual(log.slice(2), ['p gap /a']);
  assert.equal(book.size, 0);
});

test('a book agrees with a list of watches searched from end to end', () => {
  const paths = ['/', '/a', '/a/b', '/a/b/c', '/ab'];
  const lists: readonly WatchList[] = ['data', 'exist', 'child', 'persistent', 'recursive'];
  const types = [nodeCreated, nodeDeleted, nodeDataChanged, nodeChildrenChanged];
  const step = fc.oneof(
    fc.record({
      list: fc.constantFrom(...lists),
      path: fc.constantFrom(...paths),
      who: fc.integer({ min: 0, max: 3 }),
    }),
    fc.record({ type: fc.constantFrom(...types), path: fc.constantFrom(...paths) }),
  );
  const isFired = (list: WatchList, at: string, type: number, path: string): boolean => {
    const isBelow = at === path || at === '/' || path.startsWith(`${at}/`);
    if (list === 'recursive') return isBelow && type !== nodeChildrenChanged;
    if (at !== path) return false;
    if (list === 'persistent') return true;
    if (list === 'child') return type === nodeChildrenChanged || type === nodeDeleted;
    return type !== nodeChildrenChanged;
  };
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const told: string[] = [];
      const watchers = [0, 1, 2, 3].map((who): Watcher => (event) => {
        told.push(`${who} ${event.type} ${event.path}`);
      });
      const book = new WatchBook();
      let model: { list: WatchList; path: string; who: number }[] = [];
      for (const one of steps) {
        if ('list' in one) {
          book.add(one.list, one.path, watchers[one.who] ?? (() => undefined));
          model.push(one);
          continue;
        }
        const due = model.filter(({ list, path }) => isFired(list, path, one.type, one.path));
        const wanted = new Set(due.map(({ who }) => who));
        model = model.filter(
          (entry) => !due.includes(entry) || ['persistent', 'recursive'].includes(entry.list),
        );
        told.length = 0;
        assert.equal(book.dispatch(one.type, one.path, 1n), wanted.size);
        assert.deepEqual(new Set(told.map((line) => Number(line.split(' ')[0]))), wanted);
        assert.equal(told.length, wanted.size);
      }
    }),
  );
});
