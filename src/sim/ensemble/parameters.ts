/** Everything that a seed decides about an ensemble before the run begins (see ../parameters.ts). */
import { SeededRandom } from '../../base/random.js';
import { parseConfig, type ServerConfig } from '../../server/config/config.js';
import type { ClientTraits } from '../client.js';
import { drawClient, drawConfig, drawLink, goodLink, type DiskManners } from '../parameters.js';
import type { LinkQuality } from '../pipe.js';
import type { ProcessPace } from '../process.js';
import { apacheFlaws, type ApacheConduct } from './apache-peer.js';
import type { BalancerParameters } from './balancer-parameters.js';

/** Mean times between faults of a kind, for the ensemble as a whole; Infinity: never. */
export const faultNames = [
  'killProcess',
  'killMachine',
  'killAtDiskCall',
  'killLeader',
  'killAll',
  'restart',
  'pause',
  'stall',
  'clockJump',
  'linkReset',
  'linkSilent',
  'linkStall',
  'isolate',
  'split',
  'bridge',
  'cutPair',
  'cutOneWay',
  'cutElection',
  'slowDisk',
  'wipe',
  'hungFlush',
] as const;
export type FaultName = (typeof faultNames)[number];

/** Who says of two voters whether one may go on alone. */
export interface OracleManners {
  /** Between two of its answers; Infinity: it speaks when it is told to. */
  readonly meanMs: number;
  /** That an answer is one without knowledge. */
  readonly wrongChance: number;
}

export interface EnsembleParameters {
  readonly seed: number;
  readonly safetyMs: number;
  readonly voterCount: number;
  readonly observerCount: number;
  /** By sid - 1. */
  readonly configs: readonly ServerConfig[];
  readonly pace: ProcessPace;
  readonly link: LinkQuality;
  readonly clientLink: LinkQuality;
  readonly disk: DiskManners;
  readonly faults: Readonly<Record<FaultName, number>>;
  readonly restartMs: number;
  readonly relapse: number;
  readonly clients: readonly ClientTraits[];
  readonly leaverCount: number;
  readonly walkStep: number;
  /** Mean time between reconfigurations; Infinity: they are disabled. */
  readonly reconfigMs: number;
  /** Disks are emptied also where the configuration changes. */
  readonly wipesAnywhere: boolean;
  /** Sessions are a server's own until they own an ephemeral; read-only mode is on. */
  readonly hasLocalSessions: boolean;
  /** Some clients can bear servers without a quorum, and read-only mode is on. */
  readonly hasReaders: boolean;
  /** Observers learn from followers, where they find one. */
  readonly hasObserverMasters: boolean;
  /** The leader takes out who stayed away so long; 0: it has no autopilot. */
  readonly autopilotDeadMs: number;
  /** Of two voters; null: they have none. */
  readonly oracle: OracleManners | null;
  /** By number, servers that may be made to behave as Apache's do. */
  readonly strangers: ReadonlyMap<number, ApacheConduct>;
  /** Of them, those that do. */
  readonly apache: ReadonlyMap<number, ApacheConduct>;
  /** Clients come by these; null: each to the servers themselves. */
  readonly balancers: BalancerParameters | null;
}

/** Parts the dice of `harried` from those of everything else. */
const LATER = 0x1234;

export const clientPort = 2181;
export const quorumPort = 2888;
export const electionPort = 3888;
export const observerMasterPort = 2889;
/** Beside what a server has for itself. */
export const oraclePath = '/oracle';

export function hostOf(sid: number): string {
  return `10.0.1.${sid}`;
}

/** 0: no server's. */
export function sidAt(address: string): number {
  return address.startsWith('10.0.1.') ? Number(address.slice(7)) : 0;
}

export function drawEnsemble(
  seed: number,
  random: SeededRandom,
  shape: { readonly voters?: number; readonly observers?: number } = {},
): EnsembleParameters {
  const drawnVoters = random.pick([1, 2, 3, 3, 3, 3, 4, 5]);
  const drawnObservers = random.chance(0.3) ? random.between(1, 2) : 0;
  const { voters: voterCount = drawnVoters, observers: observerCount = drawnObservers } = shape;
  const tickMs = random.pick([100, 200, 500]);
  const clientCount = random.between(1, 5);
  const configs = drawConfigs(random, tickMs, voterCount, observerCount);
  const clients = Array.from({ length: clientCount }, () => drawOneClient(random, tickMs));
  const link = drawLink(random);
  const drawn = {
    seed,
    safetyMs: random.pick([8_000, 15_000, 30_000]),
    voterCount,
    observerCount,
    configs,
    pace: {
      wakeMs: random.pick([0, 0.02, 0.02, 0.5, 2]),
      spendMs: random.pick([0, 0, 0.002, 0.1]),
    },
    // a follower that is further away than its limits allow is no ensemble's
    link: { ...link, latencyMs: Math.min(link.latencyMs, tickMs / 20), loss: link.loss / 10 },
    clientLink: random.chance(0.5) ? goodLink : drawLink(random),
    disk: {
      flushMs: random.pick([0, 0.05, 1, 1, 15]),
      callMs: random.pick([0, 0.5, 0.5, 3]),
      spikeChance: random.chance(0.3) ? 0.01 : 0,
      spikeMs: random.pick([50, 500]),
      errorChance: random.chance(0.15) ? 0.0003 : 0,
    },
    faults: drawFaults(random),
    restartMs: random.pick([50, 500, 3000]),
    relapse: random.chance(0.2) ? 0.3 : 0,
    clients,
    leaverCount: random.below(clientCount),
    walkStep: random.pick([0, 1, 3]),
  };
  const reconfigMs = random.chance(0.3) ? random.pick([400, 1500, 4000]) : Infinity;
  const hasLocalSessions = random.chance(0.25);
  const hasObserverMasters = random.chance(0.5);
  const hasAutopilot = reconfigMs < Infinity && voterCount > 3;
  const later = { wipesAnywhere: false, hasReaders: false };
  const furniture = { reconfigMs, hasLocalSessions, hasObserverMasters, ...later };
  const autopilot = hasAutopilot ? drawAutopilot(random, tickMs) : { autopilotDeadMs: 0 };
  const strangers =
    reconfigMs === Infinity
      ? drawStrangers(random, configs.length)
      : new Map<number, ApacheConduct>();
  const apache = new Map<number, ApacheConduct>();
  const isPair = voterCount === 2 && reconfigMs === Infinity && strangers.size === 0;
  const oracle = isPair && random.chance(0.7) ? drawOracle(random) : null;
  const after = { oracle, strangers, apache, balancers: null };
  return reconfigurable({ ...drawn, ...furniture, ...autopilot, ...after });
}

function drawOracle(random: SeededRandom): OracleManners {
  return {
    meanMs: random.pick([100, 400, 1500]),
    wrongChance: random.chance(0.3) ? random.pick([0.02, 0.2]) : 0,
  };
}

/** The two voters ask the oracle, where one is drawn. */
export function advised(drawn: EnsembleParameters): EnsembleParameters {
  if (drawn.oracle === null) return drawn;
  const configs = drawn.configs.map((config) => ({
    ...config,
    ensemble: { ...config.ensemble, oraclePath },
  }));
  return { ...drawn, configs };
}

/** What came later, of dice of its own: a seed keeps what it has drawn before. */
function harried(drawn: EnsembleParameters): EnsembleParameters {
  const random = new SeededRandom(drawn.seed ^ LATER);
  const wipesAnywhere = random.chance(0.5);
  const hungFlush = random.chance(0.15) ? 4000 : Infinity;
  const hasReaders = random.chance(0.25);
  const clients = drawn.clients.map((traits) => {
    return hasReaders && random.chance(0.6) ? { ...traits, acceptsReadOnly: true } : traits;
  });
  return { ...drawn, wipesAnywhere, hasReaders, clients, faults: { ...drawn.faults, hungFlush } };
}

/** In some ensembles one server or more, and some of those are of releases with known bugs. */
function drawStrangers(random: SeededRandom, count: number): Map<number, ApacheConduct> {
  const strangers = new Map<number, ApacheConduct>();
  if (!random.chance(0.3)) return strangers;
  const share = random.pick([0.2, 0.5, 0.9]);
  const flaws = random.chance(0.3) ? [random.pick(apacheFlaws)] : [];
  for (let sid = 1; sid <= count; sid++) if (random.chance(share)) strangers.set(sid, { flaws });
  return strangers;
}

/** The drawn strangers are there. */
function mixed(drawn: EnsembleParameters): EnsembleParameters {
  return { ...drawn, apache: drawn.strangers };
}

/** Everything that was drawn is there. */
export function asDrawn(drawn: EnsembleParameters): EnsembleParameters {
  return advised(mixed(furnished(harried(drawn))));
}

/** Somebody stays away, and for a while nothing else happens: otherwise it would never act. */
function drawAutopilot(
  random: SeededRandom,
  tickMs: number,
): Partial<EnsembleParameters> & {
  readonly autopilotDeadMs: number;
} {
  return {
    autopilotDeadMs: tickMs * random.pick([1, 3, 10]),
    reconfigMs: random.pick([4000, 30_000]),
    restartMs: random.pick([500, 3000, 10_000]),
    safetyMs: 40_000,
  };
}

/** The servers' configurations have local sessions and observer masters where these are drawn. */
export function furnished(drawn: EnsembleParameters): EnsembleParameters {
  const { hasLocalSessions, hasReaders, hasObserverMasters, autopilotDeadMs } = drawn;
  const configs = drawn.configs.map((config) => ({
    ...config,
    autopilotDeadMs,
    readOnlyModeEnabled: hasLocalSessions || hasReaders,
    ensemble: {
      ...config.ensemble,
      localSessionsEnabled: hasLocalSessions,
      localSessionsUpgradingEnabled: hasLocalSessions,
      observerMasterPort: hasObserverMasters ? observerMasterPort : 0,
    },
  }));
  return { ...drawn, configs };
}

/** The servers' configurations allow what is drawn. */
export function reconfigurable(drawn: EnsembleParameters): EnsembleParameters {
  const reconfigEnabled = drawn.reconfigMs < Infinity;
  const configs = drawn.configs.map((config) => ({
    ...config,
    ensemble: { ...config.ensemble, reconfigEnabled },
  }));
  return { ...drawn, configs };
}

function drawOneClient(random: SeededRandom, tickMs: number): ClientTraits {
  const traits = drawClient(random, 2 * tickMs);
  // who proves who he is waits for the handshake's answer, as real clients do
  const isProving = random.chance(traits.authChance);
  return { ...traits, authChance: isProving ? 1 : 0, resumeEarlyChance: isProving ? 0 : 0.3 };
}

function drawConfigs(
  random: SeededRandom,
  tickMs: number,
  voterCount: number,
  observerCount: number,
): ServerConfig[] {
  const count = voterCount + observerCount;
  const lines = [
    `initLimit=${random.pick([5, 10, 20])}`,
    `syncLimit=${random.pick([3, 5, 10])}`,
    'standaloneEnabled=false',
    'dataDir=/data',
  ];
  for (let sid = 1; sid <= count; sid++) {
    const role = sid > voterCount ? ':observer' : '';
    lines.push(`server.${sid}=${hostOf(sid)}:${quorumPort}:${electionPort}${role}`);
  }
  const text = lines.join('\n');
  const shared = drawConfig(random, tickMs);
  return Array.from({ length: count }, (_, i) => {
    const read = parseConfig({
      text: `${text}\nclientPort=${clientPort}\n`,
      file: 'zoo.cfg',
      env: {},
      properties: new Map(),
      myid: String(i + 1),
    });
    if (!('config' in read)) throw new Error(read.problems.map(({ message }) => message).join());
    // everybody's own limits, which is what rolls and snapshots at different moments
    const own = random.chance(0.5) ? shared : drawConfig(random, tickMs);
    return {
      ...shared,
      // or clients could write over what each server has for itself, `/zookeeper/config`
      skipAcl: false,
      snapCount: own.snapCount,
      txnLogSizeLimitBytes: own.txnLogSizeLimitBytes,
      preAllocBytes: own.preAllocBytes,
      dataLogDir: own.dataLogDir,
      commitLogCount: random.pick([1, 3, 20, 500]),
      clientPort,
      clientPortAddress: hostOf(i + 1),
      ensemble: read.config.ensemble,
      myid: i + 1,
    };
  });
}

function drawFaults(random: SeededRandom): Record<FaultName, number> {
  const sometimes = (chance: number, ...meanMs: number[]): number =>
    random.chance(chance) ? random.pick(meanMs) : Infinity;
  return {
    killProcess: sometimes(0.3, 2000, 8000),
    killMachine: sometimes(0.3, 2000, 8000),
    killAtDiskCall: sometimes(0.4, 1000, 5000),
    killLeader: sometimes(0.4, 1500, 6000),
    killAll: sometimes(0.2, 5000),
    restart: sometimes(0.25, 2000, 8000),
    pause: sometimes(0.25, 3000),
    stall: sometimes(0.2, 1000),
    clockJump: sometimes(0.2, 2000),
    linkReset: sometimes(0.4, 500, 3000),
    linkSilent: sometimes(0.25, 3000),
    linkStall: sometimes(0.25, 2000),
    isolate: sometimes(0.4, 2000, 6000),
    split: sometimes(0.25, 4000),
    bridge: sometimes(0.15, 5000),
    cutPair: sometimes(0.3, 3000),
    cutOneWay: sometimes(0.25, 3000),
    cutElection: sometimes(0.15, 4000),
    slowDisk: sometimes(0.2, 3000),
    wipe: sometimes(0.25, 2000, 6000),
    hungFlush: Infinity,
  };
}
