import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recipeMutants } from './mutants.js';
import { recipeCases, runRecipeSeed } from './run.js';

test('every recipe keeps its promises for a seed', async () => {
  for (const { name } of recipeCases) {
    const { violation } = await runRecipeSeed({ seed: 1, only: name, safetyMs: 500 });
    assert.equal(violation, null, name);
  }
});

test('a seed replays to the byte', async () => {
  const first = await runRecipeSeed({ seed: 3, only: 'lock', safetyMs: 500 });
  const second = await runRecipeSeed({ seed: 3, only: 'lock', safetyMs: 500 });
  assert.equal(first.hash, second.hash);
});

test('two that hold one lock are found', async () => {
  const mutant = recipeMutants.find(({ name }) => name.startsWith('does not hear of SUSPENDED'));
  assert.ok(mutant !== undefined);
  const { recipe, seed } = mutant;
  const result = await runRecipeSeed({ seed, only: recipe, sabotage: mutant.make() });
  assert.equal(result.violation?.invariant, 'R2');
});
