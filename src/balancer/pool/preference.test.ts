import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ServerMode } from '../../protocol/four-letter-words.js';
import { preferredRanks } from './roles.js';
import { ZONE_DISTANCE_MAX, zoneDistance } from './zones.js';

const modes: readonly (readonly [string, ServerMode])[] = [
  ['a', 'leader'],
  ['b', 'follower'],
  ['c', 'follower'],
  ['d', 'observer'],
  ['e', 'observer'],
];
const servers = modes.map(([id, mode]) => ({ id, mode }));

test('preferred roles are of rank 0, and the next role is when too few of them are fit', () => {
  const ranksOf = (fit: string): string =>
    [...preferredRanks(servers, new Set(fit), 'observers-first').values()].join('');
  assert.equal(ranksOf('abcde'), '21100');
  assert.equal(ranksOf('abcd'), '20000');
  assert.equal(ranksOf('ad'), '00000');
  assert.equal(ranksOf('d'), '21100');
  const spared = preferredRanks(servers, new Set('abc'), 'spare-leader');
  assert.deepEqual([...spared.values()], [1, 0, 0, 0, 0]);
  assert.ok([...preferredRanks(servers, new Set('a'), 'any').values()].every((rank) => rank === 0));
});

test('how far a server is follows from what the zones have in common', () => {
  assert.equal(zoneDistance('', 'eu'), 0);
  assert.equal(zoneDistance('eu/west/r7', 'eu/west/r7'), 0);
  assert.equal(zoneDistance('eu/west/r7', 'eu/west/r8'), 1);
  assert.equal(zoneDistance('eu/west/r7', 'eu/east/r7'), 2);
  assert.equal(zoneDistance('eu/west/r7', 'us/west/r7'), 3);
  assert.equal(zoneDistance('eu', 'eu/west'), 0);
  assert.equal(zoneDistance('eu/west', 'eu'), 1);
  assert.equal(zoneDistance('eu', null), 1);
  assert.equal(zoneDistance('a/b/c/d/e', 'f'), ZONE_DISTANCE_MAX);
});
