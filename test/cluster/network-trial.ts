/**
 * One ensemble in a network of its own, writers over all its servers, and cycles: the network breaks,
 * holds, heals; then everything comes to rest and is looked at as after every other cluster test.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { OpCode } from 'zabra/protocol';
import { SeededRandom } from '../conformance/differential/random.js';
import { body } from '../support/requests.js';
import { inspect, type Subject } from './inspection.js';
import { Mayflies } from './mayfly.js';
import { Members, tickMs, type Kind } from './members.js';
import { cuts } from './network-cuts.js';
import { Fabric } from './network-fabric.js';
import { Witness } from './network-witness.js';
import { Session } from './session.js';
import { Contended, Writer } from './writer.js';

const WRITERS = 4;
const PROBE_PATH = '/ephemerals';
/** While it is broken: syncLimit is 2 s, then there is an election. */
const BROKEN_BOUND_MS = 10_000;
/** After it has healed: connections that TCP gave up on by and by have to be made again. */
const HEALED_BOUND_MS = 15_000;

export interface CycleResult {
  readonly problems: string[];
  readonly shown: string;
}

export class Trial {
  readonly members: Members;
  readonly #fabric: Fabric;
  readonly #random: SeededRandom;
  readonly #problems: string[] = [];
  readonly #witness: Witness;
  readonly #writers: readonly Writer[];
  readonly #mayflies: Mayflies;
  readonly #subject: Subject;

  static async prepare(kinds: readonly Kind[], random: SeededRandom, seed: number): Promise<Trial> {
    const fabric = await Fabric.build(kinds.length);
    const members = await Members.prepare(kinds, { purpose: 'network', places: fabric.places });
    return new Trial(fabric, members, random, seed);
  }

  private constructor(fabric: Fabric, members: Members, random: SeededRandom, seed: number) {
    this.#fabric = fabric;
    this.members = members;
    this.#random = random;
    const witness = new Witness(members, this.#problems);
    this.#witness = witness;
    const contended = new Contended();
    const world = {
      servers: members.sids.map((sid) => members.addressOf(sid)),
      random: new SeededRandom(seed + 1),
      contended,
      problems: this.#problems,
      sessionTimeoutMs: 40_000,
      acknowledged: (zxid: bigint, what: string) => {
        witness.acknowledged(zxid, what);
      },
    };
    this.#writers = Array.from({ length: WRITERS }, (_, index) => new Writer(index, seed, world));
    this.#mayflies = new Mayflies(2 * tickMs, this.#problems);
    this.#subject = { members, writers: this.#writers, contended, mayflies: this.#mayflies };
  }

  get acknowledged(): number {
    return this.#writers.reduce((sum, { ledger }) => sum + ledger.doneCount, 0);
  }

  get epochs(): number {
    return this.#witness.epochs;
  }

  async start(): Promise<void> {
    await this.members.startAll();
    await this.members.untilAllServe();
    for (const writer of this.#writers) await writer.prepare();
    void this.#witness.watch();
  }

  async cycle(name: string): Promise<CycleResult> {
    const { members } = this;
    const running = this.#writers.map((writer) => writer.run());
    const told: string[] = [];
    try {
      await this.#mayflies.hatch(members.sids.map((sid) => members.addressOf(sid)));
      await sleep(this.#random.between(100, 400));
      await this.#breakAndHeal(name, told);
      await this.#mayflies.end();
      await sleep(50);
    } finally {
      for (const writer of this.#writers) writer.stop();
      await Promise.all(running);
    }
    const { problems, znodes, comparedDigests } = await inspect(this.#subject);
    told.push(`${this.acknowledged} acknowledged writes, ${znodes} znodes`);
    told.push(`${comparedDigests} digests`);
    return { problems: [...this.#problems.splice(0), ...problems], shown: told.join(', ') };
  }

  async #breakAndHeal(name: string, told: string[]): Promise<void> {
    const { members } = this;
    const broken = await cuts[name]?.[1]({
      fabric: this.#fabric,
      members,
      random: this.#random,
    });
    if (broken === undefined) throw new Error(`no cut ${name}`);
    told.push(broken.told);
    const holdsUntilMs = Date.now() + this.#random.between(1500, 6000);
    try {
      await broken.meanwhile?.();
      if (broken.serves !== null) {
        const ms = await this.#firstWrite([broken.serves], BROKEN_BOUND_MS);
        this.#judge('while it was broken', ms, BROKEN_BOUND_MS, told);
      }
      await sleep(Math.max(0, holdsUntilMs - Date.now()));
    } finally {
      await this.#fabric.heal();
    }
    const healedMs = Date.now();
    const ms = await this.#firstWrite(members.sids, HEALED_BOUND_MS);
    this.#judge('after healing', ms, HEALED_BOUND_MS, told);
    await broken.after?.();
    await members.untilAllServe();
    const allMs = Date.now() - healedMs;
    this.#judge('all serve', allMs > 2 * HEALED_BOUND_MS ? null : allMs, 2 * HEALED_BOUND_MS, told);
  }

  #judge(when: string, ms: number | null, boundMs: number, told: string[]): void {
    told.push(`${when}: ${ms === null ? 'not' : `${ms} ms`}`);
    if (ms === null) this.#problems.push(`no service within ${boundMs} ms, ${when}`);
  }

  /** How long it takes a new client until a write is acknowledged; null: longer than that. */
  async #firstWrite(sids: readonly number[], boundMs: number): Promise<number | null> {
    const startMs = Date.now();
    const session = new Session(4 * tickMs, this.#problems);
    for (let tries = 0; Date.now() - startMs < boundMs; tries++) {
      const address = this.members.addressOf(sids[tries % sids.length] ?? 1);
      if ((await session.connect(address, 1000)) === 'connected') {
        const reply = await session.ask(
          OpCode.setData,
          body.setData(PROBE_PATH, 'probe', -1),
          1000,
        );
        if (reply?.err === 0) {
          this.#witness.acknowledged(reply.zxid, 'probe');
          await session.close();
          return Date.now() - startMs;
        }
      }
      await sleep(20);
    }
    session.drop();
    return null;
  }

  async dispose(isToBeKept: boolean): Promise<void> {
    this.#witness.stop();
    for (const { session } of this.#writers) session.drop();
    await this.members.dispose(isToBeKept);
  }
}
