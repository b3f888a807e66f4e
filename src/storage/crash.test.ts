// Every write path is crashed at each of its moments, into a sample of the states the disk may be in.
// The long form, with more states and other seeds: node build/test/crash/main.js --minutes N
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explore } from '../sim/crash/explore.js';
import { exploreFaults } from '../sim/crash/faults.js';
import { crashMutants } from '../sim/crash/mutants.js';
import { crashScenarios } from '../sim/crash/scenarios.js';

for (const scenario of crashScenarios) {
  test(`crash: ${scenario.name}`, async () => {
    const found = await explore(scenario, { seed: 1, statesMax: 5, nestedEvery: 60 });
    assert.deepEqual(found.violations, []);
    assert.ok(found.states > 10);
  });
}

for (const name of [
  'append and commit',
  'snapshot while transactions go on',
  'purge',
  'stop and start',
  'following into new epochs',
  'truncate within the last log',
  'truncate to where the snapshot is, with nothing in the logs that stays',
  'the state of a leader that is behind, over transactions that were never committed',
]) {
  test(`a disk that refuses once: ${name}`, async () => {
    const scenario = crashScenarios.find((each) => each.name === name);
    assert.ok(scenario !== undefined);
    const found = await exploreFaults(scenario, { seed: 1, statesMax: 3 });
    assert.deepEqual(found.violations, []);
    assert.ok(found.moments > 20);
  });
}

for (const mutant of crashMutants) {
  test(`the exploration catches: ${mutant.name}`, async () => {
    const scenarios = crashScenarios.filter(({ name }) => mutant.scenarios.includes(name));
    assert.equal(scenarios.length, mutant.scenarios.length);
    for (const scenario of scenarios) {
      const found = await explore(scenario, { seed: 1, statesMax: 16, wrap: mutant.wrap });
      assert.notDeepEqual(found.violations, []);
    }
  });
}
