/**
 * `node build/test/interop/kerberos/main.js [logins|refusals|elsewhere …] [--print]`: `gssapi()` with what it is
 * made for: MIT's KDC, the npm package `kerberos` compiled here, and Apache's server with a login file for
 * Kerberos. Apache's Java client logs in beside it, and reads what it wrote.
 */
import { MissingError } from '../../support/machine.js';
import { Tally } from '../ensemble/tally.js';
import { elsewhere } from './elsewhere.js';
import { logins } from './logins.js';
import { refusals } from './refusals.js';
import { Stage } from './stage.js';

const parts = { logins, refusals, elsewhere };

/** What the machine lacks, where it lacks something. */
async function unlessMissing(work: () => Promise<void>): Promise<string | null> {
  try {
    await work();
    return null;
  } catch (error) {
    if (error instanceof MissingError) return error.message;
    throw error;
  }
}

async function main(): Promise<number> {
  const named = process.argv.slice(2).filter((word) => !word.startsWith('--'));
  const tally = new Tally();
  let skipped = 0;
  const skip = (what: string, why: string): void => {
    skipped++;
    console.log(`skip ${what}: ${why}`);
  };
  const missing = await unlessMissing(async () => {
    const stage = await Stage.set();
    try {
      await stage.requirePackage();
      for (const [name, part] of Object.entries(parts)) {
        if (named.length > 0 && !named.includes(name)) continue;
        const startedMs = Date.now();
        tally.begin(name);
        const lacking = await unlessMissing(() => part(stage, tally));
        if (lacking !== null) skip(name, lacking);
        console.log(`${name}: ${((Date.now() - startedMs) / 1000).toFixed(1)} s`);
      }
    } finally {
      await stage.dispose();
    }
  });
  if (missing !== null) skip('Kerberos', missing);
  console.log(`${tally.passed} passed, ${tally.failed} failed, ${skipped} skipped`);
  return tally.failed === 0 ? 0 : 1;
}

process.exitCode = await main();
