import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ACLs, type ACL } from '../protocol/records.js';
import { Writer } from '../protocol/writer.js';
import { AclTable, OPEN_ACL_ID, OPEN_SLOT } from './acl-table.js';
import { TreeLoadError } from './errors.js';
import { digestAcl, openAcl } from './kit.js';

function intern(table: AclTable, acl: readonly ACL[]): number {
  const writer = new Writer();
  writer.writeInt(77);
  ACLs.write(writer, acl);
  return table.intern(writer.bytes, 4, writer.pos);
}

function idsOf(table: AclTable): number[] {
  return [...table.entriesUpTo(table.lastId)].map(([id]) => id);
}

test('equal lists share an id, others count up from 1', () => {
  const table = new AclTable();
  const a = intern(table, digestAcl('a'));
  assert.equal(table.idOf(a), 1);
  assert.equal(intern(table, digestAcl('a')), a);
  assert.equal(table.idOf(intern(table, digestAcl('b'))), 2);
  assert.equal(table.idOf(intern(table, openAcl)), 3, 'said outright, the open one is one of them');
  assert.deepEqual(table.get(1), digestAcl('a'));
  assert.deepEqual(table.get(3), openAcl);
  assert.equal(table.size, 3);
});

test('no list at all is the open one, which has no entry', () => {
  const table = new AclTable();
  assert.equal(table.intern(new Uint8Array(0), 0, 0), OPEN_SLOT);
  assert.equal(table.idOf(OPEN_SLOT), OPEN_ACL_ID);
  assert.deepEqual(table.get(-1), openAcl);
  table.release(OPEN_SLOT);
  assert.deepEqual(idsOf(table), []);
});

test('the open list is known for what it is, said outright or not, as long as it is listed', () => {
  const table = new AclTable();
  assert.ok(table.isOpen(OPEN_SLOT));
  const open = intern(table, openAcl);
  assert.ok(table.isOpen(open));
  assert.ok(!table.isOpen(intern(table, digestAcl('a'))));
  table.release(open);
  assert.equal(intern(table, digestAcl('b')), open, 'its place is taken');
  assert.ok(!table.isOpen(open));
  assert.ok(table.isOpen(intern(table, openAcl)));
});

test('an id is never used again', () => {
  const table = new AclTable();
  const a = intern(table, digestAcl('a'));
  intern(table, digestAcl('a'));
  table.release(a);
  assert.equal(intern(table, digestAcl('a')), a, 'still in use once');
  table.release(a);
  table.release(a);
  assert.throws(() => table.get(1), TreeLoadError);
  assert.equal(table.idOf(intern(table, digestAcl('b'))), 2);
  assert.equal(table.idOf(intern(table, digestAcl('a'))), 3);
});

test('while the table is held, nothing disappears', () => {
  const table = new AclTable();
  const a = intern(table, digestAcl('a'));
  const b = intern(table, digestAcl('b'));
  table.hold();
  const { lastId } = table;
  assert.equal(table.countUpTo(lastId), 2);
  const entries = table.entriesUpTo(lastId);
  table.release(a);
  table.release(b);
  table.reclaim(100);
  intern(table, digestAcl('c'));
  assert.deepEqual(
    [...entries].map(([id]) => id),
    [1, 2],
  );
  assert.equal(table.idOf(intern(table, digestAcl('b'))), 2, 'the same list, so the same id');
  table.unhold();
  table.reclaim(100);
  assert.deepEqual(idsOf(table), [2, 3]);
  assert.deepEqual(table.get(2), digestAcl('b'));
});

test('a snapshot keeps its ids, and what is new comes after them', () => {
  const table = new AclTable();
  table.load(7, digestAcl('a'));
  table.load(3, digestAcl('b'));
  const slot = table.retainId(7);
  assert.equal(intern(table, digestAcl('a')), slot);
  table.dropUnused();
  assert.deepEqual(idsOf(table), [7], 'no znode has the other');
  assert.equal(table.idOf(intern(table, digestAcl('c'))), 8);
  assert.throws(() => table.load(7, digestAcl('d')), TreeLoadError);
});

test('an id without a list is missing, and no other list gets it', () => {
  const table = new AclTable();
  table.load(1, digestAcl('a'));
  const slot = table.retainId(2);
  assert.deepEqual(table.missingIds(), [2]);
  assert.throws(() => table.get(2), TreeLoadError);
  assert.throws(() => table.aclsIn(slot), TreeLoadError);
  const b = intern(table, digestAcl('b'));
  assert.equal(table.idOf(b), 3);
  assert.deepEqual(idsOf(table), [1, 3], 'a snapshot does not list it either');
  table.release(slot);
  assert.deepEqual(table.missingIds(), []);
});

test('two ids of one snapshot may have the same list', () => {
  const table = new AclTable();
  table.load(1, digestAcl('a'));
  table.load(2, digestAcl('a'));
  const one = table.retainId(1);
  const two = table.retainId(2);
  assert.equal(intern(table, digestAcl('a')), two);
  table.release(two);
  table.release(two);
  assert.equal(intern(table, digestAcl('a')), one);
  assert.deepEqual(table.get(1), digestAcl('a'));
});

test('many lists, and then none', () => {
  const table = new AclTable();
  const slots = Array.from({ length: 5000 }, (_, i) => intern(table, digestAcl(`user${i}`)));
  assert.equal(table.size, 5000);
  slots.forEach((slot, i) => assert.deepEqual(table.aclsIn(slot), digestAcl(`user${i}`)));
  for (const slot of slots) table.release(slot);
  assert.equal(table.size, 0);
  assert.deepEqual(idsOf(table), []);
});
