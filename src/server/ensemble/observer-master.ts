/**
 * A follower that serves observers in the leader's place (`observerMasterPort`): it brings them to what
 * is committed here and tells them of what is committed next; what they ask goes on to the leader, and
 * the leader's answers come back the same way. Observers cost the leader nothing then.
 *
 * There is nothing to agree upon: the epoch is the follower's, and observers' promises and
 * acknowledgements only say how far they are.
 */
import type { Listener, Socket, SocketHandler } from '../../ports/network.js';
import { OpCode } from '../../protocol/opcodes.js';
import { PacketType, writePacket, type PacketView } from '../../protocol/peer/quorum-packet.js';
import { Reader } from '../../protocol/reader.js';
import type { TxnBatch } from '../../protocol/txn-batch.js';
import { Session } from '../../session/session.js';
import { isAbove } from '../../zab/committed-log.js';
import type { LinkId } from '../../zab/messages.js';
import type { CommittedRange } from '../../zab/ready.js';
import { chooseSync, type ZxidPair } from '../../zab/sync-choice.js';
import { intAt } from '../applier.js';
import { PendingWrite } from '../pending.js';
import type { ForwardingReplica } from './forwarding-replica.js';
import { HistorySender } from './history-sender.js';
import * as packets from './packets.js';
import { QuorumFigures } from './quorum-figures.js';
import { QuorumLink, type LinkEvents } from './quorum-link.js';
import type { Surroundings } from './role.js';

/** An observer that takes nothing of what is committed is better off coming again. */
const BACKLOG_BYTES_MAX = 256 * 1024 * 1024;
const TYPE_AT = 28;

interface Observer {
  readonly link: QuorumLink;
  phase: 'first' | 'promising' | 'streaming' | 'synchronised' | 'active';
  heardMs: number;
  sender: HistorySender | null;
}

export interface ObserverMasterParts {
  readonly epoch: number;
  readonly leaderSid: number;
  readonly replica: ForwardingReplica;
  readonly nextLink: () => LinkId;
  /** To the leader, as if one of this server's own clients asked. */
  readonly forward: (
    request: packets.ForwardedRequest,
    authIds: readonly { readonly scheme: string | null; readonly id: string | null }[],
  ) => void;
}

export class ObserverMaster implements LinkEvents {
  readonly #around: Surroundings;
  readonly #parts: ObserverMasterParts;
  readonly #observers = new Map<QuorumLink, Observer>();
  readonly figures: QuorumFigures;
  readonly #watched: LinkEvents;
  #listener: Listener | null = null;
  #pingedMs = 0;
  #isClosed = false;
  /** What observers have been told of, all of them. */
  #informed: ZxidPair;
  /** Syncs that are answered where the transaction was applied, and not before it is told of. */
  readonly #synced: { readonly link: QuorumLink; readonly high: number; readonly low: number }[] =
    [];

  constructor(around: Surroundings, parts: ObserverMasterParts) {
    this.#around = around;
    this.#parts = parts;
    this.figures = new QuorumFigures(around.figures.process.metrics, around.clock);
    this.#watched = this.figures.watching(this);
    this.#informed = this.#applied();
    void this.#listen();
  }

  get observerCount(): number {
    return this.#observers.size;
  }

  /** Of those that hear of everything that is committed. */
  syncedSids(): number[] {
    return [...this.#observers.values()]
      .filter(({ phase }) => phase === 'synchronised' || phase === 'active')
      .map(({ link }) => link.sid);
  }

  async #listen(): Promise<void> {
    const { config, network, membership, sid, logger } = this.#around;
    const { quorumListenOnAllIps, observerMasterPort: port } = config.ensemble;
    const own = membership.inForce.members.servers.get(sid)?.addresses[0]?.host;
    const host = quorumListenOnAllIps ? undefined : own;
    try {
      const listener = await network.listen({ host, port }, (socket) => this.#accept(socket));
      if (this.#isClosed) await listener.close();
      else this.#listener = listener;
    } catch (problem) {
      const reason = problem instanceof Error ? problem.message : String(problem);
      logger.warn('observers cannot come to this follower', { port, reason });
    }
  }

  #accept(socket: Socket): SocketHandler {
    const link = new QuorumLink(this.#parts.nextLink(), socket, this.#watched);
    const heardMs = this.#around.clock.monotonicMs();
    if (this.#isClosed) link.close();
    else this.#observers.set(link, { link, phase: 'first', heardMs, sender: null });
    return link;
  }

  /** The role is over. */
  close(): void {
    this.#isClosed = true;
    void this.#listener?.close();
    for (const observer of [...this.#observers.values()]) this.#drop(observer, 'the role is over');
  }

  tick(nowMs: number): void {
    const { tickTimeMs, ensemble } = this.#around.config;
    for (const observer of [...this.#observers.values()]) {
      const limit = observer.phase === 'active' ? ensemble.syncLimit : ensemble.initLimit;
      if (nowMs - observer.heardMs > limit * tickTimeMs) this.#drop(observer, 'it is silent');
    }
    if (nowMs - this.#pingedMs < tickTimeMs / 2) return;
    this.#pingedMs = nowMs;
    const { high, low } = this.#applied();
    for (const { link, phase } of this.#observers.values()) {
      if (phase !== 'active') continue;
      writePacket(link.begin(), PacketType.ping, high, low);
      link.flush();
    }
  }

  /** These are committed, and in this server's memory. */
  onApplied({ batch, from, to }: CommittedRange): void {
    for (let next = from; next < to;) {
      const end = this.#untilSynced(batch, next, to);
      this.#inform({ batch, from: next, to: end });
      this.#informed = { high: batch.zxidHigh(end - 1), low: batch.zxidLow(end - 1) };
      this.#answerSyncs();
      next = end;
    }
  }

  /** Behind the first transaction that a sync waits for. */
  #untilSynced(batch: TxnBatch, from: number, to: number): number {
    const oldest = this.#synced[0];
    if (oldest === undefined) return to;
    for (let i = from; i < to; i++) {
      if (batch.zxidHigh(i) === oldest.high && batch.zxidLow(i) === oldest.low) return i + 1;
    }
    return to;
  }

  #answerSyncs(): void {
    for (;;) {
      const oldest = this.#synced[0];
      const { high, low } = this.#informed;
      if (oldest === undefined || isAbove(oldest.high, oldest.low, high, low)) return;
      this.#synced.shift();
      if (this.#observers.has(oldest.link)) {
        writePacket(oldest.link.begin(), PacketType.sync, 0, 0);
      }
    }
  }

  #inform({ batch, from, to }: CommittedRange): void {
    const startMs = this.#around.clock.monotonicMs();
    for (const observer of [...this.#observers.values()]) {
      const { link, phase } = observer;
      if (phase !== 'synchronised' && phase !== 'active') continue;
      if (link.waitingBytes > BACKLOG_BYTES_MAX) {
        this.#drop(observer, 'it does not take what is committed');
        continue;
      }
      for (let i = from; i < to; i++) {
        const isConfig = intAt(batch.bytes, batch.payloadStart(i) + TYPE_AT) === OpCode.reconfig;
        if (isConfig) packets.writeInformAndActivate(link.begin(), batch, i, this.#parts.leaderSid);
        else packets.writeRecords(link.begin(), PacketType.inform, batch, i, i + 1);
      }
      this.figures.wrote(link, to - from);
    }
    const { clock, figures } = this.#around;
    figures.process.metrics.omCommitProcessTimeMs.add(clock.monotonicMs() - startMs);
  }

  /** What was written in this turn leaves. */
  flush(): void {
    for (const link of this.#observers.keys()) {
      link.flush();
      this.figures.left(link);
    }
  }

  // ------------------------------------------------------------------ what observers say

  onPacket(link: QuorumLink, packet: PacketView): 'packets' {
    const observer = this.#observers.get(link);
    if (observer === undefined) return 'packets';
    observer.heardMs = this.#around.clock.monotonicMs();
    const { zxidHigh: high, zxidLow: low } = packet;
    if (observer.phase === 'first') {
      this.#onFirst(observer, packet);
      return 'packets';
    }
    switch (packet.type) {
      case PacketType.ackEpoch:
        if (observer.phase === 'promising') this.#synchronise(observer, { high, low });
        break;
      case PacketType.ack:
        if (observer.phase !== 'synchronised' || low !== 0) break;
        observer.phase = 'active';
        this.figures.syncEnded(link);
        packets.writeUpToDate(link.begin());
        break;
      case PacketType.ping:
        this.#touch(packet, observer.heardMs);
        break;
      case PacketType.revalidate:
        this.#revalidate(link, packet);
        break;
      case PacketType.request:
        this.#request(link, packet, observer.heardMs);
        break;
      default:
        this.#around.logger.warn('a packet of a kind that observers do not send', {
          server: link.sid,
          type: packet.type,
        });
    }
    return 'packets';
  }

  onRaw(): number {
    return -1;
  }

  onTurn(link: QuorumLink): void {
    link.flush();
  }

  onDrain(link: QuorumLink): void {
    this.#observers.get(link)?.sender?.onDrain();
  }

  onClose(link: QuorumLink, reason: string): void {
    const observer = this.#observers.get(link);
    if (observer !== undefined) this.#drop(observer, reason);
  }

  #drop(observer: Observer, reason: string): void {
    const { link } = observer;
    if (!this.#observers.delete(link)) return;
    this.#around.logger.info('an observer is gone', { server: link.sid, reason });
    observer.sender?.stop();
    link.close();
  }

  #onFirst(observer: Observer, packet: PacketView): void {
    const { link } = observer;
    const { type, bytes, dataStart, dataEnd } = packet;
    if (type !== PacketType.observerInfo || dataStart < 0 || dataEnd - dataStart < 8) {
      this.#drop(observer, 'it is no observer');
      return;
    }
    link.sid = Number(new Reader().reset(bytes, dataStart, dataEnd).readLong());
    for (const other of [...this.#observers.values()]) {
      // the same server again: its older connection is dead, whether or not anybody noticed
      if (other !== observer && other.link.sid === link.sid) this.#drop(other, 'it came again');
    }
    observer.phase = 'promising';
    packets.writeLeaderInfo(link.begin(), this.#parts.epoch, null);
  }

  /** Sessions that its clients were heard in: the leader hears of them as of this server's own. */
  #touch({ bytes, dataStart, dataEnd }: PacketView, nowMs: number): void {
    if (dataStart < 0) return;
    const { replica } = this.#parts;
    const reader = new Reader().reset(bytes, dataStart, dataEnd);
    while (reader.remaining >= 12) {
      const id = reader.readLong();
      const timeoutMs = reader.readInt();
      replica.touch(replica.sessions.get(id) ?? new Session(id, timeoutMs), nowMs);
    }
  }

  #revalidate(link: QuorumLink, { bytes, dataStart, dataEnd }: PacketView): void {
    if (dataStart < 0 || dataEnd - dataStart < 12) return;
    const reader = new Reader().reset(bytes, dataStart, dataEnd);
    const id = reader.readLong();
    // an observer hears nothing of generations from here: its client gets a new one
    this.#parts.replica.revalidate(id, reader.readInt(), 0n, ({ kind }) => {
      const verdict = kind === 'valid' ? { kind, attached: null } : { kind };
      packets.writeRevalidated(link.begin(), id, verdict);
      link.flush();
    });
  }

  #request(link: QuorumLink, packet: PacketView, nowMs: number): void {
    if (packet.dataStart < 0) return;
    const request = packets.readRequest(packet.bytes, packet.dataStart, packet.dataEnd);
    if (request === null) return;
    const authIds = packet.authinfo ?? [];
    if (request.op !== OpCode.sync) {
      this.#parts.forward(request, authIds);
      return;
    }
    // syncs are answered in their order, this server's own among them
    const { replica } = this.#parts;
    const into = replica.request;
    into.op = request.op;
    into.cxid = request.cxid;
    into.session = null;
    into.sessionHigh = request.sessionHigh;
    into.sessionLow = request.sessionLow;
    into.caller = { authIds };
    into.bytes = request.bytes;
    into.start = request.start;
    into.end = request.end;
    // in its place among what observers are told: Apache's take answers by the order of their questions
    const onApplied = (_: PendingWrite, high: number, low: number): void => {
      this.#synced.push({ link, high, low });
      this.#answerSyncs();
    };
    replica.submit(new PendingWrite({ onApplied }, request.op, request.cxid, nowMs));
  }

  // ------------------------------------------------------------------ synchronisation

  #applied(): ZxidPair {
    const { lastZxidHigh: high, lastZxidLow: low } = this.#around.applier().tree;
    return { high, low };
  }

  #synchronise(observer: Observer, lastLogged: ZxidPair): void {
    const { committedLog, logger } = this.#around;
    const { link } = observer;
    const choice = chooseSync(lastLogged, this.#applied(), committedLog);
    logger.info('synchronising an observer', { server: link.sid, by: choice.kind });
    this.figures.syncBegan(link, choice.kind === 'snap' ? 'snap' : 'diff');
    switch (choice.kind) {
      case 'diff':
        writePacket(link.begin(), PacketType.diff, choice.from.high, choice.from.low);
        this.#finish(observer, choice.from);
        return;
      case 'trunc':
        writePacket(link.begin(), PacketType.trunc, choice.to.high, choice.to.low);
        this.#finish(observer, choice.to);
        return;
      case 'log':
        void this.#stream(observer, choice.from, true);
        return;
      case 'snap':
        void this.#stream(observer, null, true);
    }
  }

  async #stream(observer: Observer, from: ZxidPair | null, isFirst: boolean): Promise<void> {
    const { clock, committedLog } = this.#around;
    const sender = new HistorySender(this.#around, observer.link);
    observer.phase = 'streaming';
    observer.sender = sender;
    const at = await sender.run(from, isFirst, () => {
      observer.heardMs = clock.monotonicMs();
    });
    observer.sender = null;
    if (!this.#observers.has(observer.link)) return;
    if (at === null) {
      this.#drop(observer, 'its history could not be sent');
      return;
    }
    const { high, low } = this.#applied();
    const isThere = at.high === high && at.low === low;
    if (isThere || committedLog.floor(at.high, at.low) !== null) this.#finish(observer, at);
    else void this.#stream(observer, at, false);
  }

  /** In one step, so that nothing falls between what was sent and what `onApplied` brings. */
  #finish(observer: Observer, from: ZxidPair): void {
    const { committedLog, membership } = this.#around;
    const { link } = observer;
    const { high, low } = this.#applied();
    committedLog.forEachAfter(from.high, from.low, ({ batch, from: first, to }) => {
      for (let i = first; i < to; i++) {
        // the rest is about to be applied
        if (isAbove(batch.zxidHigh(i), batch.zxidLow(i), high, low)) return;
        packets.writeHistory(link.begin(), batch, i, i + 1);
      }
    });
    observer.phase = 'synchronised';
    packets.writeNewLeader(link.begin(), this.#parts.epoch, membership.lastSeen.text);
    link.flush();
  }
}
