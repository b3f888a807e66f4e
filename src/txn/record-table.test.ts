import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../base/random.js';
import { ChangeRecord } from './change-record.js';
import { RecordTable } from './record-table.js';

test('it holds what a Map would hold, through growth, collisions and removals', () => {
  const random = new SeededRandom(11);
  const table = new RecordTable();
  const model = new Map<string, ChangeRecord>();
  for (let step = 0; step < 50_000; step++) {
    // grows to some thousands, shrinks to nothing, grows again
    const isGrowing = step % 10_000 < 6000;
    const path = `/n/${random.below(8000)}`;
    const known = model.get(path) ?? null;
    assert.equal(table.get(path), known);
    if (known === null && isGrowing) {
      const record = new ChangeRecord();
      record.path = path;
      model.set(path, record);
      table.add(record);
    } else if (known !== null && !isGrowing) {
      model.delete(path);
      table.remove(known);
      table.remove(known); // a second time changes nothing
    }
    assert.equal(table.size, model.size);
  }
  const seen = new Set<string>();
  table.forEach((record) => seen.add(record.path));
  assert.deepEqual([...seen].sort(), [...model.keys()].sort());
});

test('only the record itself is removed, not another of the same path', () => {
  const table = new RecordTable();
  const [first, second] = [new ChangeRecord(), new ChangeRecord()];
  first.path = second.path = '/same';
  table.add(first);
  table.remove(first);
  table.add(second);
  table.remove(first);
  assert.equal(table.get('/same'), second);
});
