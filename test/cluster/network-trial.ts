/**
 * One ensemble in a network of its own, writers over all its servers, and cycles: the network breaks,
 * holds, heals; then everything comes to rest and is looked at as after every other cluster test.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SeededRandom } from '../conformance/differential/random.js';
import type { CycleResult, CycleTrial } from './cycles.js';
import { firstWrite } from './first-write.js';
import { Members, type Kind } from './members.js';
import { cuts } from './network-cuts.js';
import { Fabric } from './network-fabric.js';
import { Witness } from './network-witness.js';
import { Population } from './population.js';

/** While it is broken: syncLimit is 2 s, then there is an election. */
const BROKEN_BOUND_MS = 10_000;
/** After it has healed: connections that TCP gave up on by and by have to be made again. */
const HEALED_BOUND_MS = 15_000;

export class Trial implements CycleTrial {
  readonly members: Members;
  readonly #fabric: Fabric;
  readonly #random: SeededRandom;
  readonly problems: string[];
  readonly #witness: Witness;
  readonly #population: Population;

  static async prepare(kinds: readonly Kind[], random: SeededRandom, seed: number): Promise<Trial> {
    const fabric = await Fabric.build(kinds.length);
    const members = await Members.prepare(kinds, { purpose: 'network', places: fabric.places });
    return new Trial(fabric, members, random, seed);
  }

  private constructor(fabric: Fabric, members: Members, random: SeededRandom, seed: number) {
    this.#fabric = fabric;
    this.members = members;
    this.#random = random;
    const told = (zxid: bigint, what: string): void => {
      this.#witness.acknowledged(zxid, what);
    };
    this.#population = new Population(members, new SeededRandom(seed + 1), seed, told);
    this.problems = this.#population.problems;
    this.#witness = new Witness(members, this.problems);
  }

  get acknowledged(): number {
    return this.#population.acknowledged;
  }

  summary(): string[] {
    const { epochs } = this.#witness;
    return [`${this.members.sids.length} servers, ${epochs} epochs`, this.#population.summary()];
  }

  async start(): Promise<void> {
    await this.members.startAll();
    await this.members.untilAllServe();
    await this.#population.prepare();
    void this.#witness.watch();
  }

  async cycle(name: string): Promise<CycleResult> {
    const told: string[] = [];
    await this.#population.during(async () => {
      await sleep(this.#random.between(100, 400));
      await this.#breakAndHeal(name, told);
    });
    const { problems, shown } = await this.#population.look();
    return { problems, shown: [...told, shown].join(', ') };
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
    if (ms === null) this.problems.push(`no service within ${boundMs} ms, ${when}`);
  }

  /** How long it takes a new client until a write is acknowledged; null: longer than that. */
  async #firstWrite(sids: readonly number[], boundMs: number): Promise<number | null> {
    const servers = sids.map((sid) => this.members.addressOf(sid));
    return await firstWrite(servers, boundMs, this.problems, (zxid, what) => {
      this.#witness.acknowledged(zxid, what);
    });
  }

  async dispose(isToBeKept: boolean): Promise<void> {
    this.#witness.stop();
    this.#population.drop();
    await this.members.dispose(isToBeKept);
  }
}
