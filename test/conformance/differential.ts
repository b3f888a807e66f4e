/**
 * `node build/test/conformance/differential.js [--targets apache,standalone] [--seed N] [--scripts N]`:
 * random scripts on two servers at once, whose answers must be the same. A difference is shrunk to a
 * short script and printed with the lines that differ and the seed that made it.
 */
import { parseArgs } from 'node:util';
import { MissingError } from '../support/machine.js';
import type { ServerProcess } from '../support/server-process.js';
import { Execution } from './differential/execute.js';
import { SeededRandom } from './differential/random.js';
import { printed, randomScript, type Script } from './differential/script.js';
import { shrink } from './differential/shrink.js';
import { group } from './suite.js';
import { targets } from './targets.js';

/** Nothing may happen by itself: no collection of containers, no expiry of sessions. */
const { server: options } = group(
  'differential',
  {
    config: { tickTime: '2000', maxSessionTimeout: '60000', forceSync: 'no' },
    properties: {
      'zookeeper.forceSync': 'no',
      'znode.container.checkIntervalMs': '100000000',
    },
  },
  () => undefined,
);

interface Difference {
  readonly line: number;
  readonly transcripts: readonly (readonly string[])[];
}

class Comparison {
  readonly #servers: readonly ServerProcess[];
  #runs = 0;

  constructor(servers: readonly ServerProcess[]) {
    this.#servers = servers;
  }

  async run(script: Script): Promise<Difference | null> {
    this.#runs += 1;
    const base = `/run-${this.#runs}`;
    const transcripts = await Promise.all(
      this.#servers.map(async (server) => new Execution(server, base).run(script)),
    );
    const [one = [], other = []] = transcripts;
    const length = Math.max(one.length, other.length);
    for (let line = 0; line < length; line += 1) {
      if (one[line] !== other[line]) return { line, transcripts };
    }
    return null;
  }
}

function report(names: readonly string[], seed: number, script: Script, found: Difference): void {
  console.log(`DIFFERENCE, seed ${seed}:\n${printed(script)}`);
  const from = Math.max(0, found.line - 4);
  for (const [index, transcript] of found.transcripts.entries()) {
    console.log(`-- ${names[index] ?? ''}`);
    for (const line of transcript.slice(from, found.line + 3)) console.log(`   ${line}`);
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      targets: { type: 'string', default: 'apache,standalone' },
      seed: { type: 'string' },
      scripts: { type: 'string', default: '200' },
    },
  });
  const names = values.targets.split(',');
  const chosen = names.map((name) => targets[name]);
  const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
  const count = Number(values.scripts);
  let servers: ServerProcess[] = [];
  let different = 0;
  try {
    for (const target of chosen) {
      if (target === undefined) throw new Error(`targets are ${Object.keys(targets).join(', ')}`);
      servers.push(await target.start(options));
    }
    const comparison = new Comparison(servers);
    for (let index = 0; index < count && different < 5; index += 1) {
      const script = randomScript(new SeededRandom(seed + index));
      const first = await comparison.run(script);
      if (first === null) continue;
      different += 1;
      const short = await shrink(script, async (one) => (await comparison.run(one)) !== null);
      const found = await comparison.run(short);
      if (found === null) {
        console.log('the next one is a matter of timing: it did not differ again');
        report(names, seed + index, script, first);
      }
      if (found !== null) report(names, seed + index, short, found);
    }
  } catch (error) {
    if (!(error instanceof MissingError)) throw error;
    console.log(`0 equal, 0 different, ${count} skipped: ${error.message}`);
    return 0;
  } finally {
    await Promise.all(servers.map(async (server) => server.dispose()));
    servers = [];
  }
  console.log(`differential ${names.join(' and ')}: ${count} scripts from seed ${seed}`);
  console.log(`${count - different} equal, ${different} different`);
  return different === 0 ? 0 : 1;
}

process.exitCode = await main();
