/**
 * The roles of one server of an ensemble, one after the other, from its start to its stop: it looks
 * for a leader, enters the role that the election gives it, and looks again when that is over.
 *
 *   looking ──outcome──▶ leading, following, observing ──end──▶ looking
 *                                   ▲                     │
 *                                   └──── a hand-over ────┘
 *
 * A role is over in four steps, and none is entered before the last: its connections are let go, its
 * clients, the disk has answered all that it was asked, and memory is what the disk holds.
 */
import { present } from '../../base/assert.js';
import type { Timer } from '../../ports/clock.js';
import type { Socket, SocketHandler } from '../../ports/network.js';
import { RestoreError, type Restore } from '../../storage/restore.js';
import type { ElectionOutcome } from '../../zab/election.js';
import type { RoleName } from '../../zab/ready.js';
import type { Succession } from '../../zab/succession.js';
import type { ServerConfig } from '../config/config.js';
import type { ServerWorld } from '../server-world.js';
import { EarlyLinks } from './early-link.js';
import type { Elections } from './elections.js';
import type { History } from './history.js';
import { Leading } from './leading.js';
import { Learning } from './learning.js';
import type { MemberFigures } from './member-figures.js';
import type { Configuration, Membership } from './membership.js';
import type { Role, Surroundings } from './role.js';
import type { Serving } from './serving.js';
import { until } from './waiting.js';

const withoutVote =
  'there is no history here: this server is new, or has lost its data. It votes only once every ' +
  'voter has been heard, and joins whom the others elect. If the ensemble is new and some of its ' +
  'servers are not there, create the file "initialize" in the dataLogDir of each that is, and restart';

/** Of a role, in one tick of the ensemble's. */
const TICKS = 8;

/** Who was refused stands in elections for so long: enough for one that comes to something. */
const STANDS_MS = 2000;

export interface RolesParts {
  readonly sid: number;
  readonly world: ServerWorld;
  readonly membership: Membership;
  readonly figures: MemberFigures;
  readonly history: History;
  readonly elections: Elections;
  readonly serving: Serving;
  /** As it is now. */
  config(): ServerConfig;
  /** To every server that votes or watches the votes. */
  connectAll(): void;
  /** It is in force from now on. Null: it was, or a later one; otherwise the one before. */
  activate(configuration: Configuration): Configuration | null;
  /** Told of each role that serves, and of each search for a leader. */
  onState(state: RoleName | 'looking'): void;
}

/** How a role is entered, other than by an election. */
interface Entrance {
  /** The leader has named the next one: it is there at once, or it is not. */
  readonly discoveryLimitMs?: number;
  /** The history here cannot be cut as the leader wants it. */
  readonly wantsSnapshot?: boolean;
}

export class Roles {
  readonly #parts: RolesParts;
  readonly #early = new EarlyLinks();
  #role: Role | null = null;
  /** The end of a role, or of serving without one, is being waited for. */
  #ending: Promise<void> | null = null;
  #tickTimer: Timer | null = null;
  #lastLink = 0;
  /** A voter has promised it: whatever this server leads is above it. */
  #epochFloor = 0;
  /** Those who may lead have less than this server: it stands itself, if that can be. */
  #standsUntilMs = 0;
  /** The learning role that goes on with the same leader, from a snapshot; null: none does. */
  #wantsSnapshot: RoleName | null = null;
  /** What is to be installed once the role that was ended for it is over. */
  #restoring: Restore | null = null;
  /** About to stop: no further role. */
  #isResigning = false;
  #isClosed = false;

  constructor(parts: RolesParts) {
    this.#parts = parts;
  }

  /** From when it is entered until it is over; null: a leader is looked for. */
  get role(): Role | null {
    return this.#role;
  }

  /** Null while one is looked for. */
  get leaderSid(): number | null {
    return this.#role === null ? null : (this.#parts.elections.outcome?.leader ?? null);
  }

  /** What this server becomes when another leads. */
  get learnerRole(): 'observing' | 'following' {
    const { membership, sid } = this.#parts;
    return membership.isObserver(sid) ? 'observing' : 'following';
  }

  /** There is no role, and none that still ends, nor will be one now. */
  get isNone(): boolean {
    return this.#role === null && this.#ending === null && !this.#isClosed;
  }

  /** Looks for a leader. */
  look(): void {
    if (this.#isClosed) return;
    const { elections, figures, history, membership, serving, world } = this.#parts;
    const { own } = history;
    membership.forgetUnlogged(history.zxid, history.currentEpoch);
    world.logger.info('looking for a leader', { epoch: own.peerEpoch });
    if (own.isBlank === true && this.learnerRole === 'following') world.logger.warn(withoutVote);
    this.#parts.onState('looking');
    figures.looking(world.clock.monotonicMs());
    serving.beginAlone();
    elections.begin({ ...own, standsUntilMs: this.#standsUntilMs });
    this.#parts.connectAll();
    elections.pump();
  }

  /** After each turn of the election: does what it asks for. */
  onElection(): void {
    const { outcome, newerConfig, isDeserted } = this.#parts.elections;
    const role = this.#role;
    // nobody has joined it yet, and those it stood on look for another leader
    if (role?.isServing === false && isDeserted) role.stop('the others look for a leader');
    if (!this.isNone || this.#isResigning) return;
    if (newerConfig !== null) this.#adopt(newerConfig.text);
    else if (outcome !== null) this.#onOutcome(outcome);
  }

  /** A learner has come. It may do so before this server knows that it leads, and waits for that. */
  accept(socket: Socket): SocketHandler {
    if (this.#role !== null && this.#ending === null) return this.#role.accept(socket);
    return this.#isLeftToOthers ? this.#early.refuse(socket) : this.#early.accept(socket);
  }

  /** The role that ends is a leader's, whose disk may hang: nobody is to wait for what comes after. */
  get #isLeftToOthers(): boolean {
    return this.#role?.name === 'leading' && this.#restoring === null;
  }

  /** Ends the role, if there is one; an election follows. */
  stop(reason: string): void {
    this.#role?.stop(reason);
  }

  /** Ends a learning role that goes on with the same leader, from a snapshot of its history. */
  askForSnapshot(reason: string): void {
    this.#wantsSnapshot = this.#role?.name ?? null;
    this.stop(`${reason}; a snapshot is asked for`);
  }

  /** Why leadership cannot be handed to that server now, or to any; null: it can be tried. */
  handOverRefusal(to: number | null): string | null {
    const role = this.#role;
    return role instanceof Leading ? role.handOverRefusal(to) : 'this server does not lead';
  }

  /**
   * Hands leadership to the server of this number, or to the best. False: this server does not lead,
   * nobody could take it, or it did not come to that and leading goes on.
   */
  async handOver(to: number | null): Promise<boolean> {
    const role = this.#role;
    if (!(role instanceof Leading) || !role.handOver(to)) return false;
    const { clock } = this.#parts.world;
    const goesOn = (): boolean => !role.isHandingOver && this.#ending === null;
    await until(clock, () => this.#role !== role || goesOn());
    return role.succession !== null;
  }

  /**
   * What has arrived takes the place of the ensemble's whole state, as one transaction that this leader
   * has logged and that it leads the others into. Rejects with a RestoreError when it does not come to
   * that.
   */
  async restore(restore: Restore): Promise<void> {
    const { world, history } = this.#parts;
    const { clock } = world;
    const role = this.#role;
    const refusal = (): string | null =>
      role instanceof Leading && role === this.#role && role.isServing && this.#ending === null
        ? null
        : `server ${this.leaderSid ?? 'nobody'} leads: what is restored there, all others take over`;
    const atFirst = refusal();
    if (role === null || atFirst !== null) throw new RestoreError(atFirst ?? 'nobody leads');
    await restore.prepare(history.zxid);
    const now = this.#isResigning ? 'this server stops' : refusal();
    if (now !== null) throw new RestoreError(now);
    const epoch = history.currentEpoch;
    this.#restoring = restore;
    role.stop('a snapshot takes the place of what is here');
    const { ensemble, tickTimeMs } = this.#parts.config();
    const endMs = clock.monotonicMs() + ensemble.initLimit * tickTimeMs;
    const isLed = (): boolean => history.currentEpoch > epoch && this.#role?.isServing === true;
    await until(clock, () => isLed() || this.#isClosed || clock.monotonicMs() > endMs);
    if (isLed() && this.#role instanceof Leading) return;
    throw new RestoreError('restored here, but the others have not taken it over');
  }

  /** Resigns: leadership is handed over where that can be. Settles when no role goes on. */
  async close(): Promise<void> {
    // an ensemble that is told who leads next does without an election
    this.#isResigning = true;
    await this.handOver(null);
    this.#isClosed = true;
    this.#parts.elections.close();
    this.#tickTimer?.cancel();
    this.stop('this server stops');
    await this.#ending;
    this.#early.close();
  }

  // ------------------------------------------------------------------ from one to the next

  /** Enters the role that the election gives, once nobody is served without one. */
  #onOutcome({ role, leader }: ElectionOutcome): void {
    const ended = this.#parts.serving.endAlone();
    if (ended === null) {
      this.#enter(role, leader);
      return;
    }
    this.#ending = ended.then(() => {
      this.#ending = null;
      this.#parts.elections.pump();
    });
  }

  /** Another server has a later configuration: the election begins again with that. */
  #adopt(text: string): void {
    const configuration = this.#parts.membership.read(text);
    if (configuration !== null) this.#parts.activate(configuration);
    this.look();
  }

  /** After a role: on with the same leader, or with the one that it has named, or to an election. */
  #goOn(succession: Succession | null): void {
    const { elections, history, membership, sid, world } = this.#parts;
    if (this.#isResigning) {
      elections.close();
      return;
    }
    const { outcome } = elections;
    const again = this.#wantsSnapshot;
    this.#wantsSnapshot = null;
    if (again !== null && outcome !== null) {
      // it still leads: an election would only find it again, and what cannot be cut with it
      this.#parts.onState('looking');
      this.#enter(again, outcome.leader, { wantsSnapshot: true });
    } else if (succession !== null && membership.inForce.quorum.voters.has(succession.leader)) {
      const { leader } = succession;
      world.logger.info('the leader has named the next one', { leader });
      this.#parts.onState('looking');
      const name = leader === sid ? 'leading' : this.learnerRole;
      elections.succeed(name, succession, history.currentEpoch);
      this.#enter(name, leader, { discoveryLimitMs: this.#parts.config().tickTimeMs });
    } else {
      this.look();
      return;
    }
    elections.pump();
  }

  #enter(name: RoleName, leader: number, how: Entrance = {}): void {
    const { world, figures } = this.#parts;
    world.logger.info(`entering the role: ${name}`, { leader });
    figures.entered(name, world.clock.monotonicMs());
    const role = name === 'leading' ? this.#newLeading(how) : this.#newLearning(name, leader, how);
    this.#role = role;
    role.begin();
    this.#early.handOver((socket) => role.accept(socket));
    this.#tick();
  }

  #tick(): void {
    const { clock } = this.#parts.world;
    this.#tickTimer?.cancel();
    const role = this.#role;
    if (role === null || this.#isClosed) return;
    this.#tickTimer = clock.after(this.#parts.config().tickTimeMs / TICKS, () => {
      if (this.#role !== role) return;
      role.tick(clock.monotonicMs());
      this.#tick();
    });
  }

  #onEpoch(epoch: number): void {
    const { elections, figures, world } = this.#parts;
    const { name } = present(this.#role, 'a role knows its epoch');
    elections.onEpoch(epoch);
    this.#parts.onState(name);
    figures.serving(name, world.clock.monotonicMs());
    elections.pump();
  }

  #onEnd(reason: string): void {
    this.#ending ??= this.#leave(reason).then((succession) => {
      this.#ending = null;
      this.#goOn(succession);
    });
  }

  /** Resolves to who leads next, where the leader has said so. */
  async #leave(reason: string): Promise<Succession | null> {
    const { elections, history, serving, world } = this.#parts;
    const role = present(this.#role, 'only a role that was entered can end');
    world.logger.info(`the role is over: ${role.name}`, { reason });
    this.#tickTimer?.cancel();
    if (this.#isLeftToOthers) elections.fallSilent();
    role.close();
    await serving.end();
    await until(world.clock, () => !role.isPersisting);
    history.endRole(role);
    if (this.#restoring !== null) await history.restore(this.#restoring);
    this.#restoring = null;
    this.#role = null;
    this.#epochFloor = Math.max(this.#epochFloor, role.epochFloor);
    if (role.wasRefused) this.#standsUntilMs = world.clock.monotonicMs() + STANDS_MS;
    return role.succession;
  }

  // ------------------------------------------------------------------ what a role is given

  #newLeading(how: Entrance): Leading {
    const { elections, history, membership } = this.#parts;
    const { currentEpoch, hasHistory, isBeginning } = history;
    const acceptedEpoch = Math.max(history.acceptedEpoch, this.#epochFloor);
    return new Leading(this.#surroundings(), {
      ...{ ...how, acceptedEpoch, currentEpoch, hasHistory, isBeginning },
      nextLink: () => ++this.#lastLink,
      nextRound: () => elections.nextRound,
      quorums: () => membership.quorums(),
    });
  }

  #newLearning(name: 'following' | 'observing', leader: number, how: Entrance): Learning {
    const { elections, history, world } = this.#parts;
    const { acceptedEpoch, currentEpoch } = history;
    const { isWithoutVote } = elections;
    const isObserver = name === 'observing';
    return new Learning(this.#surroundings(), {
      ...{ ...how, acceptedEpoch, currentEpoch, isObserver, leader, isWithoutVote },
      nextLink: () => ++this.#lastLink,
      fraction: () => world.fraction(),
    });
  }

  #surroundings(): Surroundings {
    const { elections, figures, history, membership, serving, sid, world } = this.#parts;
    const { clock, logger, network } = world;
    const { storage, committedLog } = history;
    return {
      ...{ sid, clock, logger, network, storage, committedLog, membership, figures },
      config: this.#parts.config(),
      applier: () => history.applier,
      takeBatch: () => history.takeBatch(),
      persist: (persist, rebase, done) => {
        history.persist(persist, rebase, done);
      },
      received: (tree, sessions) => {
        history.received(tree, sessions);
      },
      serve: (makeReplica) => serving.begin(present(this.#role, 'a role serves').name, makeReplica),
      activate: (configuration) => this.#parts.activate(configuration),
      electionRound: () => elections.round,
      onEpoch: (epoch) => {
        this.#onEpoch(epoch);
      },
      onEnd: (reason) => {
        this.#onEnd(reason);
      },
    };
  }
}
