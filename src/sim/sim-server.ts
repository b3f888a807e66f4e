/**
 * The server under test in its simulated world: one disk that outlives it, and a process that is
 * started, killed at any moment, paused, stalled and started again. A killed process may go on running
 * to the end of its callback; nothing that it does from then on reaches anybody, because its disk is a
 * copy by then and its clock and sockets are dead.
 */
import type { SeededRandom } from '../base/random.js';
import type { Clock } from '../ports/clock.js';
import type { LogFields, Logger } from '../ports/logger.js';
import type { ServerConfig } from '../server/config/config.js';
import type { ServerWorld } from '../server/server-world.js';
import { Server } from '../server/server.js';
import { StartError } from '../storage/start-error.js';
import type { Timeline } from './clock.js';
import { simCompression } from './compression.js';
import { crashStates } from './crash-states.js';
import { simCrypto } from './crypto.js';
import { SimDisk, type DiskCall, type DiskFault } from './disk.js';
import { DiskImage, rootInode } from './disk-image.js';
import type { LogWitness } from './log-witness.js';
import type { SimNetwork, Tap } from './network.js';
import { SimProcess, type ProcessPace } from './process.js';
import type { Trace } from './trace.js';

/** Bugs put back in from outside (mutants.ts): they wrap what the server is given. */
export interface Sabotage {
  wrapWorld?(world: ServerWorld): ServerWorld;
  wrapConfig?(config: ServerConfig): ServerConfig;
  onStarted?(server: Server): void;
}

export interface SimServerParts {
  readonly timeline: Timeline;
  readonly random: SeededRandom;
  readonly network: SimNetwork;
  readonly trace: Trace;
  readonly witness: LogWitness;
  readonly tap: Tap;
  readonly config: ServerConfig;
  readonly address: string;
  readonly pace: ProcessPace;
  readonly wallMs: number;
  readonly sabotage: Sabotage;
  /** How long a disk call takes. */
  readonly diskLatencyMs: (call: DiskCall) => number;
  readonly faultOf: (call: DiskCall) => DiskFault | null;
  fail(invariant: string, message: string): void;
  /** It has recovered and listens. */
  onStarted(server: Server): void;
  /** The process ended by itself: the disk failed, or it could not start. */
  onExit(reason: string): void;
  onMark(mark: string, fields: LogFields): void;
}

/** Of the states a power failure may leave, so many are looked at, and one of them is taken. */
const CRASH_STATES = 24;

/** `process`: the kernel lives on, and its cache. `machine`: only what is durable is sure to be there. */
export type KillKind = 'process' | 'machine';

export class SimServer {
  readonly #parts: SimServerParts;
  #image = new DiskImage();
  #process: SimProcess | null = null;
  #server: Server | null = null;
  /** Faults injected into the calls of this process: what it may blame for not starting. */
  #faultsSeen = 0;
  /** Set: the process dies when it makes its n-th disk call from now. */
  #dieAtCall: { left: number; readonly kind: KillKind } | null = null;
  #wallOffsetMs: number;
  #isRetired = false;
  starts = 0;
  kills = 0;

  constructor(parts: SimServerParts) {
    this.#parts = parts;
    this.#wallOffsetMs = parts.wallMs;
  }

  get server(): Server | null {
    return this.#server;
  }

  get process(): SimProcess | null {
    return this.#process;
  }

  get isRunning(): boolean {
    return this.#process !== null;
  }

  get isServing(): boolean {
    return this.#server !== null;
  }

  get image(): DiskImage {
    return this.#image;
  }

  /** The disk as somebody else left it; before the first start. */
  set image(image: DiskImage) {
    this.#image = image;
  }

  start(): void {
    if (this.#process !== null || this.#isRetired) return;
    const { timeline, random, trace, witness, config, pace, sabotage } = this.#parts;
    this.starts++;
    this.#faultsSeen = 0;
    const process = new SimProcess('server', timeline, random, pace, this.#wallOffsetMs);
    process.onThrow = (problem) => {
      this.#onThrow(process, problem);
    };
    this.#process = process;
    trace.note('S', 'server', 'starts', this.starts);
    witness.watch(this.#image);
    const world = this.#worldOf(process);
    const wrapped = sabotage.wrapWorld?.(world) ?? world;
    const settings = sabotage.wrapConfig?.(config) ?? config;
    process.post(() => {
      Server.start(settings, wrapped).then(
        (server) => {
          if (process.isDead) return;
          this.#server = server;
          sabotage.onStarted?.(server);
          trace.note('S', 'server', 'serves');
          this.#parts.onStarted(server);
        },
        (problem: unknown) => {
          this.#onStartFailed(process, problem);
        },
      );
    });
  }

  /** Stops it as its operator does; `onDown` is called unless something else ends it first. */
  stop(onDown: () => void): void {
    const process = this.#process;
    const server = this.#server;
    if (process === null || server === null) return;
    this.#server = null;
    this.#parts.trace.note('F', 'server', 'is stopped');
    process.post(() => {
      server.stop().then(
        () => {
          if (process.isDead) return;
          this.#checkLeftovers(process);
          this.#parts.network.closeHost(process);
          this.#forget(process);
          onDown();
        },
        (problem: unknown) => {
          if (!process.isDead) this.#onThrow(process, problem);
        },
      );
    });
  }

  kill(kind: KillKind): void {
    const process = this.#process;
    if (process === null) return;
    this.kills++;
    this.#parts.trace.note('F', 'server', kind === 'machine' ? 'loses power' : 'is killed');
    if (kind === 'machine') this.#parts.network.vanishHost(process);
    else this.#parts.network.closeHost(process);
    this.#forget(process);
    if (kind === 'machine') this.#image = afterPowerFailure(this.#image, this.#parts.random);
  }

  /** Dies in the middle of its work: at the n-th call to the disk from now. */
  killAtDiskCall(calls: number, kind: KillKind): void {
    this.#dieAtCall = { left: calls, kind };
  }

  /** Whatever was planned for it does not happen. */
  spare(): void {
    this.#dieAtCall = null;
  }

  /** Nobody starts it any more. */
  retire(): void {
    this.#isRetired = true;
  }

  /** Nothing runs for so long, and then everything at once. */
  pause(forMs: number): void {
    this.#parts.trace.note('F', 'server', 'is paused', forMs, 0, () => `${Math.round(forMs)} ms`);
    this.#process?.sleep(forMs);
  }

  jumpWallClock(byMs: number): void {
    this.#wallOffsetMs += byMs;
    this.#parts.trace.note('F', 'server', 'clock jumps', byMs, 0, () => `${Math.round(byMs)} ms`);
    if (this.#process !== null) this.#process.clock.wallOffsetMs += byMs;
  }

  /** A server that has stopped keeps nothing that would keep its process alive. */
  #checkLeftovers(process: SimProcess): void {
    const { network } = this.#parts;
    const { pendingTimers } = process.clock;
    if (pendingTimers > 0)
      this.#parts.fail('S25', `${pendingTimers} timers are left after the server stopped`);
    const open = network.openSocketsOf(process).length;
    if (open > 0) this.#parts.fail('S25', `${open} connections are left after the server stopped`);
  }

  #forget(process: SimProcess): void {
    process.kill();
    this.#process = null;
    this.#server = null;
    this.#dieAtCall = null;
    this.#image = this.#image.clone();
    dropUnlinked(this.#image);
  }

  #worldOf(process: SimProcess): ServerWorld {
    const { network, random, tap, address } = this.#parts;
    return {
      clock: process.clock,
      network: network.portOf(process, address, tap),
      disk: this.#diskOf(process),
      compression: simCompression,
      crypto: simCrypto(random),
      logger: this.#loggerOf(process),
      fraction: () => random.fraction(),
      environment: () => [],
      fileDescriptors: () => null,
      onFatal: (error) => {
        this.#exit(process, `the disk failed: ${error.message}`);
        // a real process does not get here; this one is dead, and what it still does reaches nobody
        return undefined as never;
      },
    };
  }

  #diskOf(process: SimProcess): SimDisk {
    const { timeline, witness, diskLatencyMs } = this.#parts;
    const clock: Clock = {
      wallMs: () => process.clock.wallMs(),
      monotonicMs: () => timeline.nowMs,
      after: (delayMs, run) =>
        timeline.after(delayMs, () => {
          process.post(run);
        }),
      soon: (run) => {
        process.postSoon(run);
      },
    };
    return new SimDisk({
      image: this.#image,
      faultOf: (call) => this.#onDiskCall(process, call),
      onStep: (step) => {
        if (step.kind === 'settle' && !process.isDead) witness.onSettled();
      },
      slow: { clock, latencyMs: diskLatencyMs },
    });
  }

  #onDiskCall(process: SimProcess, call: DiskCall): DiskFault | null {
    if (process.isDead) return null;
    const { trace } = this.#parts;
    trace.note('S', 'disk', call.name, call.index, 0, () => call.path);
    const death = this.#dieAtCall;
    if (death !== null && --death.left <= 0) {
      this.kill(death.kind);
      this.#parts.onExit('killed in a disk call');
      return null;
    }
    const fault = this.#parts.faultOf(call);
    if (fault === null) return null;
    this.#faultsSeen++;
    trace.note(
      'F',
      'disk',
      fault.kind,
      call.index,
      0,
      () => `${call.name} ${call.path} ${JSON.stringify(fault)}`,
    );
    return fault;
  }

  #loggerOf(process: SimProcess): Logger {
    const { trace } = this.#parts;
    const say =
      (level: string) =>
      (message: string, fields: LogFields = {}) => {
        if (process.isDead) return;
        trace.note('S', 'server', 'logs', message.length, 0, () => {
          const text = Object.entries(fields).map(([key, value]) => `${key}=${String(value)}`);
          return `${level}: ${message} ${text.join(' ')}`;
        });
        this.#parts.onMark(message, fields);
      };
    return { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
  }

  #exit(process: SimProcess, reason: string): void {
    if (process.isDead) return;
    this.#parts.trace.note('F', 'server', 'exits', 0, 0, () => reason);
    this.#parts.network.closeHost(process);
    this.#forget(process);
    this.#parts.onExit(reason);
  }

  #onStartFailed(process: SimProcess, problem: unknown): void {
    if (process.isDead) return;
    const excuse = this.#faultsSeen > 0;
    const reason = problem instanceof Error ? problem.message : String(problem);
    if (!(problem instanceof StartError)) this.#onThrow(process, problem);
    else if (!excuse) this.#parts.fail('S19', `the server refuses to start: ${reason}`);
    this.#exit(process, reason);
  }

  #onThrow(process: SimProcess, problem: unknown): void {
    const text = problem instanceof Error ? (problem.stack ?? problem.message) : String(problem);
    this.#parts.fail('assert', `the server threw: ${text}`);
    this.#exit(process, 'it threw');
  }
}

/** One of the legal images, drawn. Small ones are as likely as large ones. */
export function afterPowerFailure(image: DiskImage, random: SeededRandom): DiskImage {
  const options = {
    seed: random.uint32(),
    sectorBytes: random.pick([512, 4096]),
    statesMax: CRASH_STATES,
  };
  let chosen = image;
  let left = random.below(CRASH_STATES);
  for (const state of crashStates(image, options)) {
    chosen = state;
    if (left-- <= 0) break;
  }
  dropUnlinked(chosen);
  return chosen;
}

/** Files without a name are gone for good once nobody has them open: the image need not keep them. */
export function dropUnlinked(image: DiskImage): void {
  const linked = new Set<number>([rootInode]);
  const visit = (number: number): void => {
    const inode = image.inodes.get(number);
    if (inode?.kind !== 'directory') return;
    for (const names of [inode.now, inode.durable]) {
      for (const child of names.values()) {
        if (linked.has(child)) continue;
        linked.add(child);
        visit(child);
      }
    }
    for (const change of inode.pending) if (change.kind !== 'unlink') linked.add(change.inode);
  };
  visit(rootInode);
  for (const number of image.inodes.keys()) if (!linked.has(number)) image.inodes.delete(number);
}
