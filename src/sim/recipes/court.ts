/**
 * Holds recipes to what their headers promise. Rooms are things that so many may hold at once: whoever
 * holds says so, and looks around now and then. What counts is what the promise counts: a process that
 * stood still may not know yet that it has lost what it held, so it is not heard before it has had time
 * to learn of it; and a process that was killed holds nothing. Logs are written by `guard` alone, into
 * the ensemble, and read at the end: there no excuse counts.
 */
import {
  ConnectionLossError,
  NoNodeError,
  OutcomeUnknownError,
  SessionExpiredError,
} from '../../client/errors.js';
import type { Transaction } from '../../client/transaction.js';
import type { ZkClient } from '../../client/types.js';
import { NotHeldError } from '../../recipes/errors.js';
import { acrossSessions, pause } from '../../recipes/patience.js';
import type { Timeline } from '../clock.js';
import type { Life } from './actor.js';

/** What all holds have in common. */
export interface Held {
  readonly fencingToken: bigint;
  readonly signal: AbortSignal;
  guard(fill: (transaction: Transaction) => void): Promise<unknown>;
}

interface Inside {
  readonly life: Life;
  readonly signal: AbortSignal;
  readonly sinceMs: number;
}

/** Two that see each other for less than that have passed in the door: their looks are not one moment. */
const DOOR_MS = 5;

export class Court {
  readonly #timeline: Timeline;
  readonly #fail: (invariant: string, message: string) => void;
  readonly #rooms = new Map<string, Inside[]>();
  /** How long a process that stood still may take to learn what it has lost. */
  readonly graceMs: number;

  constructor(
    timeline: Timeline,
    graceMs: number,
    fail: (invariant: string, message: string) => void,
  ) {
    this.#timeline = timeline;
    this.graceMs = graceMs;
    this.#fail = fail;
  }

  get nowMs(): number {
    return this.#timeline.nowMs;
  }

  fail(invariant: string, message: string): void {
    this.#fail(invariant, message);
  }

  /** From now on, until the signal aborts. */
  enter(room: string, life: Life, held: Held): void {
    const inside = this.#rooms.get(room) ?? [];
    inside.push({ life, signal: held.signal, sinceMs: this.nowMs });
    this.#rooms.set(room, inside);
  }

  /** Whoever is in the room looks around. */
  look(room: string, life: Life, limit: number): void {
    const lives = new Set(this.inside(room).map((one) => one.life));
    if (!lives.has(life) || lives.size <= limit) return;
    const names = [...lives].map(({ name }) => name).join();
    this.#fail('R2', `${lives.size} hold ${room}, which ${limit} may: ${names}`);
  }

  /** Those who can be trusted to know that they are. */
  inside(room: string): Inside[] {
    const inside = (this.#rooms.get(room) ?? []).filter(
      ({ life, signal }) => life.isAlive && !signal.aborted,
    );
    this.#rooms.set(room, inside);
    return inside.filter(
      ({ life, sinceMs }) => life.isPunctualSince(this.graceMs) && this.nowMs >= sinceMs + DOOR_MS,
    );
  }

  /** Writes the token into a log, if it is still held. */
  async write(log: string, held: Held): Promise<void> {
    try {
      const text = String(held.fencingToken);
      await held.guard((transaction) => {
        transaction.create(`${log}/e-`, text, { mode: 'persistent-sequential' });
      });
    } catch (problem) {
      const isExpected =
        problem instanceof NotHeldError ||
        problem instanceof ConnectionLossError ||
        problem instanceof SessionExpiredError ||
        problem instanceof OutcomeUnknownError;
      if (!isExpected) throw problem;
    }
  }

  /** No token in the log is smaller than one before it: nobody wrote after somebody later had it. */
  async readLog(zk: ZkClient, log: string): Promise<void> {
    const { children } = await acrossSessions(zk, undefined, () => zk.getChildren(log));
    let last = 0n;
    for (const name of children.sort()) {
      const { data } = await acrossSessions(zk, undefined, () => zk.getData(`${log}/${name}`));
      const token = BigInt(data.toString());
      if (token < last) this.#fail('R3', `${log}/${name}: ${token} wrote after ${last}`);
      last = token;
    }
  }

  /** Everything that was in line or held is gone, though the sessions of all live. */
  async empty(zk: ZkClient, directory: string, withinMs: number): Promise<void> {
    await this.until(zk, withinMs, async () => {
      const names = await namesIn(zk, directory);
      return names.length === 0 ? '' : `left in ${directory}: ${names.join()}`;
    });
  }

  /** Asks again and again until the answer is ''. */
  async until(zk: ZkClient, withinMs: number, ask: () => Promise<string>): Promise<void> {
    const endMs = this.nowMs + withinMs;
    for (;;) {
      const answer = await ask();
      if (answer === '') return;
      if (this.nowMs > endMs) {
        this.#fail('R4', answer);
        return;
      }
      await pause(zk, 50);
    }
  }
}

/** None when it does not exist. */
export async function namesIn(zk: ZkClient, directory: string): Promise<string[]> {
  try {
    return (await acrossSessions(zk, undefined, () => zk.getChildren(directory))).children;
  } catch (problem) {
    if (problem instanceof NoNodeError) return [];
    throw problem;
  }
}
