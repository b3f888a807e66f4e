/**
 * `node build/test/interop/ensemble/main.js [--seed N] [--all] [names…]`: ensembles of our servers and
 * Apache's 3.9.5 together, in every mix of leader and followers (`mixes`), and an ensemble of Apache's
 * that becomes ours server by server and goes back again (`rolling`). A mix alone is named by the
 * initials of servers 1, 2 and 3, the leader last: `aaz`. `aaa`, which shows what the tests themselves
 * are worth, runs with `--all` or by its name.
 */
import { parseArgs } from 'node:util';
import type { Kind } from '../../cluster/members.js';
import { MissingError } from '../../support/machine.js';
import { requireJava } from '../../support/maven.js';
import { mix } from './mixes.js';
import { rollingReplacement } from './rolling.js';
import { Tally } from './tally.js';

const kindOf: Readonly<Record<string, Kind>> = { a: 'apache', z: 'zabra' };
const mixes = ['zaz', 'aaz', 'zza', 'zaa', 'zzz'];

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seed: { type: 'string', default: '1' }, all: { type: 'boolean' } },
  });
  const all = values.all === true ? [...mixes, 'aaa'] : mixes;
  const wanted = (positionals.length === 0 ? ['mixes', 'rolling'] : positionals).flatMap((name) =>
    name === 'mixes' ? all : [name],
  );
  const unknown = wanted.filter((name) => name !== 'rolling' && !/^[az]{3}$/.test(name));
  if (unknown.length > 0) {
    console.error(`no ${unknown.join(', ')}; there are: mixes, rolling, ${all.join(', ')}`);
    return 2;
  }
  const tally = new Tally();
  let skipped = 0;
  try {
    await requireJava();
    for (const name of wanted) {
      const startedMs = Date.now();
      const before = tally.passed;
      try {
        if (name === 'rolling') await rollingReplacement(Number(values.seed), tally);
        else
          await mix(
            name.split('').map((initial) => kindOf[initial] ?? 'zabra'),
            tally,
          );
      } catch (error) {
        if (error instanceof MissingError) throw error;
        const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
        tally.none('it comes to its end', [why]);
      }
      const seconds = ((Date.now() - startedMs) / 1000).toFixed(1);
      console.log(`${name}: ${tally.passed - before} checks, ${seconds} s`);
    }
  } catch (error) {
    if (!(error instanceof MissingError)) throw error;
    skipped++;
    console.log(`skip: ${error.message}`);
  }
  console.log(`${tally.passed} passed, ${tally.failed} failed, ${skipped} skipped`);
  return tally.failed === 0 ? 0 : 1;
}

process.exitCode = await main();
