/**
 * A learner's connection to its leader, or, for an observer, to a follower that serves observers: where
 * it is looked for until it is reached or the role is over, and what clients here want of it. The other
 * end of it is one of the leader's `learner-lines.ts`.
 */
import { present } from '../../base/assert.js';
import type { Socket, SocketHandler } from '../../ports/network.js';
import { Capability, hasCapability } from '../../protocol/peer/extension.js';
import type { Id } from '../../protocol/records/data.js';
import type { LinkId } from '../../zab/messages.js';
import { observerPlaces, type Place } from './observer-places.js';
import * as packets from './packets.js';
import { QuorumLink, type LinkEvents } from './quorum-link.js';
import type { Surroundings } from './role.js';
import { pause } from './waiting.js';

/** Between attempts to reach a leader that does not listen yet. */
const RETRY_MS = 10;
const CONNECT_TIMEOUT_MS = 2000;

export interface LeaderLineParts {
  readonly leader: number;
  readonly isObserver: boolean;
  readonly nextLink: () => LinkId;
  /** In [0, 1): spreads observers over followers that serve them. */
  readonly fraction: () => number;
  /** Told what comes by it. */
  readonly events: LinkEvents;
  /** It is there, in a turn of its own. */
  onUp(link: QuorumLink): void;
  /** Nobody answers at any of the places, not even to refuse. */
  onUnreachable(): void;
}

export class LeaderLine {
  readonly #around: Surroundings;
  readonly #parts: LeaderLineParts;
  /** In the order in which they are tried, over and over. */
  readonly #places: readonly Place[];
  /** Where it was looked for last. */
  #place: Place | null = null;
  #link: QuorumLink | null = null;
  #isFlushScheduled = false;
  #isAbandoned = false;

  constructor(around: Surroundings, parts: LeaderLineParts) {
    this.#around = around;
    this.#parts = parts;
    this.#places = placesOf(around, parts);
  }

  /** Null: it is not there yet, or no more. */
  get link(): QuorumLink | null {
    return this.#link;
  }

  /** The server at the other end; an observer may have gone to a follower. */
  get masterSid(): number {
    const { config, membership } = this.#around;
    const { leader } = this.#parts;
    const place = this.#place;
    if (place === null || place.port !== config.ensemble.observerMasterPort) return leader;
    for (const { sid, role, addresses } of membership.inForce.members.servers.values()) {
      const isThere = addresses.some(({ host }) => host === place.host);
      if (role === 'participant' && sid !== leader && isThere) return sid;
    }
    return leader;
  }

  /** Settles when the leader is reached, or nobody tries any more. */
  async connect(): Promise<void> {
    const { clock, logger, network } = this.#around;
    let silent = 0;
    for (let attempt = 0; this.#isWanted(); attempt++) {
      const place = present(this.#places[attempt % this.#places.length], 'a leader has a place');
      this.#place = place;
      const startedMs = clock.monotonicMs();
      try {
        await network.connect({ ...place, timeoutMs: CONNECT_TIMEOUT_MS }, (socket) =>
          this.#adopt(socket),
        );
        return;
      } catch (problem) {
        if (attempt === 0) {
          logger.info('the leader does not listen yet', {
            leader: this.#parts.leader,
            reason: problem instanceof Error ? problem.message : String(problem),
          });
        }
        // not even refused: its vote came from behind a cut, and the others may have to do without it
        if (clock.monotonicMs() - startedMs >= CONNECT_TIMEOUT_MS / 2) silent++;
        if (silent >= this.#places.length) {
          if (this.#isWanted()) this.#parts.onUnreachable();
          return;
        }
        // nothing is waited for once the role is over
        if (this.#isWanted()) await pause(clock, RETRY_MS);
      }
    }
  }

  /** Whoever is at the other end says of sessions also which of their clients has them. */
  get tellsGenerations(): boolean {
    return hasCapability(this.#link?.extension ?? null, Capability.continuation);
  }

  /** What a client wants done, whom those identities were proven of. */
  forward(request: packets.ForwardedRequest, authIds: readonly Readonly<Id>[]): void {
    const link = this.#link;
    if (link === null) return;
    packets.writeRequest(link.begin(), request, authIds);
    this.#flushSoon();
  }

  /** A client has come with this session: is it alive? */
  revalidate(session: bigint, timeoutMs: number, shown: bigint): void {
    const link = this.#link;
    if (link === null) return;
    const told = this.tellsGenerations ? shown : null;
    packets.writeRevalidate(link.begin(), session, timeoutMs, told);
    this.#flushSoon();
  }

  flush(): void {
    this.#link?.flush();
  }

  /** It was closed from the other end. False: it is none of this line's, or was let go before. */
  lost(link: QuorumLink): boolean {
    if (this.#link !== link) return false;
    this.#link = null;
    return true;
  }

  /** The leader is looked for no more; a connection that is there goes on. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  close(): void {
    this.abandon();
    this.#link?.close();
    this.#link = null;
  }

  #isWanted(): boolean {
    return !this.#isAbandoned;
  }

  #adopt(socket: Socket): SocketHandler {
    const { leader, nextLink, events } = this.#parts;
    const link = new QuorumLink(nextLink(), socket, events);
    link.sid = leader;
    if (this.#isAbandoned) {
      link.close();
      return link;
    }
    this.#link = link;
    this.#around.clock.soon(() => {
      if (!this.#isAbandoned && !link.isClosed) this.#parts.onUp(link);
    });
    return link;
  }

  #flushSoon(): void {
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    this.#around.clock.soon(() => {
      this.#isFlushScheduled = false;
      this.flush();
    });
  }
}

/** Where the leader's history is to be had. */
function placesOf(
  { config, membership }: Surroundings,
  { leader, isObserver, fraction }: LeaderLineParts,
): readonly Place[] {
  const { inForce, lastSeen } = membership;
  const place = inForce.members.servers.get(leader) ?? lastSeen.members.servers.get(leader);
  const { addresses } = present(place, 'who is voted for is in a configuration');
  const atLeader = addresses.map(({ host, quorumPort: port }) => ({ host, port }));
  if (!isObserver) return atLeader;
  const { observerMasterPort } = config.ensemble;
  return observerPlaces(inForce.members, leader, atLeader, observerMasterPort, fraction());
}
