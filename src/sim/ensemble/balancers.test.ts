import assert from 'node:assert/strict';
import { test } from 'node:test';
import { balancerMutants } from './balancer-mutants.js';
import { runEnsembleSeed } from './run.js';

test('behind balancers eight seeds keep every promise', async () => {
  const hits = new Map<string, number>();
  for (let seed = 1; seed <= 8; seed++) {
    const result = await runEnsembleSeed({ seed, hasBalancers: true });
    const { violation } = result;
    assert.equal(violation, null, `seed ${seed}: ${violation?.invariant}: ${violation?.message}`);
    for (const [name, count] of result.hits) hits.set(name, (hits.get(name) ?? 0) + count);
  }
  for (const what of ['masked', 'moved', 'gentle runs']) {
    assert.ok((hits.get(`balancers: ${what}`) ?? 0) > 0, what);
  }
});

test('with balancers, too, a seed gives the same run twice', async () => {
  const first = await runEnsembleSeed({ seed: 2, hasBalancers: true });
  const second = await runEnsembleSeed({ seed: 2, hasBalancers: true });
  assert.equal(second.hash, first.hash);
  assert.equal(second.events, first.events);
});

/** A change of the product moves what a seed does: then another seed near by must find the mutant. */
const seedsMax = 60;

for (const { name, seed, make } of balancerMutants) {
  test(`a mutant is found: ${name}`, async () => {
    const isFound = async (by: number): Promise<boolean> =>
      (await runEnsembleSeed({ seed: by, sabotage: make() })).violation !== null;
    let found = await isFound(seed);
    for (let other = 1; !found && other <= seedsMax; other++) found = await isFound(other);
    assert.ok(found, `by none of ${seedsMax} seeds`);
  });
}
