/**
 * The clients of an ensemble under test: writers that remember what they were told, and sessions that
 * end within a cycle. They write while something happens to the servers; then all comes to rest, and
 * what every server shows is held against what they were told.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { SeededRandom } from '../conformance/differential/random.js';
import { inspect } from './inspection.js';
import { Mayflies } from './mayfly.js';
import { tickMs, type Members } from './members.js';
import { Contended, Writer } from './writer.js';

const WRITERS = 4;
/** Until what was under way has arrived. */
const CALM_MS = 50;

export class Population {
  readonly members: Members;
  readonly problems: string[] = [];
  /** Acknowledged and not there, and ephemerals there without their sessions; of all cycles. */
  lostCount = 0;
  orphanCount = 0;
  readonly #writers: readonly Writer[];
  readonly #mayflies: Mayflies;
  readonly #contended = new Contended();

  constructor(
    members: Members,
    random: SeededRandom,
    seed: number,
    acknowledged?: (zxid: bigint, what: string) => void,
  ) {
    this.members = members;
    const { problems } = this;
    const world = {
      servers: members.sids.map((sid) => members.addressOf(sid)),
      random,
      contended: this.#contended,
      problems,
      sessionTimeoutMs: 40_000,
      ...(acknowledged === undefined ? {} : { acknowledged }),
    };
    this.#writers = Array.from({ length: WRITERS }, (_, index) => new Writer(index, seed, world));
    this.#mayflies = new Mayflies(2 * tickMs, problems);
  }

  get acknowledged(): number {
    return this.#writers.reduce((sum, { ledger }) => sum + ledger.doneCount, 0);
  }

  /** The znodes that they need; the servers serve. */
  async prepare(): Promise<void> {
    for (const writer of this.#writers) await writer.prepare();
  }

  /** They write until `happening` is over; it ends with all servers serving. */
  async during(happening: () => Promise<void>): Promise<void> {
    const { members } = this;
    const running = this.#writers.map((writer) => writer.run());
    try {
      await this.#mayflies.hatch(members.sids.map((sid) => members.addressOf(sid)));
      await happening();
      await this.#mayflies.end();
      await sleep(CALM_MS);
    } finally {
      for (const writer of this.#writers) writer.stop();
      await Promise.all(running);
    }
  }

  /** Problems of this cycle, and what was looked at. */
  async look(): Promise<{ problems: string[]; shown: string }> {
    const { members, problems } = this;
    const writers = this.#writers;
    const subject = { members, writers, contended: this.#contended, mayflies: this.#mayflies };
    const found = await inspect(subject);
    this.lostCount += found.lostCount;
    this.orphanCount += found.orphanCount;
    const { znodes, comparedDigests } = found;
    return {
      problems: [...problems.splice(0), ...found.problems],
      shown: `${this.acknowledged} acknowledged writes, ${znodes} znodes, ${comparedDigests} digests`,
    };
  }

  /** Of all cycles. */
  summary(): string {
    return `${this.lostCount} acknowledged writes lost, ${this.orphanCount} orphaned ephemerals`;
  }

  drop(): void {
    for (const { session } of this.#writers) session.drop();
  }
}
