import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ensembleMutants } from '../mutants.js';
import { runEnsembleSeed } from '../run.js';
import { playScenario, scenarios } from './index.js';
import { sceneryOf } from './world.js';

for (const scenario of scenarios) {
  test(`${scenario.name}: every promise is kept`, async () => {
    const { violation, txns } = await playScenario(scenario, 1, null);
    assert.equal(violation, null, `${violation?.invariant}: ${violation?.message}`);
    assert.ok(txns > 20, 'clients were served');
  });
}

/** Bugs put back in, and the stories that bring them to light. */
const revealing: readonly (readonly [mutant: string, scenario: string])[] = [
  ['a wiped voter votes', 'wiped-voter'],
  ['a wiped voter votes', 'wiped-in-the-middle'],
  ['a learner keeps what it is told to cut off', 'Z3'],
];

for (const [mutant, name] of revealing) {
  test(`${name} finds the mutant: ${mutant}`, async () => {
    const scenario = scenarios.find((one) => one.name === name);
    const sabotage = ensembleMutants.find((one) => one.name === mutant)?.make();
    assert.ok(scenario !== undefined && sabotage !== undefined);
    const { violation } = await runEnsembleSeed({
      seed: 1,
      sabotage: {
        ...sceneryOf(scenario),
        patch: () => sabotage.patch?.() ?? ((): void => undefined),
      },
      script: scenario.script,
    });
    assert.notEqual(violation, null);
  });
}
