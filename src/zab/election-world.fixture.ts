/**
 * A few elections on a virtual clock, joined by links that delay, lose and break: what an ensemble
 * looks like to its election channel. What comes after an election is no more than its outline here:
 * a leader needs a quorum of followers that reach it, and raises the epoch when it has one.
 */
import { assert, present } from '../base/assert.js';
import { SeededRandom } from '../base/random.js';
import type { Notification } from '../protocol/peer/notification.js';
import { Election } from './election.js';
import { majorityQuorum, type Quorum } from './quorum.js';
import { compareVotes, type Vote } from './vote.js';

export interface History {
  readonly zxid: bigint;
  readonly peerEpoch: number;
}

export interface WorldServer {
  readonly sid: number;
  readonly isObserver: boolean;
  election: Election;
  history: History;
  /** As the last election of this server began. */
  historyAtStart: History;
  isUp: boolean;
  /** It is there and says nothing. */
  isSilent: boolean;
  decidedMs: number;
  /** It leads with a quorum, or follows one that does. */
  isEstablished: boolean;
}

export interface Link {
  readonly a: WorldServer;
  readonly b: WorldServer;
  isUp: boolean;
  /** Messages under way are those of a generation. */
  generation: number;
}

interface WorldEvent {
  readonly atMs: number;
  run(): void;
}

export interface WorldOptions {
  readonly seed: number;
  readonly voters: number;
  readonly observers: number;
  readonly delayMsMax: number;
}

/** How long a role may be without the others that it needs. */
const initLimitMs = 1000;
const supervisionMs = 50;

export class World {
  readonly random: SeededRandom;
  readonly servers: WorldServer[] = [];
  readonly quorum: Quorum;
  nowMs = 0;
  lossProbability = 0;
  messageCount = 0;
  readonly #options: WorldOptions;
  readonly #links: Link[] = [];
  readonly #lastSent = new Map<string, Notification>();
  readonly #lastArrivalMs = new Map<string, number>();
  readonly #events: WorldEvent[] = [];
  #epoch = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.random = new SeededRandom(options.seed);
    const sids = Array.from({ length: options.voters }, (_, i) => i + 1);
    this.quorum = majorityQuorum(sids, 0n);
    for (let sid = 1; sid <= options.voters + options.observers; sid++) {
      const peerEpoch = this.random.below(3);
      const zxid = (BigInt(peerEpoch) << 32n) | BigInt(this.random.below(4));
      this.#epoch = Math.max(this.#epoch, peerEpoch);
      this.servers.push(this.#server(sid, sid > options.voters, { zxid, peerEpoch }));
    }
    for (const a of this.servers) {
      for (const b of this.servers) {
        if (a.sid >= b.sid || (a.isObserver && b.isObserver)) continue;
        this.#links.push({ a, b, isUp: false, generation: 0 });
      }
    }
  }

  #server(sid: number, isObserver: boolean, history: History): WorldServer {
    return {
      sid,
      isObserver,
      election: this.#election(sid, isObserver),
      history,
      historyAtStart: history,
      isUp: false,
      isSilent: false,
      decidedMs: Infinity,
      isEstablished: false,
    };
  }

  #election(sid: number, isObserver: boolean): Election {
    return new Election({
      sid,
      learnerRole: () => (isObserver ? 'observing' : 'following'),
      quorums: () => [this.quorum],
      configText: () => 'version=0',
      configVersionOf: () => 0n,
    });
  }

  // ------------------------------------------------------------------ the clock

  after(delayMs: number, run: () => void): void {
    const event = { atMs: this.nowMs + delayMs, run };
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = present(this.#events[middle], 'in range');
      if (other.atMs > event.atMs) low = middle + 1;
      else high = middle;
    }
    // the next event is last; of two at the same time the first that was asked for is
    this.#events.splice(low, 0, event);
  }

  runUntil(toMs: number, isDone: () => boolean = () => false): void {
    for (;;) {
      const next = this.#events.at(-1);
      if (next === undefined || next.atMs > toMs || isDone()) break;
      this.#events.pop();
      this.nowMs = next.atMs;
      next.run();
    }
    if (!isDone()) this.nowMs = toMs;
  }

  // ------------------------------------------------------------------ servers

  /** A process with the history that is on its disk. */
  boot(server: WorldServer): void {
    server.election = this.#election(server.sid, server.isObserver);
    server.isUp = true;
    this.look(server);
    this.#supervise(server, server.election);
  }

  look(server: WorldServer): void {
    server.isEstablished = false;
    server.decidedMs = Infinity;
    server.historyAtStart = server.history;
    server.election.start(this.nowMs, server.history);
    this.#drain(server);
  }

  kill(server: WorldServer): void {
    server.isUp = false;
    server.isEstablished = false;
    for (const link of this.#linksOf(server)) {
      this.disconnect(link);
      this.#lastSent.delete(`${server.sid}>${otherOf(link, server).sid}`);
    }
  }

  /** Says what there is to say, and sees to it that the election is woken in time. */
  #drain(server: WorldServer): void {
    const { election } = server;
    for (const { to, notification } of election.takeMessages()) {
      this.#send(server, present(this.servers[to - 1], 'one of the servers'), notification);
    }
    if (election.outcome !== null && server.decidedMs === Infinity) {
      server.decidedMs = this.nowMs;
      if (election.outcome.role === 'leading') this.#checkElected(server);
    }
    const { deadlineMs } = election;
    if (deadlineMs === Infinity) return;
    this.after(Math.max(0, deadlineMs - this.nowMs), () => {
      if (server.election !== election || !server.isUp || election.deadlineMs > this.nowMs) return;
      election.tick(this.nowMs);
      this.#drain(server);
    });
  }

  /** Who is elected has the best history of a quorum. */
  #checkElected(leader: WorldServer): void {
    const notAhead = this.servers.filter(
      (one) => compareHistories(one.historyAtStart, leader.history) <= 0,
    );
    const isBest = this.quorum.contains(new Set(notAhead.map(({ sid }) => sid)));
    assert(isBest, `server ${leader.sid} is behind a quorum`);
  }

  // ------------------------------------------------------------------ links

  get links(): readonly Link[] {
    return this.#links;
  }

  connect(link: Link): void {
    if (link.isUp || !link.a.isUp || !link.b.isUp) return;
    link.isUp = true;
    for (const end of [link.a, link.b]) {
      const other = otherOf(link, end);
      end.election.onConnected(other.sid, this.nowMs);
      const last = this.#lastSent.get(`${end.sid}>${other.sid}`);
      if (last !== undefined) this.#send(end, other, last);
    }
    for (const end of [link.a, link.b]) this.#drain(end);
  }

  disconnect(link: Link): void {
    if (!link.isUp) return;
    link.isUp = false;
    link.generation++;
    for (const end of [link.a, link.b]) {
      if (!end.isUp) continue;
      end.election.onDisconnected(otherOf(link, end).sid, this.nowMs);
      this.#drain(end);
    }
  }

  #linksOf(server: WorldServer): Link[] {
    return this.#links.filter((link) => link.a === server || link.b === server);
  }

  #isReachable(from: WorldServer, to: WorldServer): boolean {
    return from === to || this.#linksOf(from).some((it) => it.isUp && otherOf(it, from) === to);
  }

  #send(from: WorldServer, to: WorldServer, notification: Notification): void {
    if (from.isSilent) return;
    const key = `${from.sid}>${to.sid}`;
    this.#lastSent.set(key, notification);
    const link = this.#linksOf(from).find((it) => otherOf(it, from) === to);
    if (!link?.isUp || this.random.chance(this.lossProbability)) return;
    this.messageCount++;
    const { generation } = link;
    const delayMs = 1 + this.random.below(this.#options.delayMsMax);
    // in order, as on a connection
    const arrivalMs = Math.max(this.nowMs + delayMs, this.#lastArrivalMs.get(key) ?? 0);
    this.#lastArrivalMs.set(key, arrivalMs);
    this.after(arrivalMs - this.nowMs, () => {
      if (link.generation !== generation || !to.isUp || to.isSilent) return;
      to.election.onNotification(from.sid, notification, this.nowMs);
      this.#drain(to);
    });
  }

  // ------------------------------------------------------------------ after the election

  #supervise(server: WorldServer, election: Election): void {
    if (!server.isUp || server.election !== election) return;
    this.after(supervisionMs, () => this.#supervise(server, election));
    const { outcome } = election;
    if (outcome === null) return;
    const isLate = this.nowMs - server.decidedMs > initLimitMs;
    if (outcome.role !== 'leading') {
      const leader = present(this.servers[outcome.leader - 1], 'one of the servers');
      const hasLeader = this.#isReachable(server, leader) && this.#leads(leader);
      const isLost = server.isEstablished && !(hasLeader && leader.isEstablished);
      const isHopeless = !server.isEstablished && (isLate || election.isDeserted);
      if (isLost || isHopeless) this.look(server);
      return;
    }
    const followers = this.#followersOf(server);
    const isBacked = this.quorum.contains(new Set(followers.map(({ sid }) => sid)));
    if (!isBacked) {
      if (server.isEstablished || isLate || election.isDeserted) this.look(server);
      return;
    }
    // a voter among them knows more than the leader, who has not even begun
    const isAhead = (one: WorldServer): boolean =>
      !one.isObserver && compareHistories(one.history, server.history) > 0;
    if (!server.isEstablished && followers.some(isAhead)) {
      this.look(server);
      return;
    }
    if (!server.isEstablished) {
      const peerEpoch = ++this.#epoch;
      server.history = { zxid: BigInt(peerEpoch) << 32n, peerEpoch };
    }
    for (const follower of followers) this.#join(follower, server);
  }

  #leads(server: WorldServer): boolean {
    return server.isUp && server.election.outcome?.role === 'leading';
  }

  /** Itself among them. */
  #followersOf(leader: WorldServer): WorldServer[] {
    return this.servers.filter(
      (one) =>
        one.isUp &&
        !one.isSilent &&
        one.election.outcome?.leader === leader.sid &&
        this.#isReachable(one, leader),
    );
  }

  #join(server: WorldServer, leader: WorldServer): void {
    if (server.isEstablished) return;
    server.isEstablished = true;
    server.history = leader.history;
    const { role, vote } = present(server.election.outcome, 'it follows');
    const refreshed: Vote = { ...vote, peerEpoch: BigInt(leader.history.peerEpoch) };
    server.election.decided(role, refreshed);
  }
}

function otherOf(link: Link, end: WorldServer): WorldServer {
  return link.a === end ? link.b : link.a;
}

/** Histories alone, whoever has them. */
export function compareHistories(a: History, b: History): number {
  return compareVotes(voteFor(0, a), voteFor(0, b));
}

export function voteFor(sid: number, { zxid, peerEpoch }: History): Vote {
  return { leader: BigInt(sid), zxid, peerEpoch: BigInt(peerEpoch), electionEpoch: 0n };
}
