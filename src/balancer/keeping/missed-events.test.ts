import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventType } from '../../protocol/events.js';
import { missedEvents, type LiveEvent, type Seen, type TwoLooks } from './missed-events.js';

const BASE = 100n;
const UNTIL = 200n;
const { nodeCreated, nodeDeleted, nodeDataChanged, nodeChildrenChanged } = EventType;

/** czxid, mzxid, pzxid, version, children; what is not given is as when it was created. */
function node(czxid: bigint, mzxid = czxid, pzxid = czxid, version = 0, numChildren = 0): Seen {
  return { czxid, mzxid, pzxid, version, numChildren };
}

interface Given {
  readonly before?: readonly string[];
  readonly seen?: Readonly<Record<string, Seen>>;
  readonly live?: Readonly<Record<string, LiveEvent>>;
  readonly listening?: readonly string[];
  readonly told?: readonly string[];
}

/** `type@path`, with the zxid where there is one. */
function missed({ before = [], seen = {}, live = {}, listening = [], told = [] }: Given): string[] {
  const left = [...told];
  const looks: TwoLooks = {
    ...{ base: BASE, until: UNTIL },
    wasThere: (path) => before.includes(path),
    seen: new Map(Object.entries(seen)),
    live: new Map(Object.entries(live)),
    hearsChildren: (path) => listening.includes(path),
    takeTold: (zxid, key) => {
      const at = left.indexOf(`${zxid} ${key}`);
      if (at >= 0) left.splice(at, 1);
      return at >= 0;
    },
  };
  return missedEvents(looks).map(({ type, path, zxid }) =>
    zxid < 0n ? `${type}@${path}` : `${type}@${path} ${zxid}`,
  );
}

void test('what is as it was is not told', () => {
  const seen = { '/a': node(50n, 60n, 70n, 2, 1), '/a/b': node(100n) };
  assert.deepEqual(missed({ before: ['/a', '/a/b'], seen, listening: ['/a', '/a/b'] }), []);
});

void test('what is dated later than what was told, up to when the server watches', () => {
  const seen = { '/a': node(50n, 101n, 200n, 3, 1), '/b': node(50n, 201n, 202n, 3, 1) };
  assert.deepEqual(missed({ before: ['/a', '/b'], seen, listening: ['/a', '/b'] }), [
    `${nodeDataChanged}@/a 101`,
    `${nodeChildrenChanged}@/a 200`,
  ]);
});

void test('a znode that came with its data and its children', () => {
  const seen = { '/a': node(110n, 120n, 130n, 1, 1) };
  assert.deepEqual(missed({ seen, listening: ['/a'] }), [
    `${nodeCreated}@/a 110`,
    `${nodeDataChanged}@/a 120`,
    `${nodeChildrenChanged}@/a 130`,
  ]);
  // all of it in one transaction
  const together = { '/a': node(110n, 110n, 110n, 1, 1) };
  assert.deepEqual(missed({ seen: together, listening: ['/a'] }), [
    `${nodeCreated}@/a 110`,
    `${nodeDataChanged}@/a 110`,
    `${nodeChildrenChanged}@/a 110`,
  ]);
});

void test('a deletion is told where its parent says that it can have been', () => {
  const before = ['/', '/a', '/a/b', '/a/b/c', '/x'];
  const seen = {
    ...{ '/': node(0n, 0n, 150n), '/a': node(50n, 60n, 120n), '/x': node(50n, 130n, 50n, 1) },
    ...({ '/a/b': 'gone', '/a/b/c': 'gone', '/y': node(150n) } as const),
  };
  assert.deepEqual(missed({ before, seen }), [
    `${nodeDeleted}@/a/b/c`,
    `${nodeDeleted}@/a/b`,
    `${nodeDataChanged}@/x 130`,
    `${nodeCreated}@/y 150`,
  ]);
});

void test('nothing outlives its parent, whatever is there now', () => {
  const before = ['/a', '/a/b', '/a/b/c', '/a/d'];
  const seen = {
    ...{ '/a': node(110n, 110n, 180n, 0, 1), '/a/b': node(120n, 120n, 170n, 0, 1) },
    ...({ '/a/b/c': node(170n), '/a/d': 'gone' } as const),
  };
  assert.deepEqual(missed({ before, seen }), [
    ...[`${nodeDeleted}@/a/d`, `${nodeDeleted}@/a/b/c`, `${nodeDeleted}@/a/b`, `${nodeDeleted}@/a`],
    ...[`${nodeCreated}@/a 110`, `${nodeCreated}@/a/b 120`, `${nodeCreated}@/a/b/c 170`],
  ]);
});

void test('what the server tells by itself is not told twice', () => {
  const before = ['/changed', '/went', '/again'];
  const seen = {
    ...({ '/changed': node(50n, 210n, 50n, 2), '/went': 'gone', '/came': node(210n) } as const),
    ...{ '/again': node(212n) },
  };
  const live = {
    '/changed': { type: nodeDataChanged, zxid: 210n },
    '/went': { type: nodeDeleted, zxid: 211n },
    '/came': { type: nodeCreated, zxid: 210n },
    '/again': { type: nodeDeleted, zxid: 211n },
  };
  assert.deepEqual(missed({ before, seen, live }), []);
});

void test('what it begins with implies what was missed', () => {
  const live = {
    '/new': { type: nodeDeleted, zxid: 210n },
    '/newer': { type: nodeDataChanged, zxid: 211n },
    '/old': { type: nodeCreated, zxid: 212n },
  };
  const seen = { '/new': 'gone', '/newer': node(150n, 211n, 150n, 1), '/old': node(212n) } as const;
  assert.deepEqual(missed({ before: ['/old'], seen, live }), [
    `${nodeCreated}@/newer 150`,
    `${nodeDeleted}@/old`,
    `${nodeCreated}@/new`,
  ]);
});

void test('one that it tells of and that was not listed was there, or came', () => {
  const live = {
    '/a/gone': { type: nodeDeleted, zxid: 205n },
    '/a/came': { type: nodeCreated, zxid: 206n },
  };
  assert.deepEqual(missed({ live }), [`${nodeCreated}@/a/gone`]);
});

void test('watches that are set in several parts: a path counts from its own first event', () => {
  const seen = { '/a': node(190n, 195n, 190n, 1), '/b': node(50n, 190n, 50n, 3) };
  const live = {
    '/a': { type: nodeDeleted, zxid: 180n },
    '/b': { type: nodeDataChanged, zxid: 170n },
  };
  assert.deepEqual(missed({ before: ['/a', '/b'], seen, live }), []);
});

void test('a transaction of which a part was told', () => {
  const seen = {
    ...{ '/a': node(101n, 101n, 101n, 1), '/b': node(50n, 101n, 101n, 2, 1), '/c': node(101n) },
  };
  const told = [`101 ${nodeCreated} /a`, `101 ${nodeDataChanged} /b`];
  assert.deepEqual(missed({ before: ['/a', '/b'], seen, told, listening: ['/b'] }), [
    `${nodeCreated}@/c 101`,
    `${nodeDataChanged}@/a 101`,
    `${nodeChildrenChanged}@/b 101`,
  ]);
});

void test('what cannot be read is not told, nor what could not be before', () => {
  const seen = { '/hidden': 'hidden', '/shown': node(50n, 60n, 50n, 1) } as const;
  assert.deepEqual(missed({ before: ['/hidden'], seen }), []);
});
