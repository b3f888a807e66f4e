/**
 * `node build/test/cluster/network.js [--cycles N] [--servers 3|5] [--seed N] [--only a,b] [--apache]`:
 * servers in network namespaces, each with an address of its own, on a configuration whose lines read
 * `server.1=192.168.1.1:2888:3888`. In each cycle the network breaks in some way while clients write,
 * and heals. `--apache`: what the same breaks do to Apache's servers.
 *
 * The run itself happens in namespaces that this process opens with `unshare` and that end with their
 * first process: however the run ends, the system takes back interfaces, servers and namespaces.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { SeededRandom } from '../conformance/differential/random.js';
import { hasProgram, MissingError, runOrThrow } from '../support/machine.js';
import { namesAmong, runCycles } from './cycles.js';
import type { Kind } from './members.js';
import { cuts } from './network-cuts.js';
import { whatIsMissing } from './network-fabric.js';
import { Trial } from './network-trial.js';

interface Flags {
  readonly cycles: number;
  readonly servers: number;
  readonly kind: Kind;
  readonly seed: number;
  readonly only: readonly string[];
  readonly isInside: boolean;
}

function flagsOf(): Flags {
  const { values } = parseArgs({
    options: {
      cycles: { type: 'string', default: '24' },
      servers: { type: 'string', default: '3' },
      apache: { type: 'boolean', default: false },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      only: { type: 'string' },
      /** Set by this program itself. */
      inside: { type: 'boolean', default: false },
    },
  });
  const only = namesAmong(Object.keys(cuts), values.only);
  const servers = Number(values.servers);
  if (servers !== 3 && servers !== 5) throw new Error(`3 or 5 servers, not ${values.servers}`);
  const [cycles, seed] = [Number(values.cycles), Number(values.seed)];
  const kind = values.apache ? 'apache' : 'zabra';
  return { cycles, servers, kind, seed, only, isInside: values.inside };
}

/** Each once, as long as there are cycles; then by weight. */
function plan({ cycles, only }: Flags, random: SeededRandom): string[] {
  const urn = only.flatMap((name) => Array.from({ length: cuts[name]?.[0] ?? 0 }, () => name));
  const first = random.below(only.length);
  return Array.from({ length: cycles }, (_, index) =>
    index < only.length ? (only[(first + index) % only.length] ?? '') : random.pick(urn),
  );
}

function skip(why: string, cycles: number): number {
  console.log(`skip: ${why}`);
  console.log(`0 passed, 0 failed, ${cycles} skipped`);
  return 0;
}

const namespaces = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];

/** The words before a program that runs with namespaces of its own; null: none are permitted. */
async function unshareWords(): Promise<string[] | null> {
  for (const words of [namespaces, ['--user', '--map-root-user', ...namespaces]]) {
    if (await hasProgram('unshare', ...words, 'true')) return words;
  }
  return null;
}

async function outside(flags: Flags): Promise<number> {
  const missing = await whatIsMissing();
  if (missing !== null) return skip(missing, flags.cycles);
  const words = await unshareWords();
  if (words === null) {
    return skip('this user may not make network namespaces (root may)', flags.cycles);
  }
  const temporary = mkdtempSync(join(tmpdir(), 'zabra-network-'));
  const again = [process.execPath, fileURLToPath(import.meta.url), '--inside'];
  const said = [`--cycles=${flags.cycles}`, `--servers=${flags.servers}`, `--seed=${flags.seed}`];
  if (flags.kind === 'apache') said.push('--apache');
  const child = spawn('unshare', [...words, ...again, ...said, `--only=${flags.only.join(',')}`], {
    // the end of this pipe tells those inside that we are gone
    stdio: ['pipe', 'inherit', 'inherit'],
    env: { ...process.env, TMPDIR: temporary },
  });
  const interrupted: string[] = [];
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      interrupted.push(signal);
      child.kill('SIGKILL');
    });
  }
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (ended) => {
      resolve(ended ?? 1);
    });
  });
  const isToGo = code === 0 || interrupted.length > 0;
  if (isToGo) rmSync(temporary, { recursive: true, force: true });
  return interrupted.length > 0 ? 130 : code;
}

async function inside(flags: Flags): Promise<number> {
  process.stdin.resume();
  process.stdin.once('end', () => process.exit(1));
  const { seed, servers, kind } = flags;
  const random = new SeededRandom(seed);
  let trial: Trial;
  try {
    // names of namespaces are files, which the rest of the machine need not see
    await runOrThrow('mkdir', ['-p', '/run/netns']);
    await runOrThrow('mount', ['-t', 'tmpfs', 'none', '/run/netns']);
    const kinds = Array.from({ length: servers }, () => kind);
    trial = await Trial.prepare(kinds, random, seed);
  } catch (error) {
    if (error instanceof MissingError) return skip(error.message, flags.cycles);
    throw error;
  }
  return await runCycles(trial, plan(flags, random), seed);
}

const flags = flagsOf();
process.exitCode = await (flags.isInside ? inside(flags) : outside(flags));
if (flags.isInside) process.exit();
