/**
 * What goes wrong in an ensemble, and when (see ../faults.ts): servers die alone and together, leaders
 * more often than others, and between servers connections break, fall silent and cannot be made, in
 * every shape that a network can be cut into.
 */
import type { SeededRandom } from '../../base/random.js';
import { readMembers, votersOf } from '../../server/config/members.js';
import type { Timeline } from '../clock.js';
import type { DiskCall, DiskFault } from '../disk.js';
import type { Address, Link, Reception, SimNetwork } from '../network.js';
import type { KillKind } from '../sim-server.js';
import type { Trace } from '../trace.js';
import {
  electionPort,
  faultNames,
  hostOf,
  sidAt,
  type EnsembleParameters,
  type FaultName,
} from './parameters.js';
import type { SimMember } from './sim-member.js';

interface FaultWorld {
  readonly timeline: Timeline;
  readonly random: SeededRandom;
  readonly network: SimNetwork;
  readonly trace: Trace;
  readonly parameters: EnsembleParameters;
  members(): readonly SimMember[];
  /** Nobody else need have what is on its disk. */
  isPrecious(sid: number): boolean;
}

const DAY_MS = 86_400_000;

export class EnsembleFaults {
  readonly #world: FaultWorld;
  readonly hits = new Map<string, number>();
  #areOn = true;
  #slowUntilMs = 0;
  /** By sid: until then its disk answers no flush. */
  readonly #hungUntilMs = new Map<number, number>();
  #clientsOutUntilMs = 0;
  /** Directions that nothing passes, until when: `from>to`, or `from>to:port`. */
  readonly #cuts = new Map<string, number>();

  constructor(world: FaultWorld) {
    this.#world = world;
    world.network.reception = (from, to) => this.#receive(from, to);
    for (const name of faultNames) this.#plan(name);
  }

  stop(): void {
    this.#areOn = false;
    this.#slowUntilMs = 0;
    this.#hungUntilMs.clear();
    this.#cuts.clear();
  }

  /** What is cut is whole again. What stands still on the way arrives when it was to. */
  heal(): void {
    this.#clientsOutUntilMs = 0;
    this.#cuts.clear();
  }

  diskLatencyMs(sid: number, call: DiskCall): number {
    const { random, parameters, timeline } = this.#world;
    const { flushMs, callMs, spikeChance, spikeMs } = parameters.disk;
    const isFlush = call.name === 'flush' || call.name === 'sync';
    const hungMs = isFlush ? (this.#hungUntilMs.get(sid) ?? 0) - timeline.nowMs : 0;
    if (hungMs > 0) return hungMs;
    const meanMs = isFlush ? flushMs : callMs;
    if (meanMs === 0) return 0;
    if (this.#areOn && (timeline.nowMs < this.#slowUntilMs || random.chance(spikeChance))) {
      this.#hit('slow disk call');
      return spikeMs * random.fraction();
    }
    return 2 * meanMs * random.fraction();
  }

  diskFault(call: DiskCall): DiskFault | null {
    const { random, parameters } = this.#world;
    const { errorChance } = parameters.disk;
    if (!this.#areOn || errorChance === 0 || !random.chance(errorChance)) return null;
    this.#hit(`disk error in ${call.name}`);
    switch (call.name) {
      case 'write': {
        const code = random.pick(['EIO', 'ENOSPC', 'EDQUOT']);
        return { kind: 'error', code, bytesWritten: random.below(200) };
      }
      case 'flush':
      case 'sync':
        return { kind: random.chance(0.5) ? 'error' : 'clean', code: 'EIO' };
      default:
        return { kind: 'error', code: random.pick(['EIO', 'EROFS']) };
    }
  }

  /** Somebody starts the server again, after a while. */
  restartLater(member: SimMember): void {
    const { timeline, random, parameters } = this.#world;
    timeline.after(-parameters.restartMs * Math.log(1 - random.fraction()), () => {
      this.start(member);
    });
  }

  start(member: SimMember): void {
    const { random, parameters } = this.#world;
    if (member.isRunning) return;
    if (this.#areOn && random.chance(parameters.relapse)) {
      this.#hit('relapse');
      member.killAtDiskCall(random.between(1, 60), this.#killKind());
    }
    member.start();
  }

  #plan(name: FaultName): void {
    const { timeline, random, parameters } = this.#world;
    const meanMs = parameters.faults[name];
    if (meanMs === Infinity) return;
    timeline.after(-meanMs * Math.log(1 - random.fraction()), () => {
      if (!this.#areOn) return;
      this.#strike(name);
      this.#plan(name);
    });
  }

  #strike(name: FaultName): void {
    const { random, timeline, trace } = this.#world;
    const members = this.#world.members();
    const victim = random.pick(members);
    this.#hit(name);
    switch (name) {
      case 'killProcess':
        this.#kill(victim, 'process');
        break;
      case 'killMachine':
        this.#kill(victim, 'machine');
        break;
      case 'killAtDiskCall':
        victim.killAtDiskCall(random.between(1, 40), this.#killKind());
        break;
      case 'killLeader': {
        const leader = members.find((member) => member.isLeading);
        if (leader !== undefined) this.#kill(leader, this.#killKind());
        break;
      }
      case 'killAll': {
        const kind = this.#killKind();
        for (const member of members) this.#kill(member, kind);
        break;
      }
      case 'restart':
        victim.stop(() => {
          this.restartLater(victim);
        });
        break;
      case 'clockJump':
        victim.jumpWallClock(random.pick([1, 1000, DAY_MS]) * (2 * random.fraction() - 1));
        break;
      case 'pause':
        victim.pause(this.#tickMs * 20 * random.fraction() ** 2);
        break;
      case 'stall':
        victim.pause(random.pick([20, 100, this.#tickMs]) * random.fraction());
        break;
      case 'wipe':
        this.#wipe(victim);
        break;
      case 'hungFlush': {
        trace.note('F', victim.name, 'disk hangs');
        const forMs = random.pick([3, 15, 30]) * this.#tickMs * random.fraction();
        this.#hungUntilMs.set(victim.sid, timeline.nowMs + forMs);
        break;
      }
      default:
        this.#strikeNetwork(name);
    }
  }

  /**
   * Of every configuration that somebody may yet go by, fewer voters than a quorum have lost their
   * history and not got one back, this one included. What was committed in it is then held by one at
   * least of those who committed it, and nobody leads without that one: voters with a history meet every
   * quorum in one that holds it, and a voter without has no vote before it has heard all of them, in the
   * configuration in force and in the one that is proposed.
   *
   * While the configuration changes nobody knows which one is the last that was committed, so it has to
   * hold of each that is in force, proposed, or in a file. Files of configurations are not on the
   * disk that is emptied: who acknowledged one remembers it, and tells the others in its votes.
   */
  #wipe(victim: SimMember): void {
    const { parameters } = this.#world;
    // it would vote as if it had never had anything
    if (victim.isStranger) return;
    if (this.#world.isPrecious(victim.sid)) return;
    if (parameters.reconfigMs < Infinity && !parameters.wipesAnywhere) return;
    const members = this.#world.members();
    const isWiped = (sid: number): boolean =>
      sid === victim.sid || members[sid - 1]?.history.isWiped === true;
    for (const voters of this.#electorates()) {
      const quorumSize = Math.floor(voters.length / 2) + 1;
      if (voters.includes(victim.sid) && voters.filter(isWiped).length >= quorumSize) return;
    }
    if (parameters.reconfigMs < Infinity) this.#hit('wipe where the configuration changes');
    const wasRunning = victim.isRunning;
    victim.wipe();
    if (wasRunning) this.restartLater(victim);
  }

  /** Those who vote, in each configuration that a server has in force, was proposed, or has in a file. */
  #electorates(): (readonly number[])[] {
    const members = this.#world.members();
    const { configs, reconfigMs } = this.#world.parameters;
    const known = new Set<string>();
    for (const { configs: files, member } of members) {
      const { inForce, lastSeen } = member?.membership ?? {};
      const texts = [files.before, files.inForce, files.next, inForce?.text, lastSeen?.text];
      for (const text of texts) if (typeof text === 'string') known.add(text);
    }
    const first = configs[0];
    const all = first === undefined ? [] : [votersOf(first.ensemble)];
    if (reconfigMs === Infinity) return all;
    for (const text of known) {
      const reading = readMembers(text);
      if (reading.ok) all.push(votersOf(reading.members));
    }
    return all;
  }

  #strikeNetwork(
    name: Exclude<
      FaultName,
      | 'killProcess'
      | 'killMachine'
      | 'killAtDiskCall'
      | 'killLeader'
      | 'killAll'
      | 'restart'
      | 'clockJump'
      | 'pause'
      | 'stall'
      | 'wipe'
      | 'hungFlush'
    >,
  ): void {
    const { random, timeline, trace, network } = this.#world;
    switch (name) {
      case 'linkReset':
        this.#onLink('link is reset', (link) => {
          network.reset(link);
        });
        break;
      case 'linkSilent':
        this.#onLink('link goes silent', (link) => {
          link.toFar.isSilent ||= random.chance(0.7);
          link.toNear.isSilent ||= !link.toFar.isSilent || random.chance(0.7);
        });
        break;
      case 'linkStall':
        this.#onLink('link stalls', (link) => {
          const pipe = random.chance(0.5) ? link.toFar : link.toNear;
          pipe.stallUntil(timeline.nowMs + 5 * this.#tickMs * random.fraction());
        });
        break;
      case 'slowDisk':
        trace.note('F', 'disk', 'is slow');
        this.#slowUntilMs = timeline.nowMs + 4 * this.#tickMs * random.fraction();
        break;
      case 'isolate':
      case 'split':
      case 'bridge':
      case 'cutPair':
      case 'cutOneWay':
      case 'cutElection':
        this.#partition(name);
    }
  }

  #partition(name: 'isolate' | 'split' | 'bridge' | 'cutPair' | 'cutOneWay' | 'cutElection'): void {
    const { random, timeline } = this.#world;
    const members = this.#world.members();
    const untilMs = timeline.nowMs + random.pick([3, 15, 40]) * this.#tickMs * random.fraction();
    const leader = members.find((member) => member.isLeading);
    const one = leader !== undefined && random.chance(0.5) ? leader : random.pick(members);
    const other = random.pick(members);
    const side = new Map(members.map(({ sid }) => [sid, random.below(2)]));
    for (const { sid: from } of members) {
      for (const { sid: to } of members) {
        const touchesOne = (from === one.sid) !== (to === one.sid);
        const isPair = from === one.sid && to === other.sid;
        const isAcross = side.get(from) !== side.get(to);
        const isCut =
          name === 'isolate' || name === 'cutElection'
            ? touchesOne
            : name === 'split'
              ? isAcross
              : name === 'bridge'
                ? isAcross && !touchesOne
                : isPair || (name === 'cutPair' && from === other.sid && to === one.sid);
        const port = name === 'cutElection' ? electionPort : 0;
        if (isCut && from !== to) this.cut(from, to, port, untilMs);
      }
    }
  }

  /** Nothing gets through in this direction, nobody is told; later what was sent arrives. */
  cut(from: number, to: number, port: number, untilMs: number): void {
    const { network, trace } = this.#world;
    const suffix = port === 0 ? '' : `:${port}`;
    trace.note('F', 'net', 'cuts', from, to, () => `s${from} > s${to}${suffix} until ${untilMs}`);
    const key = `${hostOf(from)}>${hostOf(to)}${suffix}`;
    this.#cuts.set(key, Math.max(untilMs, this.#cuts.get(key) ?? 0));
    for (const { near, toFar, toNear } of network.links()) {
      if (port !== 0 && near.remotePort !== port) continue;
      const [nearHost, farHost] = [near.localAddress, near.remoteAddress];
      if (nearHost === hostOf(from) && farHost === hostOf(to)) toFar.stallUntil(untilMs);
      if (nearHost === hostOf(to) && farHost === hostOf(from)) toNear.stallUntil(untilMs);
    }
  }

  /** No client reaches a server, or hears of one. */
  shutOut(untilMs: number): void {
    const { network } = this.#world;
    this.#clientsOutUntilMs = untilMs;
    for (const link of [...network.links()]) {
      if (sidAt(link.near.localAddress) === 0) network.reset(link);
    }
  }

  #receive(from: string, { host, port }: Address): Reception {
    const { nowMs } = this.#world.timeline;
    if (sidAt(from) === 0 && nowMs < this.#clientsOutUntilMs) return 'ignored';
    const isCut = (a: string, b: string): boolean =>
      Math.max(this.#cuts.get(`${a}>${b}`) ?? 0, this.#cuts.get(`${a}>${b}:${port}`) ?? 0) > nowMs;
    return isCut(from, host) || isCut(host, from) ? 'ignored' : 'answered';
  }

  #kill(member: SimMember, kind: KillKind): void {
    if (!member.isRunning) return;
    member.kill(kind);
    this.restartLater(member);
  }

  #killKind(): KillKind {
    return this.#world.random.pick(['process', 'machine'] as const);
  }

  get #tickMs(): number {
    return this.#world.parameters.configs[0]?.tickTimeMs ?? 0;
  }

  #onLink(what: string, act: (link: Link) => void): void {
    const { network, random, trace } = this.#world;
    const links = [...network.links()];
    if (links.length === 0) return;
    const link = random.pick(links);
    const { id, localAddress, remoteAddress, remotePort } = link.near;
    trace.note('F', 'net', what, id, 0, () => `${localAddress} > ${remoteAddress}:${remotePort}`);
    act(link);
  }

  #hit(name: string): void {
    this.hits.set(name, (this.hits.get(name) ?? 0) + 1);
  }
}
