/**
 * `node build/test/cluster/oracle.js [--seed N]`: two servers and an oracle (`oraclePath`), each a process.
 * Clients write all the time, while one server after the other is killed: with a `1` in the file the
 * survivor goes on serving, with a `0` it steps down, and with the next `1` it leads alone. At the end
 * both show the same, and what clients were told.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { SeededRandom } from '../conformance/differential/random.js';
import { temporaryDirectory } from '../support/machine.js';
import { inspect, type Subject } from './inspection.js';
import { Mayflies } from './mayfly.js';
import { Members, tickMs } from './members.js';
import { Contended, Writer } from './writer.js';

const WRITERS = 3;
/** Enough to notice, to elect and to wait a tick for the other. */
const patienceMs = 20 * tickMs;

class OracleTrial {
  readonly problems: string[] = [];
  readonly #members: Members;
  readonly #oracle: string;
  readonly #writers: readonly Writer[];
  readonly #subject: Subject;

  constructor(members: Members, oracle: string, seed: number) {
    this.#members = members;
    this.#oracle = oracle;
    const { problems } = this;
    const contended = new Contended();
    const servers = members.sids.map((sid) => members.addressOf(sid));
    const random = new SeededRandom(seed);
    const world = { servers, random, contended, problems, sessionTimeoutMs: 60_000 };
    this.#writers = Array.from({ length: WRITERS }, (_, index) => new Writer(index, seed, world));
    const mayflies = new Mayflies(2 * tickMs, problems);
    this.#subject = { members, writers: this.#writers, contended, mayflies };
  }

  get #acknowledged(): number {
    return this.#writers.reduce((sum, { ledger }) => sum + ledger.doneCount, 0);
  }

  async run(): Promise<string> {
    const members = this.#members;
    this.#say(0);
    await members.startAll();
    await members.untilAllServe();
    for (const writer of this.#writers) await writer.prepare();
    const writing = this.#writers.map((writer) => writer.run());
    try {
      // 2 leads: with equal histories the higher number does
      await this.#allowed('the leader loses its follower', 2, 1, true);
      await this.#allowed('the follower loses its leader', 1, 2, false);
      await this.#allowed('the leader that was alone loses its follower', 1, 2, true);
      await this.#refused();
    } finally {
      for (const writer of this.#writers) writer.stop();
      await Promise.all(writing);
    }
    const { problems, znodes, comparedDigests } = await inspect(this.#subject);
    this.problems.push(...problems);
    return `${this.#acknowledged} acknowledged writes, ${znodes} znodes, ${comparedDigests} digests`;
  }

  #say(answer: 0 | 1): void {
    writeFileSync(this.#oracle, String(answer));
  }

  /** With a yes the survivor serves on, after a no it stops, with a yes it serves alone again. */
  async #allowed(what: string, survivor: number, victim: number, isLeader: boolean): Promise<void> {
    const members = this.#members;
    const is = await members.leader();
    const due = isLeader ? survivor : victim;
    if (is !== due) this.problems.push(`${what}: ${is} leads, and not ${due}`);
    this.#say(1);
    await members.end(victim);
    const tookMs = await this.#untilWritten(what);
    console.log(`${what}: the next write after ${tookMs} ms`);
    this.#say(0);
    await this.#untilMode(survivor, '', `${what}: it steps down after a no`);
    const before = this.#acknowledged;
    await sleep(4 * tickMs);
    if (this.#acknowledged > before) this.problems.push(`${what}: writes after a no`);
    this.#say(1);
    await this.#untilMode(survivor, 'leader', `${what}: it leads alone after a yes`);
    await this.#untilWritten(`${what}, alone`);
    await members.start(victim);
    await members.untilAllServe();
    this.#say(0);
    // with both there is nothing to ask
    await this.#untilWritten(`${what}, together again`);
  }

  async #refused(): Promise<void> {
    const members = this.#members;
    const leader = await members.leader();
    const other = members.sids.find((sid) => sid !== leader) ?? 0;
    for (const [victim, survivor] of [
      [other, leader],
      [leader, other],
    ] as const) {
      await members.end(victim);
      await this.#untilMode(survivor, '', `without leave ${survivor} does not go on`);
      await sleep(4 * tickMs);
      const mode = await members.modeOf(survivor);
      if (mode !== '') this.problems.push(`without leave ${survivor} is a ${mode}`);
      await members.start(victim);
      await members.untilAllServe();
    }
  }

  async #untilMode(sid: number, mode: string, what: string): Promise<void> {
    const startedMs = Date.now();
    while ((await this.#members.modeOf(sid)) !== mode) {
      if (Date.now() - startedMs > patienceMs) {
        this.problems.push(`${what}: not within ${patienceMs} ms`);
        return;
      }
      await sleep(10);
    }
  }

  /** Writes are acknowledged again; after how long. */
  async #untilWritten(what: string): Promise<number> {
    const startedMs = Date.now();
    const before = this.#acknowledged;
    while (this.#acknowledged === before) {
      if (Date.now() - startedMs > patienceMs) {
        this.problems.push(`${what}: no write within ${patienceMs} ms`);
        break;
      }
      await sleep(2);
    }
    return Date.now() - startedMs;
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { seed: { type: 'string', default: '1' } },
  });
  const directory = temporaryDirectory('oracle');
  const oracle = join(directory, 'oracle');
  const members = await Members.prepare(['zabra', 'zabra'], {
    purpose: 'two',
    config: { oraclePath: oracle },
  });
  const trial = new OracleTrial(members, oracle, Number(values.seed));
  let isKept = true;
  try {
    console.log(await trial.run());
    isKept = trial.problems.length > 0;
  } finally {
    for (const problem of trial.problems.slice(0, 10)) console.log(`FAIL ${problem}`);
    await members.dispose(isKept);
    rmSync(directory, { recursive: true, force: true });
    if (isKept) console.log(`what the servers left behind: ${members.home}`);
  }
  console.log(`${trial.problems.length} problems`);
  return trial.problems.length === 0 ? 0 : 1;
}

process.exitCode = await main();
