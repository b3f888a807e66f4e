/** The ensemble that scenarios are played on: nothing goes wrong in it by itself. */
import type { ClientTraits } from '../../client.js';
import { goodLink } from '../../parameters.js';
import type { LinkQuality } from '../../pipe.js';
import { SeededRandom } from '../../../base/random.js';
import { quietBalancers } from '../balancer-parameters.js';
import {
  advised,
  drawEnsemble,
  faultNames,
  furnished,
  reconfigurable,
  type EnsembleParameters,
  type FaultName,
} from '../parameters.js';
import type { EnsembleSabotage } from '../sim-member.js';
import type { Script } from '../stage.js';

export interface Scenario {
  /** As the command line has it. */
  readonly name: string;
  /** What must not happen, and where it did. */
  readonly about: string;
  readonly voters?: number;
  /** Of all servers. */
  readonly snapCount?: number;
  /** In ticks; the seed's without. */
  readonly initLimit?: number;
  readonly commitLogCount?: number;
  /** Servers take part in reconfigurations, and their leader has an autopilot; not unless given. */
  readonly autopilotDeadMs?: number;
  readonly observers?: number;
  /** The configuration can be changed; nobody does it by himself. */
  readonly isReconfigurable?: boolean;
  /** Two voters ask one, which says what the story lets it say. */
  readonly hasOracle?: boolean;
  /** Sessions may be one server's own, and servers without a quorum can be read. */
  readonly hasLocalSessions?: boolean;
  /** Clients that leave for good when the story is over. */
  readonly leavers?: number;
  readonly flushMs?: number;
  /** What one look at the clock costs, in the mean: without it nothing long is ever interrupted. */
  readonly spendMs?: number;
  /** Between two requests of a client. */
  readonly thinkMs?: number;
  /** By which all clients come; none unless given. */
  readonly balancers?: number;
  /** Between them and the servers. */
  readonly balancerLink?: LinkQuality;
  /** What belongs to the world of the story, and cannot be configured. */
  readonly scenery?: () => EnsembleSabotage;
  /** Bugs that it brings to light (mutants.ts), by name. */
  readonly kills?: readonly string[];
  readonly script: Script;
}

const neverNamed = faultNames.map((name) => [name, Infinity]);
const never = Object.fromEntries(neverNamed) as Record<FaultName, number>;

/** Writes above all, and no tricks. */
function plain(traits: ClientTraits, tickMs: number): ClientTraits {
  const { workload, mischief } = traits;
  const silent = Object.fromEntries(Object.keys(mischief).map((name) => [name, 0]));
  const wanted: Readonly<Record<string, number>> = {
    create: 1,
    createEphemeral: 0.4,
    createSequential: 0.4,
    delete: 0.5,
    setData: 1,
    setAcl: 0.1,
    multi: 0.4,
    getData: 0.5,
    getAcl: 0.3,
  };
  const names = Object.keys(workload.weights);
  const weights = Object.fromEntries(names.map((name) => [name, wanted[name] ?? 0]));
  return {
    ...traits,
    thinkMs: 15,
    depth: 2,
    timeoutMs: 10 * tickMs,
    reconnectMs: 20,
    authChance: 0,
    mischief: silent as ClientTraits['mischief'],
    workload: {
      ...workload,
      weights: weights as ClientTraits['workload']['weights'],
      aclChance: 0.3,
      pathCount: 8,
    },
  };
}

/** The seed decides what is left: sizes, names, the clients' choices. */
export function sceneryOf(scenario: Scenario): EnsembleSabotage {
  const { voters = 3, snapCount = 100_000, commitLogCount = 500, autopilotDeadMs } = scenario;
  const { observers = 0, leavers = 0, flushMs = 1, thinkMs = 15 } = scenario;
  const { isReconfigurable, initLimit, balancers = 0, balancerLink = goodLink } = scenario;
  return {
    ...scenario.scenery?.(),
    tune: (drawn) => {
      const shaped = ofShape(drawn, voters, observers);
      const tickMs = shaped.configs[0]?.tickTimeMs ?? 200;
      const traits = shaped.clients[0];
      const hurried = (drawnTraits: ClientTraits): ClientTraits => {
        return { ...plain(drawnTraits, tickMs), thinkMs };
      };
      const played: EnsembleParameters = {
        ...shaped,
        configs: shaped.configs.map((config) => ({
          ...config,
          snapCount,
          commitLogCount,
          ensemble: { ...config.ensemble, initLimit: initLimit ?? config.ensemble.initLimit },
          autopurgePurgeIntervalHours: 0,
          ...(balancers === 0 ? {} : { maxClientCnxns: 0 }),
          txnLogSizeLimitBytes: -1,
        })),
        pace: { wakeMs: 0.02, spendMs: scenario.spendMs ?? 0 },
        link: goodLink,
        clientLink: goodLink,
        disk: { flushMs, callMs: 0.2, spikeChance: 0, spikeMs: 0, errorChance: 0 },
        faults: never,
        restartMs: 200,
        relapse: 0,
        reconfigMs: Infinity,
        hasLocalSessions: scenario.hasLocalSessions === true,
        hasObserverMasters: false,
        oracle: scenario.hasOracle === true ? { meanMs: Infinity, wrongChance: 0 } : null,
        clients: traits === undefined ? [] : Array.from({ length: 4 }, () => hurried(traits)),
        leaverCount: leavers,
        walkStep: 1,
        balancers: balancers === 0 ? null : { ...quietBalancers(balancers), link: balancerLink },
      };
      if (autopilotDeadMs !== undefined) return withAutopilot(played, autopilotDeadMs);
      return isReconfigurable === true ? withAutopilot(played, 0) : equipped(played);
    },
  };
}

function equipped(drawn: EnsembleParameters): EnsembleParameters {
  return drawn.hasLocalSessions ? furnished(drawn) : advised(drawn);
}

/** Nobody but the autopilot changes the configuration before the end. */
function withAutopilot(drawn: EnsembleParameters, autopilotDeadMs: number): EnsembleParameters {
  const shaped = reconfigurable({ ...drawn, reconfigMs: 1e12 });
  return { ...shaped, configs: shaped.configs.map((config) => ({ ...config, autopilotDeadMs })) };
}

/** The first of the seeds from here on whose ensemble has this shape, and no more than that. */
function ofShape(drawn: EnsembleParameters, voters: number, observers: number): EnsembleParameters {
  // of three there are many, larger ones are made
  const shape = voters > 5 || observers > 0 ? { voters, observers } : {};
  for (let seed = drawn.seed; ; seed++) {
    const other = drawEnsemble(seed, new SeededRandom(seed), shape);
    const isFit = other.voterCount === voters && other.observerCount === observers;
    if (isFit && other.reconfigMs === Infinity) return { ...other, seed: drawn.seed };
  }
}
