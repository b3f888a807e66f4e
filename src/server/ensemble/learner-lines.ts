/**
 * The lines to a leader's learners: what the role says to them as packets, one write a turn, and history
 * from the disk for those who need it.
 */
import { PacketType, writePacket } from '../../protocol/peer/quorum-packet.js';
import type { Writer } from '../../protocol/writer.js';
import type { AfterPersistMessage, EagerMessage, LinkId } from '../../zab/messages.js';
import type { ZxidPair } from '../../zab/sync-choice.js';
import { HistorySender } from './history-sender.js';
import * as packets from './packets.js';
import type { QuorumFigures } from './quorum-figures.js';
import type { QuorumLink } from './quorum-link.js';
import { ownExtension, type Surroundings } from './role.js';

/** A learner that takes nothing of what is proposed is better off coming again. */
const BACKLOG_BYTES_MAX = 256 * 1024 * 1024;

interface LearnerLinesEvents {
  /** History up to and including the zxid has been sent. */
  onStreamed(link: QuorumLink, at: ZxidPair): void;
  /** It takes what it is sent. */
  onHeard(link: QuorumLink): void;
  /** Its connection was closed from here. */
  onLost(link: QuorumLink): void;
}

export class LearnerLines {
  readonly #around: Surroundings;
  readonly #figures: QuorumFigures;
  readonly #events: LearnerLinesEvents;
  readonly #links = new Map<LinkId, QuorumLink>();
  /** Of links whose learners get history from the disk. */
  readonly #senders = new Map<LinkId, HistorySender>();
  readonly #dirty = new Set<QuorumLink>();

  constructor(around: Surroundings, figures: QuorumFigures, events: LearnerLinesEvents) {
    this.#around = around;
    this.#figures = figures;
    this.#events = events;
  }

  add(link: QuorumLink): void {
    this.#links.set(link.id, link);
  }

  get(id: LinkId): QuorumLink | undefined {
    return this.#links.get(id);
  }

  all(): IterableIterator<QuorumLink> {
    return this.#links.values();
  }

  /** It has closed by itself. */
  gone(link: QuorumLink): void {
    this.#links.delete(link.id);
    this.#senders.get(link.id)?.stop();
  }

  onDrain(link: QuorumLink): void {
    this.#senders.get(link.id)?.onDrain();
  }

  close(): void {
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
    for (const sender of this.#senders.values()) sender.stop();
  }

  send(message: EagerMessage | AfterPersistMessage): void {
    switch (message.kind) {
      case 'propose':
      case 'commit':
      case 'inform':
      case 'commitAndActivate':
      case 'informAndActivate':
        for (const id of message.links) {
          const link = this.#links.get(id);
          if (link !== undefined) this.#sendRecords(link, message);
        }
        return;
      case 'ping':
        for (const id of message.links) {
          const link = this.#links.get(id);
          if (link === undefined) continue;
          writePacket(this.begin(link), PacketType.ping, message.zxid.high, message.zxid.low);
        }
        return;
      default:
    }
    if (message.kind === 'handOver') {
      for (const id of message.links) {
        const link = this.#links.get(id);
        if (link !== undefined) packets.writeHandOver(this.begin(link), message.succession);
      }
      return;
    }
    if ('links' in message) return;
    const link = this.#links.get(message.link);
    if (link === undefined) return;
    switch (message.kind) {
      case 'close':
        this.#around.logger.info('closing the connection of a learner', {
          server: link.sid,
          reason: message.reason,
        });
        this.forget(link);
        return;
      case 'leaderInfo':
        packets.writeLeaderInfo(
          this.begin(link),
          message.epoch,
          link.extension === null ? null : ownExtension(this.#around.config),
        );
        return;
      case 'sync':
        this.#beginSync(link, message.choice);
        return;
      case 'stream':
        void this.#stream(link, message.from, false);
        return;
      case 'history':
        packets.writeHistory(this.begin(link), message.batch, message.from, message.to);
        return;
      case 'outstanding': {
        const { batch, from, to } = message;
        packets.writeRecords(this.begin(link), PacketType.proposal, batch, from, to);
        return;
      }
      case 'newLeader':
        packets.writeNewLeader(
          this.begin(link),
          message.epoch,
          this.#around.membership.lastSeen.text,
        );
        return;
      case 'synced':
        writePacket(this.begin(link), PacketType.sync, 0, 0);
        return;
      case 'upToDate':
        packets.writeUpToDate(this.begin(link));
        this.#figures.syncEnded(link);
        return;
      case 'pong':
      case 'learnerInfo':
      case 'ackEpoch':
      case 'ackEpochStart':
      case 'ack':
        throw new Error(`a leader does not say ${message.kind}`);
    }
  }

  #sendRecords(
    link: QuorumLink,
    message: Extract<
      EagerMessage | AfterPersistMessage,
      { kind: 'propose' | 'commit' | 'inform' | `${string}AndActivate` }
    >,
  ): void {
    const { batch, from, to } = message;
    if (link.waitingBytes > BACKLOG_BYTES_MAX) {
      this.#around.logger.warn('a learner does not take what is proposed', { server: link.sid });
      this.forget(link);
      this.#events.onLost(link);
      return;
    }
    const out = this.begin(link, to - from);
    if (message.kind === 'commitAndActivate') {
      packets.writeCommitAndActivate(out, batch, from, message.leader);
    } else if (message.kind === 'informAndActivate') {
      packets.writeInformAndActivate(out, batch, from, message.leader);
    } else if (message.kind === 'commit') packets.writeCommits(out, batch, from, to);
    else {
      const type = message.kind === 'propose' ? PacketType.proposal : PacketType.inform;
      packets.writeRecords(out, type, batch, from, to);
    }
  }

  begin(link: QuorumLink, count = 1): Writer {
    this.#dirty.add(link);
    this.#figures.wrote(link, count);
    return link.begin();
  }

  flush(): void {
    for (const link of this.#dirty) {
      link.flush();
      this.#figures.left(link);
    }
    this.#dirty.clear();
  }

  forget(link: QuorumLink): void {
    this.#links.delete(link.id);
    link.close();
    this.#senders.get(link.id)?.stop();
  }

  // ------------------------------------------------------------------ synchronisation

  #beginSync(
    link: QuorumLink,
    choice: Extract<AfterPersistMessage, { kind: 'sync' }>['choice'],
  ): void {
    this.#around.logger.info('synchronising a learner', { server: link.sid, by: choice.kind });
    this.#figures.syncBegan(link, choice.kind === 'snap' ? 'snap' : 'diff');
    switch (choice.kind) {
      case 'diff':
        writePacket(this.begin(link), PacketType.diff, choice.from.high, choice.from.low);
        return;
      case 'trunc':
        writePacket(this.begin(link), PacketType.trunc, choice.to.high, choice.to.low);
        return;
      case 'log':
        void this.#stream(link, choice.from, true);
        return;
      case 'snap':
        void this.#stream(link, null, true);
    }
  }

  /** From the disk, or as a snapshot; then the role goes on from memory. */
  async #stream(link: QuorumLink, from: ZxidPair | null, isFirst: boolean): Promise<void> {
    const sender = new HistorySender(this.#around, link);
    this.#senders.set(link.id, sender);
    const at = await sender.run(from, isFirst, () => {
      this.#events.onHeard(link);
    });
    this.#senders.delete(link.id);
    if (!this.#links.has(link.id)) return;
    if (at === null) {
      this.forget(link);
      this.#events.onLost(link);
    } else {
      this.#events.onStreamed(link, at);
    }
  }
}
