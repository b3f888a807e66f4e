/**
 * `node build/test/cluster/disks.js [--cycles N] [--seed N] [--only a,b]`: three servers as processes
 * on disks that a test commands (faulty-server.ts), clients that write through all of them, and in each
 * cycle one disk fails: it refuses a write, a flush or a rename, is full, tears what is written when
 * the process is killed, or does not answer. Then everything comes to rest, and every server must show
 * the same, and what clients were told.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { SeededRandom } from '../conformance/differential/random.js';
import { startServer } from '../support/server-process.js';
import { namesAmong, runCycles, type CycleResult, type CycleTrial } from './cycles.js';
import { FaultControl } from './disk-fault.js';
import { hangLimitMs, troubles } from './disk-nemesis.js';
import { Members } from './members.js';
import { Population } from './population.js';

const program = fileURLToPath(new URL('faulty-server.js', import.meta.url));

class Trial implements CycleTrial {
  readonly members: Members;
  readonly #controls: ReadonlyMap<number, FaultControl>;
  readonly #random: SeededRandom;
  readonly #population: Population;

  constructor(
    members: Members,
    controls: ReadonlyMap<number, FaultControl>,
    random: SeededRandom,
    seed: number,
  ) {
    this.members = members;
    this.#controls = controls;
    this.#random = random;
    this.#population = new Population(members, new SeededRandom(seed + 1), seed);
  }

  get problems(): string[] {
    return this.#population.problems;
  }

  get acknowledged(): number {
    return this.#population.acknowledged;
  }

  summary(): string[] {
    return [this.#population.summary()];
  }

  async start(): Promise<void> {
    await this.members.startAll();
    await this.members.untilAllServe();
    await this.#population.prepare();
  }

  async cycle(name: string): Promise<CycleResult> {
    const { members, problems } = this;
    const told: string[] = [];
    const controlOf = (sid: number): FaultControl => {
      const control = this.#controls.get(sid);
      if (control === undefined) throw new Error(`no server ${sid}`);
      return control;
    };
    await this.#population.during(async () => {
      await troubles[name]?.({ members, random: this.#random, problems, told, controlOf });
      await members.untilAllServe();
    });
    const { problems: found, shown } = await this.#population.look();
    return { problems: found, shown: [...told, shown].join(', ') };
  }

  async dispose(isToBeKept: boolean): Promise<void> {
    this.#population.drop();
    await this.members.dispose(isToBeKept);
  }
}

/** Each once, in an order of its own, and then again. */
function plan(names: readonly string[], cycles: number, random: SeededRandom): string[] {
  const planned: string[] = [];
  while (planned.length < cycles) {
    const left = [...names];
    while (left.length > 0) planned.push(...left.splice(random.below(left.length), 1));
  }
  return planned.slice(0, cycles);
}

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: String(Object.keys(troubles).length) },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    only: { type: 'string' },
  },
});
const seed = Number(values.seed);
const random = new SeededRandom(seed);
const names = namesAmong(Object.keys(troubles), values.only);
const controls = new Map<number, FaultControl>();
const faultFile = (sid: number): string => join(ensemble.home, `fault-${sid}`);
const ensemble = await Members.prepare(['zabra', 'zabra', 'zabra'], {
  purpose: 'disks',
  // snapshots are taken all the time, and logs begun
  config: {
    snapCount: '400',
    'snapshot.logPercent': '0',
    'fsync.hangLimitMs': String(hangLimitMs),
  },
  startOurs: (sid, options) =>
    startServer(
      {
        program: process.execPath,
        arguments: (configFile, properties) => [program, faultFile(sid), configFile, ...properties],
      },
      options,
    ),
});
for (const sid of ensemble.sids) controls.set(sid, new FaultControl(faultFile(sid)));
const trial = new Trial(ensemble, controls, random, seed);
process.exitCode = await runCycles(trial, plan(names, Number(values.cycles), random), seed);
