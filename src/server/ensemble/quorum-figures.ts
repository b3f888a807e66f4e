/**
 * What is counted of the connections on the quorum port: a leader's with each learner, a learner's
 * with its leader. Who hears whom and since when comes from here; nothing is decided by it.
 */
import type { Clock } from '../../ports/clock.js';
import {
  PacketType,
  type AfterPacket,
  type PacketView,
} from '../../protocol/peer/quorum-packet.js';
import { zxidOfParts, type Zxid } from '../../protocol/zxid.js';
import type { LinkId } from '../../zab/messages.js';
import type { ServerMetrics } from '../metrics.js';
import type { LinkEvents, QuorumLink } from './quorum-link.js';

export type SyncKind = 'diff' | 'snap';

export class LinkFigures {
  readonly link: QuorumLink;
  /** Monotonic, and likewise below. */
  readonly establishedMs: number;
  heardMs: number;
  packetsReceived = 0;
  packetsSent = 0;
  requests = 0;
  /** Of the last packet that came; -1 before the first. */
  lastZxid: Zxid = -1n;
  /** Written and not handed to the network; the first of them then. */
  queued = 0;
  queuedSinceMs = 0;
  sync: SyncKind | null = null;

  constructor(link: QuorumLink, nowMs: number) {
    this.link = link;
    this.establishedMs = this.heardMs = nowMs;
  }

  reset(): void {
    this.packetsReceived = this.packetsSent = this.requests = 0;
    this.lastZxid = -1n;
  }
}

export class QuorumFigures {
  readonly #metrics: ServerMetrics;
  readonly #clock: Clock;
  readonly #links = new Map<LinkId, LinkFigures>();
  /** Told that a server has a proposal on its disk. */
  readonly #onAck: (sid: number, low: number) => void;

  constructor(
    metrics: ServerMetrics,
    clock: Clock,
    onAck: (sid: number, low: number) => void = () => undefined,
  ) {
    this.#metrics = metrics;
    this.#clock = clock;
    this.#onAck = onAck;
  }

  /** Counts all that `events` is told of its links, and tells it. */
  watching(events: LinkEvents): LinkEvents {
    return {
      onPacket: (link, packet): AfterPacket => {
        this.#received(link, packet);
        return events.onPacket(link, packet);
      },
      onRaw: (link, bytes, start, end) => {
        this.#of(link).heardMs = this.#clock.monotonicMs();
        return events.onRaw(link, bytes, start, end);
      },
      onTurn: (link) => {
        events.onTurn(link);
      },
      onDrain: (link) => {
        events.onDrain(link);
      },
      onClose: (link, reason) => {
        this.#forget(link.id);
        events.onClose(link, reason);
      },
    };
  }

  #received(link: QuorumLink, packet: PacketView): void {
    const figures = this.#of(link);
    figures.heardMs = this.#clock.monotonicMs();
    figures.packetsReceived++;
    if (packet.type === PacketType.request) figures.requests++;
    else if (packet.type === PacketType.revalidate) this.#metrics.revalidateCount.value++;
    else if (packet.type === PacketType.ack) {
      figures.lastZxid = zxidOfParts(packet.zxidHigh, packet.zxidLow);
      this.#onAck(link.sid, packet.zxidLow);
    }
  }

  /** So many packets wait to leave. */
  wrote(link: QuorumLink, count: number): void {
    const figures = this.#of(link);
    if (figures.queued === 0) figures.queuedSinceMs = this.#clock.monotonicMs();
    figures.queued += count;
    figures.packetsSent += count;
  }

  /** What waited is the network's now. */
  left(link: QuorumLink): void {
    const figures = this.#links.get(link.id);
    if (figures === undefined || figures.queued === 0) return;
    const name = String(link.sid);
    this.#metrics.learnerHandlerQpSize.of(name)?.add(figures.queued);
    const waitedMs = this.#clock.monotonicMs() - figures.queuedSinceMs;
    this.#metrics.learnerHandlerQpTimeMs.of(name)?.add(waitedMs);
    figures.queued = 0;
  }

  syncBegan(link: QuorumLink, kind: SyncKind): void {
    this.#of(link).sync = kind;
    const { diffCount, snapCount } = this.#metrics;
    (kind === 'snap' ? snapCount : diffCount).value++;
    this.#addInFlight(kind);
  }

  /** It has acknowledged its history. */
  syncEnded(link: QuorumLink): void {
    const figures = this.#links.get(link.id);
    if (figures === undefined || figures.sync === null) return;
    const kind = figures.sync;
    figures.sync = null;
    this.#addInFlight(kind);
  }

  #addInFlight(kind: SyncKind): void {
    let count = 0;
    for (const { sync } of this.links()) if (sync === kind) count++;
    const { inflightSnapCount, inflightDiffCount } = this.#metrics;
    (kind === 'snap' ? inflightSnapCount : inflightDiffCount).add(count);
  }

  /** Of those that are open. */
  *links(): Generator<LinkFigures> {
    for (const [id, figures] of this.#links) {
      if (figures.link.isClosed) this.#links.delete(id);
      else yield figures;
    }
  }

  /** Null: there is no connection with that server. */
  withServer(sid: number): LinkFigures | null {
    let found: LinkFigures | null = null;
    for (const figures of this.links()) if (figures.link.sid === sid) found = figures;
    return found;
  }

  #forget(id: LinkId): void {
    this.#links.delete(id);
  }

  #of(link: QuorumLink): LinkFigures {
    let figures = this.#links.get(link.id);
    if (figures === undefined) {
      figures = new LinkFigures(link, this.#clock.monotonicMs());
      this.#links.set(link.id, figures);
    }
    return figures;
  }
}
