import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ensembleMutants } from './mutants.js';
import { autopilotMutants } from './autopilot-mutants.js';
import { oracleMutants } from './oracle-mutants.js';
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

const mutants = [
  ...ensembleMutants,
  ...reconfigMutants,
  ...autopilotMutants,
  ...sessionMutants,
  ...oracleMutants,
];

/** A change of the product moves what a seed does: then another seed near by must find the mutant. */
const seedsMax = 120;

for (const { name, seed, make } of mutants) {
  test(`a mutant is found: ${name}`, async () => {
    const isFound = async (by: number): Promise<boolean> =>
      (await runEnsembleSeed({ seed: by, sabotage: make() })).violation !== null;
    let found = await isFound(seed);
    for (let other = 1; !found && other <= seedsMax; other++) found = await isFound(other);
    assert.ok(found, `by none of ${seedsMax} seeds`);
  });
}
