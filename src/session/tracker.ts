/**
 * Which sessions live, and when each must be given up. Deadlines are rounded up to buckets of one
 * tick, so that touching a session again within the same tick (the common case: every read event of
 * every client touches) costs one comparison, and an expiry round looks at one bucket, not at all
 * sessions.
 *
 * A stalled process must not expire the sessions of healthy clients whose pings wait unread in the
 * kernel: `expire` is told how late it was called and postpones everything by that much before it
 * judges (reliability: expiry clock is stall-compensated).
 */
import { assert } from '../base/assert.js';
import { Session } from './session.js';
import { firstSessionId, nextSessionId } from './session-id.js';

export interface SessionTrackerOptions {
  readonly tickTimeMs: number;
  readonly serverId: number;
  /** So many sessions that ended last are remembered, at least; none unless told. */
  readonly endedKept?: number;
  /** Wall clock: ids of a restarted server must not meet those it gave out before. */
  readonly wallMs: number;
}

export class SessionTracker {
  readonly #tickTimeMs: number;
  readonly #byId = new Map<bigint, Session>();
  readonly #firstId: bigint;
  readonly #buckets = new Map<number, Set<Session>>();
  /** The earliest bucket that may still hold sessions. */
  #nextBucketMs: number | null = null;
  #nextId: bigint;
  readonly #endedKept: number;
  /** In two generations: the older one goes as a whole. */
  #ended = new Set<bigint>();
  #endedBefore = new Set<bigint>();

  constructor(options: SessionTrackerOptions) {
    assert(options.tickTimeMs > 0, 'expiry needs a tick');
    this.#tickTimeMs = options.tickTimeMs;
    this.#firstId = firstSessionId(options.wallMs, options.serverId);
    this.#nextId = this.#firstId;
    this.#endedKept = options.endedKept ?? 0;
  }

  get size(): number {
    return this.#byId.size;
  }

  get(id: bigint): Session | undefined {
    return this.#byId.get(id);
  }

  all(): IterableIterator<Session> {
    return this.#byId.values();
  }

  /** A new session with an id that no living session has. */
  create(timeoutMs: number, nowMs: number): Session {
    let id = this.#nextId;
    while (this.#byId.has(id)) id = nextSessionId(id);
    this.#nextId = nextSessionId(id);
    return this.track(id, timeoutMs, nowMs);
  }

  /** Whether `create` gave the id out, however long ago the session ended. */
  hasCreated(id: bigint): boolean {
    return id >= this.#firstId && id < this.#nextId;
  }

  /** Starts, or goes on, tracking a session known from the log; it gets its full timeout from now. */
  track(id: bigint, timeoutMs: number, nowMs: number): Session {
    let session = this.#byId.get(id);
    if (session === undefined) {
      session = new Session(id, timeoutMs);
      this.#byId.set(id, session);
    }
    this.#move(session, this.#bucketOf(nowMs + timeoutMs));
    return session;
  }

  /** The client was heard; true while the session may go on. */
  touch(session: Session, nowMs: number): boolean {
    if (session.isClosing || session.bucketMs === 0) return false;
    const bucketMs = this.#bucketOf(nowMs + session.timeoutMs);
    if (bucketMs !== session.bucketMs) this.#move(session, bucketMs);
    return true;
  }

  /** Another tracker had it, and lets it go by `release`. */
  adopt(session: Session, nowMs: number): void {
    this.#byId.set(session.id, session);
    this.#move(session, this.#bucketOf(nowMs + session.timeoutMs));
  }

  /** The session goes on, and is tracked elsewhere. */
  release(session: Session): void {
    if (this.#byId.get(session.id) !== session) return;
    this.#byId.delete(session.id);
    this.#buckets.get(session.bucketMs)?.delete(session);
    session.bucketMs = 0;
  }

  remove(id: bigint): Session | undefined {
    const session = this.#byId.get(id);
    if (session === undefined) return undefined;
    this.#byId.delete(id);
    this.#buckets.get(session.bucketMs)?.delete(session);
    session.bucketMs = 0;
    session.isClosing = true;
    if (this.#endedKept > 0) this.#rememberEnd(id);
    return session;
  }

  /** Whether it is known to have ended; of one that ended long ago nothing is known. */
  hasEnded(id: bigint): boolean {
    return this.#ended.has(id) || this.#endedBefore.has(id);
  }

  #rememberEnd(id: bigint): void {
    if (this.#ended.size >= this.#endedKept) {
      this.#endedBefore = this.#ended;
      this.#ended = new Set();
    }
    this.#ended.add(id);
  }

  /**
   * Asks `judge` about each session whose bucket has ended. True: it is over and marked as closing,
   * and stays tracked until its closeSession is applied. False: it gets its whole timeout again.
   * `lateMs`: by how much this call missed its time.
   */
  expire(nowMs: number, lateMs: number, judge: (session: Session) => boolean): void {
    if (this.#nextBucketMs === null) return;
    const judgedMs = nowMs - lateMs;
    while (this.#nextBucketMs <= judgedMs) {
      const due = this.#buckets.get(this.#nextBucketMs);
      this.#buckets.delete(this.#nextBucketMs);
      this.#nextBucketMs += this.#tickTimeMs;
      if (due !== undefined) this.#expireBucket(due, nowMs, judge);
      if (this.#buckets.size === 0) {
        this.#nextBucketMs = null;
        return;
      }
    }
  }

  /** Bucket ends with their sessions, earliest first: what `dump` shows. */
  buckets(): { readonly endMs: number; readonly sessions: readonly Session[] }[] {
    return [...this.#buckets]
      .filter(([, sessions]) => sessions.size > 0)
      .sort(([a], [b]) => a - b)
      .map(([endMs, sessions]) => ({ endMs, sessions: [...sessions] }));
  }

  #expireBucket(due: Set<Session>, nowMs: number, judge: (session: Session) => boolean): void {
    for (const session of due) {
      session.bucketMs = 0;
      if (session.isClosing) continue;
      if (judge(session)) session.isClosing = true;
      else this.#move(session, this.#bucketOf(nowMs + session.timeoutMs));
    }
  }

  #bucketOf(deadlineMs: number): number {
    return (Math.floor(deadlineMs / this.#tickTimeMs) + 1) * this.#tickTimeMs;
  }

  #move(session: Session, bucketMs: number): void {
    if (session.bucketMs === bucketMs) return;
    this.#buckets.get(session.bucketMs)?.delete(session);
    session.bucketMs = bucketMs;
    let bucket = this.#buckets.get(bucketMs);
    if (bucket === undefined) {
      bucket = new Set();
      this.#buckets.set(bucketMs, bucket);
    }
    bucket.add(session);
    if (this.#nextBucketMs === null || bucketMs < this.#nextBucketMs) this.#nextBucketMs = bucketMs;
  }
}
