/**
 * Everything that a seed decides before the run begins. Swarm testing: not only the events are random,
 * their probabilities are, and most of them are zero in most runs, so that each run is extreme in its
 * own way. Limits are tiny, so that what happens once a month in production happens every second here.
 */
import type { SeededRandom } from '../base/random.js';
import { fourLetterWords } from '../server/commands/four-letter-words.js';
import { configOf, type ServerConfig } from '../server/config/config.js';
import type { ClientTraits, Mischief } from './client.js';
import type { LinkQuality } from './pipe.js';
import type { ProcessPace } from './process.js';
import { drawWeights } from './workload.js';

/** Mean times between faults of a kind, in milliseconds; Infinity: never. */
export interface FaultTimes {
  readonly killProcess: number;
  readonly killMachine: number;
  /** Dies in the middle of a disk call. */
  readonly killAtDiskCall: number;
  /** Stopped and started again, as its operator would. */
  readonly restart: number;
  readonly pause: number;
  readonly stall: number;
  readonly clockJump: number;
  readonly linkReset: number;
  readonly linkSilent: number;
  readonly linkStall: number;
  readonly refuse: number;
  readonly partition: number;
  readonly slowDisk: number;
}

export type FaultName = keyof FaultTimes;

export interface DiskManners {
  readonly flushMs: number;
  readonly callMs: number;
  /** One call in so many takes much longer. */
  readonly spikeChance: number;
  readonly spikeMs: number;
  /** Per call, while faults are on. */
  readonly errorChance: number;
}

export interface Parameters {
  readonly seed: number;
  readonly safetyMs: number;
  readonly config: ServerConfig;
  /** The last zxid of a history that the run takes over; 0: an empty disk. */
  readonly baseZxid: bigint;
  readonly pace: ProcessPace;
  readonly link: LinkQuality;
  readonly disk: DiskManners;
  readonly faults: FaultTimes;
  readonly restartMs: number;
  /** The probability that a start, the first included, dies within its first disk calls. */
  readonly relapse: number;
  readonly clients: readonly ClientTraits[];
  /** Four-letter words and garbage, in the mean so often. */
  readonly probeMs: number;
  /** Walks over the tree give way after so many znodes; 0: when they like. */
  readonly walkStep: number;
  /** Clients that fall silent for ever before the end. */
  readonly leaverCount: number;
}

export const serverAddress = { host: '10.0.1.1', port: 2181 };

const MISCHIEFS: readonly Mischief[] = [
  'hangUp',
  'silence',
  'close',
  'deaf',
  'twice',
  'lie',
  'mangle',
];

export function drawParameters(seed: number, random: SeededRandom): Parameters {
  const tickMs = random.pick([200, 500, 1000, 2000]);
  const safetyMs = random.pick([8_000, 20_000, 40_000]);
  const clientCount = random.between(1, 6);
  const config = drawConfig(random, tickMs);
  const clients = Array.from({ length: clientCount }, () => drawClient(random, tickMs));
  return {
    seed,
    safetyMs,
    config,
    baseZxid: random.chance(0.3) ? random.pick(BASES) : 0n,
    pace: {
      wakeMs: random.pick([0, 0.02, 0.02, 0.5, 5]),
      spendMs: random.pick([0, 0, 0.002, 0.3, 1.5]),
    },
    link: drawLink(random),
    disk: {
      flushMs: random.pick([0, 0.05, 1, 1, 15]),
      callMs: random.pick([0, 0.5, 0.5, 5]),
      spikeChance: random.chance(0.3) ? 0.01 : 0,
      spikeMs: random.pick([50, 500, 4 * tickMs]),
      errorChance: random.chance(0.25) ? random.pick([0.0003, 0.002]) : 0,
    },
    faults: drawFaults(random),
    restartMs: random.pick([50, 500, 3000]),
    relapse: random.chance(0.25) ? 0.4 : 0,
    clients,
    probeMs: random.chance(0.3) ? random.pick([200, 2000]) : Infinity,
    walkStep: random.pick([0, 1, 3]),
    leaverCount: random.below(clientCount),
  };
}

/** Beside the edges of what a double, a signed and an unsigned counter can hold. */
const BASES = [
  0xffff_fff0n,
  0x1_0000_0000n,
  (0x1f_ffffn << 32n) | 0xffff_ffe0n,
  0x20_0000n << 32n,
  (0x7fff_fffen << 32n) | 0xffff_fff0n,
];

/** More transactions than any run has. */
const NO_SNAPSHOTS = 100_000;

export function drawConfig(random: SeededRandom, tickTimeMs: number): ServerConfig {
  const snapCount = random.chance(0.6)
    ? random.between(2, 40)
    : random.pick([100, 1000, NO_SNAPSHOTS]);
  const config = configOf({
    dataDir: '/data',
    dataLogDir: random.chance(0.3) ? '/logs' : '/data',
    clientPort: serverAddress.port,
    clientPortAddress: serverAddress.host,
    tickTimeMs,
    snapCount,
    preAllocBytes: 1024 * (random.chance(0.02) ? 65_536 : random.pick([0, 1, 8, 64])),
    txnLogSizeLimitBytes: random.chance(0.3) ? 1024 * random.between(1, 16) : -1,
    snapshotCompression: random.pick(['', '', 'gz', 'snappy'] as const),
    globalOutstandingLimit: random.pick([1, 3, 20, 1000]),
    juteMaxBufferBytes: random.pick([32 * 1024, 0xfffff]),
    maxClientCnxns: random.pick([0, 4, 60]),
    extendedTypesEnabled: random.chance(0.5),
    skipAcl: random.chance(0.1),
    digestEnabled: random.chance(0.9),
    // sessions' ends that list nothing cannot be replayed onto a fuzzy snapshot without loss (pzxid)
    closeSessionTxnEnabled: snapCount < NO_SNAPSHOTS || random.chance(0.5),
    containerCheckIntervalMs: random.pick([tickTimeMs, 5 * tickTimeMs, 60_000]),
    containerMaxPerMinute: random.pick([60, 600, 60_000]),
    containerMaxNeverUsedIntervalMs: random.pick([0, tickTimeMs]),
  });
  const purgeEveryMs = random.chance(0.5) ? random.between(100, 5000) : 0;
  return {
    ...config,
    autopurgePurgeIntervalHours: purgeEveryMs / 3_600_000,
    fourLetterWhitelist: new Set(fourLetterWords),
  };
}

export function drawLink(random: SeededRandom): LinkQuality {
  return {
    latencyMs: random.pick([0.02, 0.5, 5, 40]),
    jitterMs: random.pick([0, 0.05, 2, 20]),
    loss: random.chance(0.3) ? random.pick([0.001, 0.02]) : 0,
    retransmitMs: random.pick([20, 200]),
    windowBytes: random.pick([300, 4096, 65_536, 1 << 20]),
    cut: random.chance(0.5) ? random.pick([0.05, 0.4]) : 0,
    cutToBytes: random.chance(0.2) ? 0.05 : 0,
    readBytesMax: random.pick([7, 1000, 65_536, 65_536]),
  };
}

/** When faults are off: as good as a network gets. */
export const goodLink: LinkQuality = {
  latencyMs: 0.1,
  jitterMs: 0.02,
  loss: 0,
  retransmitMs: 200,
  windowBytes: 65_536,
  cut: 0,
  cutToBytes: 0,
  readBytesMax: 65_536,
};

export const noFaults: FaultTimes = {
  killProcess: Infinity,
  killMachine: Infinity,
  killAtDiskCall: Infinity,
  restart: Infinity,
  pause: Infinity,
  stall: Infinity,
  clockJump: Infinity,
  linkReset: Infinity,
  linkSilent: Infinity,
  linkStall: Infinity,
  refuse: Infinity,
  partition: Infinity,
  slowDisk: Infinity,
};

function drawFaults(random: SeededRandom): FaultTimes {
  const sometimes = (chance: number, ...meanMs: number[]): number =>
    random.chance(chance) ? random.pick(meanMs) : Infinity;
  return {
    killProcess: sometimes(0.3, 3000, 15_000),
    killMachine: sometimes(0.4, 2000, 10_000),
    killAtDiskCall: sometimes(0.4, 1500, 8000),
    restart: sometimes(0.25, 2000, 10_000),
    pause: sometimes(0.25, 5000, 20_000),
    stall: sometimes(0.3, 500, 5000),
    clockJump: sometimes(0.3, 2000),
    linkReset: sometimes(0.4, 1000, 5000),
    linkSilent: sometimes(0.25, 4000),
    linkStall: sometimes(0.3, 2000),
    refuse: sometimes(0.2, 5000),
    partition: sometimes(0.25, 5000),
    slowDisk: sometimes(0.2, 5000),
  };
}

export function drawClient(random: SeededRandom, tickMs: number): ClientTraits {
  const mischief = {} as Record<Mischief, number>;
  for (const kind of MISCHIEFS) {
    mischief[kind] = random.chance(0.4) ? random.pick([0.002, 0.01, 0.04]) : 0;
  }
  mischief.lie *= 4;
  return {
    thinkMs: random.pick([5, 20, 60, 250, 250, 1000]),
    depth: random.pick([1, 1, 4, 20]),
    timeoutMs: tickMs * random.pick([1, 2, 4, 8, 20]),
    reconnectMs: random.pick([10, 200, 1000]),
    authChance: 0.4,
    mischief,
    workload: {
      weights: drawWeights(random),
      watchChance: random.pick([0, 0.1, 0.5]),
      bigDataChance: random.chance(0.3) ? 0.05 : 0,
      bigDataBytes: 20_000,
      ttl: random.chance(0.5),
      ttlMs: random.pick([1, 1000, 5000]),
      aclChance: random.pick([0, 0.05, 0.3]),
      pathCount: random.between(2, 10),
    },
  };
}
