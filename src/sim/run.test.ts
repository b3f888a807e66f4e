import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mutants } from './mutants.js';
import { runSeed } from './run.js';

test('twenty seeds keep every promise', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { violation, replies } = await runSeed({ seed });
    assert.equal(violation, null, `seed ${seed}: ${violation?.invariant}: ${violation?.message}`);
    assert.ok(replies > 0, `seed ${seed}: clients were answered`);
  }
});

test('a seed gives the same run twice, whatever ran in between and whoever reads along', async () => {
  const first = await runSeed({ seed: 21 });
  await runSeed({ seed: 22 });
  const lines: string[] = [];
  const second = await runSeed({ seed: 21, sink: (line) => lines.push(line) });
  assert.equal(second.hash, first.hash);
  assert.equal(second.events, first.events);
  assert.ok(lines.length > 100);
  const other = await runSeed({ seed: 23 });
  assert.notEqual(other.hash, first.hash);
});

for (const name of [
  'acknowledges before the flush has ended',
  'an event is lost',
  'sessions expire before their time',
  'directories are not synced',
]) {
  test(`a canary is found: ${name}`, async () => {
    const mutant = mutants.find((one) => one.name === name);
    assert.ok(mutant);
    for (let seed = 1; seed <= 20; seed++) {
      const { violation } = await runSeed({ seed, sabotage: mutant.make() });
      if (violation !== null) return;
    }
    assert.fail('it survived twenty seeds');
  });
}
