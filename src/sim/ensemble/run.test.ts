import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ensembleMutants } from './mutants.js';
import { reconfigMutants } from './reconfig-mutants.js';
import { runEnsembleSeed } from './run.js';
import { sessionMutants } from './session-mutants.js';

test('fifteen seeds keep every promise', async () => {
  let txns = 0;
  for (let seed = 1; seed <= 15; seed++) {
    const result = await runEnsembleSeed({ seed });
    const { violation } = result;
    assert.equal(violation, null, `seed ${seed}: ${violation?.invariant}: ${violation?.message}`);
    txns += result.txns;
  }
  assert.ok(txns > 100, 'clients were served');
});

test('a seed gives the same run twice, whatever ran in between and whoever reads along', async () => {
  const first = await runEnsembleSeed({ seed: 6 });
  await runEnsembleSeed({ seed: 7 });
  const lines: string[] = [];
  const second = await runEnsembleSeed({ seed: 6, sink: (line) => lines.push(line) });
  assert.equal(second.hash, first.hash);
  assert.equal(second.events, first.events);
  assert.ok(lines.length > 100);
});

for (const { name, seed, make } of [...ensembleMutants, ...reconfigMutants, ...sessionMutants]) {
  test(`a mutant is found: ${name}`, async () => {
    const { violation } = await runEnsembleSeed({ seed, sabotage: make() });
    assert.notEqual(violation, null);
  });
}
