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
import type { CommittedRange, Result } from '../../zab/ready.js';
import type { Succession } from '../../zab/succession.js';
import type { ZxidPair } from '../../zab/sync-choice.js';
import { ReadyLoop } from '../ready-loop.js';
import { treeOptionsOf } from '../server-state.js';
import type { Server } from '../server.js';
import { ConfigFollow, type MajorChange } from './config-follow.js';
import { ForwardingReplica } from './forwarding-replica.js';
import { LeaderLine } from './leader-line.js';
import { ObserverMaster } from './observer-master.js';
import * as packets from './packets.js';
import { QuorumFigures } from './quorum-figures.js';
import type { LinkEvents, QuorumLink } from './quorum-link.js';
import { ViewOfLearning } from './role-view.js';
import { ownExtension, type Role, type Surroundings } from './role.js';

export class Learning implements Role, LinkEvents {
  readonly name: 'following' | 'observing';
  readonly #around: Surroundings;
  readonly #learner: Learner;
  readonly #loop: ReadyLoop;
  readonly #configs: ConfigFollow;
  readonly epochFloor = 0;
  /** The configuration that is in force now has this leader. */
  #designated: Succession | null = null;
  readonly #leaderSid: number;
  readonly #nextLink: () => LinkId;
  readonly #line: LeaderLine;
  readonly view: ViewOfLearning;
  #server: Server | null = null;
  #replica: ForwardingReplica | null = null;
  /** Observers that this follower serves; null: it serves none. */
  #master: ObserverMaster | null = null;
  #snap: { readonly receiver: SnapReceiver; readonly zxid: ZxidPair } | null = null;
  /**
   * Until it serves, the tree holds changes from later than it is said to. The digests that transactions
   * carry would tell (see `Applier`), but a leader may be told to write none (`digest.enabled`).
   */
  #isFuzzy = false;

  constructor(
    around: Surroundings,
    given: {
      readonly isObserver: boolean;
      readonly acceptedEpoch: number;
      readonly currentEpoch: number;
      readonly leader: number;
      /** It has lost its history, and the others decided. */
      readonly isWithoutVote: boolean;
      readonly nextLink: () => LinkId;
      readonly fraction: () => number;
      /** Handed over by the leader before: the next one is there at once, or it is not. */
      readonly discoveryLimitMs?: number;
      /** The history here cannot be cut as the leader wants it. */
      readonly wantsSnapshot?: boolean;
    },
  ) {
    const { config, clock, committedLog, takeBatch } = around;
    const { tree } = around.applier();
    this.name = given.isObserver ? 'observing' : 'following';
    this.#around = around;
    this.#leaderSid = given.leader;
    this.#nextLink = given.nextLink;
    this.#learner = new Learner({
      isObserver: given.isObserver,
      tickMs: config.tickTimeMs,
      initLimit: config.ensemble.initLimit,
      syncLimit: config.ensemble.syncLimit,
      acceptedEpoch: given.acceptedEpoch,
      currentEpoch: given.currentEpoch,
      lastLogged: { high: tree.lastZxidHigh, low: tree.lastZxidLow },
      wantsSnapshot: given.wantsSnapshot ?? false,
      isWithoutVote: given.isWithoutVote,
      committedLog,
      takeBatch,
      ...(config.leaderSilenceMs === 0
        ? {}
        : { silenceLimitMs: Math.max(config.leaderSilenceMs, config.tickTimeMs) }),
      ...(given.discoveryLimitMs === undefined ? {} : { discoveryLimitMs: given.discoveryLimitMs }),
      nowMs: clock.monotonicMs(),
    });
    this.#configs = new ConfigFollow(around, given.isObserver, given.leader);
    const figures = new QuorumFigures(around.figures.process.metrics, clock);
    this.#line = new LeaderLine(around, {
      ...given,
      events: figures.watching(this),
      onUp: (link) => {
        this.#learner.onLinkUp(link.id, clock.monotonicMs());
        this.#loop.pump();
      },
      onUnreachable: () => {
        this.stop('the leader cannot be reached');
      },
    });
    this.view = new ViewOfLearning({
      isObserver: given.isObserver,
      leaderSid: given.leader,
      masterSid: () => this.#line.masterSid,
      master: () => this.#master,
      figures,
      committed: () => this.#learner.committed,
    });
    this.#loop = new ReadyLoop(this.#learner, {
      prepare: () => undefined,
      stop: (reason) => {
        this.#line.abandon();
        around.onEnd(reason);
      },
      send: (message) => {
        this.#send(message);
      },
      depart: () => {
        this.#line.flush();
      },
      persist: (persist, rebase, done) => {
        around.persist(persist, rebase, done);
      },
      apply: (range) => {
        this.#apply(range);
      },
      answer: (result) => {
        if (result.kind === 'activated') this.#onActivated(result);
      },
      start: () => {
        this.#start();
      },
      rest: () => {
        this.#rest();
      },
    });
  }

  begin(): void {
    void this.#line.connect();
  }

  get isServing(): boolean {
    return this.#server !== null;
  }

  get isPersisting(): boolean {
    return this.#loop.isPersisting;
  }

  get wasRefused(): boolean {
    return this.#learner.wasRefused;
  }

  get succession(): Succession | null {
    return this.#designated ?? this.#learner.succession;
  }

  tick(nowMs: number): void {
    this.#learner.tick(nowMs);
    this.#master?.tick(nowMs);
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
    this.#master?.close();
    this.#line.close();
  }

  // ------------------------------------------------------------------ what the leader says

  onPacket(link: QuorumLink, packet: PacketView): AfterPacket {
    const nowMs = this.#around.clock.monotonicMs();
    const learner = this.#learner;
    const { type, zxidHigh: high, zxidLow: low, bytes, dataStart, dataEnd } = packet;
    switch (type) {
      case PacketType.proposal:
        if (this.#configs.seesIn(bytes, dataStart, dataEnd)) learner.onConfigSeen();
        learner.onProposal(bytes, dataStart, dataEnd, nowMs);
        break;
      case PacketType.commit:
        learner.onCommit(high, low, nowMs);
        break;
      case PacketType.commitAndActivate:
        learner.onCommitAndActivate(high, low, leaderIn(packet), nowMs);
        break;
      case PacketType.inform:
        if (this.#configs.seesIn(bytes, dataStart, dataEnd)) learner.onConfigSeen();
        learner.onInform(bytes, dataStart, dataEnd, nowMs);
        break;
      case PacketType.informAndActivate: {
        const record = { bytes, start: dataStart + 8, end: dataEnd };
        if (this.#configs.seesIn(bytes, record.start, dataEnd)) learner.onConfigSeen();
        learner.onInformAndActivate(record, leaderIn(packet), nowMs);
        break;
      }
      case PacketType.ping:
        learner.onPing({ high, low }, nowMs);
        break;
      case PacketType.leaderInfo:
        link.extension = packets.extensionOf(packet, packets.LEADER_INFO_BYTES);
        learner.onLeaderInfo(high, nowMs, link.extension === null);
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
      case PacketType.handOver: {
        const succession = packets.readHandOver(packet);
        if (succession !== null) learner.onHandOver(succession, nowMs);
        break;
      }
      case PacketType.newLeader:
        this.#configs.onNewLeader(bytes, dataStart, dataEnd);
        learner.onNewLeader(high, nowMs);
        break;
      case PacketType.upToDate:
        learner.onUpToDate(nowMs);
        break;
      case PacketType.revalidate:
        learner.onHeard(nowMs);
        this.#onRevalidated(packet);
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
    if (learner.isBusy) link.hold();
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
      this.#isFuzzy = true;
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
    if (!this.#line.lost(link)) return;
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

  #onRevalidated(packet: PacketView): void {
    const answer = packets.readRevalidated(packet);
    if (answer !== null) this.#replica?.onRevalidated(answer.session, answer.verdict);
  }

  // ------------------------------------------------------------------ what the role says

  #send(message: EagerMessage | AfterPersistMessage): void {
    const { link } = this.#line;
    if (link === null || !('link' in message) || message.link !== link.id) return;
    switch (message.kind) {
      case 'learnerInfo': {
        const { sid, membership, config } = this.#around;
        const configVersion = membership.inForce.version;
        const extension = ownExtension(config);
        packets.writeLearnerInfo(link.begin(), { ...message, sid, configVersion, extension });
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
        this.#line.close();
        return;
      default:
        throw new Error(`a learner does not say ${message.kind}`);
    }
  }

  #rest(): void {
    this.#around.committedLog.trim();
    this.#line.flush();
    this.#master?.flush();
    this.#server?.onTurnEnd();
    if (!this.#learner.isBusy) this.#line.link?.release();
  }

  #start(): void {
    const { serve, applier, logger } = this.#around;
    const { epoch } = this.#learner;
    const { tree } = applier();
    logger.info(this.name, { leader: this.#leaderSid, epoch });
    if (this.#isFuzzy) tree.digests.clear();
    if (isAbove(epoch, 0, tree.lastZxidHigh, tree.lastZxidLow)) tree.setLastZxid(epoch, 0);
    this.#end(this.#configs.onUpToDate(epoch, this.#learner.committed), { high: epoch, low: 0 });
    this.#server = serve(() => {
      this.#replica = new ForwardingReplica(applier(), {
        forward: (request) => {
          this.#line.forward(request, request.caller.authIds);
        },
        revalidate: (session, timeoutMs, shown) => {
          this.#line.revalidate(session, timeoutMs, shown);
        },
        grantsContinuation: this.#line.tellsGenerations,
      });
      return this.#replica;
    });
    this.#around.onEpoch(epoch);
    if (this.name === 'following') this.#serveObservers(epoch);
  }

  #serveObservers(epoch: number): void {
    const replica = this.#replica;
    if (replica === null || this.#around.config.ensemble.observerMasterPort === 0) return;
    this.#master = new ObserverMaster(this.#around, {
      epoch,
      leaderSid: this.#leaderSid,
      replica,
      nextLink: this.#nextLink,
      forward: (request, authIds) => {
        this.#line.forward(request, authIds);
      },
    });
  }

  #onActivated({ high, low, leader }: Extract<Result, { kind: 'activated' }>): void {
    this.#end(this.#configs.onActivated(zxidOfParts(high, low), leader), { high, low });
  }

  /** Null: nothing that concerns this role has changed. */
  #end(change: MajorChange | null, zxid: ZxidPair): void {
    if (change === null) return;
    const { leader } = change;
    const round = this.#around.electionRound();
    if (leader !== null) this.#designated = { leader, round, zxid };
    // what was said and applied in this turn comes first
    this.#around.clock.soon(() => {
      this.stop(change.reason);
    });
  }

  #apply(range: CommittedRange): void {
    if (this.#replica !== null) {
      this.#replica.apply(range);
      this.#master?.onApplied(range);
    } else this.#around.applier().apply(range, () => undefined);
  }
}

/** Who leads in the configuration that comes into force. */
function leaderIn({ bytes, dataStart, dataEnd }: PacketView): number {
  if (dataStart < 0 || dataEnd - dataStart < 8) return -1;
  return Number(new Reader().reset(bytes, dataStart, dataEnd).readLong());
}
