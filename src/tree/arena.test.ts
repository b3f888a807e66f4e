import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../base/random.js';
import { Arena, SLOT_BYTES_MAX } from './arena.js';

function fill(arena: Arena, ref: number, length: number, value: number): void {
  const at = arena.offsetOf(ref);
  arena.pageOf(ref).fill(value, at, at + length);
}

function holds(arena: Arena, ref: number, length: number, value: number): boolean {
  const at = arena.offsetOf(ref);
  return arena
    .pageOf(ref)
    .subarray(at, at + length)
    .every((byte) => byte === value);
}

test('slots never overlap, whatever comes and goes', () => {
  const arena = new Arena();
  const random = new SeededRandom(7);
  const slots: { ref: number; length: number; value: number }[] = [];
  for (let i = 0; i < 30_000; i++) {
    if (slots.length > 0 && random.chance(0.45)) {
      const [slot] = slots.splice(random.below(slots.length), 1);
      assert.ok(slot !== undefined);
      assert.ok(holds(arena, slot.ref, slot.length, slot.value), `slot ${i}`);
      arena.free(slot.ref);
      continue;
    }
    const length = random.chance(0.02) ? random.below(SLOT_BYTES_MAX + 1) : random.below(400);
    const slot = { ref: arena.allocate(length), length, value: i & 0xff };
    fill(arena, slot.ref, length, slot.value);
    slots.push(slot);
  }
  for (const { ref, length, value } of slots) assert.ok(holds(arena, ref, length, value));
});

test('every length finds a slot of its size, and only that size is a fit', () => {
  const arena = new Arena();
  for (let length = 1; length <= 2048; length++) {
    const ref = arena.allocate(length);
    assert.ok(arena.fits(ref, length));
    assert.ok(!arena.fits(ref, 2 * length + 8), 'twice as much is another size');
    if (length > 16) assert.ok(!arena.fits(ref, Math.floor(length / 2)), 'half as much, too');
    assert.ok(arena.offsetOf(ref) + length <= arena.pageOf(ref).length);
    arena.free(ref);
  }
  assert.throws(() => arena.allocate(SLOT_BYTES_MAX + 1));
});

test('pages that were emptied serve other sizes', () => {
  const arena = new Arena();
  const round = (length: number): void => {
    const refs = Array.from({ length: 20_000 }, () => arena.allocate(length));
    refs.forEach((ref) => arena.free(ref));
  };
  round(100);
  const pages = arena.pageCount;
  for (let length = 200; length <= 2000; length += 200) round(length);
  const largest = Math.ceil((20_000 * 2000) / (256 * 1024)) + 16;
  assert.ok(arena.pageCount < pages + largest, `${arena.pageCount} pages`);
  round(100);
  assert.equal(arena.pageCount, 16, 'a few are kept');
});

test('a slot that comes and goes at the edge of a page does not open pages', () => {
  const arena = new Arena();
  const first = arena.allocate(SLOT_BYTES_MAX);
  const pages = arena.pageCount;
  for (let i = 0; i < 1000; i++) arena.free(arena.allocate(SLOT_BYTES_MAX));
  arena.free(first);
  for (let i = 0; i < 1000; i++) arena.free(arena.allocate(SLOT_BYTES_MAX));
  assert.equal(arena.pageCount, pages);
});
