/**
 * `node build/test/interop/reconfig/main.js [names…]`: one story of reconfigurations, told by
 * ensembles of ours (`zzzzz`), of both kinds in every role of the story (`zzazz` is led by Apache's
 * server 3 first, `aazaa` by ours), and by Apache's 3.9.5 alone (`aaaaa`), which the others are
 * compared with. The initials are those of servers 1 to 5; servers 4 and 5 join. Three initials tell
 * of one server that grows to three, four of zkCli's commands.
 */
import { parseArgs } from 'node:util';
import type { Kind } from '../../cluster/members.js';
import { MissingError } from '../../support/machine.js';
import { requireJava } from '../../support/maven.js';
import { Tally } from '../ensemble/tally.js';
import { commandLines } from './commands.js';
import { growth, reconfigurations } from './story.js';

const oracles: Readonly<Record<number, string>> = { 5: 'aaaaa', 4: 'aaaa', 3: 'aaa' };
const tales = new Map([
  [5, reconfigurations],
  [4, commandLines],
  [3, growth],
]);
const mixes = ['zzzzz', 'zzazz', 'aazaa', 'zazaz', 'zzz', 'zaz', 'aza', 'zzzz'];
const kindOf: Readonly<Record<string, Kind>> = { a: 'apache', z: 'zabra' };

async function tell(name: string, tally: Tally): Promise<readonly string[]> {
  const kinds = Array.from(name).flatMap((initial) => kindOf[initial] ?? []);
  const startedMs = Date.now();
  const lines = (await tales.get(kinds.length)?.(kinds, tally)) ?? [];
  console.log(`${name}: ${lines.length} lines in ${Math.round((Date.now() - startedMs) / 1000)} s`);
  return lines;
}

function differences(found: readonly string[], wanted: readonly string[]): string[] {
  const count = Math.max(found.length, wanted.length);
  return Array.from({ length: count }, (_, i) => i)
    .filter((i) => found[i] !== wanted[i])
    .map((i) => `\n  here   ${found[i] ?? 'nothing'}\n  Apache ${wanted[i] ?? 'nothing'}`);
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { print: { type: 'boolean' }, alone: { type: 'boolean' } },
  });
  const names = positionals.length === 0 ? mixes : positionals;
  const tally = new Tally();
  try {
    await requireJava();
    const told = new Map<string, readonly string[]>();
    for (const name of names) {
      const oracle = oracles[name.length] ?? '';
      if (values.alone !== true && !told.has(oracle)) {
        tally.begin(oracle);
        told.set(oracle, await tell(oracle, tally));
      }
      const wanted = told.get(oracle) ?? null;
      tally.begin(name);
      const found = await tell(name, tally);
      if (values.print === true) for (const line of found) console.log(`  ${line}`);
      if (wanted !== null) tally.none('reads as with Apache', differences(found, wanted));
    }
  } catch (error) {
    if (!(error instanceof MissingError)) throw error;
    console.log(`skipped: ${error.message}`);
  }
  console.log(`${tally.passed} passed, ${tally.failed} failed`);
  return tally.failed > 0 ? 1 : 0;
}

process.exitCode = await main();
