/**
 * The leading role at work: learners' connections, what they ask, and how they are brought up to
 * date. What is decided is decided in `zab/leader.ts`; this makes packets of it and of packets what
 * that understands.
 */
import { ErrorCode } from '../../protocol/errors.js';
import type { Socket, SocketHandler } from '../../ports/network.js';
import { OpCode } from '../../protocol/opcodes.js';
import { PacketType, writePacket, type PacketView } from '../../protocol/peer/quorum-packet.js';
import { Reader } from '../../protocol/reader.js';
import { Leader } from '../../zab/leader.js';
import type { AfterPersistMessage, EagerMessage, LinkId } from '../../zab/messages.js';
import type { Quorum } from '../../zab/quorum.js';
import type { CommittedRange } from '../../zab/ready.js';
import type { ZxidPair } from '../../zab/sync-choice.js';
import { PendingWrite } from '../pending.js';
import { ProposingReplica } from '../proposing-replica.js';
import { ReadyLoop } from '../ready-loop.js';
import type { Server } from '../server.js';
import { HistorySender } from './history-sender.js';
import * as packets from './packets.js';
import { QuorumLink, type LinkEvents } from './quorum-link.js';
import type { Role, Surroundings } from './role.js';

/** A learner that takes nothing of what is proposed is better off coming again. */
const BACKLOG_BYTES_MAX = 256 * 1024 * 1024;

interface LearnerInfo {
  readonly sid: number;
  readonly isObserver: boolean;
  readonly acceptedEpoch: number;
}

export class Leading implements Role, LinkEvents {
  readonly name = 'leading';
  readonly #around: Surroundings;
  readonly #leader: Leader;
  readonly #loop: ReadyLoop;
  readonly #links = new Map<LinkId, QuorumLink>();
  /** Of links whose learners get history from the disk. */
  readonly #senders = new Map<LinkId, HistorySender>();
  readonly #dirty = new Set<QuorumLink>();
  /** Who asked for a sync: a client here, or a learner. */
  readonly #syncs = new Map<number, PendingWrite | LinkId>();
  #nextSync = 0;
  #server: Server | null = null;
  #replica: ProposingReplica | null = null;
  #nextLink: () => LinkId;

  constructor(
    around: Surroundings,
    given: {
      readonly acceptedEpoch: number;
      readonly currentEpoch: number;
      readonly quorums: () => readonly Quorum[];
      readonly nextLink: () => LinkId;
    },
  ) {
    const { config, sid, clock, committedLog } = around;
    const { tree } = around.applier();
    this.#around = around;
    this.#nextLink = given.nextLink;
    this.#leader = new Leader({
      sid,
      tickMs: config.tickTimeMs,
      initLimit: config.ensemble.initLimit,
      syncLimit: config.ensemble.syncLimit,
      acceptedEpoch: given.acceptedEpoch,
      currentEpoch: given.currentEpoch,
      lastLogged: { high: tree.lastZxidHigh, low: tree.lastZxidLow },
      committedLog,
      quorums: given.quorums,
      nowMs: clock.monotonicMs(),
    });
    this.#loop = new ReadyLoop(this.#leader, {
      prepare: () => this.#replica?.handOver(),
      stop: (reason) => {
        around.onEnd(reason);
      },
      send: (message) => {
        this.#send(message);
      },
      persist: (persist, rebase, done) => {
        around.persist(persist, rebase, done);
      },
      apply: (range) => {
        this.#apply(range);
      },
      answer: ({ token }) => {
        this.#answerSync(token);
      },
      start: () => {
        this.#start();
      },
      rest: () => {
        around.committedLog.trim();
        this.#flush();
        this.#server?.onTurnEnd();
      },
    });
  }

  /** Begins: whatever the first step is. */
  begin(): void {
    this.#loop.pump();
  }

  get isServing(): boolean {
    return this.#server !== null;
  }

  get isPersisting(): boolean {
    return this.#loop.isPersisting;
  }

  get epoch(): number {
    return this.#leader.epoch;
  }

  /** Learners that follow, by their numbers. */
  followers(): number[] {
    return [...this.#leader.links()]
      .filter(({ phase }) => phase === 'active')
      .map(({ sid }) => sid);
  }

  tick(nowMs: number): void {
    this.#leader.tick(nowMs);
    if (this.#leader.isExhausted) this.#leader.stop('the zxids of this epoch are used up');
    this.#loop.pump();
  }

  accept(socket: Socket): SocketHandler {
    const link = new QuorumLink(this.#nextLink(), socket, this);
    this.#links.set(link.id, link);
    return link;
  }

  stop(reason: string): void {
    this.#leader.stop(reason);
    this.#loop.pump();
  }

  takeRest(): CommittedRange[] {
    return this.#leader.takeRest();
  }

  close(): void {
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
    for (const sender of this.#senders.values()) sender.stop();
  }

  // ------------------------------------------------------------------ what learners say

  onPacket(link: QuorumLink, packet: PacketView): 'packets' {
    const nowMs = this.#around.clock.monotonicMs();
    if (link.sid < 0) {
      this.#onFirst(link, packet, nowMs);
      return 'packets';
    }
    const { zxidHigh, zxidLow, bytes, dataStart, dataEnd } = packet;
    switch (packet.type) {
      case PacketType.ack:
        this.#leader.onAck(link.id, zxidHigh, zxidLow, nowMs);
        break;
      case PacketType.ackEpoch: {
        const epoch = dataStart < 0 ? -1 : new Reader().reset(bytes, dataStart, dataEnd).readInt();
        this.#leader.onAckEpoch(link.id, epoch, { high: zxidHigh, low: zxidLow }, nowMs);
        break;
      }
      case PacketType.ping:
        this.#touch(bytes, dataStart, dataEnd, nowMs);
        this.#leader.onPong(link.id, nowMs);
        break;
      case PacketType.revalidate:
        this.#leader.onHeard(link.id, nowMs);
        this.#revalidate(link, bytes, dataStart, dataEnd, nowMs);
        break;
      case PacketType.request:
        this.#leader.onHeard(link.id, nowMs);
        this.#onRequest(link, packet, nowMs);
        break;
      default:
        this.#around.logger.warn('a packet of a kind that learners do not send', {
          server: link.sid,
          type: packet.type,
        });
    }
    return 'packets';
  }

  onRaw(): number {
    return -1;
  }

  onTurn(): void {
    this.#loop.pump();
  }

  onDrain(link: QuorumLink): void {
    this.#leader.onHeard(link.id, this.#around.clock.monotonicMs());
    this.#senders.get(link.id)?.onDrain();
  }

  onClose(link: QuorumLink, reason: string): void {
    this.#links.delete(link.id);
    this.#senders.get(link.id)?.stop();
    this.#around.logger.info('a learner is gone', { server: link.sid, reason });
    this.#leader.onLinkDown(link.id);
    this.#loop.pump();
  }

  #onFirst(link: QuorumLink, packet: PacketView, nowMs: number): void {
    const info = learnerInfoOf(packet);
    if (info === null) {
      this.#around.logger.warn(
        'closing a connection on the quorum port that begins with no learner',
        {
          address: link.socket.remoteAddress,
        },
      );
      this.#forget(link);
      return;
    }
    link.sid = info.sid;
    this.#leader.onLearnerInfo(link.id, info, nowMs);
  }

  /** Sessions that a learner heard, each with its timeout. */
  #touch(bytes: Uint8Array, start: number, end: number, nowMs: number): void {
    if (start < 0 || end - start < 12) return;
    const { sessions } = this.#around.applier();
    const reader = new Reader().reset(bytes, start, end);
    while (reader.remaining >= 12) {
      const session = sessions.get(reader.readLong());
      reader.readInt();
      if (session !== undefined) sessions.touch(session, nowMs);
    }
  }

  #revalidate(
    link: QuorumLink,
    bytes: Uint8Array,
    start: number,
    end: number,
    nowMs: number,
  ): void {
    if (start < 0 || end - start < 12) return;
    const id = new Reader().reset(bytes, start, end).readLong();
    const { sessions } = this.#around.applier();
    const session = sessions.get(id);
    const isValid = session !== undefined && sessions.touch(session, nowMs);
    if (isValid) session.moveTo(link.id);
    packets.writeRevalidated(this.#begin(link), id, isValid);
  }

  #onRequest(link: QuorumLink, packet: PacketView, nowMs: number): void {
    const replica = this.#replica;
    if (replica === null || packet.dataStart < 0) return;
    const request = packets.readRequest(packet.bytes, packet.dataStart, packet.dataEnd);
    if (request === null) return;
    if (request.op === OpCode.sync) {
      this.#requestSync(link.id);
      return;
    }
    const { sessions } = this.#around.applier();
    const id = (BigInt(request.sessionHigh | 0) << 32n) | BigInt(request.sessionLow);
    const into = replica.request;
    into.op = request.op;
    into.cxid = request.cxid;
    into.sessionHigh = request.sessionHigh;
    into.sessionLow = request.sessionLow;
    into.caller = { authIds: packet.authinfo ?? [] };
    into.bytes = request.bytes;
    into.start = request.start;
    into.end = request.end;
    const pending = new PendingWrite(null, request.op, request.cxid, nowMs);
    if (request.op === OpCode.createSession) {
      const timeoutMs = new Reader().reset(request.bytes, request.start, request.end).readInt();
      into.session = sessions.track(id, timeoutMs, nowMs);
      into.session.moveTo(link.id);
    } else {
      into.session = sessions.get(id) ?? null;
      if (request.op === OpCode.closeSession) into.start = into.end;
    }
    const { session } = into;
    if (session === null) {
      replica.submitFailure(pending, ErrorCode.sessionExpired);
    } else if (request.op !== OpCode.closeSession && !session.isServedBy(link.id)) {
      replica.submitFailure(pending, ErrorCode.sessionMoved);
    } else if (!replica.submit(pending)) {
      replica.submitFailure(pending, ErrorCode.marshallingError);
    }
  }

  // ------------------------------------------------------------------ what the role says

  #send(message: EagerMessage | AfterPersistMessage): void {
    switch (message.kind) {
      case 'propose':
      case 'commit':
      case 'inform':
        for (const id of message.links) {
          const link = this.#links.get(id);
          if (link !== undefined) this.#sendRecords(link, message);
        }
        return;
      case 'ping':
        for (const id of message.links) {
          const link = this.#links.get(id);
          if (link === undefined) continue;
          writePacket(this.#begin(link), PacketType.ping, message.zxid.high, message.zxid.low);
        }
        return;
      default:
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
        this.#forget(link);
        return;
      case 'leaderInfo':
        packets.writeLeaderInfo(this.#begin(link), message.epoch);
        return;
      case 'sync':
        this.#beginSync(link, message.choice);
        return;
      case 'stream':
        void this.#stream(link, message.from, false);
        return;
      case 'history':
        packets.writeHistory(this.#begin(link), message.batch, message.from, message.to);
        return;
      case 'outstanding': {
        const { batch, from, to } = message;
        packets.writeRecords(this.#begin(link), PacketType.proposal, batch, from, to);
        return;
      }
      case 'newLeader':
        packets.writeNewLeader(this.#begin(link), message.epoch, this.#around.configText);
        return;
      case 'upToDate':
        packets.writeUpToDate(this.#begin(link));
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
    message: Extract<EagerMessage | AfterPersistMessage, { kind: 'propose' | 'commit' | 'inform' }>,
  ): void {
    const { batch, from, to } = message;
    if (link.waitingBytes > BACKLOG_BYTES_MAX) {
      this.#around.logger.warn('a learner does not take what is proposed', { server: link.sid });
      this.#forget(link);
      this.#leader.onLinkDown(link.id);
      return;
    }
    const out = this.#begin(link);
    if (message.kind === 'commit') packets.writeCommits(out, batch, from, to);
    else {
      const type = message.kind === 'propose' ? PacketType.proposal : PacketType.inform;
      packets.writeRecords(out, type, batch, from, to);
    }
  }

  #begin(link: QuorumLink): ReturnType<QuorumLink['begin']> {
    this.#dirty.add(link);
    return link.begin();
  }

  #flush(): void {
    for (const link of this.#dirty) link.flush();
    this.#dirty.clear();
  }

  #forget(link: QuorumLink): void {
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
    switch (choice.kind) {
      case 'diff':
        writePacket(this.#begin(link), PacketType.diff, choice.from.high, choice.from.low);
        return;
      case 'trunc':
        writePacket(this.#begin(link), PacketType.trunc, choice.to.high, choice.to.low);
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
      this.#leader.onHeard(link.id, this.#around.clock.monotonicMs());
    });
    this.#senders.delete(link.id);
    if (!this.#links.has(link.id)) return;
    if (at === null) {
      this.#forget(link);
      this.#leader.onLinkDown(link.id);
    } else {
      this.#leader.streamed(link.id, at);
    }
    this.#loop.pump();
  }

  // ------------------------------------------------------------------ serving

  #start(): void {
    const { clock, takeBatch, serve, applier, logger } = this.#around;
    const epoch = this.#leader.epoch;
    logger.info('leading', { epoch, followers: this.followers().join(',') });
    applier().tree.setLastZxid(epoch, 0);
    this.#server = serve((server) => {
      this.#replica = new ProposingReplica(applier(), {
        clock,
        proposer: this.#leader,
        prepare: server.prepareOptions(),
        pump: () => {
          this.#loop.pump();
        },
        takeBatch,
        onSync: (pending) => {
          this.#requestSync(pending);
        },
      });
      return this.#replica;
    });
    this.#around.onEpoch(epoch);
  }

  #apply(range: CommittedRange): void {
    if (this.#replica === null) throw new Error('nothing is committed before the role serves');
    this.#replica.apply(range);
  }

  #requestSync(who: PendingWrite | LinkId): void {
    const token = ++this.#nextSync;
    this.#syncs.set(token, who);
    this.#leader.requestSync(token);
    this.#loop.pump();
  }

  #answerSync(token: number): void {
    const who = this.#syncs.get(token);
    this.#syncs.delete(token);
    if (who === undefined) return;
    if (typeof who !== 'number') {
      const { tree } = this.#around.applier();
      who.connection?.onApplied(who, tree.lastZxidHigh, tree.lastZxidLow);
      return;
    }
    const link = this.#links.get(who);
    if (link !== undefined) writePacket(this.#begin(link), PacketType.sync, 0, 0);
  }
}

function learnerInfoOf(packet: PacketView): LearnerInfo | null {
  const { type, bytes, dataStart, dataEnd } = packet;
  const isObserver = type === PacketType.observerInfo;
  if (!isObserver && type !== PacketType.followerInfo) return null;
  if (dataStart < 0 || dataEnd - dataStart < 8) return null;
  const sid = new Reader().reset(bytes, dataStart, dataEnd).readLong();
  if (sid < 0n || sid > 255n) return null;
  return { sid: Number(sid), isObserver, acceptedEpoch: packet.zxidHigh };
}
