/**
 * A process that uses a recipe: it has one client, and does what its case says until it is told to
 * stop. It can be killed (then another life of the same actor begins later, with a new session), and
 * stand still (then everything that came meanwhile comes at once).
 */
import type { SeededRandom } from '../../base/random.js';
import { Client } from '../../client/client.js';
import type { ZkClient } from '../../client/types.js';
import type { ClientWorld } from '../../client/world.js';
import { pause } from '../../recipes/patience.js';
import type { Timeline } from '../clock.js';
import { simCrypto } from '../crypto.js';
import type { SimNetwork } from '../network.js';
import { SimProcess, type ProcessPace } from '../process.js';
import type { Trace } from '../trace.js';

export interface ActorParts {
  readonly index: number;
  readonly timeline: Timeline;
  readonly random: SeededRandom;
  readonly network: SimNetwork;
  readonly trace: Trace;
  readonly pace: ProcessPace;
  readonly connectString: string;
  readonly sessionTimeoutMs: number;
  readonly wallMs: number;
  readonly wrap: (zk: ZkClient) => ZkClient;
  readonly play: (life: Life) => Promise<void>;
  readonly fail: (invariant: string, message: string) => void;
}

/** One process of an actor. */
export interface Life {
  readonly name: string;
  readonly zk: ZkClient;
  readonly random: SeededRandom;
  /** Aborts when the case shall come to its end. */
  readonly stop: AbortSignal;
  readonly isAlive: boolean;
  /** It runs its timers in time, and has done so for so long. */
  isPunctualSince(forMs: number): boolean;
  /** Resolves after so long, or when it shall stop. */
  pause(forMs: number): Promise<void>;
  /** Something was brought to its end. */
  round(): void;
}

const LONG_MS = 1e9;

export class Actor {
  readonly name: string;
  readonly address: string;
  readonly #parts: ActorParts;
  #process: SimProcess | null = null;
  #client: Client | null = null;
  #stop = new AbortController();
  #pausedUntilMs = -Infinity;
  #isStopping = false;
  /** Its play has come to its end. */
  isDone = false;
  rounds = 0;
  lives = 0;

  constructor(parts: ActorParts) {
    this.#parts = parts;
    this.name = `a${parts.index + 1}`;
    this.address = `10.0.0.${parts.index + 1}`;
  }

  get isRunning(): boolean {
    return this.#process !== null;
  }

  start(): void {
    if (this.#process !== null || this.#isStopping) return;
    const { timeline, random, trace, pace, wallMs, fail } = this.#parts;
    this.lives++;
    this.isDone = false;
    const process = new SimProcess(this.name, timeline, random, pace, wallMs);
    process.onThrow = (problem) => {
      fail('assert', `${this.name} threw: ${textOf(problem)}`);
    };
    this.#process = process;
    trace.note('S', this.name, 'starts', this.lives);
    process.post(() => {
      this.#live(process);
    });
  }

  kill(): void {
    const process = this.#process;
    if (process === null) return;
    this.#parts.trace.note('F', this.name, 'is killed');
    this.#parts.network.closeHost(process);
    process.kill();
    this.#process = null;
    this.#client = null;
  }

  pause(forMs: number): void {
    const process = this.#process;
    if (process === null) return;
    this.#parts.trace.note('F', this.name, 'is paused', forMs, 0, () => `${Math.round(forMs)} ms`);
    process.sleep(forMs);
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, this.#parts.timeline.nowMs + forMs);
  }

  /** To so much beside the right time. */
  setWallClock(byMs: number): void {
    this.#parts.trace.note('F', this.name, 'clock jumps', byMs);
    if (this.#process !== null) this.#process.clock.wallOffsetMs = this.#parts.wallMs + byMs;
  }

  /** Brings its play to its end; it is not started any more. */
  finish(): void {
    this.#isStopping = true;
    const stop = this.#stop;
    if (this.#process === null) this.isDone = true;
    else this.#process.post(() => stop.abort(new Error('the end')));
  }

  close(): void {
    const client = this.#client;
    this.#process?.post(() => void client?.close());
  }

  #live(process: SimProcess): void {
    const { connectString, sessionTimeoutMs, trace, timeline, wrap, play, fail } = this.#parts;
    const random = this.#parts.random;
    const world = this.#worldOf(process);
    const options = { sessionTimeoutMs, backoff: { minMs: 5, maxMs: 100 } };
    const client = new Client(connectString, options, world);
    this.#client = client;
    const stop = new AbortController();
    this.#stop = stop;
    client.on('state', (state) => {
      if (!process.isDead) trace.note('S', this.name, state);
    });
    client.connect({ timeoutMs: LONG_MS }).catch(() => undefined);
    const life: Life = {
      name: this.name,
      zk: wrap(client),
      random,
      stop: stop.signal,
      get isAlive() {
        return !process.isDead;
      },
      isPunctualSince: (forMs) => timeline.nowMs >= this.#pausedUntilMs + forMs,
      pause: (forMs) =>
        pause(client, forMs, stop.signal).catch(() => {
          // it shall stop, and looks at that itself
        }),
      round: () => {
        if (process.isDead) return;
        this.rounds++;
        trace.note('S', this.name, 'round', this.rounds);
      },
    };
    play(life).then(
      () => {
        if (!process.isDead) this.isDone = true;
      },
      (problem: unknown) => {
        if (!process.isDead) fail('R1', `${this.name} failed: ${textOf(problem)}`);
      },
    );
  }

  #worldOf(process: SimProcess): ClientWorld {
    const { network, random } = this.#parts;
    return {
      clock: process.clock,
      network: network.portOf(process, this.address, null),
      names: {
        addresses: (host) => Promise.resolve([host]),
        srv: (name) => Promise.reject(new Error(`ENOTFOUND ${name}: simulated`)),
      },
      crypto: simCrypto(random),
      random: () => random.fraction(),
    };
  }
}

function textOf(problem: unknown): string {
  return problem instanceof Error ? (problem.stack ?? problem.message) : String(problem);
}
