/**
 * A double barrier: a known number of members begin together and end together.
 *
 * Guarantee: `enter` resolves only after `size` members were inside at one moment (or after somebody
 * else has found that, and said so); `leave` resolves only after a moment at which nobody was inside.
 * A member whose session ends inside counts as having left. What was given up leaves no member behind.
 * On SUSPENDED: waiting goes on.
 * On LOST: a member that was entering enters again in the new session, and is counted once; one that
 * was leaving has left, and waits for the others.
 * Znode layout: `<path>/<uuid>`, ephemeral, one for each member; `<path>/ready`, persistent, from the
 * moment when all are there until the last has left. A `ready` that a round left behind which crashed
 * is removed by the next that enters while nobody is inside.
 * Interoperates with: Curator's DistributedDoubleBarrier. (kazoo's DoubleBarrier uses the same znodes,
 * but takes `ready` away when the first one leaves.)
 */
import { NodeExistsError, NoNodeError, SessionExpiredError } from '../client/errors.js';
import type { Acl, Data, Watcher, ZkClient } from '../client/types.js';
import type { Claim } from './contender-names.js';
import { enter, type Contender, type Entry } from './contenders.js';
import { join, nameOf } from './parents.js';
import {
  acrossSessions,
  inBackground,
  isSessionOver,
  untilWatched,
  within,
  type WaitOptions,
} from './patience.js';

export interface DoubleBarrierOptions {
  /** How many members begin together. */
  readonly size: number;
  readonly data?: Data;
  readonly acl?: readonly Acl[];
}

const readyName = 'ready';

/** From one `enter` to the `leave` after it. */
interface Round {
  member: Contender | null;
}

export class DoubleBarrier {
  readonly path: string;
  readonly size: number;
  readonly #client: ZkClient;
  readonly #entry: Entry;
  readonly #acl: readonly Acl[] | undefined;
  /** The one that was entered last; earlier ones see to their own remains. */
  #round: Round = { member: null };
  /** Of members that were begun here and may still be there, also those of earlier sessions. */
  readonly #begun = new Set<string>();

  constructor(client: ZkClient, path: string, options: DoubleBarrierOptions) {
    const { size, data = '', acl } = options;
    if (!Number.isInteger(size) || size < 1) {
      throw new TypeError(`the size of a double barrier is a whole number from 1, not ${size}`);
    }
    this.path = path;
    this.size = size;
    this.#client = client;
    this.#acl = acl;
    this.#entry = {
      directory: path,
      prefix: (id) => {
        this.#begun.add(id);
        return id;
      },
      claims: new Set<Claim>(),
      data,
      acl,
      parents: 'container',
      sequence: 'none',
    };
  }

  /** Resolves when `size` members are (or were) inside. Given up, this one is not inside. */
  async enter(options: WaitOptions = {}): Promise<void> {
    const what = `entering the double barrier ${this.path}`;
    this.#leaveInBackground(this.#round);
    const round: Round = { member: null };
    this.#round = round;
    await within(this.#client, options, what, async (signal) => {
      let isIn = false;
      try {
        while (!isIn) isIn = await this.#tryEnter(round, signal);
      } finally {
        if (!isIn || signal.aborted) this.#leaveInBackground(round);
      }
    });
  }

  /** Resolves when nobody is inside any more. Given up, this one has left all the same. */
  async leave(options: WaitOptions = {}): Promise<void> {
    const what = `leaving the double barrier ${this.path}`;
    const round = this.#round;
    await within(this.#client, options, what, async (signal) => {
      try {
        for (;;) {
          if (await this.#tryLeave(round, signal)) break;
        }
        await this.#ignoring(signal, () => this.#client.delete(this.#ready));
      } finally {
        this.#leaveInBackground(round);
      }
    });
  }

  get #ready(): string {
    return join(this.path, readyName);
  }

  async #tryEnter(round: Round, signal: AbortSignal): Promise<boolean> {
    const client = this.#client;
    const member =
      round.member === null || isSessionOver(client, round.member.sessionId)
        ? await this.#enterAnew(round, signal)
        : round.member;
    const own = nameOf(member.path);
    try {
      await untilWatched(client, signal, async (watch) => {
        if ((await client.exists(this.#ready, { watch })) !== null) return false;
        const { children } = await client.getChildren(this.path);
        const members = children.filter((name) => name !== readyName);
        return members.includes(own) && members.length < this.size;
      });
      const members = await this.#read(signal);
      if (members.includes(readyName)) return true;
      // somebody has deleted it: once more
      if (!members.includes(own)) round.member = null;
      if (round.member === null || members.length < this.size) return false;
      await this.#ignoring(signal, () => {
        const acl = this.#acl;
        return client.create(this.#ready, '', acl === undefined ? {} : { acl });
      });
      return true;
    } catch (problem) {
      if (problem instanceof NoNodeError) round.member = null;
      else if (!(problem instanceof SessionExpiredError)) throw problem;
      return false;
    }
  }

  async #enterAnew(round: Round, signal: AbortSignal): Promise<Contender> {
    await this.#removeEarlier(null, signal);
    await this.#clearOldRound(signal);
    round.member = await enter(this.#client, this.#entry, signal);
    await this.#removeEarlier(nameOf(round.member.path), signal);
    return round.member;
  }

  /** The servers may keep a session that its client has given up: one member would count as two. */
  async #removeEarlier(own: string | null, signal: AbortSignal): Promise<void> {
    for (const name of this.#begun) {
      if (name === own) continue;
      await this.#ignoring(signal, () => this.#client.delete(join(this.path, name)));
      this.#begun.delete(name);
    }
  }

  /** Nobody is inside and yet all are said to be there: they were, once. */
  async #clearOldRound(signal: AbortSignal): Promise<void> {
    // a server that is behind would show those who were there
    await acrossSessions(this.#client, signal, () => this.#client.sync(this.path));
    const names = await this.#read(signal);
    if (names.length === 1 && names[0] === readyName) {
      await this.#ignoring(signal, () => this.#client.delete(this.#ready));
    }
  }

  async #tryLeave(round: Round, signal: AbortSignal): Promise<boolean> {
    const members = (await this.#read(signal)).filter((name) => name !== readyName).sort();
    const own = round.member === null ? '' : nameOf(round.member.path);
    const first = members[0];
    const last = members.at(-1);
    if (first === undefined || last === undefined) return true;
    // the first waits for the last, and all others for the first: each wakes few
    if (first !== own || last === own) {
      if (round.member !== null) await this.#leave(round.member);
      round.member = null;
      if (first === own) return true;
    }
    const path = join(this.path, first === own ? last : first);
    try {
      await untilWatched(this.#client, signal, async (watch: Watcher) => {
        await this.#client.getData(path, { watch });
        return true;
      });
    } catch (problem) {
      const isOver = problem instanceof NoNodeError || problem instanceof SessionExpiredError;
      if (!isOver) throw problem;
    }
    return false;
  }

  /** A directory that does not exist is empty. */
  async #read(signal: AbortSignal): Promise<string[]> {
    const read = () => this.#client.getChildren(this.path);
    try {
      return (await acrossSessions(this.#client, signal, read)).children;
    } catch (problem) {
      if (problem instanceof NoNodeError) return [];
      throw problem;
    }
  }

  /** For what somebody else may have done already. */
  async #ignoring(signal: AbortSignal, call: () => Promise<unknown>): Promise<void> {
    try {
      await acrossSessions(this.#client, signal, call);
    } catch (problem) {
      const isDone = problem instanceof NoNodeError || problem instanceof NodeExistsError;
      if (!isDone) throw problem;
    }
  }

  async #leave(member: Contender): Promise<void> {
    await member.leave();
    if (!isSessionOver(this.#client, member.sessionId)) this.#begun.delete(nameOf(member.path));
  }

  #leaveInBackground(round: Round): void {
    if (round.member !== null) inBackground(this.#leave(round.member));
    round.member = null;
  }
}
