/** What goes wrong while recipes run: to connections, to the processes that use them, to the servers. */
import type { SeededRandom } from '../../base/random.js';
import type { Timeline } from '../clock.js';
import type { Link, SimNetwork } from '../network.js';
import type { Trace } from '../trace.js';
import type { Actor } from './actor.js';
import type { RecipeServer } from './server.js';

/** Mean times between faults of a kind, for all together; Infinity: never. */
export const recipeFaultNames = [
  'linkReset',
  'linkStall',
  'linkSilent',
  'cutOff',
  'pauseActor',
  'stallActor',
  'killActor',
  'clockJump',
  'killLeader',
  'killServer',
  'pauseServer',
] as const;
export type RecipeFaultName = (typeof recipeFaultNames)[number];
export type RecipeFaultTimes = Readonly<Record<RecipeFaultName, number>>;

export function drawRecipeFaults(random: SeededRandom): RecipeFaultTimes {
  const sometimes = (chance: number, ...meanMs: number[]): number =>
    random.chance(chance) ? random.pick(meanMs) : Infinity;
  return {
    linkReset: sometimes(0.8, 100, 400, 2000),
    linkStall: sometimes(0.4, 500, 2000),
    linkSilent: sometimes(0.3, 2000),
    cutOff: sometimes(0.5, 1000, 4000),
    pauseActor: sometimes(0.5, 1000, 4000),
    stallActor: sometimes(0.3, 300, 2000),
    killActor: sometimes(0.4, 1500, 5000),
    clockJump: sometimes(0.3, 1000),
    killLeader: sometimes(0.4, 3000, 8000),
    killServer: sometimes(0.3, 3000, 8000),
    pauseServer: sometimes(0.3, 2000, 6000),
  };
}

/** No connection is on its way for longer. */
const CALM_MS = 1000;

interface World {
  readonly timeline: Timeline;
  readonly random: SeededRandom;
  readonly network: SimNetwork;
  readonly trace: Trace;
  readonly times: RecipeFaultTimes;
  readonly sessionTimeoutMs: number;
  readonly clockJumpMs: number;
  readonly actors: readonly Actor[];
  readonly servers: readonly RecipeServer[];
}

export class RecipeFaults {
  readonly #world: World;
  readonly #cutOff = new Map<string, number>();
  readonly hits = new Map<string, number>();
  #areOn = true;

  constructor(world: World) {
    this.#world = world;
    world.network.reception = (from) =>
      (this.#cutOff.get(from) ?? 0) > world.timeline.nowMs ? 'ignored' : 'answered';
  }

  start(): void {
    for (const name of recipeFaultNames) this.#plan(name);
  }

  /** Everything is whole again; who stands still goes on in time. */
  stop(): void {
    this.#areOn = false;
    this.#cutOff.clear();
    const { network, actors, servers, timeline } = this.#world;
    const resetAll = (): void => {
      for (const link of [...network.links()]) network.reset(link);
    };
    resetAll();
    // those that were on their way have the qualities of before
    timeline.after(CALM_MS, resetAll);
    for (const server of servers) server.start();
    for (const actor of actors) actor.start();
  }

  #plan(name: RecipeFaultName): void {
    const { timeline, random, times } = this.#world;
    if (times[name] === Infinity) return;
    timeline.after(-times[name] * Math.log(1 - random.fraction()), () => {
      if (!this.#areOn) return;
      this.hits.set(name, (this.hits.get(name) ?? 0) + 1);
      this.#strike(name);
      this.#plan(name);
    });
  }

  #strike(name: RecipeFaultName): void {
    const { random, actors, servers, network, sessionTimeoutMs, timeline } = this.#world;
    const actor = random.pick(actors);
    switch (name) {
      case 'linkReset':
        this.#onLink(actor, (link) => {
          network.reset(link);
        });
        break;
      case 'linkStall':
        this.#onLink(actor, (link) => {
          const pipe = random.chance(0.5) ? link.toFar : link.toNear;
          pipe.stallUntil(timeline.nowMs + sessionTimeoutMs * random.fraction());
        });
        break;
      case 'linkSilent':
        this.#onLink(actor, (link) => {
          link.toFar.isSilent ||= random.chance(0.7);
          link.toNear.isSilent ||= !link.toFar.isSilent || random.chance(0.7);
        });
        break;
      case 'cutOff':
        this.#cut(actor, timeline.nowMs + 2 * sessionTimeoutMs * random.fraction());
        break;
      case 'pauseActor':
        actor.pause(2.5 * sessionTimeoutMs * random.fraction());
        break;
      case 'stallActor':
        actor.pause(random.pick([5, 20, 100]) * random.fraction());
        break;
      case 'killActor':
        actor.kill();
        timeline.after(2 * sessionTimeoutMs * random.fraction(), () => {
          actor.start();
        });
        break;
      case 'clockJump':
        actor.setWallClock(this.#world.clockJumpMs * (2 * random.fraction() - 1));
        break;
      case 'killLeader':
        this.#kill(servers.find(({ isLeading }) => isLeading));
        break;
      case 'killServer':
        this.#kill(random.pick(servers));
        break;
      case 'pauseServer':
        random.pick(servers).pause(sessionTimeoutMs * random.fraction());
        break;
    }
  }

  #kill(server: RecipeServer | undefined): void {
    if (server === undefined) return;
    server.kill();
    const { timeline, random } = this.#world;
    timeline.after(random.pick([20, 300, 1500]) * random.fraction(), () => {
      server.start();
    });
  }

  #linksOf(actor: Actor): Link[] {
    const { network } = this.#world;
    return [...network.links()].filter(({ near }) => near.localAddress === actor.address);
  }

  #onLink(actor: Actor, act: (link: Link) => void): void {
    const links = this.#linksOf(actor);
    if (links.length === 0) return;
    const link = this.#world.random.pick(links);
    this.#world.trace.note('F', 'net', 'link fault', link.near.id, 0, () => actor.name);
    act(link);
  }

  #cut(actor: Actor, untilMs: number): void {
    this.#world.trace.note('F', 'net', 'cuts off', untilMs, 0, () => actor.name);
    this.#cutOff.set(actor.address, untilMs);
    for (const link of this.#linksOf(actor)) {
      link.toFar.stallUntil(untilMs);
      link.toNear.stallUntil(untilMs);
    }
  }
}
