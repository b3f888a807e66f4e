/**
 * `node build/test/conformance/cross-load.js [--writers apache,standalone] [--readers
 * apache,standalone] [--seed N] [--rounds N]`: one server writes a data directory under random load
 * and is killed, more than once; then each reader starts on a copy of its own. Trees, stats, ACLs,
 * ephemerals and digests must be the same, for plain, gzip and snappy snapshots.
 */
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { MissingError, temporaryDirectory } from '../support/machine.js';
import type { ConnectReply } from '../support/raw-client.js';
import type { ServerOptions, ServerProcess } from '../support/server-process.js';
import { differences, pictureOf, type Picture } from './cross-load/dump.js';
import { Load } from './cross-load/load.js';
import { SeededRandom } from './differential/random.js';
import { group, type Target } from './suite.js';
import { targets } from './targets.js';

const compressions = ['', 'gz', 'snappy'] as const;
type Compression = (typeof compressions)[number];

/** Few txns to a snapshot, nothing that happens by itself, sessions that outlive the run. */
function optionsFor(compression: Compression, dataDir: string): ServerOptions {
  const { server } = group(
    'cross-load',
    {
      config: { tickTime: '3000', maxSessionTimeout: '60000' },
      properties: {
        'zookeeper.snapCount': '300',
        'znode.container.checkIntervalMs': '100000000',
        'zookeeper.snapshot.compression.method': compression === '' ? null : compression,
      },
    },
    () => undefined,
  );
  return { ...server, dataDir };
}

interface Written {
  /** The highest zxid that was answered before the last kill. */
  readonly answered: bigint;
  readonly snapshots: readonly string[];
  readonly sessions: readonly ConnectReply[];
}

async function write(
  target: Target,
  compression: Compression,
  dataDir: string,
  random: SeededRandom,
): Promise<Written> {
  const load = new Load(random);
  let server: ServerProcess = await target.start(optionsFor(compression, dataDir));
  let answered = 0n;
  const lives = random.between(2, 3);
  for (let life = 1; life <= lives; life += 1) {
    await load.attach(server);
    await load.run(random.between(4, 25));
    await sleep(random.below(20));
    await server.kill('SIGKILL');
    const seen = await load.highestAnswered();
    if (seen > answered) answered = seen;
    if (life < lives) server = await server.startAgain();
  }
  await server.dispose();
  const files = readdirSync(join(dataDir, 'version-2'));
  const snapshots = files.filter((name) => name.startsWith('snapshot.'));
  return { answered, snapshots, sessions: load.clients.map((client) => client.session) };
}

async function read(
  target: Target,
  compression: Compression,
  source: string,
  sessions: readonly ConnectReply[],
): Promise<Picture> {
  const dataDir = temporaryDirectory('copy');
  cpSync(source, dataDir, { recursive: true });
  const server = await target.start(optionsFor(compression, dataDir));
  try {
    return await pictureOf(server, sessions);
  } finally {
    await server.dispose();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

function chosen(list: string): Target[] {
  return list.split(',').map((name) => {
    const target = targets[name];
    if (target === undefined) throw new Error(`targets are ${Object.keys(targets).join(', ')}`);
    return target;
  });
}

interface Tally {
  passed: number;
  failed: number;
}

async function round(
  writer: Target,
  readers: readonly Target[],
  compression: Compression,
  seed: number,
  tally: Tally,
): Promise<void> {
  const name = `${writer.name}, ${compression === '' ? 'plain' : compression}, seed ${seed}`;
  const dataDir = temporaryDirectory('written');
  try {
    const written = await write(writer, compression, dataDir, new SeededRandom(seed));
    const pictures: Picture[] = [];
    for (const reader of readers) {
      pictures.push(await read(reader, compression, dataDir, written.sessions));
    }
    const [first] = pictures;
    if (first === undefined) return;
    const problems = pictures.slice(1).flatMap((other) => differences(first, other));
    if (first.zxid < written.answered) {
      problems.push(`answered up to ${written.answered}, but loaded only up to ${first.zxid}`);
    }
    const suffix = compression === '' ? /^snapshot\.[0-9a-f]+$/ : new RegExp(`\\.${compression}$`);
    if (!written.snapshots.some((file) => suffix.test(file))) {
      problems.push(`no such snapshot among ${written.snapshots.join(' ')}`);
    }
    if (problems.length === 0) {
      tally.passed += 1;
      console.log(
        `ok   ${name}: ${first.znodes.size} znodes, ${first.ephemerals.length} owners of ` +
          `ephemerals, ${first.digests.size} digests, ${written.snapshots.length} snapshots`,
      );
    } else {
      tally.failed += 1;
      console.log(`FAIL ${name}: ${problems.join('\n   ')}`);
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      writers: { type: 'string', default: 'apache,standalone' },
      readers: { type: 'string', default: 'apache,standalone' },
      seed: { type: 'string' },
      rounds: { type: 'string', default: '2' },
    },
  });
  const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
  const tally: Tally = { passed: 0, failed: 0 };
  try {
    for (const writer of chosen(values.writers)) {
      for (const compression of compressions) {
        for (let count = 0; count < Number(values.rounds); count += 1) {
          await round(writer, chosen(values.readers), compression, seed + count, tally);
        }
      }
    }
  } catch (error) {
    if (!(error instanceof MissingError)) throw error;
    console.log(`0 passed, 0 failed, 1 skipped: ${error.message}`);
    return 0;
  }
  console.log(`${tally.passed} passed, ${tally.failed} failed, 0 skipped`);
  return tally.failed === 0 ? 0 : 1;
}

process.exitCode = await main();
