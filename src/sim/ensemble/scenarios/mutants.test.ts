import assert from 'node:assert/strict';
import { test } from 'node:test';
import { playScenario, scenarios } from './index.js';
import { scenarioMutants } from './mutants.js';

/** Some depend on who is faster by a hair. */
const seeds = [1, 2, 3];

for (const scenario of scenarios) {
  for (const name of scenario.kills ?? []) {
    test(`${scenario.name} finds the mutant: ${name}`, async () => {
      const mutant = scenarioMutants.find((one) => one.name === name);
      assert.ok(mutant !== undefined, 'there is one of that name');
      for (const seed of seeds) {
        const { violation } = await playScenario(scenario, seed, null, mutant.make());
        if (violation !== null) return;
      }
      assert.fail('it survives');
    });
  }
}
