/**
 * `node build/test/cluster/ensemble.js [--cycles N] [--all-at-once N] [--seed N] [--only a,b]`: three
 * servers as processes, clients that write through all of them, and in each cycle something happens
 * to a server: kill -9, SIGTERM, SIGSTOP, a wiped or an old data directory. Then everything comes to
 * rest, and every server must show the same, and what clients were told. `--all-at-once` cycles, which
 * kill all three in the same moment, come on top and are spread over the others.
 */
import { parseArgs } from 'node:util';
import { SeededRandom } from '../conformance/differential/random.js';
import { namesAmong, runCycles, type CycleResult, type CycleTrial } from './cycles.js';
import { FailoverTimes } from './failover.js';
import { Members } from './members.js';
import { disturbances, draw, type Field } from './nemesis.js';
import { Population } from './population.js';

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
  return {
    cycles: Number(values.cycles),
    allAtOnce: Number(values['all-at-once']),
    seed: Number(values.seed),
    only: namesAmong(Object.keys(disturbances), values.only),
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

class Trial implements CycleTrial {
  readonly members: Members;
  readonly #population: Population;
  readonly #field: Field;

  constructor(members: Members, random: SeededRandom, seed: number) {
    this.members = members;
    this.#population = new Population(members, random, seed);
    const { problems } = this;
    this.#field = {
      members,
      random,
      killed: new FailoverTimes('leader killed', problems),
      paused: new FailoverTimes('leader paused, syncLimit 2 s', problems),
      failoverPath: '/ephemerals',
      copies: new Set(),
    };
  }

  get problems(): string[] {
    return this.#population.problems;
  }

  get acknowledged(): number {
    return this.#population.acknowledged;
  }

  summary(): string[] {
    const { killed, paused } = this.#field;
    return [...killed.lines(), ...paused.lines(), this.#population.summary()];
  }

  async start(): Promise<void> {
    await this.members.startAll();
    await this.members.untilAllServe();
    await this.#population.prepare();
  }

  async cycle(name: string): Promise<CycleResult> {
    await this.#population.during(async () => {
      await disturbances[name]?.[1](this.#field);
      await this.members.untilAllServe();
    });
    return await this.#population.look();
  }

  async dispose(isToBeKept: boolean): Promise<void> {
    this.#population.drop();
    await this.members.dispose(isToBeKept);
  }
}

const flags = flagsOf();
const random = new SeededRandom(flags.seed);
const planned = plan(flags, random);
const ensemble = await Members.prepare(['zabra', 'zabra', 'zabra'], { purpose: 'cluster' });
process.exitCode = await runCycles(new Trial(ensemble, random, flags.seed), planned, flags.seed);
