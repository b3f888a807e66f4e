import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OutlierDetection, outlierDefaults, type OutlierOptions } from './outlier-detection.js';
import { targetsOf } from './targets.fixture.js';
import type { Target } from './target.js';

function detection(options: Partial<OutlierOptions> = {}): {
  readonly outliers: OutlierDetection;
  readonly story: string[];
} {
  const story: string[] = [];
  const outliers = new OutlierDetection({ ...outlierDefaults, ...options }, (target, reason) => {
    story.push(`${target.id} ${reason ?? 'back'}`);
  });
  return { outliers, story };
}

function fail(outliers: OutlierDetection, target: Target, all: Target[], times: number, now = 0) {
  for (let i = 0; i < times; i++) outliers.count(target, false, all, now);
}

test('so many errors in a row eject; a success in between does not count them together', () => {
  const { outliers, story } = detection();
  const all = targetsOf([1, 1, 1]);
  const [first, second] = all;
  fail(outliers, first!, all, 4);
  outliers.count(first!, true, all, 0);
  fail(outliers, first!, all, 4);
  assert.deepEqual(story, []);
  fail(outliers, second!, all, 5);
  assert.deepEqual(story, ['t001 consecutive-errors']);
});

test('each ejection lasts longer than the one before, up to the most; calm makes it short again', () => {
  const { outliers } = detection({ maxEjectionTimeMs: 70_000 });
  const all = targetsOf([1, 1]);
  const [target] = all;
  const lasts: number[] = [];
  let now = 0;
  for (let i = 0; i < 4; i++) {
    fail(outliers, target!, all, 5, now);
    const until = target!.record.ejectedUntilMs!;
    lasts.push(until - now);
    now = until;
    outliers.advance(all, now);
    assert.equal(target!.record.isEjected, false);
    target!.record.ejections = i + 1; // no calm interval in between
  }
  assert.deepEqual(lasts, [30_000, 60_000, 70_000, 70_000]);
  for (let i = 0; i < 6; i++) outliers.advance(all, (now += 10_000));
  fail(outliers, target!, all, 5, now);
  assert.equal(target!.record.ejectedUntilMs! - now, 30_000);
});

test('never more are out than the percentage, but one always may be', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 0, max: 100 }),
      (count, maxEjectionPercent) => {
        const { outliers } = detection({ maxEjectionPercent });
        const all = targetsOf(new Array<number>(count).fill(1));
        for (const target of all) fail(outliers, target, all, 5);
        const out = all.filter(({ record }) => record.isEjected).length;
        assert.equal(out, Math.max(1, Math.floor((count * maxEjectionPercent) / 100)));
      },
    ),
  );
});

test('one whose success rate lies far below the others is ejected at the end of the interval', () => {
  const { outliers, story } = detection({ consecutiveErrors: 1000 });
  const all = targetsOf([1, 1, 1, 1, 1, 1]);
  outliers.advance(all, 0);
  for (let i = 0; i < 200; i++) {
    for (const [index, target] of all.entries()) {
      outliers.count(target, index !== 3 || i % 2 === 0, all, 0);
    }
  }
  outliers.advance(all, 9_999);
  assert.deepEqual(story, []);
  outliers.advance(all, 10_000);
  assert.deepEqual(story, ['t003 success-rate']);
});

test('few hosts or few requests say nothing about success rates', () => {
  const { outliers, story } = detection({ consecutiveErrors: 1000 });
  const all = targetsOf([1, 1, 1, 1]);
  outliers.advance(all, 0);
  for (const target of all) fail(outliers, target, all, target.id === 't000' ? 200 : 0);
  outliers.advance(all, 10_000);
  assert.deepEqual(story, []);
});

test('one that fails nearly always is ejected by its failure percentage', () => {
  const { outliers, story } = detection({
    consecutiveErrors: 1000,
    successRateMinimumHosts: 100,
  });
  const all = targetsOf([1, 1, 1, 1, 1]);
  outliers.advance(all, 0);
  for (let i = 0; i < 60; i++) {
    for (const target of all) outliers.count(target, target.id !== 't002' || i % 10 === 0, all, 0);
  }
  outliers.advance(all, 10_000);
  assert.deepEqual(story, ['t002 failure-percentage']);
});
