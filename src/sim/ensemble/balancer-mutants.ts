/**
 * Bugs put back into the balancer, and into what servers do for it (see mutants.ts): each breaks one of
 * the rules by which a session may go on elsewhere without its client noticing.
 */
import { Delivered } from '../../balancer/keeping/delivered.js';
import { InFlight, RequestFlag } from '../../balancer/keeping/in-flight.js';
import { KeptSession } from '../../balancer/keeping/kept-session.js';
import { Recovery } from '../../balancer/keeping/recovery.js';
import { Relocation } from '../../balancer/keeping/relocation.js';
import { WatchLedger } from '../../balancer/keeping/watch-ledger.js';
import { OpCode } from '../../protocol/opcodes.js';
import { RecentHistory } from '../../server/recent/recent-history.js';
import { Session } from '../../session/session.js';
import type { ClientTraits } from '../client.js';
import { goodLink } from '../parameters.js';
import { balanced, noBalancerFaults, quietBalancers } from './balancer-parameters.js';
import { answering, replacing, together, type EnsembleMutant } from './mutants.js';
import { asDrawn, faultNames, type EnsembleParameters, type FaultName } from './parameters.js';
import type { EnsembleSabotage } from './sim-member.js';

interface Trouble {
  readonly faults?: Partial<Record<FaultName, number>>;
  readonly traits?: (traits: ClientTraits, tickMs: number) => ClientTraits;
  readonly balancers?: Partial<EnsembleParameters['balancers']>;
  /** Servers know nothing of the extension. */
  readonly isForeign?: boolean;
}

/** Servers die all the time behind balancers that are well; what else is needed is said. */
function behindBalancers(sabotage: EnsembleSabotage, trouble: Trouble = {}): EnsembleSabotage {
  const never = Object.fromEntries(faultNames.map((name) => [name, Infinity]));
  const tune = (drawn: EnsembleParameters): EnsembleParameters => {
    const whole = balanced(asDrawn(drawn));
    const tickMs = whole.configs[0]?.tickTimeMs ?? 0;
    const { traits = busy, faults = { killProcess: 400, linkReset: 400 } } = trouble;
    return {
      ...whole,
      safetyMs: 8000,
      reconfigMs: Infinity,
      apache: new Map(
        trouble.isForeign === true ? whole.configs.map((_, i) => [i + 1, { flaws: [] }]) : [],
      ),
      balancers: { ...quietBalancers(2), link: goodLink, ...trouble.balancers },
      faults: { ...(never as EnsembleParameters['faults']), ...faults },
      restartMs: 200,
      relapse: 0,
      clients: whole.clients.map((one) => traits(one, tickMs)),
    };
  };
  return { ...sabotage, tune };
}

/** Much at once, and watches on everything. */
function busy(traits: ClientTraits, tickMs: number): ClientTraits {
  const { workload } = traits;
  const weights = { ...workload.weights, multi: 0.5, addWatch: 0.2, createSequential: 0.4 };
  return {
    ...traits,
    ...{ thinkMs: 5, depth: 4, timeoutMs: 20 * tickMs },
    workload: { ...workload, weights, watchChance: 0.5 },
  };
}

/** Runs `work` while `isOn()` holds. */
class Spell {
  isOn = false;

  during<T>(work: () => T): T {
    this.isOn = true;
    try {
      return work();
    } finally {
      this.isOn = false;
    }
  }
}

/** While a session is brought elsewhere, its requests seem to be reads. */
function withoutFates(): EnsembleSabotage {
  const spell = new Spell();
  const starting = replacing(Recovery, (original) => ({
    start() {
      return spell.during(() => original.start.call(this));
    },
  }));
  const flags = replacing(InFlight, (original) => ({
    flagsOf(seq) {
      const own = original.flagsOf.call(this, seq);
      return spell.isOn ? own & ~RequestFlag.write : own;
    },
  }));
  return together(starting, flags);
}

/** Of requests without an answer only writes stand in the way of others. */
function readsAgain(): EnsembleSabotage {
  const spell = new Spell();
  const hearing = replacing(Recovery, (original) => ({
    onFrame(bytes, start, end) {
      return spell.during(() => original.onFrame.call(this, bytes, start, end));
    },
  }));
  const ops = replacing(InFlight, (original) => ({
    opOf(seq) {
      const isRead = (this.flagsOf(seq) & RequestFlag.write) === 0;
      return spell.isOn && isRead ? OpCode.auth : original.opOf.call(this, seq);
    },
  }));
  return together(hearing, ops);
}

/** A planned move does not wait for what is under way, and forgets it. */
function movesInMidAir(): EnsembleSabotage {
  const sent = Object.getOwnPropertyDescriptor(InFlight.prototype, 'sentCount');
  const spell = new Spell();
  const counting = answering(InFlight, 'sentCount', function (this: InFlight) {
    return spell.isOn ? 0 : (sent?.get?.call(this) as number);
  });
  const starting = replacing(Relocation, (original) => ({
    onAnswers() {
      spell.during(() => original.onAnswers.call(this));
    },
  }));
  return together(counting, starting, withoutFates());
}

/** Whatever any server has said to anybody counts as delivered to everybody. */
function fromWhatWasHeard(): EnsembleSabotage {
  let newest = 0n;
  const zxid = Object.getOwnPropertyDescriptor(Delivered.prototype, 'zxid');
  const base = answering(Delivered, 'base', function (this: Delivered) {
    const own = zxid?.get?.call(this) as bigint;
    return newest > own ? newest : own;
  });
  const hearing = replacing(Delivered, (original) => ({
    onReply(high, low) {
      const told = (BigInt(high) << 32n) | BigInt(low);
      if (told > newest) newest = told;
      original.onReply.call(this, high, low);
    },
  }));
  return together(base, hearing);
}

/** Elections take their time, and nothing but pings happens. */
const idle: Trouble = {
  faults: { killAll: 1500 },
  traits: (traits, tickMs) => ({ ...traits, thinkMs: 20_000, timeoutMs: 4 * tickMs }),
};

const silent: Trouble = {
  faults: { killProcess: 400, linkReset: 400 },
  traits: (traits, tickMs) => ({
    ...busy(traits, tickMs),
    mischief: { ...traits.mischief, silence: 0.05 },
  }),
};

const late: Trouble = {
  balancers: {
    faults: { ...noBalancerFaults, pauseBalancer: 500 },
    health: { intervalMs: 300, retryMs: 50, jitter: 0, timeoutMs: 300 },
  },
  faults: { linkReset: 100 },
  traits: (traits, tickMs) => ({
    ...busy(traits, tickMs),
    mischief: { ...traits.mischief, twice: 0.1 },
  }),
};

/** Sessions with watches go from one server to the next, and none of those can tell what they missed. */
const foreign: Trouble = {
  isForeign: true,
  faults: { linkReset: 1000 },
  balancers: {
    keeping: { mask: 'best-effort' },
    faults: { ...noBalancerFaults, drain: 100, undrain: 100 },
  },
  traits: (traits, tickMs) => {
    const own = busy(traits, tickMs);
    const weights = { ...own.workload.weights, addWatch: 0 };
    return { ...own, depth: 1, workload: { ...own.workload, weights } };
  },
};

/** What servers say arrives piece by piece, so that they die between two events of one transaction. */
const piecemeal: Trouble = {
  balancers: { link: { ...goodLink, latencyMs: 1, jitterMs: 5, cut: 1 } },
  traits: (traits, tickMs) => {
    const own = busy(traits, tickMs);
    const { workload } = own;
    const weights = { ...workload.weights, multi: 3, addWatch: 1, removeWatches: 0 };
    return { ...own, workload: { ...workload, weights } };
  },
  faults: { killProcess: 400, linkReset: 50 },
};

export const balancerMutants: readonly EnsembleMutant[] = [
  {
    name: 'pings are answered for ever',
    seed: 5,
    make: () =>
      behindBalancers(
        answering(KeptSession, 'budgetEndMs', () => 1e12),
        idle,
      ),
  },
  {
    name: 'a write is asked again without asking for its fate',
    seed: 1,
    make: () => behindBalancers(withoutFates()),
  },
  {
    name: 'what was heard counts as delivered',
    seed: 1,
    make: () => behindBalancers(fromWhatWasHeard()),
  },
  {
    name: 'a transaction of which one event was told counts as told',
    seed: 1,
    make: () =>
      behindBalancers(
        answering(Delivered, 'base', function (this: Delivered) {
          return this.zxid;
        }),
        piecemeal,
      ),
  },
  {
    name: 'events of a transaction that were told are told again',
    seed: 1,
    make: () =>
      behindBalancers(
        replacing(Delivered, () => ({ toSkip: () => null })),
        piecemeal,
      ),
  },
  {
    name: 'reads that were asked before an executed write are asked again',
    seed: 3,
    make: () => behindBalancers(readsAgain()),
  },
  {
    name: 'a silent client’s session is brought to another server',
    seed: 1,
    make: () =>
      behindBalancers(
        replacing(KeptSession, (original) => ({
          sweep(nowMs, isLate) {
            this.heardMs = nowMs;
            original.sweep.call(this, nowMs, isLate);
          },
        })),
        silent,
      ),
  },
  {
    name: 'who is late takes the session back',
    seed: 2,
    make: () =>
      behindBalancers(
        replacing(Session, (original) => ({
          attach(shown, floor) {
            if (!original.attach.call(this, shown, floor)) this.learnGeneration(shown);
            return true;
          },
        })),
        late,
      ),
  },
  {
    name: 'a session moves while a request is under way',
    seed: 1,
    make: () =>
      behindBalancers(movesInMidAir(), {
        faults: {},
        balancers: { faults: { ...noBalancerFaults, drain: 100, undrain: 100 } },
      }),
  },
  {
    name: 'watches of children are not set again',
    seed: 1,
    make: () =>
      behindBalancers(
        replacing(WatchLedger, (original) => ({
          batches() {
            return original.batches.call(this).map((lists) => ({ ...lists, child: [] }));
          },
        })),
        foreign,
      ),
  },
  {
    name: 'watches are set again as if everything up to now had been told',
    seed: 1,
    make: () => behindBalancers(fromWhatWasHeard(), foreign),
  },
  {
    name: 'a server forgets what it did and says that it never did it',
    seed: 1,
    make: () =>
      behindBalancers(
        replacing(RecentHistory, () => ({
          fateOf: (_high, _low, cxid) => ({ cxid, fate: 0 }),
        })),
      ),
  },
];
