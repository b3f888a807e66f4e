/**
 * A run: several fuzzed connections against one server, a witness beside them, and afterwards a
 * crash and a look at what was recovered. Everything random comes from one seed; which connection
 * meets which state of the tree depends on the timing, so an offence is reduced by trying it out.
 */
import { ConnectRequest, ErrorCode, MalformedError, Reader } from 'zabra/protocol';
import { setTimeout as sleep } from 'node:timers/promises';
import { frameBytesMax } from './grammar.js';
import { Generator, type Batch } from './generator.js';
import { reduce } from './reduce.js';
import { SuperClient } from './super-client.js';
import type { Target } from './target.js';
import { Offence, VictimConnection, type SessionKey } from './victim.js';
import { Witness } from './witness.js';

export interface RunOptions {
  readonly seed: number;
  readonly frames: number;
  readonly connections: number;
  readonly framesPerBatch: number;
  readonly rssBytesMax: number;
  readonly stallMsMax: number;
  log(line: string): void;
}

/** One oracle: what it promises, and what was seen instead. */
export interface Verdict {
  readonly promise: string;
  readonly complaint: string | null;
}

/** A connection is given up after so many frames, with the watches it has gathered. */
const FRAMES_PER_CONNECTION = 3000;
/** Until the end of a child process is known here. */
const DEATH_MS = 200;
/** Servers that may die while the frames that kill are being found. */
const KILLS_MAX = 40;
const FRAMES_PER_CLEANING = 20_000;

export async function runFuzz(target: Target, options: RunOptions): Promise<Verdict[]> {
  return await new Run(target, options).go();
}

class Run {
  readonly #target: Target;
  readonly #options: RunOptions;
  #sent = 0;
  #cleanedAt = 0;
  #connections = 0;
  #offence: { readonly message: string; readonly batch: Batch; readonly seed: number } | null =
    null;
  #rssMax = 0;
  readonly #playing = new Set<Batch>();
  readonly #tally = new Map<number, number>();

  constructor(target: Target, options: RunOptions) {
    this.#target = target;
    this.#options = options;
  }

  async go(): Promise<Verdict[]> {
    const { seed } = this.#options;
    const log = (line: string): void => {
      this.#options.log(line);
    };
    log(`seed ${seed}`);
    const operator = await SuperClient.connect(this.#target);
    await operator.clean();
    const witness = await Witness.start(this.#target);
    const from = performance.now();
    const cleaner = this.#cleanNowAndThen(operator).catch((problem: unknown) => String(problem));
    const workers = Array.from({ length: this.#options.connections }, (_, i) =>
      this.#work(new Generator(seed + i * 7919, i === 0), seed + i * 7919),
    );
    await Promise.all(workers);
    const seconds = (performance.now() - from) / 1000;
    const cleaning = await cleaner;
    await witness.stop();
    await operator.close();
    const rate = Math.round(this.#sent / seconds);
    log(
      `${this.#sent} frames in ${seconds.toFixed(1)} s (${rate}/s), ${this.#connections} connections`,
    );
    log(`answers: ${this.#answers()}`);
    log(`witness: ${witness.rounds} rounds, slowest answer ${witness.slowestMs.toFixed(0)} ms`);
    log(`memory: at most ${Math.round(this.#rssMax / 1048576)} MB`);
    const death = this.#target.isAlive ? null : await this.#lastWords();
    const verdicts = [
      { promise: 'every reply is as the table says', complaint: await this.#explain() },
      { promise: 'the server lives', complaint: death },
      {
        promise: 'other sessions are served and undisturbed',
        complaint: witness.complaint ?? cleaning ?? null,
      },
      { promise: 'no stall', complaint: this.#stall(witness.slowestMs) },
      { promise: 'memory stays bounded', complaint: this.#memory() },
    ];
    if (this.#target.crashAndRestart === null || death !== null) return verdicts;
    const complaint = await this.#crash(this.#target.crashAndRestart);
    return [...verdicts, { promise: 'a crash loses and changes nothing', complaint }];
  }

  #isOver(): boolean {
    return this.#sent >= this.#options.frames || this.#offence !== null || !this.#target.isAlive;
  }

  #answers(): string {
    const names = new Map(Object.entries(ErrorCode).map(([name, code]) => [code as number, name]));
    const counts = [...this.#tally].sort((a, b) => b[1] - a[1]);
    return counts.map(([code, count]) => `${names.get(code) ?? code} ${count}`).join(', ');
  }

  async #work(generator: Generator, seed: number): Promise<void> {
    let key: SessionKey | null = null;
    while (!this.#isOver()) {
      const first = generator.connectRequest();
      let playing: Batch = { frames: [first], pacing: 'whole' };
      try {
        if (generator.random.chance(0.2)) await this.#playFirst(first);
        const connection = await VictimConnection.open(this.#target, this.#tally);
        this.#connections++;
        key = await connection.handshake(generator.random.chance(0.3) ? key : null);
        if (key === null) continue;
        let count = 0;
        while (count < FRAMES_PER_CONNECTION && !this.#isOver()) {
          playing = generator.batch(this.#options.framesPerBatch);
          this.#playing.add(playing);
          await connection.play(playing);
          this.#playing.delete(playing);
          count += playing.frames.length;
          this.#sent += playing.frames.length;
          if (connection.isClosed) break;
        }
        connection.destroy();
      } catch (problem) {
        // a connection's end may be heard of before its server's
        await sleep(DEATH_MS);
        if (!this.#target.isAlive) return;
        const message = problem instanceof Error ? problem.message : String(problem);
        this.#offence ??= { message, batch: playing, seed };
      }
    }
  }

  async #playFirst(frame: Uint8Array): Promise<void> {
    this.#sent++;
    const connection = await VictimConnection.open(this.#target);
    const length = new DataView(frame.buffer, frame.byteOffset).getInt32(0);
    await connection.playFirst(
      frame,
      length > frameBytesMax || !isConnectRequest(frame.subarray(4)),
    );
    connection.destroy();
  }

  async #cleanNowAndThen(operator: SuperClient): Promise<void> {
    while (!this.#isOver()) {
      await sleep(100);
      this.#rssMax = Math.max(this.#rssMax, this.#target.rssBytes());
      if (!this.#target.isAlive) return;
      await operator.ping();
      if (this.#sent - this.#cleanedAt < FRAMES_PER_CLEANING) continue;
      this.#cleanedAt = this.#sent;
      await operator.clean();
    }
  }

  async #explain(): Promise<string | null> {
    if (this.#offence === null) return null;
    const { message, batch, seed } = this.#offence;
    this.#options.log(`reducing: ${message}`);
    const frames = await reduce(batch.frames, (fewer) => this.#offends(fewer));
    return `${message}\n  generator seed ${seed}, frames behind a handshake:\n  ${hexOf(frames)}`;
  }

  /** Whether these frames alone, on a new session, make the server misbehave. */
  async #offends(frames: readonly Uint8Array[]): Promise<boolean> {
    try {
      const connection = await VictimConnection.open(this.#target);
      await connection.handshake(null);
      await connection.play({ frames, pacing: 'whole' });
      connection.destroy();
      return false;
    } catch (problem) {
      return problem instanceof Offence;
    }
  }

  /** Which of the batches that were on their way ends a server, and which of its frames. */
  async #lastWords(): Promise<string> {
    const restart = this.#target.crashAndRestart;
    const kills = async (frames: readonly Uint8Array[]): Promise<boolean> => {
      if (!this.#target.isAlive) await restart?.();
      await this.#offends(frames);
      await sleep(DEATH_MS);
      return !this.#target.isAlive;
    };
    const suspects = [...this.#playing].map(({ frames }) => frames);
    for (const frames of restart === null ? [] : suspects) {
      if (!(await kills(frames))) continue;
      const fewer = await reduce(frames, kills, KILLS_MAX);
      return `it ends by these frames behind a handshake:\n  ${hexOf(fewer)}`;
    }
    const sent = suspects.map((frames) => Buffer.concat(frames).toString('hex').slice(0, 20_000));
    return `it ended; what was being sent to it:\n  ${sent.join('\n  ')}`;
  }

  #stall(slowestMs: number): string | null {
    const { stallMsMax } = this.#options;
    return slowestMs <= stallMsMax ? null : `an answer took ${slowestMs.toFixed(0)} ms`;
  }

  #memory(): string | null {
    const { rssBytesMax } = this.#options;
    return this.#rssMax <= rssBytesMax ? null : `${Math.round(this.#rssMax / 1048576)} MB`;
  }

  async #crash(crashAndRestart: () => Promise<void>): Promise<string | null> {
    try {
      const before = await this.#settledTree();
      await crashAndRestart();
      const operator = await SuperClient.connect(this.#target);
      const after = await operator.dump();
      await operator.close();
      this.#options.log(`recovery: ${before.length} znodes before, ${after.length} after`);
      const differs = before.findIndex((line, i) => line !== after[i]);
      if (differs === -1 && before.length === after.length) return null;
      return `before: ${before[differs]}\n  after: ${after[differs]}`;
    } catch (problem) {
      return String(problem);
    }
  }

  /** The tree once nothing in it can change by itself. */
  async #settledTree(): Promise<string[]> {
    const operator = await SuperClient.connect(this.#target);
    await operator.removeMortal();
    for (;;) {
      const before = await operator.dump();
      await sleep(700);
      const after = await operator.dump();
      if (before.join('\n') !== after.join('\n')) continue;
      await operator.close();
      return after;
    }
  }
}

function hexOf(frames: readonly Uint8Array[]): string {
  return frames.map((frame) => Buffer.from(frame).toString('hex')).join('\n  ');
}

function isConnectRequest(payload: Uint8Array): boolean {
  try {
    ConnectRequest.read(new Reader(payload));
    return true;
  } catch (problem) {
    if (problem instanceof MalformedError) return false;
    throw problem;
  }
}
