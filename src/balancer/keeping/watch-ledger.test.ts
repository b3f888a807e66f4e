import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../base/random.js';
import { EventType } from '../../protocol/events.js';
import { FakeWatches, type FakeKind } from './fake-watches.fixture.js';
import { WatchBit, WatchLedger } from './watch-ledger.js';

const kinds: readonly FakeKind[] = ['data', 'exist', 'child', 'persistent', 'recursive'];

void test('it holds what a server holds, whatever is added, told and removed', () => {
  const random = new SeededRandom(3);
  const ledger = new WatchLedger();
  const server = new FakeWatches();
  for (let step = 0; step < 5000; step++) {
    const path = random.pick(['/', '/a', '/a/b', '/c']);
    switch (random.below(3)) {
      case 0: {
        const kind = random.pick(kinds);
        ledger.add(path, WatchBit[kind]);
        server.add(kind, path);
        break;
      }
      case 1: {
        const type = random.between(1, 4);
        // a client is told only what its watches waited for
        if (server.fire({ type, path })) ledger.onEvent(type, path);
        break;
      }
      default: {
        const type = random.between(1, 5);
        if (server.remove(path, type)) ledger.remove(path, type);
      }
    }
    assert.equal(ledger.size, server.size);
    assert.equal(ledger.isEmpty, server.size === 0);
  }
});

void test('which watches last', () => {
  const ledger = new WatchLedger();
  ledger.add('/a', WatchBit.data);
  assert.equal(ledger.hasLasting, false);
  ledger.add('/a', WatchBit.persistent);
  ledger.add('/a', WatchBit.recursive);
  ledger.remove('/a', 4);
  assert.equal(ledger.hasLasting, true);
  ledger.onEvent(EventType.persistentWatchRemoved, '/a');
  assert.equal(ledger.hasLasting, false);
  assert.equal(ledger.size, 1);
});

void test('a path is listed once for each kind, in parts that fit', () => {
  const ledger = new WatchLedger();
  ledger.add('/a', WatchBit.data | WatchBit.child);
  ledger.add('/b', WatchBit.exist);
  ledger.add('/c', WatchBit.recursive);
  assert.deepEqual(ledger.batches(), [
    { data: ['/a'], exist: ['/b'], child: ['/a'], persistent: [], recursive: ['/c'] },
  ]);
  const long = '/x'.repeat(50_000);
  for (const end of ['1', '2', '3']) ledger.add(`${long}${end}`, WatchBit.data);
  assert.equal(ledger.batches().length, 3);
  assert.deepEqual(new WatchLedger().batches(), []);
});
