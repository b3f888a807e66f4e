import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMembers } from '../config/members.js';
import { observerPlaces } from './observer-places.js';

const reading = readMembers(
  [
    'server.1=a:1:2:participant',
    'server.2=b:1:2:participant',
    'server.3=c:1:2:participant',
    'server.4=d:1:2:observer',
    'version=0',
  ].join('\n'),
);
assert.ok(reading.ok);
const { members } = reading;
const atLeader = [{ host: 'b', port: 1 }];

test('without a port for observers it is the leader', () => {
  assert.deepEqual(observerPlaces(members, 2, atLeader, 0, 0.9), atLeader);
});

test('followers come first, in turn, the leader when none of them has answered', () => {
  const places = observerPlaces(members, 2, atLeader, 9, 0);
  assert.deepEqual(places.slice(0, 3), [
    { host: 'a', port: 9 },
    { host: 'c', port: 9 },
    { host: 'a', port: 9 },
  ]);
  assert.deepEqual(places.at(-1), atLeader[0]);
  assert.ok(!places.some(({ host }) => host === 'd'), 'observers serve nobody');
  assert.deepEqual(observerPlaces(members, 2, atLeader, 9, 0.7)[0], { host: 'c', port: 9 });
});
