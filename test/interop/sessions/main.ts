/**
 * `node build/test/interop/sessions/main.js [--print]`: local sessions (`localSessionsEnabled`, with and without
 * `localSessionsUpgradingEnabled`) on leader, follower and observer. Apache's servers, ours and mixes of both
 * are asked the same; answers and transaction logs are compared line by line.
 */
import type { Kind } from '../../cluster/members.js';
import { MissingError } from '../../support/machine.js';
import { requireJava } from '../../support/maven.js';
import { Tally } from '../ensemble/tally.js';
import { SessionsScript } from './script.js';

const settings: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'with upgrades': { localSessionsEnabled: 'true', localSessionsUpgradingEnabled: 'true' },
  'without upgrades': { localSessionsEnabled: 'true' },
};

/** The follower, another voter, the leader, the observer. */
const ensembles = ['zzzz', 'zaaz', 'azza'] as const;

function kindsOf(initials: string): Kind[] {
  return initials.split('').map((initial) => (initial === 'a' ? 'apache' : 'zabra'));
}

async function compareAll(
  name: string,
  config: Readonly<Record<string, string>>,
  tally: Tally,
): Promise<void> {
  const run = (initials: string): Promise<readonly string[]> =>
    SessionsScript.run(kindsOf(initials), config);
  // two at a time
  const [theirs, first] = await Promise.all([run('aaaa'), run(ensembles[0])]);
  const others = await Promise.all(ensembles.slice(1).map(run));
  for (const [index, ours] of [first, ...others].entries()) {
    tally.begin(`${name}, ${ensembles[index] ?? ''}`);
    for (let i = 0; i < Math.max(theirs.length, ours.length); i++) {
      tally.check(`line ${i + 1}`, ours[i] ?? '(nothing)', theirs[i] ?? '(nothing)');
    }
  }
  if (process.argv.includes('--print')) console.log(theirs.join('\n'));
}

async function main(): Promise<number> {
  const tally = new Tally();
  let skipped = 0;
  for (const [name, config] of Object.entries(settings)) {
    const startedMs = Date.now();
    try {
      await requireJava();
      await compareAll(name, config, tally);
    } catch (error) {
      if (!(error instanceof MissingError)) throw error;
      skipped++;
      console.log(`skip: ${error.message}`);
    }
    console.log(`${name}: ${((Date.now() - startedMs) / 1000).toFixed(1)} s`);
  }
  console.log(`${tally.passed} passed, ${tally.failed} failed, ${skipped} skipped`);
  return tally.failed === 0 ? 0 : 1;
}

process.exitCode = await main();
