import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemberFigures } from './member-figures.js';

test('an election is measured from the search to the role, unavailability to the first client', () => {
  const figures = new MemberFigures(1000);
  const { metrics } = figures.process;
  figures.looking(1010);
  figures.entered('following', 1050);
  figures.serving('following', 1080);
  assert.deepEqual([metrics.lookingCount.value, metrics.electionTime.sum], [1, 40]);
  assert.deepEqual([metrics.unavailableTime.count, metrics.unavailableTime.sum], [1, 80]);
  assert.equal(metrics.followerSyncTime.sum, 30);
  assert.equal(metrics.leaderUnavailableTime.count, 0);

  figures.looking(2000);
  figures.entered('leading', 2005);
  figures.serving('leading', 2020);
  assert.deepEqual([metrics.electionTime.count, metrics.electionTime.max], [2, 40]);
  assert.equal(metrics.leaderUnavailableTime.sum, 20);
  assert.equal(metrics.followerSyncTime.count, 1);
});

test('a search that ends in nothing goes on; a role by hand-over is no election', () => {
  const figures = new MemberFigures(0);
  const { metrics } = figures.process;
  figures.looking(0);
  figures.entered('following', 10);
  figures.looking(20);
  figures.entered('observing', 40);
  figures.serving('observing', 50);
  assert.deepEqual([metrics.lookingCount.value, metrics.electionTime.count], [2, 1]);
  assert.deepEqual([metrics.unavailableTime.count, metrics.unavailableTime.sum], [1, 50]);
  assert.equal(metrics.observerSyncTime.sum, 10);
  figures.entered('leading', 100);
  figures.serving('leading', 108);
  assert.equal(metrics.electionTime.count, 1);
  assert.equal(metrics.leaderUnavailableTime.sum, 8);
});
