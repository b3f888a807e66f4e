/**
 * `node build/test/cluster/ensemble.js [--cycles N] [--all-at-once N] [--seed N] [--only a,b]`: three
 * servers as processes, clients that write through all of them, and in each cycle something happens
 * to a server: kill -9, SIGTERM, SIGSTOP, a wiped or an old data directory. Then everything comes to
 * rest, and every server must show the same, and what clients were told. `--all-at-once` cycles, which
 * kill all three in the same moment, come on top and are spread over the others.
 */
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { SeededRandom } from '../conformance/differential/random.js';
import { FailoverTimes } from './failover.js';
import { inspect, type Subject } from './inspection.js';
import { Mayflies } from './mayfly.js';
import { Members, tickMs } from './members.js';
import { disturbances, draw, type Field } from './nemesis.js';
import { Contended, Writer } from './writer.js';

const WRITERS = 4;
const SHOWN = 10;

interface Flags {
  readonly cycles: number;
  readonly allAtOnce: number;
  readonly seed: number;
  readonly only: readonly string[];
}

function flagsOf(): Flags {
  const { values } = parseArgs({
    options: {
      cycles: { type: 'string', default: '40' },
      'all-at-once': { type: 'string', default: '4' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      only: { type: 'string' },
    },
  });
  const known = Object.keys(disturbances);
  const only = values.only?.split(',') ?? known;
  const unknown = only.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new Error(`no ${unknown.join(', ')}; there are: ${known.join(', ')}`);
  return {
    cycles: Number(values.cycles),
    allAtOnce: Number(values['all-at-once']),
    seed: Number(values.seed),
    only,
  };
}

/** Which disturbance each cycle has. */
function plan({ cycles, allAtOnce, only }: Flags, random: SeededRandom): string[] {
  const all = cycles + allAtOnce;
  const planned: string[] = [];
  for (let cycle = 1; cycle <= all; cycle++) {
    const due = Math.floor((cycle * allAtOnce) / all) > Math.floor(((cycle - 1) * allAtOnce) / all);
    planned.push(due ? 'kill-all' : draw(random, only));
  }
  return planned;
}

class Trial {
  readonly members: Members;
  readonly problems: string[] = [];
  readonly #field: Field;
  readonly #subject: Subject;
  readonly #writers: readonly Writer[];
  readonly #mayflies: Mayflies;

  constructor(members: Members, random: SeededRandom, seed: number) {
    this.members = members;
    const { problems } = this;
    const contended = new Contended();
    const servers = members.sids.map((sid) => members.addressOf(sid));
    const world = { servers, random, contended, problems, sessionTimeoutMs: 40_000 };
    this.#writers = Array.from({ length: WRITERS }, (_, index) => new Writer(index, seed, world));
    this.#mayflies = new Mayflies(2 * tickMs, problems);
    this.#field = {
      members,
      random,
      killed: new FailoverTimes('leader killed', problems),
      paused: new FailoverTimes('leader paused, syncLimit 2 s', problems),
      failoverPath: '/ephemerals',
      copies: new Set(),
    };
    this.#subject = { members, writers: this.#writers, contended, mayflies: this.#mayflies };
  }

  get acknowledged(): number {
    return this.#writers.reduce((sum, { ledger }) => sum + ledger.doneCount, 0);
  }

  failoverLines(): string[] {
    return [...this.#field.killed.lines(), ...this.#field.paused.lines()];
  }

  async prepare(): Promise<void> {
    await this.members.startAll();
    await this.members.untilAllServe();
    for (const writer of this.#writers) await writer.prepare();
  }

  /** What went wrong; throws when the ensemble cannot be brought to rest. */
  async cycle(name: string): Promise<{ problems: string[]; shown: string }> {
    const { members } = this;
    const running = this.#writers.map((writer) => writer.run());
    try {
      await this.#mayflies.hatch(members.sids.map((sid) => members.addressOf(sid)));
      await disturbances[name]?.[1](this.#field);
      await members.untilAllServe();
      await this.#mayflies.end();
      await sleep(50);
    } finally {
      for (const writer of this.#writers) writer.stop();
      await Promise.all(running);
    }
    const { problems, znodes, comparedDigests } = await inspect(this.#subject);
    return {
      problems: [...this.problems.splice(0), ...problems],
      shown: `${this.acknowledged} acknowledged writes, ${znodes} znodes, ${comparedDigests} digests`,
    };
  }
}

async function main(): Promise<number> {
  const flags = flagsOf();
  const { seed } = flags;
  const random = new SeededRandom(seed);
  const planned = plan(flags, random);
  const members = await Members.prepare(['zabra', 'zabra', 'zabra'], { purpose: 'cluster' });
  const trial = new Trial(members, random, seed);
  let passed = 0;
  let failed = 0;
  try {
    await trial.prepare();
    for (const [index, name] of planned.entries()) {
      const { problems, shown } = await trial.cycle(name);
      const cycle = `cycle ${index + 1} of ${planned.length}, seed ${seed}, ${name}`;
      for (const problem of problems.slice(0, SHOWN)) console.log(`FAIL ${cycle}: ${problem}`);
      if (problems.length === 0) passed++;
      else failed++;
      console.log(`${cycle}: ${shown}, ${problems.length} problems`);
    }
  } catch (error) {
    failed++;
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    console.log(`FAIL cycle ${passed + failed} of ${planned.length}, seed ${seed}: ${why}`);
    for (const problem of trial.problems.slice(0, SHOWN)) console.log(`FAIL before: ${problem}`);
  } finally {
    await members.dispose(failed > 0);
  }
  for (const line of trial.failoverLines()) console.log(line);
  if (failed > 0) console.log(`what the servers left behind: ${members.home}`);
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main();
