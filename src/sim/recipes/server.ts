/**
 * One server of the ensemble that recipes run against. The servers have runs of their own in which
 * every byte of theirs is judged (../run.ts, ../ensemble/run.ts); here they only have to be there, die,
 * stand still and change leaders, as servers do to their clients.
 */
import type { SeededRandom } from '../../base/random.js';
import { silentLogger } from '../../ports/logger.js';
import { configOf, parseConfig, type ServerConfig } from '../../server/config/config.js';
import { Member } from '../../server/ensemble/member.js';
import type { Timeline } from '../clock.js';
import { simCompression } from '../compression.js';
import { simCrypto } from '../crypto.js';
import { SimDisk } from '../disk.js';
import { DiskImage } from '../disk-image.js';
import type { SimNetwork } from '../network.js';
import { SimProcess, type ProcessPace } from '../process.js';
import type { Trace } from '../trace.js';

export const clientPort = 2181;
const quorumPort = 2888;
const electionPort = 3888;
const WALL_MS = 1_800_000_000_000;
const FLUSH_MS = 0.2;

export interface RecipeServerParts {
  readonly sid: number;
  readonly config: ServerConfig;
  readonly timeline: Timeline;
  readonly random: SeededRandom;
  readonly network: SimNetwork;
  readonly trace: Trace;
  readonly pace: ProcessPace;
  readonly fail: (invariant: string, message: string) => void;
}

export class RecipeServer {
  readonly sid: number;
  readonly #parts: RecipeServerParts;
  #image = new DiskImage();
  #process: SimProcess | null = null;
  #member: Member | null = null;
  starts = 0;

  constructor(parts: RecipeServerParts) {
    this.#parts = parts;
    this.sid = parts.sid;
  }

  get isLeading(): boolean {
    return this.#member?.state === 'leading';
  }

  get isRunning(): boolean {
    return this.#process !== null;
  }

  start(): void {
    if (this.#process !== null) return;
    const { timeline, random, trace, pace, config, fail } = this.#parts;
    this.starts++;
    const name = `s${this.sid}`;
    const process = new SimProcess(name, timeline, random, pace, WALL_MS);
    process.onThrow = (problem) => {
      fail(
        'assert',
        `${name} threw: ${problem instanceof Error ? problem.stack : String(problem)}`,
      );
    };
    this.#process = process;
    trace.note('S', name, 'starts', this.starts);
    process.post(() => {
      Member.start(config, this.#worldOf(process)).then(
        (member) => {
          if (!process.isDead) this.#member = member;
        },
        (problem: unknown) => {
          if (!process.isDead) fail('S19', `${name} does not start: ${String(problem)}`);
        },
      );
    });
  }

  /** Its process ends; what its kernel has is kept. */
  kill(): void {
    const process = this.#process;
    if (process === null) return;
    this.#parts.trace.note('F', process.name, 'is killed');
    this.#parts.network.closeHost(process);
    process.kill();
    this.#process = null;
    this.#member = null;
    this.#image = this.#image.clone();
  }

  pause(forMs: number): void {
    const process = this.#process;
    if (process === null) return;
    this.#parts.trace.note('F', process.name, 'is paused', forMs);
    process.sleep(forMs);
  }

  #worldOf(process: SimProcess): Parameters<typeof Member.start>[1] {
    const { timeline, network, random, sid } = this.#parts;
    return {
      clock: process.clock,
      network: network.portOf(process, hostOf(sid), null),
      disk: new SimDisk({
        image: this.#image,
        slow: {
          clock: {
            wallMs: () => process.clock.wallMs(),
            monotonicMs: () => timeline.nowMs,
            after: (delayMs, run) =>
              timeline.after(delayMs, () => {
                process.post(run);
              }),
            soon: (run) => {
              process.postSoon(run);
            },
          },
          latencyMs: () => FLUSH_MS,
        },
      }),
      compression: simCompression,
      crypto: simCrypto(random),
      logger: silentLogger,
      fraction: () => random.fraction(),
      environment: () => [],
      fileDescriptors: () => null,
      onFatal: (error) => {
        throw error;
      },
    };
  }
}

export function hostOf(sid: number): string {
  return `10.0.1.${sid}`;
}

/** One that is alone, or an ensemble. */
export function configsOf(count: number, tickTimeMs: number): ServerConfig[] {
  const lines = ['initLimit=20', 'syncLimit=5', 'standaloneEnabled=false', 'dataDir=/data'];
  for (let sid = 1; sid <= count; sid++) {
    lines.push(`server.${sid}=${hostOf(sid)}:${quorumPort}:${electionPort}`);
  }
  return Array.from({ length: count }, (_, i) => {
    const read = parseConfig({
      text: `${lines.join('\n')}\nclientPort=${clientPort}\n`,
      file: 'zoo.cfg',
      env: {},
      properties: new Map(),
      myid: String(i + 1),
    });
    if (!('config' in read)) throw new Error(read.problems.map(({ message }) => message).join());
    const config = configOf({
      dataDir: '/data',
      clientPort,
      clientPortAddress: hostOf(i + 1),
      tickTimeMs,
      preAllocBytes: 0,
      maxClientCnxns: 0,
      containerCheckIntervalMs: 5 * tickTimeMs,
      extendedTypesEnabled: true,
    });
    return { ...config, ensemble: read.config.ensemble, myid: i + 1 };
  });
}
