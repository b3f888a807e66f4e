import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SummaryFamily } from './metric.js';
import { NamespaceFigures } from './namespace-figures.js';

function counted(paths: readonly (readonly [path: string, beside: number])[]): unknown {
  const family = new SummaryFamily('read_per_namespace');
  const figures = new NamespaceFigures(family);
  for (const [path, beside] of paths) {
    const bytes = new TextEncoder().encode(`..${path}..`);
    figures.add(bytes, 2, bytes.length - 2, beside);
  }
  const entries = [...family.entries()].filter(([name]) => /^(cnt|sum)_/.test(name));
  return Object.fromEntries(entries);
}

test('the first element of a path is its namespace; the root has none', () => {
  const seen = counted([
    ['/a', 10],
    ['/a/b/c', 1],
    ['/', 5],
    ['/b/a', 0],
    ['/a', 0],
  ]);
  assert.deepEqual(seen, {
    cnt_a_read_per_namespace: 3,
    sum_a_read_per_namespace: 2 + 10 + 6 + 1 + 2,
    cnt_b_read_per_namespace: 1,
    sum_b_read_per_namespace: 4,
  });
});

test('more namespaces than are remembered are told apart all the same', () => {
  const paths = Array.from({ length: 900 }, (_, index) => [`/n${index % 450}/x`, 0] as const);
  const seen = counted(paths) as Record<string, number>;
  assert.equal(Object.keys(seen).length, 2 * 450);
  for (let index = 0; index < 450; index++)
    assert.equal(seen[`cnt_n${index}_read_per_namespace`], 2);
});

test('namespaces beyond the family’s limit are not counted, and the others go on', () => {
  const paths = Array.from({ length: 1100 }, (_, index) => [`/n${index}`, 0] as const);
  const seen = counted([...paths, ['/n3', 0]]) as Record<string, number>;
  assert.equal(Object.keys(seen).length, 2 * 1000);
  assert.equal(seen['cnt_n3_read_per_namespace'], 2);
});
