/**
 * The servers to try, and in which order. Every client shuffles its own list, so that all together
 * spread over the servers; one that lost its server goes on with the next in the list, and starts a
 * new round only when all have been tried.
 *
 * When the list itself changes, clients must spread anew without all of them moving at once. Each
 * decides by dice alone, with odds under which every server expects the same number of clients
 * (ZOOKEEPER-1355): where there are more servers now, a client leaves its server with the probability
 * 1 - |before| / |after|, for one of the new ones; where its server is gone, it goes to the remaining
 * old ones as often as brings each of them to the common share, and else to the new ones.
 */
import type { ServerAddress } from './types.js';

export class HostList {
  #servers: readonly ServerAddress[];
  readonly #random: () => number;
  readonly #isShuffled: boolean;
  /** Of the next server to try. */
  #next = 0;
  /** How many have been tried since one was good. */
  #tried = 0;

  constructor(servers: readonly ServerAddress[], isShuffled: boolean, random: () => number) {
    this.#random = random;
    this.#isShuffled = isShuffled;
    this.#servers = this.#ordered(servers);
  }

  get size(): number {
    return this.#servers.length;
  }

  /** In the order in which they are tried. */
  get servers(): readonly ServerAddress[] {
    return this.#servers;
  }

  /** True: all have been tried since the last success, so that a pause is due. */
  get isRoundOver(): boolean {
    return this.#tried >= this.#servers.length;
  }

  /** A pause has been made: all may be tried again. */
  beginRound(): void {
    this.#tried = 0;
  }

  /** Null: there is none. */
  next(): ServerAddress | null {
    const server = this.#servers[this.#next];
    if (server === undefined) return null;
    this.#next = (this.#next + 1) % this.#servers.length;
    this.#tried++;
    return server;
  }

  /** A session lives on the server that was tried last. */
  succeeded(): void {
    this.#tried = 0;
  }

  /** This one is to be tried next. */
  prefer(server: ServerAddress): void {
    const at = this.#servers.findIndex((one) => isSame(one, server));
    if (at >= 0) this.#next = at;
  }

  has(server: ServerAddress): boolean {
    return this.#servers.some((one) => isSame(one, server));
  }

  /** True: the same servers, in whatever order. */
  isOf(servers: readonly ServerAddress[]): boolean {
    return servers.length === this.#servers.length && servers.every((one) => this.has(one));
  }

  /**
   * Another list. True: whoever is connected to `current` should leave it, and then try in the order
   * that the list is now in.
   */
  update(servers: readonly ServerAddress[], current: ServerAddress | null): boolean {
    const before = this.#servers;
    const kept = servers.filter((one) => this.has(one));
    const added = servers.filter((one) => !this.has(one));
    const isKept = current !== null && kept.some((one) => isSame(one, current));
    const isMoving = current !== null && this.#mustMove(isKept, before.length, servers.length);
    const others = isMoving ? kept.filter((one) => !isSame(one, current)) : kept;
    this.#tried = 0;
    this.#next = 0;
    if (current === null || !isMoving) {
      this.#servers = this.#ordered(servers);
      return false;
    }
    const oldOdds = oddsOfOld(kept.length, added.length, before.length);
    const groups = this.#random() < oldOdds ? [others, added] : [added, others];
    const rest = isKept ? [current] : [];
    this.#servers = [...groups.flatMap((group) => this.#ordered(group)), ...rest];
    return true;
  }

  #mustMove(isKept: boolean, sizeBefore: number, sizeAfter: number): boolean {
    if (!isKept) return true;
    return sizeAfter > sizeBefore && this.#random() < 1 - sizeBefore / sizeAfter;
  }

  #ordered(servers: readonly ServerAddress[]): readonly ServerAddress[] {
    return this.#isShuffled ? shuffled(servers, this.#random) : [...servers];
  }
}

/** How likely one whose server goes away, or who leaves it, goes to one of the `kept` servers. */
function oddsOfOld(kept: number, added: number, before: number): number {
  const after = kept + added;
  if (added === 0) return 1;
  if (after > before || kept === before) return 0;
  return (kept * (before - after)) / (after * (before - kept));
}

export function isSame(a: ServerAddress, b: ServerAddress): boolean {
  return a.host === b.host && a.port === b.port;
}

export function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const left = [...items];
  const result: T[] = [];
  while (left.length > 0) {
    result.push(...left.splice(Math.min(left.length - 1, Math.floor(random() * left.length)), 1));
  }
  return result;
}
