/**
 * What goes wrong in a run, and when: each kind of fault comes by itself, at times that its own mean
 * decides, until faults are switched off. Everything done is counted, so that a campaign can tell
 * which faults it has not met.
 */
import type { SeededRandom } from '../base/random.js';
import type { Timeline } from './clock.js';
import type { DiskCall, DiskFault } from './disk.js';
import type { Link, Reception, SimNetwork } from './network.js';
import type { FaultName, Parameters } from './parameters.js';
import type { KillKind, SimServer } from './sim-server.js';
import type { Trace } from './trace.js';

interface FaultWorld {
  readonly timeline: Timeline;
  readonly random: SeededRandom;
  readonly network: SimNetwork;
  readonly trace: Trace;
  readonly parameters: Parameters;
  server(): SimServer;
}

const FAULTS: readonly FaultName[] = [
  'killProcess',
  'killMachine',
  'killAtDiskCall',
  'restart',
  'pause',
  'stall',
  'clockJump',
  'linkReset',
  'linkSilent',
  'linkStall',
  'refuse',
  'partition',
  'slowDisk',
];

const DAY_MS = 86_400_000;

export class Faults {
  readonly #world: FaultWorld;
  readonly hits = new Map<string, number>();
  #areOn = true;
  #refusedUntilMs = 0;
  #slowUntilMs = 0;
  readonly #cutOff = new Map<string, number>();

  constructor(world: FaultWorld) {
    this.#world = world;
    world.network.reception = (from) => this.#receive(from);
    for (const name of FAULTS) this.#plan(name);
  }

  /** From here on nothing goes wrong any more; what is broken stays so until somebody mends it. */
  stop(): void {
    this.#areOn = false;
    this.#refusedUntilMs = 0;
    this.#slowUntilMs = 0;
    this.#cutOff.clear();
  }

  diskLatencyMs(call: DiskCall): number {
    const { random, parameters, timeline } = this.#world;
    const { flushMs, callMs, spikeChance, spikeMs } = parameters.disk;
    const meanMs = call.name === 'flush' || call.name === 'sync' ? flushMs : callMs;
    if (meanMs === 0) return 0;
    if (this.#areOn && (timeline.nowMs < this.#slowUntilMs || random.chance(spikeChance))) {
      this.#hit('slow disk call');
      return spikeMs * random.fraction();
    }
    return 2 * meanMs * random.fraction();
  }

  /** Errors that end the process (D3, D4, D5, D6, D10). */
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
      case 'open':
        return { kind: 'error', code: random.pick(['EMFILE', 'EIO', 'ENOSPC']) };
      default:
        return { kind: 'error', code: random.pick(['EIO', 'EROFS']) };
    }
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
    const { random, timeline, trace, parameters } = this.#world;
    const server = this.#world.server();
    const tickMs = parameters.config.tickTimeMs;
    this.#hit(name);
    switch (name) {
      case 'killProcess':
        this.#kill(server, 'process');
        break;
      case 'killMachine':
        this.#kill(server, 'machine');
        break;
      case 'killAtDiskCall':
        server.killAtDiskCall(random.between(1, 30), random.pick(['process', 'machine'] as const));
        break;
      case 'restart':
        server.stop(() => {
          this.restartLater();
        });
        break;
      case 'pause':
        server.pause(tickMs * 30 * random.fraction() ** 2);
        break;
      case 'stall':
        server.pause(random.pick([20, 100, tickMs]) * random.fraction());
        break;
      case 'clockJump':
        server.jumpWallClock(random.pick([1, 1000, DAY_MS]) * (2 * random.fraction() - 1));
        break;
      case 'linkReset':
        this.#onLink('link is reset', (link) => {
          this.#world.network.reset(link);
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
          pipe.stallUntil(timeline.nowMs + 3 * tickMs * random.fraction());
        });
        break;
      case 'refuse':
        trace.note('F', 'net', 'refuses connections');
        this.#refusedUntilMs = timeline.nowMs + 5 * tickMs * random.fraction();
        break;
      case 'partition':
        this.#partition(timeline.nowMs + 10 * tickMs * random.fraction());
        break;
      case 'slowDisk':
        trace.note('F', 'disk', 'is slow');
        this.#slowUntilMs = timeline.nowMs + 4 * tickMs * random.fraction();
        break;
    }
  }

  #kill(server: SimServer, kind: KillKind): void {
    if (!server.isRunning) return;
    server.kill(kind);
    this.restartLater();
  }

  /** Somebody starts the server again, after a while. */
  restartLater(): void {
    const { timeline, random, parameters } = this.#world;
    const delayMs = -parameters.restartMs * Math.log(1 - random.fraction());
    timeline.after(delayMs, () => {
      this.start();
    });
  }

  /** Starts the server; it may not get far (P4). */
  start(): void {
    const { random, parameters } = this.#world;
    const server = this.#world.server();
    if (server.isRunning) return;
    if (this.#areOn && random.chance(parameters.relapse)) {
      this.#hit('relapse');
      server.killAtDiskCall(random.between(1, 60), random.pick(['process', 'machine'] as const));
    }
    server.start();
  }

  #onLink(what: string, act: (link: Link) => void): void {
    const { network, random, trace } = this.#world;
    const links = [...network.links()];
    if (links.length === 0) return;
    const link = random.pick(links);
    trace.note('F', 'net', what, link.near.id, 0, () => link.near.localAddress);
    act(link);
  }

  /** A client's address is cut off: nothing gets through, nobody is told. */
  #partition(untilMs: number): void {
    const { network, random, trace, parameters } = this.#world;
    const address = addressOf(random.below(parameters.clients.length));
    trace.note('F', 'net', 'cuts off', 0, 0, () => address);
    this.#cutOff.set(address, untilMs);
    for (const link of network.links()) {
      if (link.near.localAddress !== address) continue;
      link.toFar.stallUntil(untilMs);
      link.toNear.stallUntil(untilMs);
    }
  }

  #receive(from: string): Reception {
    const { nowMs } = this.#world.timeline;
    if ((this.#cutOff.get(from) ?? 0) > nowMs) return 'ignored';
    return nowMs < this.#refusedUntilMs ? 'refused' : 'answered';
  }

  #hit(name: string): void {
    this.hits.set(name, (this.hits.get(name) ?? 0) + 1);
  }
}

export function addressOf(clientIndex: number): string {
  return `10.0.0.${clientIndex + 1}`;
}
