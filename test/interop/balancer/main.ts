/**
 * `node build/test/interop/balancer/main.js [--seed N] [zzz] [aaa] [zaa]`: rolling kills of the servers
 * behind two balancers under load; servers by their initials, ours or Apache's. And, before our own,
 * the load generator: not one disconnection, not one error, whichever server dies. And, before Apache's,
 * a persistent watch whose znodes are listed again (`relist`).
 */
import { parseArgs } from 'node:util';
import type { Kind } from '../../cluster/members.js';
import { MissingError } from '../../support/machine.js';
import { requireJava } from '../../support/maven.js';
import { Tally } from '../ensemble/tally.js';
import { loadUnbroken } from './load.js';
import { relistedAtApache } from './relisting.js';
import { rollingKills } from './rolling.js';

const kindOf: Readonly<Record<string, Kind>> = { a: 'apache', z: 'zabra' };

const scenes: readonly string[] = ['load', 'relist'];

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seed: { type: 'string', default: '1' } },
  });
  const wanted = positionals.length === 0 ? ['load', 'relist', 'zzz', 'aaa', 'zaa'] : positionals;
  const unknown = wanted.filter((name) => !scenes.includes(name) && !/^[az]{3}$/.test(name));
  if (unknown.length > 0) {
    const known = scenes.join(', ');
    console.error(
      `no ${unknown.join(', ')}; there are: ${known}, and servers such as zzz, aaa, zaa`,
    );
    return 2;
  }
  const tally = new Tally();
  let skipped = 0;
  for (const name of wanted) {
    const startedMs = Date.now();
    const before = tally.passed;
    tally.begin(name);
    try {
      await play(name, Number(values.seed), tally);
    } catch (error) {
      if (error instanceof MissingError) {
        skipped++;
        console.log(`skip: ${error.message}`);
        continue;
      }
      const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
      tally.none('it comes to its end', [why]);
    }
    const seconds = ((Date.now() - startedMs) / 1000).toFixed(1);
    console.log(`${name}: ${tally.passed - before} checks, ${seconds} s`);
  }
  console.log(`${tally.passed} passed, ${tally.failed} failed, ${skipped} skipped`);
  return tally.failed === 0 ? 0 : 1;
}

async function play(name: string, seed: number, tally: Tally): Promise<void> {
  if (name === 'load') {
    await loadUnbroken(tally);
    return;
  }
  await requireJava();
  if (name === 'relist') {
    await relistedAtApache(seed, tally);
    return;
  }
  const kinds = name.split('').map((initial) => kindOf[initial] ?? 'zabra');
  await rollingKills(kinds, seed, tally);
}

process.exitCode = await main();
