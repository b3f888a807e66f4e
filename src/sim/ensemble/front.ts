/**
 * All balancers before one ensemble: they run, things go wrong with them, and what they promise is
 * looked at while they do. In runs without balancers there is none of this.
 */
import { SeededRandom } from '../../base/random.js';
import { MemoryCouncil } from '../../balancer/pool/memory-registry.js';
import { OpCode } from '../../protocol/opcodes.js';
import type { Timeline } from '../clock.js';
import type { History, Lapse } from '../history.js';
import type { Address, SimNetwork } from '../network.js';
import type { ServerTap } from '../server-tap.js';
import type { Trace } from '../trace.js';
import { disagreement } from './balancer-agreement.js';
import { BalancerFaults } from './balancer-faults.js';
import { balancerAt, balancerHost, type BalancerParameters } from './balancer-parameters.js';
import { BalancerTap, type Sightings } from './balancer-tap.js';
import type { Chronicle } from './chronicle.js';
import { clientPort, hostOf, sidAt, type EnsembleParameters } from './parameters.js';
import { SimBalancer } from './sim-balancer.js';
import type { SimMember } from './sim-member.js';

export interface FrontParts {
  readonly timeline: Timeline;
  readonly network: SimNetwork;
  readonly trace: Trace;
  readonly parameters: EnsembleParameters;
  readonly own: BalancerParameters;
  readonly wallMs: number;
  readonly chronicle: Chronicle;
  readonly history: History;
  /** Between servers and whoever comes to them. */
  readonly taps: readonly ServerTap[];
  members(): readonly SimMember[];
  readonly faults: { restartLater(member: SimMember): void };
  readonly fail: (invariant: string, message: string) => void;
}

/** Parts the balancers' dice from those that were drawn from before. */
const RUNNING = 0xb1a5;
const LOOK_MS = 100;
/** `rw-p` has had the time to see that a server is back. */
const LONE_MS_MAX = 1000;

/** What cannot be hidden from a client, however calm it is. */
const honest: ReadonlySet<string> = new Set([
  'a request before an executed write has no answer any more',
]);

export class Front {
  readonly #parts: FrontParts;
  readonly #random: SeededRandom;
  readonly balancers: readonly SimBalancer[];
  readonly faults: BalancerFaults;
  readonly #ended = new Set<bigint>();
  #endedUpTo = 0;
  #lapses = 0;
  /** Since when a balancer has used one server alone though two were well. */
  readonly #loneSinceMs = new Map<SimBalancer, number>();
  /** And since when others than all have agreed on. */
  readonly #stubbornSinceMs = new Map<SimBalancer, number>();
  #isOver = false;

  constructor(parts: FrontParts) {
    this.#parts = parts;
    const { timeline, network, trace, parameters, own, fail, wallMs } = parts;
    this.#random = new SeededRandom(parameters.seed ^ RUNNING);
    const council = new MemoryCouncil();
    const sightings: Sightings = new Map();
    const quality = network.quality;
    network.quality = (from, to) => {
      const isUpstream = balancerAt(from) > 0 && !this.#isOver;
      return isUpstream ? own.link : quality(from, to);
    };
    this.balancers = Array.from({ length: own.count }, (_, i) => {
      const name = `b${i + 1}`;
      const tap = new BalancerTap({
        ...{ timeline, name, fail, sightings },
        epochs: () => parts.chronicle.epochs,
        servedMs: (session) => this.#servedMs(session),
        isOver: (session) => own.isGentle && this.#isEnded(session),
        onLapse: own.keeping.mask === 'best-effort' ? this.#onLapse : null,
      });
      return new SimBalancer({
        ...{ number: i + 1, timeline, network, trace, parameters: own, council, tap, wallMs, fail },
        random: this.#fork(),
        pace: parameters.pace,
        serverCount: parameters.configs.length,
        onDropped: (balancer, session, reason) => {
          this.#onDropped(balancer, session, reason);
        },
      });
    });
    this.faults = new BalancerFaults({
      ...{ timeline, network, trace, parameters, own, balancers: this.balancers },
      random: this.#fork(),
      members: () => parts.members(),
      restartLater: (member) => {
        parts.faults.restartLater(member);
      },
    });
  }

  /** At which server a balancer has the session; 0: at none. */
  serverOf(number: number, session: bigint): number {
    for (const { id, backend } of this.balancer(number).balancer?.sessions() ?? []) {
      if (id === session) return sidAt(backend?.host ?? '');
    }
    return 0;
  }

  balancer(number: number): SimBalancer {
    const balancer = this.balancers[number - 1];
    if (balancer === undefined) throw new RangeError(`there is no balancer ${number}`);
    return balancer;
  }

  /** What the server says reaches the balancer no more. */
  gag(sid: number, number: number, forMs: number): void {
    const untilMs = this.#parts.timeline.nowMs + forMs;
    this.faults.cut(hostOf(sid), balancerHost(number), untilMs);
  }

  /** All connections between the two break; what was under way is lost. */
  hangUp(number: number, sid: number): void {
    const { network } = this.#parts;
    for (const link of [...network.links()]) {
      const { localAddress, remoteAddress } = link.near;
      if (localAddress !== balancerHost(number) || remoteAddress !== hostOf(sid)) continue;
      network.reset(link);
    }
  }

  start(): void {
    for (const balancer of this.balancers) balancer.start();
    this.#lookLater();
  }

  /** Where a client comes by next. */
  address(random: SeededRandom): Address {
    return { host: balancerHost(random.between(1, this.balancers.length)), port: clientPort };
  }

  /** Nothing goes wrong any more, and every server is to be used. */
  calmDown(): void {
    this.#isOver = true;
    this.faults.stop();
    for (const balancer of this.balancers) {
      balancer.start();
      balancer.process?.wake();
      for (const { sid } of this.#parts.members()) {
        balancer.control('undrain', sid, (one, server) => {
          one.undrain(server);
          one.setWeight(server, 1);
        });
      }
    }
  }

  /** True: all have stopped, when that is asked for again and again. */
  stop(): () => boolean {
    let down = 0;
    for (const balancer of this.balancers) {
      balancer.retire(() => {
        down++;
      });
    }
    return () => down === this.balancers.length;
  }

  get hits(): [string, number][] {
    const sum = (of: (balancer: SimBalancer) => number): number =>
      this.balancers.reduce((total, balancer) => total + of(balancer), 0);
    return [
      ...this.faults.hits,
      ['balancers: masked', sum(({ masked }) => masked)],
      ['balancers: moved', sum(({ moved }) => moved)],
      ['balancers: dropped', sum(({ dropped }) => dropped)],
      ['balancers: pings answered', sum(({ tap }) => tap.localPings)],
      ['balancers: watches set again', this.#lapses],
      ['balancers: gentle runs', Number(this.#parts.own.isGentle)],
    ];
  }

  // ------------------------------------------------------------------ what must hold

  readonly #onLapse = (connection: number, lapse: Lapse): void => {
    this.#lapses++;
    this.#parts.history.lapsed(connection, lapse);
  };

  #servedMs(session: bigint): number {
    let latestMs = -Infinity;
    for (const tap of this.#parts.taps) {
      latestMs = Math.max(latestMs, tap.attentionTo(session)?.readMs ?? -Infinity);
    }
    return latestMs;
  }

  #isEnded(session: bigint): boolean {
    const { txns } = this.#parts.chronicle;
    for (; this.#endedUpTo < txns.length; this.#endedUpTo++) {
      const { header } = txns[this.#endedUpTo]!.payload;
      if (header.type === OpCode.closeSession) this.#ended.add(header.clientId);
    }
    return this.#ended.has(session);
  }

  #onDropped({ name }: SimBalancer, session: string, reason: string): void {
    if (!this.#parts.own.isGentle || this.#isOver || honest.has(reason)) return;
    this.#parts.fail('B4', `${name} drops the client of session ${session}: ${reason}`);
  }

  #lookLater(): void {
    const { subset, scope, count, roles } = this.#parts.own;
    // one that knows which of them leads may leave it out where the others do not know it yet
    const isAgreed = scope === 'ensemble' && count > 1 && roles === 'any';
    if (subset !== 'rw-p' && !isAgreed) return;
    this.#parts.timeline.after(LOOK_MS, () => {
      for (const balancer of this.balancers) {
        if (subset === 'rw-p') this.#look(balancer);
        if (isAgreed) this.#lookForAgreement(balancer);
      }
      if (!this.#isOver) this.#lookLater();
    });
  }

  #lookForAgreement(balancer: SimBalancer): void {
    const status = balancer.balancer?.status();
    const { nowMs } = this.#parts.timeline;
    const isAsleep = balancer.process === null || nowMs < balancer.process.awakeMs;
    const what = isAsleep || status === undefined ? null : disagreement(status, balancer.view);
    if (what === null) {
      this.#stubbornSinceMs.delete(balancer);
      return;
    }
    const sinceMs = this.#stubbornSinceMs.get(balancer) ?? nowMs;
    this.#stubbornSinceMs.set(balancer, sinceMs);
    if (nowMs - sinceMs > LONE_MS_MAX) this.#parts.fail('B7', `at ${balancer.name} ${what}`);
  }

  /** Whoever decides by `rw-p` never rests on one server while two are well. */
  #look(balancer: SimBalancer): void {
    const status = balancer.balancer?.status();
    const { nowMs } = this.#parts.timeline;
    const isAsleep = balancer.process === null || nowMs < balancer.process.awakeMs;
    const servers = status?.servers ?? [];
    const able = servers.filter(({ isHealthy, set, weight, role }) => {
      return isHealthy && set !== 'draining' && weight > 0 && role !== 'read-only';
    });
    const awake = able.filter(({ set }) => set === 'awake');
    const isAgreed = status?.subset.scope === 'ensemble';
    if (isAsleep || isAgreed || able.length < 2 || awake.length >= 2) {
      this.#loneSinceMs.delete(balancer);
      return;
    }
    const sinceMs = this.#loneSinceMs.get(balancer) ?? nowMs;
    this.#loneSinceMs.set(balancer, sinceMs);
    if (nowMs - sinceMs <= LONE_MS_MAX) return;
    const names = able.map(({ id, set }) => `${id} ${set}`).join(', ');
    this.#parts.fail('B5', `${balancer.name} rests on one server of ${names}`);
  }

  #fork(): SeededRandom {
    return new SeededRandom(this.#random.uint32());
  }
}
