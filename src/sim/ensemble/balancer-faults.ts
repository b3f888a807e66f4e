/**
 * What goes wrong with balancers, and what operators do with them (see faults.ts): they die, pause and
 * come back, lose a server out of sight one way or both, and are told to empty servers and to use
 * others. In gentle runs servers are killed one at a time, and that is all.
 */
import type { Balancer } from '../../balancer/balancer.js';
import type { SeededRandom } from '../../base/random.js';
import type { Timeline } from '../clock.js';
import type { SimNetwork } from '../network.js';
import type { Trace } from '../trace.js';
import {
  balancerFaultNames,
  type BalancerFaultName,
  type BalancerParameters,
} from './balancer-parameters.js';
import { hostOf, type EnsembleParameters } from './parameters.js';
import type { SimBalancer } from './sim-balancer.js';
import type { SimMember } from './sim-member.js';

interface FaultWorld {
  readonly timeline: Timeline;
  readonly random: SeededRandom;
  readonly network: SimNetwork;
  readonly trace: Trace;
  readonly parameters: EnsembleParameters;
  readonly balancers: readonly SimBalancer[];
  readonly own: BalancerParameters;
  readonly members: () => readonly SimMember[];
  readonly restartLater: (member: SimMember) => void;
}

/** All have served for so long before the next one is killed: sessions have been heard of everywhere. */
const REST_MS = 5000;

export class BalancerFaults {
  readonly #world: FaultWorld;
  readonly hits = new Map<string, number>();
  #areOn = true;
  /** Since when all servers have served; null: they do not. */
  #wholeSinceMs: number | null = null;
  /** Directions that nothing passes, until when: `from>to`. */
  readonly #cuts = new Map<string, number>();

  constructor(world: FaultWorld) {
    this.#world = world;
    const { network, timeline } = world;
    const before = network.reception;
    network.reception = (from, to) => {
      const isCut = (a: string, b: string): boolean =>
        (this.#cuts.get(`${a}>${b}`) ?? 0) > timeline.nowMs;
      return isCut(from, to.host) || isCut(to.host, from) ? 'ignored' : before(from, to);
    };
    for (const name of balancerFaultNames) this.#plan(name);
  }

  stop(): void {
    this.#areOn = false;
    this.#cuts.clear();
  }

  #plan(name: BalancerFaultName): void {
    const { timeline, random, own } = this.#world;
    const meanMs = own.faults[name];
    if (meanMs === Infinity) return;
    timeline.after(-meanMs * Math.log(1 - random.fraction()), () => {
      if (!this.#areOn) return;
      this.#strike(name);
      this.#plan(name);
    });
  }

  #strike(name: BalancerFaultName): void {
    const { random, balancers, parameters } = this.#world;
    const victim = random.pick(balancers);
    const sid = random.between(1, parameters.configs.length);
    if (name !== 'killOne') this.#hit(name);
    switch (name) {
      case 'killBalancer':
      case 'loseBalancer':
        if (!victim.isRunning) return;
        victim.kill(name === 'killBalancer' ? 'process' : 'machine');
        this.#startLater(victim);
        return;
      case 'restartBalancer':
        victim.stop(() => {
          this.#startLater(victim);
        });
        return;
      case 'pauseBalancer':
        victim.pause(this.#tickMs * 20 * random.fraction() ** 2);
        return;
      case 'stallBalancer':
        victim.pause(random.pick([20, 150, this.#tickMs]) * random.fraction());
        return;
      case 'cutCouncil':
        victim.cutFromCouncil(this.#tickMs * 30 * random.fraction());
        return;
      case 'cutUpstream':
      case 'cutUpstreamOneWay':
      case 'isolateBalancer':
        this.#cutAbout(name, victim, sid);
        return;
      case 'killOne':
        this.#killOne(sid);
        return;
      default:
        this.#control(name, victim, sid);
    }
  }

  #control(
    name: 'drain' | 'undrain' | 'wake' | 'sleep' | 'weigh',
    victim: SimBalancer,
    sid: number,
  ): void {
    const { random } = this.#world;
    const weight = random.pick([0, 0.5, 3]);
    const isForced = random.chance(0.1) && !this.#world.own.isGentle;
    const { isGentle } = this.#world.own;
    victim.control(name, sid, (balancer, server) => {
      switch (name) {
        case 'drain':
          // two are left wherever sessions are to go on
          if (isGentle && leftBy(balancer, server) < 2) return;
          balancer.drain(server, { force: isForced });
          return;
        case 'undrain':
          balancer.undrain(server);
          return;
        case 'wake':
          balancer.wake(server);
          return;
        case 'sleep':
          balancer.sleep(server);
          return;
        case 'weigh':
          balancer.setWeight(server, weight);
      }
    });
  }

  #startLater(victim: SimBalancer): void {
    const { timeline, random, own } = this.#world;
    timeline.after(-own.restartMs * Math.log(1 - random.fraction()), () => {
      victim.start();
    });
  }

  #killOne(sid: number): void {
    const { timeline, members: all, balancers, restartLater, own } = this.#world;
    const members = all();
    const { nowMs } = timeline;
    const isWhole = members.every(({ member }) => member?.server?.isServing === true);
    this.#wholeSinceMs = isWhole ? (this.#wholeSinceMs ?? nowMs) : null;
    if (this.#wholeSinceMs === null || nowMs - this.#wholeSinceMs < REST_MS) return;
    // nobody is without a server, and every balancer knows that all are well
    const restMs = 4 * Math.max(own.health.intervalMs, own.health.retryMs);
    if (nowMs - this.#wholeSinceMs < restMs || balancers.some(isUnsettled)) return;
    const member = members[sid - 1];
    if (member === undefined) return;
    this.#hit('killOne');
    this.#wholeSinceMs = null;
    member.kill('process');
    restartLater(member);
  }

  #cutAbout(
    name: 'cutUpstream' | 'cutUpstreamOneWay' | 'isolateBalancer',
    { host }: SimBalancer,
    sid: number,
  ): void {
    const { random, timeline, parameters } = this.#world;
    const untilMs = timeline.nowMs + random.pick([3, 15, 40]) * this.#tickMs * random.fraction();
    const isOutward = random.chance(0.5);
    for (let other = 1; other <= parameters.configs.length; other++) {
      if (name !== 'isolateBalancer' && other !== sid) continue;
      const isBoth = name !== 'cutUpstreamOneWay';
      if (isBoth || isOutward) this.cut(host, hostOf(other), untilMs);
      if (isBoth || !isOutward) this.cut(hostOf(other), host, untilMs);
    }
  }

  /** Nothing gets through in this direction, nobody is told; later what was sent arrives. */
  cut(from: string, to: string, untilMs: number): void {
    const { network, trace } = this.#world;
    trace.note('F', 'net', 'cuts', 0, 0, () => `${from} > ${to} until ${untilMs}`);
    const key = `${from}>${to}`;
    this.#cuts.set(key, Math.max(untilMs, this.#cuts.get(key) ?? 0));
    for (const { near, toFar, toNear } of network.links()) {
      if (near.localAddress === from && near.remoteAddress === to) toFar.stallUntil(untilMs);
      if (near.localAddress === to && near.remoteAddress === from) toNear.stallUntil(untilMs);
    }
  }

  get #tickMs(): number {
    return this.#world.parameters.configs[0]?.tickTimeMs ?? 0;
  }

  #hit(name: string): void {
    this.hits.set(name, (this.hits.get(name) ?? 0) + 1);
  }
}

function leftBy(balancer: Balancer, server: string): number {
  return balancer.status().servers.filter(({ id, set }) => id !== server && set !== 'draining')
    .length;
}

function isUnsettled({ balancer }: SimBalancer): boolean {
  if (balancer === null) return true;
  const { servers, sessions } = balancer.status();
  const isWaiting = sessions.attaching + sessions.moving + sessions.quiescing > 0;
  return isWaiting || servers.some((server) => !server.isHealthy && server.set !== 'draining');
}
