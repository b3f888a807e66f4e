/**
 * The leading role at work: learners' connections, what they ask, and how they are brought up to
 * date. What is decided is decided in `zab/leader.ts`; this makes packets of it and of packets what
 * that understands.
 */
import type { Socket, SocketHandler } from '../../ports/network.js';
import { PacketType, type PacketView } from '../../protocol/peer/quorum-packet.js';
import { Reader } from '../../protocol/reader.js';
import { Leader } from '../../zab/leader.js';
import type { LinkId } from '../../zab/messages.js';
import type { Quorum } from '../../zab/quorum.js';
import type { CommittedRange, Result } from '../../zab/ready.js';
import type { Succession } from '../../zab/succession.js';
import type { PendingWrite } from '../pending.js';
import { ProposingReplica } from '../proposing-replica.js';
import { ReadyLoop } from '../ready-loop.js';
import type { Server } from '../server.js';
import { AutopilotLead } from './autopilot-lead.js';
import { ConfigLead } from './config-lead.js';
import { handOverRefusal } from './hand-over-command.js';
import { LearnerLines } from './learner-lines.js';
import { LearnerRequests } from './learner-requests.js';
import * as packets from './packets.js';
import { QuorumFigures } from './quorum-figures.js';
import { QuorumLink, type LinkEvents } from './quorum-link.js';
import { ViewOfLeading } from './role-view.js';
import type { Role, Surroundings } from './role.js';
import { Successors, type KnownLearner } from './successors.js';

interface LearnerInfo {
  readonly sid: number;
  readonly isObserver: boolean;
  readonly acceptedEpoch: number;
  readonly configVersion: bigint;
}

export class Leading implements Role, LinkEvents {
  readonly name = 'leading';
  readonly wasRefused = false;
  readonly #around: Surroundings;
  readonly #leader: Leader;
  readonly #loop: ReadyLoop;
  readonly #lines: LearnerLines;
  readonly #requests: LearnerRequests;
  /** Clients here that asked for a sync. */
  readonly #syncs = new Map<number, PendingWrite>();
  readonly #successors: Successors;
  readonly #figures: QuorumFigures;
  readonly #watched: LinkEvents;
  readonly view: ViewOfLeading;
  readonly #configs: ConfigLead;
  readonly #autopilot: AutopilotLead | null;
  /** The configuration that is in force now has this leader. */
  #designated: Succession | null = null;
  #nextSync = 0;
  /** When it has answered last, or was asked for nothing, as this role does at first. */
  #disk: { readonly persistCount: number; readonly sinceMs: number };
  #server: Server | null = null;
  #replica: ProposingReplica | null = null;
  #nextLink: () => LinkId;
  readonly #nextRound: () => bigint;

  constructor(
    around: Surroundings,
    given: {
      readonly acceptedEpoch: number;
      readonly currentEpoch: number;
      readonly hasHistory: boolean;
      readonly isBeginning: boolean;
      readonly quorums: () => readonly Quorum[];
      readonly nextLink: () => LinkId;
      /** Of elections. */
      readonly nextRound: () => bigint;
      /** Handed over by the leader before: a quorum is there at once, or there is none. */
      readonly discoveryLimitMs?: number;
    },
  ) {
    const { config, sid, clock, committedLog } = around;
    const { tree } = around.applier();
    this.#around = around;
    this.#nextLink = given.nextLink;
    this.#nextRound = given.nextRound;
    this.#leader = new Leader({
      sid,
      tickMs: config.tickTimeMs,
      initLimit: config.ensemble.initLimit,
      syncLimit: config.ensemble.syncLimit,
      acceptedEpoch: given.acceptedEpoch,
      currentEpoch: given.currentEpoch,
      hasHistory: given.hasHistory,
      isBeginning: given.isBeginning,
      lastLogged: { high: tree.lastZxidHigh, low: tree.lastZxidLow },
      committedLog,
      quorums: given.quorums,
      flushesMax: () => around.storage.flushesMax,
      ...(given.discoveryLimitMs === undefined ? {} : { discoveryLimitMs: given.discoveryLimitMs }),
      nowMs: clock.monotonicMs(),
    });
    this.#figures = new QuorumFigures(around.figures.process.metrics, clock, (from, low) =>
      this.#server?.figures.acknowledged(from, low),
    );
    this.#watched = this.#figures.watching(this);
    this.#lines = new LearnerLines(around, this.#figures, {
      onHeard: (link) => {
        this.#leader.onHeard(link.id, clock.monotonicMs());
      },
      onStreamed: (link, at) => {
        this.#leader.streamed(link.id, at);
        this.#loop.pump();
      },
      onLost: (link) => {
        this.#leader.onLinkDown(link.id);
        this.#loop.pump();
      },
    });
    this.#requests = new LearnerRequests(around, {
      replica: () => this.#replica,
      requestSync: (link) => {
        this.#leader.requestSyncFor(link);
        this.#loop.pump();
      },
      begin: (link) => this.#lines.begin(link),
    });
    this.view = new ViewOfLeading({
      leader: this.#leader,
      figures: this.#figures,
      members: () => around.membership.inForce.members,
      pendingSyncCount: () => this.#leader.pendingSyncCount,
      server: () => this.#server,
      autopilot: () => this.#autopilot,
    });
    this.#disk = { persistCount: 0, sinceMs: clock.monotonicMs() };
    this.#successors = new Successors({
      sid,
      priority: config.leaderPriority,
      rotationMs: config.leaderRotationMs,
      probationMs: 2 * config.tickTimeMs,
      nowMs: clock.monotonicMs(),
    });
    this.#autopilot = AutopilotLead.of(around, {
      leader: this.#leader,
      replica: () => this.#replica,
    });
    this.#configs = new ConfigLead(around, this.#leader, (request) => {
      this.#autopilot?.onReconfiguration(request);
    });
    this.#loop = new ReadyLoop(this.#leader, {
      prepare: () => this.#replica?.handOver(),
      stop: (reason) => {
        around.onEnd(reason);
      },
      send: (message) => {
        this.#lines.send(message);
      },
      depart: () => {
        this.#lines.flush();
      },
      persist: (persist, rebase, done) => {
        if (persist.acceptedEpoch !== null) this.#configs.onEpoch(persist.acceptedEpoch);
        around.persist(persist, rebase, done);
      },
      apply: (range) => {
        this.#apply(range);
      },
      answer: (result) => {
        if (result.kind === 'synced') this.#answerSync(result.token);
        else this.#onActivated(result);
      },
      start: () => {
        this.#start();
      },
      rest: () => {
        around.committedLog.trim();
        this.#lines.flush();
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

  get succession(): Succession | null {
    return this.#designated ?? this.#leader.succession;
  }

  get epochFloor(): number {
    return this.#leader.epochFloor;
  }

  get isHandingOver(): boolean {
    return this.#leader.isHandingOver;
  }

  /** Hands leadership to this server, or to the best; false: nobody could take it now. */
  handOver(to: number | null): boolean {
    const candidates = this.#successors.candidates(this.#known());
    const [best] = candidates;
    if (best === undefined || (to !== null && !candidates.includes(to))) return false;
    const nowMs = this.#around.clock.monotonicMs();
    const isBegun = this.#leader.beginHandOver(to ?? best, this.#nextRound(), nowMs);
    this.#loop.pump();
    return isBegun;
  }

  /** Why not; null: it can be tried. */
  handOverRefusal(to: number | null): string | null {
    const { sid, membership } = this.#around;
    return handOverRefusal(to, { sid, members: membership.inForce.members, known: this.#known() });
  }

  #known(): KnownLearner[] {
    return [...this.#leader.links()].map((learner) => {
      return { learner, extension: this.#lines.get(learner.id)?.extension ?? null };
    });
  }

  #considerSuccessors(nowMs: number): void {
    if (!this.#leader.isServing || this.#leader.isHandingOver) return;
    const wanted = this.#successors.wanted(this.#known(), nowMs);
    if (wanted !== null) this.#leader.beginHandOver(wanted, this.#nextRound(), nowMs);
  }

  tick(nowMs: number): void {
    this.#leader.tick(nowMs);
    this.#considerDisk(nowMs);
    this.#considerSuccessors(nowMs);
    this.#autopilot?.tick(nowMs);
    if (this.#leader.isExhausted) this.#leader.stop('the zxids of this epoch are used up');
    this.#loop.pump();
  }

  /** Whose log is stuck commits nothing, and keeps the others from electing one who could. */
  #considerDisk(nowMs: number): void {
    const { isPersisting, persistCount } = this.#loop;
    if (!isPersisting || persistCount !== this.#disk.persistCount) {
      this.#disk = { persistCount, sinceMs: nowMs };
      return;
    }
    const { tickTimeMs, ensemble } = this.#around.config;
    if (nowMs - this.#disk.sinceMs <= ensemble.syncLimit * tickTimeMs) return;
    this.#disk = { persistCount, sinceMs: nowMs };
    this.stop('the disk does not answer');
  }

  accept(socket: Socket): SocketHandler {
    const link = new QuorumLink(this.#nextLink(), socket, this.#watched);
    this.#lines.add(link);
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
    this.#lines.close();
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
        this.#requests.touch(bytes, dataStart, dataEnd, nowMs);
        this.#leader.onPong(link.id, nowMs);
        break;
      case PacketType.revalidate:
        this.#leader.onHeard(link.id, nowMs);
        this.#requests.revalidate(link, packet, nowMs);
        break;
      case PacketType.request:
        this.#leader.onHeard(link.id, nowMs);
        this.#requests.onRequest(link, packet, nowMs);
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
    this.#lines.onDrain(link);
  }

  onClose(link: QuorumLink, reason: string): void {
    this.#lines.gone(link);
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
      this.#lines.forget(link);
      return;
    }
    const refusal = this.#configs.refusalOf(info.configVersion);
    if (refusal !== null) {
      this.#around.logger.warn('closing the connection of a learner', {
        server: info.sid,
        reason: refusal,
      });
      this.#lines.forget(link);
      return;
    }
    link.sid = info.sid;
    link.extension = packets.extensionOf(packet, packets.LEARNER_INFO_BYTES);
    this.#leader.onLearnerInfo(link.id, { ...info, isApache: link.extension === null }, nowMs);
  }

  // ------------------------------------------------------------------ serving

  #start(): void {
    const { clock, takeBatch, serve, applier, logger } = this.#around;
    const epoch = this.#leader.epoch;
    logger.info('leading', { epoch, followers: this.followers().join(',') });
    applier().tree.setLastZxid(epoch, 0);
    if (!this.#configs.begin()) this.#retireSoon('another server leads in the configuration');
    this.#server = serve((server) => {
      this.#replica = new ProposingReplica(applier(), {
        clock,
        proposer: this.#leader,
        prepare: {
          ...server.prepareOptions(),
          ...(this.#around.membership.isEnabled ? { reconfig: this.#configs } : {}),
        },
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

  #onActivated({ high, low, leader }: Extract<Result, { kind: 'activated' }>): void {
    const { sid, electionRound } = this.#around;
    if (leader === sid) return;
    this.#designated = { leader, round: electionRound(), zxid: { high, low } };
    this.#retireSoon(`server ${leader} leads from here on`);
  }

  /** When everything that was said in this turn has left. */
  #retireSoon(reason: string): void {
    this.#around.clock.soon(() => {
      this.stop(reason);
    });
  }

  #apply(range: CommittedRange): void {
    if (this.#replica === null) throw new Error('nothing is committed before the role serves');
    this.#replica.apply(range);
  }

  #requestSync(pending: PendingWrite): void {
    const token = ++this.#nextSync;
    this.#syncs.set(token, pending);
    this.#leader.requestSync(token);
    this.#loop.pump();
  }

  #answerSync(token: number): void {
    const pending = this.#syncs.get(token);
    this.#syncs.delete(token);
    const { tree } = this.#around.applier();
    pending?.connection?.onApplied(pending, tree.lastZxidHigh, tree.lastZxidLow);
  }
}

function learnerInfoOf(packet: PacketView): LearnerInfo | null {
  const { type, bytes, dataStart, dataEnd } = packet;
  const isObserver = type === PacketType.observerInfo;
  if (!isObserver && type !== PacketType.followerInfo) return null;
  if (dataStart < 0 || dataEnd - dataStart < 8) return null;
  const reader = new Reader().reset(bytes, dataStart, dataEnd);
  const sid = reader.readLong();
  if (sid < 0n || sid > 255n) return null;
  let configVersion = 0n;
  if (reader.remaining >= 12) {
    reader.readInt();
    configVersion = reader.readLong();
  }
  return { sid: Number(sid), isObserver, acceptedEpoch: packet.zxidHigh, configVersion };
}
