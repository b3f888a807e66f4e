import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Delivered } from './delivered.js';

const EPOCH = 1n << 32n;

void test('after a reply everything up to its zxid has been told', () => {
  const delivered = new Delivered();
  delivered.onReply(1, 7);
  assert.equal(delivered.base, EPOCH + 7n);
  assert.equal(delivered.toSkip(), null);
});

void test('after an event there may be more of its transaction', () => {
  const delivered = new Delivered();
  delivered.onReply(1, 7);
  delivered.onEvent(1, 9, 'a');
  assert.equal(delivered.zxid, EPOCH + 9n);
  assert.equal(delivered.base, EPOCH + 8n);
  delivered.onEvent(1, 9, 'a');
  delivered.onEvent(1, 9, 'b');
  const skipped = delivered.toSkip();
  assert.deepEqual(
    ['a', 'b', 'a', 'a', 'b'].map((key) => skipped?.takes(1, 9, key)),
    [true, true, true, false, false],
  );
  assert.equal(skipped?.takes(1, 10, 'a'), false);
});

void test('a reply with the events’ zxid settles it, an older one does not', () => {
  const delivered = new Delivered();
  delivered.onEvent(1, 9, 'a');
  delivered.onReply(1, 8);
  assert.equal(delivered.base, EPOCH + 8n);
  delivered.onReply(1, 9);
  assert.equal(delivered.base, EPOCH + 9n);
  assert.equal(delivered.toSkip(), null);
  delivered.onEvent(1, 9, 'late');
  assert.equal(delivered.base, EPOCH + 9n);
});

void test('the first event of an epoch is after the last of the one before', () => {
  const delivered = new Delivered();
  delivered.onReply(1, 0xffff_ffff);
  delivered.onEvent(2, 1, 'a');
  assert.equal(delivered.base, 2n * EPOCH);
});

void test('events without a zxid say nothing, and older ones neither', () => {
  const delivered = new Delivered();
  delivered.start(EPOCH + 5n);
  delivered.onEvent(-1, 0xffff_ffff, 'a');
  delivered.onEvent(1, 3, 'a');
  assert.equal(delivered.base, EPOCH + 5n);
  delivered.start(-1n);
  assert.equal(delivered.zxid, EPOCH + 5n);
});
