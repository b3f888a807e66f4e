/**
 * `node build/test/conformance/main.js apache|standalone|balancer|… [--grep text] [--list]`:
 * one suite, many targets. Exit code 0: every case passed or was skipped for a stated reason.
 */
import { parseArgs } from 'node:util';
import { MissingError } from '../support/machine.js';
import { groups } from './cases/index.js';
import { Runner } from './runner.js';
import { targets } from './targets.js';

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { grep: { type: 'string' }, list: { type: 'boolean' } },
  });
  const grep = values.grep ?? '';
  const all = groups.flatMap((group) => group.cases);
  const isWanted = (one: { group: string; name: string }): boolean =>
    `${one.group} > ${one.name}`.includes(grep);
  if (values.list === true) {
    for (const one of all.filter(isWanted)) {
      const note = one.deviates === undefined ? '' : `  [deviates: ${one.deviates}]`;
      console.log(`${one.group} > ${one.name}${note}`);
    }
    return 0;
  }
  const name = positionals[0] ?? '';
  const target = targets[name];
  if (target === undefined) {
    console.error(`usage: conformance ${Object.keys(targets).join('|')} [--grep text] [--list]`);
    return 2;
  }
  const started = Date.now();
  const runner = new Runner(target, (line) => {
    console.log(line);
  });
  try {
    await runner.run(groups, isWanted);
  } catch (error) {
    if (!(error instanceof MissingError)) throw error;
    console.log(`skipped: ${error.message}`);
    console.log(`0 passed, 0 failed, ${all.filter(isWanted).length} skipped`);
    return 0;
  }
  const { passed, failed, skipped } = runner.tally;
  console.log(`${name}: ${((Date.now() - started) / 1000).toFixed(1)} s`);
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main();
