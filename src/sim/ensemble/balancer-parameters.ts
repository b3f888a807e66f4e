/**
 * What a seed decides about the balancers before an ensemble, from dice of their own: with and without
 * them a seed is the same ensemble. In the *gentle* third of the runs nothing goes wrong but that servers
 * are killed, one at a time: then no client may notice anything at all.
 */
import { SeededRandom } from '../../base/random.js';
import type { SubsetName, SubsetOptions } from '../../balance/subset.js';
import { subsetNames } from '../../balance/subset.js';
import {
  balancerPolicyNames,
  type BalancerPolicyName,
} from '../../balancer/pool/backend-options.js';
import type { KeepingSettings } from '../../balancer/keeping/keeping-types.js';
import type { RebalancingOptions } from '../../balancer/pool/rebalancing.js';
import { rolePreferences, type RolePreference } from '../../balancer/pool/roles.js';
import type { ServerConfig } from '../../server/config/config.js';
import type { ClientTraits } from '../client.js';
import { drawLink, goodLink } from '../parameters.js';
import type { LinkQuality } from '../pipe.js';
import {
  faultNames,
  furnished,
  reconfigurable,
  type EnsembleParameters,
  type FaultName,
} from './parameters.js';

/** Mean times between faults of a kind, for all balancers together; Infinity: never. */
export const balancerFaultNames = [
  'killBalancer',
  'loseBalancer',
  'restartBalancer',
  'pauseBalancer',
  'stallBalancer',
  'cutUpstream',
  'cutUpstreamOneWay',
  'isolateBalancer',
  /** From what balancers agree through. */
  'cutCouncil',
  'drain',
  'undrain',
  'wake',
  'sleep',
  'weigh',
  /** One server, while all others serve; the next one when all have served for a while again. */
  'killOne',
] as const;
export type BalancerFaultName = (typeof balancerFaultNames)[number];

export interface BalancerParameters {
  readonly isGentle: boolean;
  readonly count: number;
  /** Between balancers and servers. */
  readonly link: LinkQuality;
  readonly keeping: Partial<KeepingSettings> & Pick<KeepingSettings, 'mask'>;
  readonly policy: BalancerPolicyName;
  readonly roles: RolePreference;
  readonly subset: SubsetName;
  readonly subsetRules: Partial<SubsetOptions>;
  readonly scope: 'local' | 'ensemble';
  readonly rebalancing: Partial<RebalancingOptions>;
  readonly health: {
    readonly intervalMs: number;
    readonly retryMs: number;
    readonly jitter: number;
    readonly timeoutMs: number;
  };
  readonly hasOutliers: boolean;
  readonly slowStartMs: number;
  readonly faults: Readonly<Record<BalancerFaultName, number>>;
  readonly restartMs: number;
}

/** Parts the dice of balancers from those of everything else. */
const BALANCED = 0x6a1a;
/** And those of what came later from all before: a seed keeps what it has drawn. */
const LATER = 0x51de;

export function balancerHost(number: number): string {
  return `10.0.2.${number}`;
}

/** 0: no balancer's. */
export function balancerAt(address: string): number {
  return address.startsWith('10.0.2.') ? Number(address.slice(7)) : 0;
}

const never = <Name extends string>(names: readonly Name[]): Record<Name, number> =>
  Object.fromEntries(names.map((name) => [name, Infinity])) as Record<Name, number>;

export const noBalancerFaults: Readonly<Record<BalancerFaultName, number>> =
  never(balancerFaultNames);

/** For stories: nothing happens by itself. */
export function quietBalancers(count: number): BalancerParameters {
  return {
    isGentle: false,
    count,
    link: goodLink,
    keeping: { mask: 'strict' },
    policy: 'round-robin',
    roles: 'any',
    subset: 'all',
    subsetRules: {},
    scope: 'local',
    rebalancing: { movesPerSecond: 0, intervalMs: 100, retryMs: 200 },
    health: { intervalMs: 300, retryMs: 50, jitter: 0, timeoutMs: 300 },
    hasOutliers: false,
    slowStartMs: 0,
    faults: noBalancerFaults,
    restartMs: 200,
  };
}

/** The drawn ensemble with balancers before it, by which all clients come. */
export function balanced(drawn: EnsembleParameters): EnsembleParameters {
  const random = new SeededRandom(drawn.seed ^ BALANCED);
  const isGentle = random.chance(0.5) && drawn.voterCount >= 3;
  const balancers = drawBalancers(random, isGentle);
  const apache: EnsembleParameters['apache'] = new Map();
  const whole = { ...drawn, apache, balancers, configs: drawn.configs.map(open(random)) };
  if (isGentle) return gentle(whole, random);
  const isMixed = random.chance(0.5) && drawn.apache.size > 0;
  const later = new SeededRandom(drawn.seed ^ LATER);
  const harried = { ...whole, balancers: cutOff(balancers, later) };
  const rough = isMixed ? withStrangers(harried, drawn.apache) : harried;
  return balancers.keeping.mask === 'best-effort' ? forgetful(rough, later) : rough;
}

/** Where balancers agree, they may lose sight of each other. */
function cutOff(drawn: BalancerParameters, random: SeededRandom): BalancerParameters {
  const isCut = random.chance(0.5);
  const meanMs = random.pick([1000, 4000]);
  if (!isCut || drawn.scope === 'local' || drawn.count < 2) return drawn;
  return { ...drawn, faults: { ...drawn.faults, cutCouncil: meanMs } };
}

/** Servers that know nothing of the extension, of whom the operator says what cannot be seen. */
function withStrangers(
  drawn: EnsembleParameters & { readonly balancers: BalancerParameters },
  apache: EnsembleParameters['apache'],
): EnsembleParameters & { readonly balancers: BalancerParameters } {
  const { balancers, hasLocalSessions } = drawn;
  const keeping = { ...balancers.keeping, hasLocalSessions };
  return { ...drawn, apache, balancers: { ...balancers, keeping } };
}

/** All sessions come from a few addresses, and words are answered. */
function open(random: SeededRandom): (config: ServerConfig) => ServerConfig {
  const maxClientCnxns = random.pick([0, 60]);
  // what is remembered of the past may be next to nothing
  const recentHistoryBytes = random.pick([4096, 65_536, 4_194_304, 4_194_304]);
  return (config) => ({ ...config, maxClientCnxns, recentHistoryBytes });
}

function drawBalancers(random: SeededRandom, isGentle: boolean): BalancerParameters {
  const tickMs = random.pick([100, 300, 1000]);
  const mask = random.pick(['strict', 'strict', 'strict', 'strict', 'best-effort', 'off'] as const);
  return {
    isGentle,
    count: random.pick([1, 2, 2]),
    link: isGentle || random.chance(0.6) ? goodLink : drawLink(random),
    keeping: { ...drawKeeping(random, isGentle), mask: isGentle ? 'strict' : mask },
    policy: random.pick(balancerPolicyNames),
    roles: random.pick(rolePreferences),
    subset: random.pick(subsetNames),
    subsetRules: {
      wakeIntervalMs: random.pick([3, 10, 30]) * tickMs,
      sleepAfterMs: random.pick([5, 30]) * tickMs,
      calmAfterMs: random.pick([10, 60]) * tickMs,
      writesPerSecond: random.pick([1, 20]),
    },
    scope: random.pick(['local', 'ensemble'] as const),
    rebalancing: {
      movesPerSecond: random.pick([0, 1, 10, 100]),
      tolerance: random.pick([0, 0.2]),
      intervalMs: random.pick([100, 1000]),
      movesMax: random.pick([1, 64]),
      retryMs: random.pick([200, 10_000]),
    },
    health: {
      intervalMs: random.pick([100, 500, 2000]),
      retryMs: random.pick([50, 300]),
      jitter: random.pick([0, 0.2]),
      timeoutMs: isGentle ? 1000 : random.pick([100, 1000]),
    },
    hasOutliers: random.chance(0.6),
    slowStartMs: random.pick([0, 1000, 10_000]),
    faults: isGentle ? gentleFaults(random) : drawFaults(random),
    restartMs: random.pick([20, 300, 2000]),
  };
}

/** Limits are tiny, as everywhere here. */
function drawKeeping(random: SeededRandom, isGentle: boolean): Partial<KeepingSettings> {
  const common = {
    retryDelayMs: random.pick([20, 100]),
    quiesceTimeoutMs: random.pick([50, 300, 1000]),
  };
  const rough = {
    handshakeTimeoutMs: random.pick([500, 10_000]),
    connectAttemptMs: random.pick([100, 1000]),
    attachTimeoutMs: random.pick([300, 3000]),
    firstAttachTimeoutMs: random.pick([1000, 10_000]),
    inFlightBytesMax: random.pick([2000, 65_536, 4_194_304]),
    pauseBytesMax: random.pick([1000, 65_536]),
    slowClientTimeoutMs: random.pick([1000, 30_000]),
  };
  return isGentle ? common : { ...common, ...rough };
}

function drawFaults(random: SeededRandom): Record<BalancerFaultName, number> {
  const sometimes = (chance: number, ...meanMs: number[]): number =>
    random.chance(chance) ? random.pick(meanMs) : Infinity;
  return {
    killBalancer: sometimes(0.25, 3000, 10_000),
    loseBalancer: sometimes(0.15, 6000),
    restartBalancer: sometimes(0.15, 6000),
    pauseBalancer: sometimes(0.25, 3000),
    stallBalancer: sometimes(0.25, 1000),
    cutUpstream: sometimes(0.3, 2000),
    cutUpstreamOneWay: sometimes(0.3, 2000),
    isolateBalancer: sometimes(0.15, 5000),
    cutCouncil: Infinity,
    drain: sometimes(0.4, 1000, 4000),
    undrain: sometimes(0.6, 1500, 4000),
    wake: sometimes(0.3, 1500),
    sleep: sometimes(0.3, 1500),
    weigh: sometimes(0.1, 3000),
    killOne: Infinity,
  };
}

function gentleFaults(random: SeededRandom): Record<BalancerFaultName, number> {
  const isMoving = random.chance(0.6);
  const meanMs = random.pick([300, 1500]);
  const moves = isMoving ? { drain: meanMs, undrain: meanMs, wake: meanMs, sleep: meanMs } : {};
  return { ...noBalancerFaults, ...moves, killOne: 500 };
}

/** Nothing else goes wrong, and nobody is in such a hurry that an election is too long for him. */
function gentle(given: EnsembleParameters, random: SeededRandom): EnsembleParameters {
  const drawn = furnished(
    reconfigurable({
      // over a follower that serves observers nobody can be told whose a session is
      ...{ ...given, hasLocalSessions: false, hasReaders: false, hasObserverMasters: false },
      ...{ reconfigMs: Infinity, autopilotDeadMs: 0, oracle: null },
    }),
  );
  const depth = random.pick([1, 1, 4]);
  const timeoutMs = random.pick([6000, 12_000]);
  const calm = drawn.clients.map((traits) => ({
    ...traits,
    timeoutMs,
    depth,
    thinkMs: Math.min(traits.thinkMs, 250),
    mischief: withoutMischief(traits),
    acceptsReadOnly: false,
  }));
  return {
    ...drawn,
    safetyMs: 30_000,
    configs: drawn.configs.map((config) => ({
      ...config,
      maxSessionTimeoutMs: 20_000,
      recentHistoryBytes: 4_194_304,
    })),
    pace: { wakeMs: Math.min(drawn.pace.wakeMs, 0.5), spendMs: 0 },
    link: goodLink,
    clientLink: goodLink,
    disk: { flushMs: 1, callMs: 0.2, spikeChance: 0, spikeMs: 0, errorChance: 0 },
    faults: never<FaultName>(faultNames),
    restartMs: random.pick([50, 500]),
    relapse: 0,
    clients: calm,
  };
}

function withoutMischief({ mischief }: ClientTraits): ClientTraits['mischief'] {
  const silent = Object.fromEntries(Object.keys(mischief).map((name) => [name, 0]));
  return silent as ClientTraits['mischief'];
}

/**
 * Servers that cannot tell what watches missed, sessions that go from one to the next all the time, and
 * watches for which that is borne: not those that last, as a rule.
 */
function forgetful(
  drawn: EnsembleParameters & { readonly balancers: BalancerParameters },
  random: SeededRandom,
): EnsembleParameters {
  const share = random.pick([0, 0.4, 0.8, 1]);
  const apache = new Map(drawn.apache);
  for (let sid = 1; sid <= drawn.configs.length; sid++) {
    if (random.chance(share)) apache.set(sid, { flaws: [] });
  }
  // here they take part in no reconfigurations, and ask no oracle
  const { reconfigMs, autopilotDeadMs, oracle } = drawn;
  const isPlain = reconfigMs === Infinity && autopilotDeadMs === 0 && oracle === null;
  const addWatch = random.pick([0, 0, 0.02]);
  const clients = drawn.clients.map((traits) => {
    const { workload } = traits;
    const weights = { ...workload.weights, addWatch };
    const watchChance = Math.max(workload.watchChance, 0.3);
    return { ...traits, depth: 1, workload: { ...workload, weights, watchChance } };
  });
  const moveMs = random.pick([200, 1000]);
  const moves = { drain: moveMs, undrain: moveMs, wake: moveMs, sleep: moveMs };
  const balancers = { ...drawn.balancers, faults: { ...drawn.balancers.faults, ...moves } };
  // which nobody could move
  const own = furnished({ ...drawn, hasLocalSessions: false, clients });
  const whole = { ...own, balancers };
  return withStrangers(
    random.chance(0.7) ? peaceful(whole) : whole,
    isPlain ? apache : drawn.apache,
  );
}

/** But for servers that die and connections that break now and then: clients get on with their work. */
function peaceful(
  drawn: EnsembleParameters & { readonly balancers: BalancerParameters },
): EnsembleParameters & { readonly balancers: BalancerParameters } {
  return {
    ...drawn,
    safetyMs: 15_000,
    faults: { ...never<FaultName>(faultNames), killProcess: 3000, linkReset: 1000 },
    link: goodLink,
    clientLink: goodLink,
    disk: { flushMs: 1, callMs: 0.2, spikeChance: 0, spikeMs: 0, errorChance: 0 },
    pace: { wakeMs: Math.min(drawn.pace.wakeMs, 0.5), spendMs: 0 },
    restartMs: 500,
  };
}
