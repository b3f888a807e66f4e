/**
 * One simulated run of a recipe: a seed in, a verdict out. Several processes use one recipe, through
 * the real client, against real servers (one, or an ensemble of three), while connections, processes
 * and servers fail; every written guarantee is checked while it goes on. Then nothing fails any more:
 * everybody must get on, and when all have stopped nothing may be left behind.
 */
import { SeededRandom } from '../../base/random.js';
import type { ZkClient } from '../../client/types.js';
import { acrossSessions, untilConnected } from '../../recipes/patience.js';
import { advance } from '../advance.js';
import { Timeline } from '../clock.js';
import type { Violation } from '../history.js';
import { SimNetwork } from '../network.js';
import { drawLink, goodLink } from '../parameters.js';
import type { RunResult } from '../run.js';
import { Trace } from '../trace.js';
import { Actor, type Life } from './actor.js';
import type { RecipeCase, RecipeTrial } from './case.js';
import { barrierCase, doubleBarrierCase } from './cases/barriers.js';
import { discoveryCase } from './cases/discovery.js';
import { counterCase, membershipCase, partitionerCase } from './cases/groups.js';
import { electionCase, latchCase, leaseCase } from './cases/leaders.js';
import { lockCase, multiLockCase, readWriteCase, semaphoreCase } from './cases/locks.js';
import { lockingQueueCase, queueCase } from './cases/queues.js';
import { delayQueueCase, priorityQueueCase } from './cases/ranked-queues.js';
import { ttlNodeCase } from './cases/ttl-nodes.js';
import { cacheCase, configCase, persistentNodeCase, sharedValueCase } from './cases/values.js';
import { Court } from './court.js';
import { drawRecipeFaults, RecipeFaults } from './faults.js';
import { clientPort, configsOf, hostOf, RecipeServer } from './server.js';

export const recipeCases: readonly RecipeCase[] = [
  lockCase,
  readWriteCase,
  semaphoreCase,
  multiLockCase,
  latchCase,
  electionCase,
  leaseCase,
  counterCase,
  membershipCase,
  partitionerCase,
  barrierCase,
  doubleBarrierCase,
  queueCase,
  priorityQueueCase,
  delayQueueCase,
  lockingQueueCase,
  sharedValueCase,
  cacheCase,
  persistentNodeCase,
  ttlNodeCase,
  configCase,
  discoveryCase,
];

function chosenCases(only: string): readonly RecipeCase[] {
  const exact = recipeCases.filter(({ name }) => name === only);
  const chosen = recipeCases.filter(({ name }) => name.includes(only));
  if (chosen.length === 0) throw new TypeError(`no recipe ${only}`);
  return exact.length > 0 ? exact : chosen;
}

/** A bug put back in (mutants.ts). */
export interface RecipeSabotage {
  /** Of each actor. */
  wrapClient?(zk: ZkClient): ZkClient;
  /** Changes parts of the code for the length of a run; what it returns takes that back. */
  patch?(): () => void;
}

export interface RecipeRunOptions {
  readonly seed: number;
  /** Of the recipes, those whose names contain this. */
  readonly only?: string;
  readonly sabotage?: RecipeSabotage;
  /** How long faults go on; drawn unless given. */
  readonly safetyMs?: number;
  readonly sink?: (line: string) => void;
}

const WALL_MS = 1_800_000_000_000;
const STALL_MS = 10;
/** Rounds that each must bring to an end when nothing fails. */
const ROUNDS = 2;

export async function runRecipeSeed(options: RecipeRunOptions): Promise<RunResult> {
  const restore = options.sabotage?.patch?.();
  try {
    return await new RecipeRun(options).run();
  } finally {
    restore?.();
  }
}

class RecipeRun {
  readonly #options: RecipeRunOptions;
  readonly #timeline = new Timeline();
  readonly #trace: Trace;
  readonly #random: SeededRandom;
  readonly #network: SimNetwork;
  readonly #servers: RecipeServer[];
  readonly #actors: Actor[];
  /** It prepares what the recipe needs, and judges in the end. */
  readonly #judge: Actor;
  readonly #faults: RecipeFaults;
  readonly #trial: RecipeTrial;
  readonly #tickMs: number;
  readonly #sessionTimeoutMs: number;
  #phase: 'prepare' | 'judge' = 'prepare';
  #isCalm = false;
  #isPrepared = false;
  #isJudged = false;
  #violation: Violation | null = null;

  constructor(options: RecipeRunOptions) {
    this.#options = options;
    this.#trace = new Trace(this.#timeline, options.sink ?? null);
    this.#random = new SeededRandom(options.seed);
    const random = this.#fork();
    const recipe = random.pick(chosenCases(options.only ?? ''));
    this.#tickMs = random.pick([50, 100, 200]);
    this.#sessionTimeoutMs = this.#tickMs * random.pick([4, 10, 20]);
    const actorCount = random.between(2, 5);
    const link = drawLink(random);
    // who is further away than a session bears has none
    const clientLink = { ...link, latencyMs: Math.min(link.latencyMs, this.#tickMs / 20) };
    const quality = random.chance(0.5) ? goodLink : clientLink;
    const judge = '10.0.0.100';
    this.#network = new SimNetwork(this.#timeline, this.#fork(), (from) =>
      from.startsWith('10.0.0.') && from !== judge && !this.#isCalm ? quality : goodLink,
    );
    const pace = { wakeMs: random.pick([0, 0.02, 0.5]), spendMs: random.pick([0, 0.002]) };
    const servers = random.chance(0.4) ? 3 : 1;
    const fail = (invariant: string, message: string): void => {
      this.#fail(invariant, `${recipe.name}: ${message}`);
    };
    this.#servers = configsOf(servers, this.#tickMs).map(
      (config, i) =>
        new RecipeServer({
          ...{ sid: i + 1, config, timeline: this.#timeline, random: this.#fork() },
          ...{ network: this.#network, trace: this.#trace, pace, fail },
        }),
    );
    const sessionTimeoutMs = this.#sessionTimeoutMs;
    // a process that stood still keeps believing for as long as it takes to ask (a third), and to hear
    const court = new Court(this.#timeline, sessionTimeoutMs / 2 + STALL_MS, fail);
    const clockJumpMs = random.pick([0, 100, 500]);
    const forTrial = { random: this.#fork(), actorCount, sessionTimeoutMs, clockJumpMs };
    this.#trial = recipe.try({ ...forTrial, court });
    this.#trace.note('T', 'run', recipe.name, actorCount, servers);
    const actorOf = (index: number, play: (life: Life) => Promise<void>): Actor =>
      new Actor({
        ...{ index, timeline: this.#timeline, random: this.#fork(), network: this.#network },
        ...{ trace: this.#trace, pace, sessionTimeoutMs, wallMs: WALL_MS, play, fail },
        connectString: this.#servers.map(({ sid }) => `${hostOf(sid)}:${clientPort}`).join(),
        wrap: (zk) => (index < actorCount ? (options.sabotage?.wrapClient?.(zk) ?? zk) : zk),
      });
    this.#actors = Array.from({ length: actorCount }, (_, i) =>
      actorOf(i, (life) => this.#trial.play(life)),
    );
    this.#judge = actorOf(99, (life) => this.#decide(life));
    this.#faults = new RecipeFaults({
      ...{ timeline: this.#timeline, random: this.#fork(), network: this.#network },
      ...{ trace: this.#trace, times: drawRecipeFaults(random), sessionTimeoutMs, clockJumpMs },
      ...{ actors: this.#actors, servers: this.#servers },
    });
  }

  async run(): Promise<RunResult> {
    await this.#play();
    for (const actor of [...this.#actors, this.#judge]) actor.kill();
    for (const server of this.#servers) server.kill();
    return this.#result();
  }

  async #play(): Promise<void> {
    for (const server of this.#servers) server.start();
    this.#judge.start();
    if (!(await this.#within(60_000, () => this.#isPrepared, 'nothing is prepared'))) return;
    for (const actor of this.#actors) actor.start();
    this.#faults.start();
    const drawnMs = this.#random.pick([1500, 3000, 6000]);
    const { safetyMs = drawnMs } = this.#options;
    await this.#advance(this.#timeline.nowMs + safetyMs, () => false);
    if (this.#violation !== null) return;
    this.#isCalm = true;
    this.#faults.stop();
    this.#trace.note('T', 'run', 'faults end');
    const goals = this.#actors.map((actor) => actor.rounds + ROUNDS);
    const patienceMs = 30_000 + 10 * this.#sessionTimeoutMs;
    const areOn = (): boolean => this.#actors.every((actor, i) => actor.rounds >= (goals[i] ?? 0));
    if (!(await this.#within(patienceMs, areOn, 'not everybody gets on'))) return;
    for (const actor of this.#actors) actor.finish();
    const areDone = (): boolean => this.#actors.every(({ isDone }) => isDone);
    if (!(await this.#within(patienceMs, areDone, 'not everybody stops'))) return;
    this.#phase = 'judge';
    this.#judge.kill();
    this.#judge.start();
    await this.#within(patienceMs, () => this.#isJudged, 'nothing is judged');
  }

  async #decide({ zk }: Life): Promise<void> {
    await untilConnected(zk);
    if (this.#phase === 'prepare') {
      await this.#trial.prepare(zk);
      this.#isPrepared = true;
    } else {
      await acrossSessions(zk, undefined, () => zk.sync('/'));
      await this.#trial.judge(zk);
      this.#isJudged = true;
    }
  }

  #fork(): SeededRandom {
    return new SeededRandom(this.#random.uint32());
  }

  async #within(forMs: number, isEnough: () => boolean, what: string): Promise<boolean> {
    const isReached = await this.#advance(this.#timeline.nowMs + forMs, isEnough);
    if (!isReached) this.#fail('R4', `${what} within ${forMs} ms`);
    return isReached && this.#violation === null;
  }

  async #advance(untilMs: number, isEnough: () => boolean): Promise<boolean> {
    const isOver = (): boolean => this.#violation !== null;
    return await advance(this.#timeline, { untilMs, isEnough, every: 64, isOver });
  }

  #fail(invariant: string, message: string): void {
    if (this.#violation !== null) return;
    this.#violation = { invariant, message, atMs: this.#timeline.nowMs };
    this.#trace.note('F', 'check', 'violation', 0, 0, () => `${invariant}: ${message}`);
  }

  #result(): RunResult {
    const rounds = this.#actors.reduce((sum, actor) => sum + actor.rounds, 0);
    return {
      seed: this.#options.seed,
      violation: this.#violation,
      hash: this.#trace.hash,
      simulatedMs: this.#timeline.nowMs,
      events: this.#timeline.count,
      replies: rounds,
      watchEvents: 0,
      txns: 0,
      starts: this.#actors.reduce((sum, { lives }) => sum + lives, 0),
      probes: 0,
      hits: new Map([...this.#faults.hits, ['rounds', rounds]]),
    };
  }
}
