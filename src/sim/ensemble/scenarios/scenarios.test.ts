import assert from 'node:assert/strict';
import { test } from 'node:test';
import { playScenario, scenarios } from './index.js';

for (const scenario of scenarios) {
  test(`${scenario.name}: every promise is kept`, async () => {
    const { violation, txns } = await playScenario(scenario, 1, null);
    assert.equal(violation, null, `${violation?.invariant}: ${violation?.message}`);
    assert.ok(txns > 20, 'clients were served');
  });
}
