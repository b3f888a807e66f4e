/**
 * One server of a simulated ensemble: a machine with an address and a disk that outlives its process,
 * which is started, killed at any moment, paused and started again (see ../sim-server.ts).
 */
import type { SeededRandom } from '../../base/random.js';
import type { Clock } from '../../ports/clock.js';
import type { Disk } from '../../ports/disk.js';
import type { LogFields, Logger } from '../../ports/logger.js';
import type { ServerConfig } from '../../server/config/config.js';
import { Member } from '../../server/ensemble/member.js';
import type { ConfigStore } from '../../server/ensemble/membership.js';
import type { ServerWorld } from '../../server/server-world.js';
import { StartError } from '../../storage/start-error.js';
import type { RoleName } from '../../zab/ready.js';
import type { Timeline } from '../clock.js';
import { simCompression } from '../compression.js';
import { simCrypto } from '../crypto.js';
import { SimDisk, type DiskCall, type DiskFault } from '../disk.js';
import { DiskImage } from '../disk-image.js';
import type { SimNetwork, Tap } from '../network.js';
import { SimProcess, type ProcessPace } from '../process.js';
import { afterPowerFailure, dropUnlinked, type KillKind } from '../sim-server.js';
import type { Trace } from '../trace.js';
import { DurableHistory, type OnRecord } from './durable-history.js';
import { apacheWorld, mayLie, type ApacheConduct } from './apache-peer.js';
import type { EnsembleParameters } from './parameters.js';
import type { PeerTap } from './peer-tap.js';

/** Bugs put back in (mutants.ts). */
export interface EnsembleSabotage {
  wrapWorld?(world: ServerWorld, sid: number): ServerWorld;
  /** Servers that behave as Apache's do, by number. */
  readonly apache?: ReadonlyMap<number, ApacheConduct>;
  /** Makes what the bug needs more likely than a seed would. */
  tune?(drawn: EnsembleParameters): EnsembleParameters;
  /** Changes parts of the code for the length of a run; what it returns takes that back. */
  patch?(): () => void;
}

export interface SimMemberParts {
  readonly sid: number;
  readonly address: string;
  readonly timeline: Timeline;
  readonly random: SeededRandom;
  readonly network: SimNetwork;
  readonly trace: Trace;
  readonly clientTap: Tap;
  readonly peerTap: PeerTap;
  readonly config: ServerConfig;
  readonly pace: ProcessPace;
  readonly wallMs: number;
  readonly sabotage: EnsembleSabotage;
  /** Null: it is Zabra's. */
  readonly apache: ApacheConduct | null;
  readonly onRecord: OnRecord;
  readonly diskLatencyMs: (call: DiskCall) => number;
  readonly faultOf: (call: DiskCall) => DiskFault | null;
  readonly fail: (invariant: string, message: string) => void;
  readonly onState: (member: SimMember, state: RoleName | 'looking') => void;
  /** Something became durable. */
  readonly onSettled: (member: SimMember) => void;
  readonly onWiped: (member: SimMember) => void;
  /** What is on its disk now is all there is. */
  readonly onPowerLost: (member: SimMember) => void;
  /** It has lied to itself as well, and cannot be started again. */
  readonly onUnreadable: (member: SimMember) => void;
  /** The process ended by itself. */
  readonly onExit: (member: SimMember, reason: string) => void;
  readonly onMark: (member: SimMember, mark: string, fields: LogFields) => void;
  /** Null: configurations stay as they are. */
  readonly configStoreOf: (member: SimMember) => ConfigStore | null;
  /** What it finds on its disk beside what it put there. */
  readonly diskFor: (sid: number, disk: Disk, isDead: () => boolean) => Disk;
}

const LAST_TURNS_MS = 20;

export class SimMember {
  readonly #parts: SimMemberParts;
  readonly sid: number;
  readonly name: string;
  readonly history: DurableHistory;
  #image = new DiskImage();
  #process: SimProcess | null = null;
  #member: Member | null = null;
  #isStopping = false;
  #faultsSeen = 0;
  #dieAtCall: { left: number; readonly kind: KillKind } | null = null;
  #wallOffsetMs: number;
  #isRetired = false;
  starts = 0;
  /** What its configuration's files say. */
  readonly configs: { before: string | null; inForce: string | null; next: string | null } = {
    before: null,
    inForce: null,
    next: null,
  };

  constructor(parts: SimMemberParts) {
    this.#parts = parts;
    this.sid = parts.sid;
    this.name = `s${parts.sid}`;
    this.#wallOffsetMs = parts.wallMs;
    const { dataDir, dataLogDir } = parts.config;
    this.history = new DurableHistory(
      `${dataDir}/version-2`,
      `${dataLogDir}/version-2`,
      parts.onRecord,
    );
  }

  get member(): Member | null {
    return this.#member;
  }

  get process(): SimProcess | null {
    return this.#process;
  }

  get isRunning(): boolean {
    return this.#process !== null;
  }

  get config(): ServerConfig {
    return this.#parts.config;
  }

  get image(): DiskImage {
    return this.#image;
  }

  /** What it says need not be so. */
  get mayLie(): boolean {
    return this.#parts.apache !== null && mayLie(this.#parts.apache);
  }

  /** It behaves as Apache's servers do. */
  get isStranger(): boolean {
    return this.#parts.apache !== null;
  }

  /** It has no role: what it says of itself now is its vote. */
  get isLooking(): boolean {
    return this.#member === null || this.#member.leaderSid === null;
  }

  get isLeading(): boolean {
    return this.#member?.state === 'leading';
  }

  start(): void {
    if (this.#process !== null || this.#isRetired) return;
    const { timeline, random, trace, config, pace, sabotage, apache, onState } = this.#parts;
    this.starts++;
    this.#faultsSeen = 0;
    this.#isStopping = false;
    const process = new SimProcess(this.name, timeline, random, pace, this.#wallOffsetMs);
    process.onThrow = (problem) => {
      this.#onThrow(process, problem);
    };
    this.#process = process;
    trace.note('S', this.name, 'starts', this.starts);
    this.history.watch(this.#image);
    const own = this.#worldOf(process);
    const world = apache === null ? own : apacheWorld(own, apache);
    const wrapped = sabotage.wrapWorld?.(world, this.sid) ?? world;
    process.post(() => {
      Member.start(config, wrapped).then(
        (member) => {
          if (process.isDead) return;
          this.#member = member;
          const tell = (state: RoleName | 'looking'): void => {
            if (!process.isDead) onState(this, state);
          };
          member.onState = tell;
          tell(member.state);
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
    const member = this.#member;
    if (process === null || member === null || this.#isStopping) return;
    this.#isStopping = true;
    this.#parts.trace.note('F', this.name, 'is stopped');
    process.post(() => {
      member.stop().then(
        () => {
          // what it closed is told so in a turn of its own
          this.#parts.timeline.after(LAST_TURNS_MS, () => {
            if (process.isDead) return;
            this.#checkLeftovers(process);
            this.#parts.network.closeHost(process);
            this.#forget(process);
            onDown();
          });
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
    const { network, trace, random } = this.#parts;
    trace.note('F', this.name, kind === 'machine' ? 'loses power' : 'is killed');
    if (kind === 'machine') network.vanishHost(process);
    else network.closeHost(process);
    this.#forget(process);
    if (kind === 'machine') {
      this.#image = afterPowerFailure(this.#image, random);
      this.history.watch(this.#image);
      this.#parts.onPowerLost(this);
    }
  }

  /** Its disk is replaced by an empty one; whoever runs on it is killed. */
  wipe(): void {
    this.kill('process');
    this.#parts.trace.note('F', this.name, 'is wiped');
    this.#image = new DiskImage();
    this.history.wipe(this.#image);
    this.#parts.onWiped(this);
  }

  /** Dies in the middle of its work: at the n-th call to the disk from now. */
  killAtDiskCall(calls: number, kind: KillKind): void {
    this.#dieAtCall = { left: calls, kind };
  }

  spare(): void {
    this.#dieAtCall = null;
  }

  retire(): void {
    this.#isRetired = true;
  }

  pause(forMs: number): void {
    this.#parts.trace.note('F', this.name, 'is paused', forMs, 0, () => `${Math.round(forMs)} ms`);
    this.#process?.sleep(forMs);
  }

  jumpWallClock(byMs: number): void {
    this.#wallOffsetMs += byMs;
    this.#parts.trace.note('F', this.name, 'clock jumps', byMs, 0, () => `${Math.round(byMs)} ms`);
    if (this.#process !== null) this.#process.clock.wallOffsetMs += byMs;
  }

  #checkLeftovers(process: SimProcess): void {
    const { fail, network } = this.#parts;
    const { pendingTimers } = process.clock;
    if (pendingTimers > 0) fail('S25', `${this.name} stopped with ${pendingTimers} timers left`);
    // one that is ending has had its last word, and the kernel sees to the rest
    const open = network.openSocketsOf(process).filter(({ isEnding }) => !isEnding).length;
    if (open > 0) fail('S25', `${this.name} stopped with ${open} connections left`);
  }

  #forget(process: SimProcess): void {
    process.kill();
    this.#process = null;
    this.#member = null;
    this.#dieAtCall = null;
    this.#image = this.#image.clone();
    dropUnlinked(this.#image);
    this.history.watch(this.#image);
  }

  #worldOf(process: SimProcess): ServerWorld {
    const { network, random, clientTap, peerTap, address, diskFor } = this.#parts;
    return {
      clock: process.clock,
      network: peerTap.networkOf(this, network.portOf(process, address, clientTap)),
      disk: diskFor(this.sid, this.#diskOf(process), () => process.isDead),
      compression: simCompression,
      crypto: simCrypto(random),
      logger: this.#loggerOf(process),
      fraction: () => random.fraction(),
      configStore: this.#parts.configStoreOf(this),
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
    const { timeline, diskLatencyMs, onSettled } = this.#parts;
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
        if (process.isDead) return;
        this.history.onStep(step);
        if (step.kind === 'settle') onSettled(this);
      },
      slow: { clock, latencyMs: diskLatencyMs },
    });
  }

  #onDiskCall(process: SimProcess, call: DiskCall): DiskFault | null {
    if (process.isDead) return null;
    const { trace, faultOf, onExit } = this.#parts;
    trace.note('S', this.name, call.name, call.index, 0, () => call.path);
    const death = this.#dieAtCall;
    if (death !== null && --death.left <= 0) {
      this.kill(death.kind);
      onExit(this, 'killed in a disk call');
      return null;
    }
    const fault = faultOf(call);
    if (fault === null) return null;
    this.#faultsSeen++;
    const detail = (): string => `${call.name} ${call.path} ${JSON.stringify(fault)}`;
    trace.note('F', this.name, fault.kind, call.index, 0, detail);
    return fault;
  }

  #loggerOf(process: SimProcess): Logger {
    const { trace, onMark } = this.#parts;
    const say =
      (level: string) =>
      (message: string, fields: LogFields = {}) => {
        if (process.isDead) return;
        trace.note('S', this.name, 'logs', message.length, 0, () => {
          const text = Object.entries(fields).map(([key, value]) => `${key}=${String(value)}`);
          return `${level}: ${message} ${text.join(' ')}`;
        });
        onMark(this, message, fields);
      };
    return { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
  }

  #exit(process: SimProcess, reason: string): void {
    if (process.isDead) return;
    this.#parts.trace.note('F', this.name, 'exits', 0, 0, () => reason);
    this.#parts.network.closeHost(process);
    this.#forget(process);
    this.#parts.onExit(this, reason);
  }

  #onStartFailed(process: SimProcess, problem: unknown): void {
    if (process.isDead) return;
    const reason = problem instanceof Error ? problem.message : String(problem);
    if (!(problem instanceof StartError)) this.#onThrow(process, problem);
    else if (this.mayLie) this.#parts.onUnreadable(this);
    else if (this.#faultsSeen === 0) {
      this.#parts.fail('S19', `${this.name} refuses to start: ${reason}`);
    }
    this.#exit(process, reason);
  }

  #onThrow(process: SimProcess, problem: unknown): void {
    const text = problem instanceof Error ? (problem.stack ?? problem.message) : String(problem);
    this.#parts.fail('assert', `${this.name} threw: ${text}`);
    this.#exit(process, 'it threw');
  }
}
