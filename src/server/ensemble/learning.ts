/**
 * The learning roles at work, follower and observer: the connection to the leader, what it says, and
 * what this server's clients want of it. What is decided is decided in `zab/learner.ts`.
 */
import type { Socket, SocketHandler } from '../../ports/network.js';
import {
  PacketType,
  type AfterPacket,
  type PacketView,
} from '../../protocol/peer/quorum-packet.js';
import { Reader } from '../../protocol/reader.js';
import { zxidOfParts } from '../../protocol/zxid.js';
import { SnapReceiver } from '../../storage/snap-receiver.js';
import { isAbove } from '../../zab/committed-log.js';
import { Learner } from '../../zab/learner.js';
import type { AfterPersistMessage, EagerMessage, LinkId } from '../../zab/messages.js';
import type { CommittedRange } from '../../zab/ready.js';
import type { ZxidPair } from '../../zab/sync-choice.js';
import { ReadyLoop } from '../ready-loop.js';
import { treeOptionsOf, type Server } from '../server.js';
import { ForwardingReplica } from './forwarding-replica.js';
import * as packets from './packets.js';
import { QuorumLink, type LinkEvents } from './quorum-link.js';
import type { Role, Surroundings } from './role.js';

/** Between attempts to reach a leader that does not listen yet. */
const RETRY_MS = 10;
const CONNECT_TIMEOUT_MS = 2000;

export class Learning implements Role, LinkEvents {
  readonly name: 'following' | 'observing';
  readonly #around: Surroundings;
  readonly #learner: Learner;
  readonly #loop: ReadyLoop;
  readonly #leaderSid: number;
  readonly #addresses: readonly { readonly host: string; readonly port: number }[];
  readonly #nextLink: () => LinkId;
  #link: QuorumLink | null = null;
  #server: Server | null = null;
  #replica: ForwardingReplica | null = null;
  #snap: { readonly receiver: SnapReceiver; readonly zxid: ZxidPair } | null = null;
  #isFlushScheduled = false;
  #isOver = false;

  constructor(
    around: Surroundings,
    given: {
      readonly isObserver: boolean;
      readonly acceptedEpoch: number;
      readonly currentEpoch: number;
      readonly leader: number;
      readonly addresses: readonly { readonly host: string; readonly port: number }[];
      readonly nextLink: () => LinkId;
    },
  ) {
    const { config, clock, committedLog, takeBatch } = around;
    const { tree } = around.applier();
    this.name = given.isObserver ? 'observing' : 'following';
    this.#around = around;
    this.#leaderSid = given.leader;
    this.#addresses = given.addresses;
    this.#nextLink = given.nextLink;
    this.#learner = new Learner({
      isObserver: given.isObserver,
      tickMs: config.tickTimeMs,
      initLimit: config.ensemble.initLimit,
      syncLimit: config.ensemble.syncLimit,
      acceptedEpoch: given.acceptedEpoch,
      currentEpoch: given.currentEpoch,
      lastLogged: { high: tree.lastZxidHigh, low: tree.lastZxidLow },
      committedLog,
      takeBatch,
      nowMs: clock.monotonicMs(),
    });
    this.#loop = new ReadyLoop(this.#learner, {
      prepare: () => undefined,
      stop: (reason) => {
        this.#isOver = true;
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
      answer: () => undefined,
      start: () => {
        this.#start();
      },
      rest: () => {
        this.#rest();
      },
    });
  }

  begin(): void {
    void this.#connect();
  }

  get isServing(): boolean {
    return this.#server !== null;
  }

  get isPersisting(): boolean {
    return this.#loop.isPersisting;
  }

  tick(nowMs: number): void {
    this.#learner.tick(nowMs);
    this.#loop.pump();
  }

  /** Learners are the leader's. */
  accept(socket: Socket): SocketHandler {
    socket.destroy();
    return { onData: () => undefined, onDrain: () => undefined, onClose: () => undefined };
  }

  stop(reason: string): void {
    this.#learner.stop(reason);
    this.#loop.pump();
  }

  takeRest(): CommittedRange[] {
    return this.#learner.takeRest();
  }

  close(): void {
    this.#isOver = true;
    this.#link?.close();
    this.#link = null;
  }

  // ------------------------------------------------------------------ the connection

  async #connect(): Promise<void> {
    const { clock, logger, network } = this.#around;
    for (let attempt = 0; !this.#isOver; attempt++) {
      const address = this.#addresses[attempt % this.#addresses.length];
      if (address === undefined) return;
      try {
        await network.connect({ ...address, timeoutMs: CONNECT_TIMEOUT_MS }, (socket) =>
          this.#adopt(socket),
        );
        return;
      } catch (problem) {
        if (attempt === 0) {
          logger.info('the leader does not listen yet', {
            leader: this.#leaderSid,
            reason: problem instanceof Error ? problem.message : String(problem),
          });
        }
        await new Promise<void>((resolve) => {
          clock.after(RETRY_MS, resolve);
        });
      }
    }
  }

  #adopt(socket: Socket): SocketHandler {
    const link = new QuorumLink(this.#nextLink(), socket, this);
    link.sid = this.#leaderSid;
    if (this.#isOver) {
      link.close();
      return link;
    }
    this.#link = link;
    this.#around.clock.soon(() => {
      if (this.#isOver || link.isClosed) return;
      this.#learner.onLinkUp(link.id, this.#around.clock.monotonicMs());
      this.#loop.pump();
    });
    return link;
  }

  onPacket(_link: QuorumLink, packet: PacketView): AfterPacket {
    const nowMs = this.#around.clock.monotonicMs();
    const learner = this.#learner;
    const { type, zxidHigh: high, zxidLow: low, bytes, dataStart, dataEnd } = packet;
    switch (type) {
      case PacketType.proposal:
        learner.onProposal(bytes, dataStart, dataEnd, nowMs);
        break;
      case PacketType.commit:
      case PacketType.commitAndActivate:
        learner.onCommit(high, low, nowMs);
        break;
      case PacketType.inform:
        learner.onInform(bytes, dataStart, dataEnd, nowMs);
        break;
      case PacketType.informAndActivate:
        learner.onInform(bytes, dataStart + 8, dataEnd, nowMs);
        break;
      case PacketType.ping:
        learner.onPing({ high, low }, nowMs);
        break;
      case PacketType.leaderInfo:
        learner.onLeaderInfo(high, nowMs);
        break;
      case PacketType.diff:
        learner.onDiff(nowMs);
        break;
      case PacketType.trunc:
        learner.onTrunc({ high, low }, nowMs);
        break;
      case PacketType.snap:
        learner.onSnap(nowMs);
        this.#beginSnap({ high, low });
        return 'raw';
      case PacketType.newLeader:
        learner.onNewLeader(high, nowMs);
        break;
      case PacketType.upToDate:
        learner.onUpToDate(nowMs);
        break;
      case PacketType.revalidate:
        learner.onHeard(nowMs);
        this.#onRevalidated(bytes, dataStart, dataEnd);
        break;
      case PacketType.sync: {
        learner.onHeard(nowMs);
        const { high: upTo, low: upToLow } = learner.committed;
        this.#replica?.onSynced(upTo, upToLow);
        break;
      }
      default:
        this.#around.logger.warn('a packet of a kind that leaders do not send', { type });
    }
    if (learner.isBusy) this.#link?.hold();
    return 'packets';
  }

  onRaw(link: QuorumLink, bytes: Uint8Array, start: number, end: number): number {
    const snap = this.#snap;
    if (snap === null) return 0;
    this.#learner.onHeard(this.#around.clock.monotonicMs());
    const taken = snap.receiver.push(bytes, start, end);
    if (taken === 'malformed') {
      this.#around.logger.warn('the snapshot that the leader sends cannot be read', {
        reason: snap.receiver.problem,
      });
      return -1;
    }
    if (snap.receiver.isComplete) {
      this.#snap = null;
      const zxid = zxidOfParts(snap.zxid.high, snap.zxid.low);
      const { tree, sessions } = snap.receiver.finish(zxid);
      this.#around.received(tree, sessions);
      this.#learner.onSnapReceived(snap.zxid, this.#around.clock.monotonicMs());
      link.hold();
    }
    return taken;
  }

  onTurn(): void {
    this.#loop.pump();
  }

  onDrain(): void {
    // what a learner writes is bounded by what its clients may have outstanding
  }

  onClose(link: QuorumLink, reason: string): void {
    if (this.#link !== link) return;
    this.#link = null;
    this.#learner.onLinkDown(`the connection to the leader is gone: ${reason}`);
    this.#loop.pump();
  }

  #beginSnap(zxid: ZxidPair): void {
    const { config, logger } = this.#around;
    logger.info('receiving a snapshot', { leader: this.#leaderSid });
    const receiver = new SnapReceiver({
      treeOptions: treeOptionsOf(config),
      itemBytesMax: 2 * config.juteMaxBufferBytes + 1024 * 1024,
      takesSignature: true,
    });
    this.#snap = { receiver, zxid };
  }

  #onRevalidated(bytes: Uint8Array, start: number, end: number): void {
    if (start < 0 || end - start < 9) return;
    const reader = new Reader().reset(bytes, start, end);
    const session = reader.readLong();
    this.#replica?.onRevalidated(session, reader.readBool());
  }

  // ------------------------------------------------------------------ what the role says

  #send(message: EagerMessage | AfterPersistMessage): void {
    const link = this.#link;
    if (link === null || !('link' in message) || message.link !== link.id) return;
    switch (message.kind) {
      case 'learnerInfo': {
        const { sid, config } = this.#around;
        const configVersion = config.ensemble.version;
        packets.writeLearnerInfo(link.begin(), { ...message, sid, configVersion });
        return;
      }
      case 'ackEpoch':
        packets.writeAckEpoch(link.begin(), message.currentEpoch, message.lastLogged);
        return;
      case 'ackEpochStart':
        packets.writeAcks(link.begin(), message.epoch, 0, 0);
        return;
      case 'ack':
        packets.writeAcks(link.begin(), message.epoch, message.fromLow, message.toLow);
        return;
      case 'pong': {
        const touched = this.#replica?.takeTouched() ?? [];
        packets.writePong(link.begin(), message.zxid.high, message.zxid.low, touched);
        return;
      }
      case 'close':
        this.#link = null;
        link.close();
        return;
      default:
        throw new Error(`a learner does not say ${message.kind}`);
    }
  }

  #rest(): void {
    this.#around.committedLog.trim();
    this.#link?.flush();
    this.#server?.onTurnEnd();
    if (this.#learner.isBusy) return;
    const link = this.#link;
    if (link !== null) link.release();
  }

  #start(): void {
    const { serve, applier, logger } = this.#around;
    const { epoch } = this.#learner;
    const { tree } = applier();
    logger.info(this.name, { leader: this.#leaderSid, epoch });
    if (isAbove(epoch, 0, tree.lastZxidHigh, tree.lastZxidLow)) tree.setLastZxid(epoch, 0);
    this.#server = serve(() => {
      this.#replica = new ForwardingReplica(applier(), {
        forward: (request) => {
          const link = this.#link;
          if (link === null) return;
          packets.writeRequest(link.begin(), request, request.caller.authIds);
          this.#flushSoon();
        },
        revalidate: (session, timeoutMs) => {
          const link = this.#link;
          if (link === null) return;
          packets.writeRevalidate(link.begin(), session, timeoutMs);
          this.#flushSoon();
        },
      });
      return this.#replica;
    });
    this.#around.onEpoch(epoch);
  }

  #flushSoon(): void {
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    this.#around.clock.soon(() => {
      this.#isFlushScheduled = false;
      this.#link?.flush();
    });
  }

  #apply(range: CommittedRange): void {
    if (this.#replica !== null) this.#replica.apply(range);
    else this.#around.applier().apply(range, () => undefined);
  }
}
