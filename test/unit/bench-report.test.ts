import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outstandingBound } from '../../bench/ensemble-rows.js';
import { javaName } from '../../bench/machine-class.js';
import { chooseRows, matrix, type Metric, type Row } from '../../bench/matrix.js';
import { parseOptions } from '../../bench/options.js';
import {
  formatSummary,
  handMark,
  renderReport,
  renderTables,
  type Subject,
} from '../../bench/report.js';
import { describeAim, Results } from '../../bench/results.js';

function rowAndMetric(rowId: string, key: string): [Row, Metric] {
  const row = matrix.find((one) => one.id === rowId);
  const metric = row?.metrics.find((one) => one.key === key);
  assert.ok(row !== undefined && metric !== undefined, `${rowId} ${key}`);
  return [row, metric];
}

function subjectOf(results: Results): Subject {
  return {
    scale: parseOptions([]).scale,
    machine: { computer: '2 cores', filesystem: 'ext4', node: 'v20', java: 'OpenJDK 17' },
    results,
    apacheTitle: 'Apache ZooKeeper 3.9.5',
    missing: [],
  };
}

test('every row of the matrix has a name of its own and figures of its own', () => {
  const ids = matrix.map((row) => row.id);
  assert.equal(new Set(ids).size, ids.length);
  for (const row of matrix) {
    const keys = row.metrics.map((metric) => metric.key);
    assert.equal(new Set(keys).size, keys.length, row.id);
  }
});

test('ratios are of medians, and a bound is reached when it is just met', () => {
  const [row, metric] = rowAndMetric('getData-64x1', 'opsPerSecond');
  const results = new Results();
  for (const value of [90, 100, 1000]) {
    results.add('getData-64x1', 'apache', { opsPerSecond: value });
  }
  for (const value of [150, 10, 151]) {
    results.add('getData-64x1', 'zabra', { opsPerSecond: value });
  }
  assert.equal(results.ratio(row, metric), 1.5);
  assert.deepEqual(results.verdicts(row, metric), [{ aim: '>= 1.5x Apache', isReached: true }]);
  results.add('getData-64x1', 'zabra', { opsPerSecond: 11 });
  assert.equal(results.verdicts(row, metric)[0]?.isReached, false);
});

test('an aim of our own needs no Apache, one beside Apache does', () => {
  const [row, metric] = rowAndMetric('memory', 'growthBytes');
  const results = new Results();
  results.add('memory', 'zabra', { growthBytes: 261 });
  assert.deepEqual(
    results.verdicts(row, metric).map((verdict) => verdict.isReached),
    [false, null],
  );
  assert.equal(describeAim({ kind: 'ratioAtMost', bound: 1 / 3 }, metric), '<= 0.33x Apache');
});

test('a worst is the worst of all values of all rounds, and so is a p95', () => {
  const results = new Results();
  const slow = Array.from({ length: 10 }, (_, at) => 10 + at);
  for (let round = 0; round < 5; round++) {
    results.add('ens-kill', 'zabra', { newMs: round === 3 ? [...slow.slice(1), 201] : slow });
  }
  const [row, median] = rowAndMetric('ens-kill', 'newMs');
  const [, p95] = rowAndMetric('ens-kill', 'newMsP95');
  const [, worst] = rowAndMetric('ens-kill', 'newMsWorst');
  assert.equal(results.value(row, 'zabra', median), 15);
  assert.equal(results.value(row, 'zabra', p95), 19);
  assert.equal(results.value(row, 'zabra', worst), 201);
  assert.deepEqual(results.verdicts(row, median), [{ aim: '<= 80 ms', isReached: true }]);
  assert.deepEqual(results.verdicts(row, worst), [{ aim: '<= 200 ms', isReached: false }]);
  assert.equal(results.ratio(row, worst), null);
  results.add('ens-kill', 'apache', { newMs: [402, 100] });
  assert.equal(results.ratio(row, worst), 0.5);
  const report = renderReport(subjectOf(results), null);
  assert.match(report, /\| new session: worst, ms \| 402 \(of 2\) \| 201 \(of 50\) \| 0\.50 \|/);
  assert.throws(() => {
    results.add('ens-kill', 'zabra', { newMs: [1, Number.NaN] });
  }, /newMs = 1, NaN/);
  assert.throws(() => {
    results.add('ens-kill', 'zabra', { newMsWorst: 1 });
  }, /newMsWorst/);
});

test('what can be outstanding bounds what a slow disk lets through', () => {
  assert.equal(outstandingBound({ flushUs: 100, roundTripUs: 60 }), 64 / 0.00216);
  const [row, metric] = rowAndMetric('ens-fsync-2ms', 'share');
  const results = new Results();
  results.add('ens-fsync-2ms', 'zabra', { share: 90 });
  assert.deepEqual(results.verdicts(row, metric), [{ aim: '>= 90 %', isReached: true }]);
});

test('figures that nobody asked for, or that are none, are refused', () => {
  const results = new Results();
  assert.throws(() => {
    results.add('idle', 'zabra', { rss: 1 });
  }, /idle: rss/);
  assert.throws(() => {
    results.add('idle', 'zabra', { rssMb: Number.NaN });
  }, /NaN/);
  assert.throws(() => {
    results.add('sleep', 'zabra', { rssMb: 1 });
  }, /no row/);
});

test('rows are chosen by part of their names; those of the machine always belong', () => {
  assert.equal(chooseRows([]).size, matrix.length);
  const chosen = chooseRows(['getdata', 'restart']);
  assert.ok(chosen.has('getData-4x64') && chosen.has('restart') && chosen.has('fdatasync'));
  assert.ok(!chosen.has('create-1x1'));
  assert.ok(chooseRows(['create-6']).has('ens-create-64x1'));
  assert.ok(!chooseRows(['create-64x1']).has('ens-create-64x1'));
  assert.throws(() => chooseRows(['nonsense']), /no row nonsense; rows: echo-1x1/);
});

test('options: sizes come with a name and single ones can be changed', () => {
  const whole = parseOptions([]);
  assert.deepEqual(
    [whole.scale.rounds, whole.scale.znodes, whole.isEveryRow],
    [5, 1_000_000, true],
  );
  const some = parseOptions(['create', '--quick', '--rounds', '3', '--seconds', '1.5']);
  assert.deepEqual([some.scale.rounds, some.scale.seconds, some.isEveryRow], [3, 1.5, false]);
  assert.deepEqual(parseOptions(['--zabra', 'node x  server']).zabraCommand, [
    'node',
    'x',
    'server',
  ]);
  assert.throws(() => parseOptions(['--rounds', '1.5']), /whole/);
  assert.throws(() => parseOptions(['--seconds', 'many']), /not a number/);
  assert.throws(() => parseOptions(['--fast']));
});

test('one value stands alone, several show how far they spread', () => {
  assert.equal(
    formatSummary({ median: 1234.5, min: 1, max: 2000, count: 5 }, 0),
    '1,235 (1–2,000)',
  );
  assert.equal(formatSummary({ median: 1.5, min: 1.5, max: 1.5, count: 1 }, 2), '1.50');
  assert.equal(formatSummary(null, 0), '–');
});

test('a report shows what is not reached and keeps what people wrote below it', () => {
  const results = new Results();
  results.add('idle', 'apache', { rssMb: 100 });
  results.add('idle', 'zabra', { rssMb: 91 });
  results.add('fdatasync', 'machine', { p50Us: 50 });
  const fresh = renderReport(subjectOf(results), null);
  assert.match(
    fresh,
    /\| `idle` \| RSS, MB \| 100 \| 91 \| 0\.91 \| <= 90 MB: \*\*not reached\*\* \|/,
  );
  assert.match(fresh, /\| `fdatasync` \| .+ \| p50, us \| 50 \|/);
  assert.doesNotMatch(fresh, /\| `restart` \|/);
  const edited = fresh.slice(0, fresh.indexOf(handMark)) + `${handMark}\n\nThe disk bounds it.\n`;
  results.add('idle', 'zabra', { rssMb: 80 });
  const again = renderReport(subjectOf(results), edited);
  assert.match(again, /The disk bounds it\.\n$/);
  assert.match(again, /<= 90 MB: reached/);
  assert.equal(again.split(handMark).length, 2);
});

test('ensembles have a heading of their own, and a party without a figure a dash', () => {
  const results = new Results();
  results.add('ens-join', 'apache', { inSyncMs: 9000 });
  results.add('ens-join', 'zabra', { inSyncMs: 3000, loopMs: 11 });
  const report = renderReport(subjectOf(results), null);
  assert.doesNotMatch(report, /^### One server$/m);
  assert.match(
    report,
    /^### Three servers as one ensemble\n\n.+\n.+\n\| `ens-join` \| in sync, ms \| 9,000 \| 3,000 \|/m,
  );
  assert.match(report, /event loop, ms \| – \| 11\.0 \| – \| <= 10 ms: \*\*not reached\*\* \|/);
  results.add('idle', 'apache', { rssMb: 100 });
  const both = renderReport(subjectOf(results), null);
  assert.match(both, /### One server\n[^#]+`idle`[^#]+### Three servers/);
});

test('the terminal gets the same tables without markup', () => {
  const results = new Results();
  results.add('idle', 'zabra', { rssMb: 91 });
  const shown = renderTables(subjectOf(results));
  assert.match(shown, /`idle` +RSS, MB +– +91 +– +<= 90 MB: not reached/);
});

test('the name of a Java is its maker and version', () => {
  const said = 'openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment\n';
  assert.equal(javaName(said), 'OpenJDK 17.0.15');
  assert.equal(javaName('nothing of the kind'), 'unknown');
});
