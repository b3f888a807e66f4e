/** The ensemble that scenarios are played on: nothing goes wrong in it by itself. */
import type { ClientTraits } from '../../client.js';
import { goodLink } from '../../parameters.js';
import { SeededRandom } from '../../../base/random.js';
import {
  drawEnsemble,
  faultNames,
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
  readonly commitLogCount?: number;
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
  const { voters = 3, snapCount = 100_000, commitLogCount = 500 } = scenario;
  return {
    tune: (drawn) => {
      const shaped = ofShape(drawn, voters);
      const tickMs = shaped.configs[0]?.tickTimeMs ?? 200;
      const traits = shaped.clients[0];
      return {
        ...shaped,
        configs: shaped.configs.map((config) => ({
          ...config,
          snapCount,
          commitLogCount,
          autopurgePurgeIntervalHours: 0,
          txnLogSizeLimitBytes: -1,
        })),
        pace: { wakeMs: 0.02, spendMs: 0 },
        link: goodLink,
        clientLink: goodLink,
        disk: { flushMs: 1, callMs: 0.2, spikeChance: 0, spikeMs: 0, errorChance: 0 },
        faults: never,
        restartMs: 200,
        relapse: 0,
        reconfigMs: Infinity,
        clients: traits === undefined ? [] : Array.from({ length: 4 }, () => plain(traits, tickMs)),
        leaverCount: 0,
        walkStep: 1,
      };
    },
  };
}

/** The first of the seeds from here on whose ensemble has so many voters, and no observers. */
function ofShape(drawn: EnsembleParameters, voters: number): EnsembleParameters {
  for (let seed = drawn.seed; ; seed++) {
    const other = drawEnsemble(seed, new SeededRandom(seed));
    const isFit = other.voterCount === voters && other.observerCount === 0;
    if (isFit && other.reconfigMs === Infinity) return { ...other, seed: drawn.seed };
  }
}
