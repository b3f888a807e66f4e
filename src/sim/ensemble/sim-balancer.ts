/**
 * One balancer before a simulated ensemble: a machine with an address and nothing on its disk, whose
 * process runs the balancer of the product. It is started, killed, paused and stopped like a server
 * (sim-member.ts).
 */
import type { SeededRandom } from '../../base/random.js';
import { Balancer } from '../../balancer/balancer.js';
import { idOf, type BackendAddress } from '../../balancer/pool/backend.js';
import type { BalancerSettings } from '../../balancer/balancer-settings.js';
import { ControlError } from '../../balancer/control-error.js';
import { keepingDefaults } from '../../balancer/keeping/keeping-types.js';
import { StaticMembership } from '../../balancer/pool/membership.js';
import type { MemoryCouncil, Seat } from '../../balancer/pool/memory-registry.js';
import { metricsDefaults } from '../../balancer/telling/metrics.js';
import type { Registry, RegistryView } from '../../balancer/pool/registry.js';
import { openWordsDefault } from '../../balancer/telling/words.js';
import type { LogFields, Logger } from '../../ports/logger.js';
import type { Network } from '../../ports/network.js';
import type { Timeline } from '../clock.js';
import type { SimNetwork } from '../network.js';
import { SimProcess, type ProcessPace } from '../process.js';
import type { KillKind } from '../sim-server.js';
import type { Trace } from '../trace.js';
import { balancerHost, type BalancerParameters } from './balancer-parameters.js';
import type { BalancerTap } from './balancer-tap.js';
import { clientPort, hostOf } from './parameters.js';

export interface SimBalancerParts {
  readonly number: number;
  readonly timeline: Timeline;
  readonly random: SeededRandom;
  readonly network: SimNetwork;
  readonly trace: Trace;
  readonly pace: ProcessPace;
  readonly parameters: BalancerParameters;
  /** How many servers there are. */
  readonly serverCount: number;
  readonly council: MemoryCouncil;
  readonly tap: BalancerTap;
  readonly wallMs: number;
  readonly fail: (invariant: string, message: string) => void;
  readonly onDropped: (balancer: SimBalancer, session: string, reason: string) => void;
}

const LAST_TURNS_MS = 20;

export function serverId(sid: number): string {
  return idOf({ host: hostOf(sid), port: clientPort });
}

export class SimBalancer {
  readonly #parts: SimBalancerParts;
  readonly name: string;
  readonly host: string;
  #process: SimProcess | null = null;
  #balancer: Balancer | null = null;
  #seat: Seat | null = null;
  #view: RegistryView | null = null;
  #isStopping = false;
  /** It has stopped for the last time, or is about to. */
  #isRetired = false;
  /** Called when the stop that is under way has come to its end. */
  #onDown: () => void = () => undefined;
  starts = 0;
  masked = 0;
  moved = 0;
  dropped = 0;

  constructor(parts: SimBalancerParts) {
    this.#parts = parts;
    this.name = `b${parts.number}`;
    this.host = balancerHost(parts.number);
  }

  get balancer(): Balancer | null {
    return this.#balancer;
  }

  get process(): SimProcess | null {
    return this.#process;
  }

  get isRunning(): boolean {
    return this.#process !== null;
  }

  /** What its process has heard of the others last. */
  get view(): RegistryView | null {
    return this.#view;
  }

  get tap(): BalancerTap {
    return this.#parts.tap;
  }

  start(): void {
    if (this.#process !== null || this.#isRetired) return;
    const { timeline, random, trace, pace, network, tap, wallMs, fail } = this.#parts;
    this.starts++;
    this.#isStopping = false;
    trace.note('S', this.name, 'starts', this.starts);
    const process = new SimProcess(this.name, timeline, random, pace, wallMs);
    tap.begin();
    const told = (problem: unknown): void => {
      const text = problem instanceof Error ? (problem.stack ?? problem.message) : String(problem);
      fail('assert', `${this.name} threw: ${text}`);
    };
    process.onThrow = told;
    this.#process = process;
    process.post(() => {
      const own = tap.networkOf(network.portOf(process, this.host, null));
      const logger = this.#loggerOf(process);
      const world = {
        ...{ clock: process.clock, network: own, logger },
        random: () => random.fraction(),
      };
      const balancer = new Balancer(this.#settings(own, process), world);
      this.#balancer = balancer;
      this.#listenTo(balancer, process);
      balancer.start().catch((problem: unknown) => {
        if (!process.isDead) told(problem);
      });
    });
  }

  /** Stops it as its operator does. */
  stop(onDown: () => void): void {
    const process = this.#process;
    const balancer = this.#balancer;
    if (process === null || balancer === null || this.#isStopping) return;
    const { trace, timeline, network, fail, parameters } = this.#parts;
    this.#isStopping = true;
    this.#onDown = onDown;
    trace.note('F', this.name, 'is stopped');
    process.post(() => {
      balancer.stop().then(
        () => {
          // a check that was under way, one word behind the other, has been given up by then
          timeline.after(LAST_TURNS_MS + 2 * parameters.health.timeoutMs, () => {
            if (process.isDead) return;
            const { pendingTimers } = process.clock;
            if (pendingTimers > 0) {
              fail('S25', `${this.name} stopped with ${pendingTimers} timers left`);
            }
            const open = network.openSocketsOf(process).filter(({ isEnding }) => !isEnding).length;
            if (open > 0) fail('S25', `${this.name} stopped with ${open} connections left`);
            network.closeHost(process);
            this.#forget(process);
            this.#onDown();
          });
        },
        (problem: unknown) => {
          if (!process.isDead) fail('assert', `${this.name} does not stop: ${String(problem)}`);
        },
      );
    });
  }

  /** It is not to come back: a restart that is under way ends half-way. */
  retire(onDown: () => void): void {
    this.#isRetired = true;
    if (this.#isStopping) {
      this.#onDown = onDown;
      return;
    }
    // one that has not come far has nothing to stop
    if (this.#balancer === null) this.kill('process');
    if (this.#process === null) onDown();
    else this.stop(onDown);
  }

  kill(kind: KillKind): void {
    const process = this.#process;
    if (process === null) return;
    const { network, trace } = this.#parts;
    trace.note('F', this.name, kind === 'machine' ? 'loses power' : 'is killed');
    if (kind === 'machine') network.vanishHost(process);
    else network.closeHost(process);
    this.#forget(process);
  }

  pause(forMs: number): void {
    this.#parts.trace.note('F', this.name, 'is paused', forMs, 0, () => `${Math.round(forMs)} ms`);
    this.#process?.sleep(forMs);
  }

  /** It and the other balancers do not hear of each other for so long. */
  cutFromCouncil(forMs: number): void {
    const seat = this.#seat;
    const { trace, timeline } = this.#parts;
    if (seat?.isConnected !== true || this.#view === null) return;
    trace.note('F', this.name, 'loses the others', forMs);
    timeline.mustDrain = true;
    seat.disconnect();
    timeline.after(forMs, () => {
      if (this.#seat !== seat) return;
      timeline.mustDrain = true;
      seat.reconnect();
    });
  }

  /** What an operator wants of it; that it says no is an answer, too. */
  control(what: string, sid: number, act: (balancer: Balancer, server: string) => void): void {
    const { process, balancer } = this;
    if (process === null || balancer === null || this.#isStopping) return;
    this.#parts.trace.note('F', this.name, what, sid);
    process.post(() => {
      try {
        act(balancer, serverId(sid));
      } catch (problem) {
        if (!(problem instanceof ControlError)) throw problem;
      }
    });
  }

  #forget(process: SimProcess): void {
    process.kill();
    this.#process = null;
    this.#balancer = null;
    this.#isStopping = false;
    if (this.#seat?.isConnected === true) this.#seat.disconnect();
    this.#seat = this.#view = null;
  }

  #settings(network: Network, process: SimProcess): BalancerSettings {
    const { parameters, serverCount } = this.#parts;
    const { keeping, policy, roles, subset, subsetRules, scope, health, slowStartMs } = parameters;
    const addresses: BackendAddress[] = [];
    for (let sid = 1; sid <= serverCount; sid++) {
      addresses.push({ host: hostOf(sid), port: clientPort });
    }
    return {
      version: 'simulated',
      listeners: [{ network, host: this.host, port: clientPort, isTls: false, isReadOnly: false }],
      keeping: { ...keepingDefaults, ...keeping },
      pool: {
        ...{ policy, roles, subset, scope, health, subsetOptions: subsetRules, name: this.name },
        ...(parameters.hasOutliers ? {} : { outliers: false as const }),
        slowStart: slowStartMs === 0 ? false : { windowMs: slowStartMs },
        registry: this.#registry(process),
      },
      membership: new StaticMembership(addresses),
      rebalancing: parameters.rebalancing,
      classes: {},
      guards: {},
      metrics: metricsDefaults,
      zone: null,
      origins: [],
      words: new Set(openWordsDefault),
      accessLog: null,
      shown: [],
    };
  }

  /** What others say there is heard in a turn of one's own. */
  #registry(process: SimProcess): Registry {
    const seat = this.#parts.council.seat();
    this.#seat = seat;
    return {
      canAgree: seat.canAgree,
      start: (onChange: (view: RegistryView) => void) => {
        seat.start((view) => {
          process.post(() => {
            this.#view = view;
            onChange(view);
          });
        });
      },
      publish: (published) => {
        seat.publish(published);
      },
      reportWrite: () => {
        seat.reportWrite();
      },
      stop: () => {
        this.#seat = null;
        return seat.stop();
      },
    };
  }

  #listenTo(balancer: Balancer, process: SimProcess): void {
    const { trace, onDropped } = this.#parts;
    balancer.on('masked', ({ session, from, to, tookMs }) => {
      if (process.isDead) return;
      this.masked++;
      trace.note('S', this.name, 'masks', 0, 0, () => {
        return `${session} ${from} > ${to} in ${Math.round(tookMs)} ms`;
      });
    });
    balancer.on('move', ({ session, reason, outcome, from, to }) => {
      if (process.isDead) return;
      if (outcome === 'moved') this.moved++;
      trace.note('S', this.name, 'move', 0, 0, () => {
        return `${session} ${String(from)} > ${String(to)} (${reason}): ${outcome}`;
      });
    });
    balancer.on('dropped', ({ session, reason }) => {
      if (process.isDead || this.#isStopping) return;
      this.dropped++;
      trace.note('S', this.name, 'drops', 0, 0, () => `${session}: ${reason}`);
      onDropped(this, session, reason);
    });
  }

  #loggerOf(process: SimProcess): Logger {
    const { trace } = this.#parts;
    const say =
      (level: string) =>
      (message: string, fields: LogFields = {}) => {
        if (process.isDead) return;
        trace.note('S', this.name, 'logs', message.length, 0, () => {
          const text = Object.entries(fields).map(([key, value]) => `${key}=${String(value)}`);
          return `${level}: ${message} ${text.join(' ')}`;
        });
      };
    return { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
  }
}
