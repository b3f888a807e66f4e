/**
 * Whether the session still lives, judged by what is known for sure: an answer proves that the server
 * heard of us when its question was sent, so from then on it keeps the session for the timeout. After
 * a third of it without a question we ask (ping); after two thirds without an answer the connection
 * is given up, and there is a third left to find another server; after all of it the session is over.
 *
 * A process that was too busy to look at its clock has not been answered either, and it is nobody
 * else's fault. Then the answer may lie in the socket, unread. So when this timer comes late, what
 * has come is read, then doubt is told, but the server is asked before anything is given up.
 */
import type { Clock, Timer } from '../ports/clock.js';
import type { Connection } from './connection.js';

export interface LivenessOwner {
  /** The timer came so late that the session was in danger. */
  onStall(lateMs: number): void;
  /** The session may be over; there is a connection, and it has been asked. */
  onDoubt(): void;
  /** The connection is of no use any more. */
  onSilence(reason: string): void;
  onOver(): void;
  /** Looks after whatever else is due; returns when to look next. */
  onSweep(nowMs: number): number;
}

export class Liveness {
  readonly #clock: Clock;
  readonly #owner: LivenessOwner;
  readonly #wantedMs: number;
  #timeoutMs: number;
  #connection: Connection | null = null;
  /** The server is known to have heard of the session then; null: there is none. */
  #heardOfMs: number | null = null;
  /** Nothing is given up before: the process itself was late. */
  #graceUntilMs = -Infinity;
  #timer: Timer | null = null;
  #dueMs = Infinity;

  constructor(clock: Clock, wantedMs: number, owner: LivenessOwner) {
    this.#clock = clock;
    this.#wantedMs = wantedMs;
    this.#timeoutMs = wantedMs;
    this.#owner = owner;
  }

  /** What the server granted, else what it will be asked for. */
  get timeoutMs(): number {
    return this.#timeoutMs;
  }

  attach(connection: Connection, timeoutMs: number): void {
    this.#connection = connection;
    this.#timeoutMs = timeoutMs;
    this.#heardOfMs = connection.heardOfMs;
    this.#graceUntilMs = -Infinity;
    this.lookAt(connection.heardOfMs + timeoutMs / 3);
  }

  /** The connection is gone, the session perhaps not. */
  detach(): void {
    if (this.#connection !== null) this.#heardOfMs = this.#connection.heardOfMs;
    this.#connection = null;
    if (this.#heardOfMs !== null) this.lookAt(this.#heardOfMs + this.#timeoutMs);
  }

  /** There is no session any more. */
  forget(): void {
    this.#connection = null;
    this.#heardOfMs = null;
    this.#timeoutMs = this.#wantedMs;
  }

  stop(): void {
    this.forget();
    this.#timer?.cancel();
    this.#timer = null;
    this.#dueMs = Infinity;
  }

  /** To be looked at then, if not before. */
  lookAt(timeMs: number): void {
    if (timeMs >= this.#dueMs) return;
    this.#timer?.cancel();
    this.#dueMs = timeMs;
    this.#timer = this.#clock.after(Math.max(0, timeMs - this.#clock.monotonicMs()), this.#look);
  }

  readonly #look = (): void => {
    const nowMs = this.#clock.monotonicMs();
    const lateMs = nowMs - this.#dueMs;
    this.#timer = null;
    this.#dueMs = Infinity;
    const isStalled = lateMs > this.#timeoutMs / 6 && this.#heardOfMs !== null;
    if (isStalled) this.#onStall(nowMs, lateMs);
    if (isStalled && nowMs < (this.#heardOfMs ?? 0) + this.#timeoutMs) {
      // nobody can have ended the session yet: first read what has come meanwhile
      this.lookAt(nowMs + 1);
      return;
    }
    const nextMs = this.#connection === null ? this.#judgeAlone(nowMs) : this.#judge(nowMs);
    this.lookAt(Math.min(nextMs, this.#owner.onSweep(nowMs)));
  };

  #onStall(nowMs: number, lateMs: number): void {
    this.#graceUntilMs = nowMs + this.#timeoutMs / 3;
    this.#connection?.expectWord();
    this.#owner.onStall(lateMs);
  }

  /** With a connection. Returns when to look again. */
  #judge(nowMs: number): number {
    const connection = this.#connection;
    if (connection === null) return Infinity;
    const timeoutMs = this.#timeoutMs;
    const doubtMs = connection.heardOfMs + (timeoutMs * 2) / 3;
    const oldestMs = connection.oldestInFlight?.sentAtMs ?? Infinity;
    const giveUpMs = Math.max(Math.min(doubtMs, oldestMs + timeoutMs), this.#graceUntilMs);
    if (nowMs >= giveUpMs) {
      const { host, port } = connection.server;
      const silentMs = Math.round(nowMs - Math.min(connection.heardOfMs, oldestMs));
      this.#owner.onSilence(`${host}:${port} has not answered for ${silentMs} ms`);
      return Infinity;
    }
    if (nowMs >= doubtMs) this.#owner.onDoubt();
    const askMs = connection.sentAtMs + timeoutMs / 3;
    if (!connection.isPingUnanswered && nowMs >= askMs) connection.ping();
    return Math.min(
      connection.isPingUnanswered ? Infinity : askMs,
      nowMs < doubtMs ? doubtMs : Infinity,
      giveUpMs,
    );
  }

  /** Without one. */
  #judgeAlone(nowMs: number): number {
    if (this.#heardOfMs === null) return Infinity;
    const overMs = Math.max(this.#heardOfMs + this.#timeoutMs, this.#graceUntilMs);
    if (nowMs < overMs) return overMs;
    this.#owner.onOver();
    return Infinity;
  }
}
