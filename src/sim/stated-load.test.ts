import assert from 'node:assert/strict';
import { test } from 'node:test';
import { statedEnsemble } from './ensemble/stated-load.js';
import { runEnsembleSeed } from './ensemble/run.js';
import { runSeed, type RunResult } from './run.js';
import { statedLoad } from './stated-load.js';

const brief = <Drawn>(drawn: Drawn): Drawn => ({ ...drawn, safetyMs: 20_000 });

function checkLoad({ violation, replies, txns, simulatedMs }: RunResult): void {
  assert.equal(violation, null);
  const [answersPerS, txnsPerS] = [replies, txns].map((count) => (1000 * count) / simulatedMs);
  assert.ok(answersPerS! > 180 && answersPerS! < 245, `${answersPerS} answers a second`);
  assert.ok(txnsPerS! > 14 && txnsPerS! < 25, `${txnsPerS} transactions a second`);
}

test('the load at which speed is told is 20 writes and 200 reads a second', async () => {
  checkLoad(await runSeed({ seed: 1, tune: (drawn) => brief(statedLoad(drawn)) }));
});

test('and the same on five servers', async () => {
  checkLoad(
    await runEnsembleSeed({
      seed: 1,
      sabotage: { tune: (drawn) => brief(statedEnsemble(drawn)) },
    }),
  );
});
