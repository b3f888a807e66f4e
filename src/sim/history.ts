/**
 * What clients saw, as they saw it: per connection every request and every frame that came back, in
 * order, with the bytes. It is written while the run goes on and judged at its end (checker.ts), with
 * the transaction log as the witness of what really happened.
 */
import type { SetWatches } from '../protocol/records.js';
import type { Zxid } from '../protocol/zxid.js';
import { Blocks } from './bytes.js';
import type { RequestBody } from './requests.js';

export interface AuthId {
  readonly scheme: string;
  readonly id: string;
}

export interface SentRequest {
  readonly session: bigint;
  readonly xid: number;
  readonly body: RequestBody;
  /** Its bytes were cut short on purpose: no server may act on it. */
  readonly isMangled: boolean;
  /** Who the connection had proven to be when this was sent. */
  readonly caller: readonly AuthId[];
  readonly sentMs: number;
  /** The latest zxid that anybody had been shown when this was sent. */
  readonly floor: Zxid;
}

export type Frame =
  | {
      readonly kind: 'reply';
      readonly request: SentRequest;
      readonly zxid: Zxid;
      readonly error: number;
      /** What follows the header. */
      readonly bytes: Uint8Array;
      readonly atMs: number;
    }
  | {
      readonly kind: 'event';
      readonly zxid: Zxid;
      readonly type: number;
      readonly path: string;
      /** Who the connection had proven to be, the latest change last (see `AuthPoint`). */
      readonly atMs: number;
    }
  | { readonly kind: 'ping'; readonly zxid: Zxid; readonly atMs: number };

/** A connection, from its opening to its end. */
export interface Story {
  readonly id: number;
  readonly client: string;
  readonly address: string;
  readonly openedMs: number;
  readonly floor: Zxid;
  readonly asked: {
    readonly sessionId: bigint;
    readonly isPasswordRight: boolean;
    readonly timeoutMs: number;
  };
  answer:
    | {
        readonly kind: 'session';
        readonly sessionId: bigint;
        readonly timeoutMs: number;
        readonly atMs: number;
      }
    | { readonly kind: 'expired'; readonly atMs: number }
    | null;
  /** The server said that it has no quorum: it may show what is old, or was never committed. */
  isReadOnly: boolean;
  readonly frames: Frame[];
  /** The answers that are still owed, oldest first. */
  readonly unanswered: SentRequest[];
}

/**
 * A balancer brought the session to a server that could not tell what its watches had missed, and set
 * them there as the client would (lapse-check.ts).
 */
export interface Lapse {
  /** So many frames had left for the client before. */
  readonly from: number;
  readonly asked: SetWatches;
  /** So many events without a zxid came of it. */
  told: number;
  /** What the server showed when all was set; null: it was lost before. */
  until: Zxid | null;
}

/** A broken promise: which, and how it showed. */
export interface Violation {
  /** As reliability.md names it. */
  readonly invariant: string;
  readonly message: string;
  readonly atMs: number;
}

export class History {
  readonly stories: Story[] = [];
  /** By the connection's number. */
  readonly lapses = new Map<number, Lapse[]>();
  readonly #bytes = new Blocks();
  /** By session and xid. */
  readonly #requests = new Map<bigint, Map<number, SentRequest>>();
  /** The latest zxid that anybody has been shown. */
  floor: Zxid = 0n;
  replyCount = 0;
  /** Frames of servers without a quorum. */
  readOnlyCount = 0;
  eventCount = 0;

  open(story: Story): void {
    this.stories.push(story);
  }

  lapsed(connection: number, lapse: Lapse): void {
    const known = this.lapses.get(connection);
    if (known === undefined) this.lapses.set(connection, [lapse]);
    else known.push(lapse);
  }

  sent(request: SentRequest): void {
    const known = this.#requests.get(request.session);
    const ofSession = known ?? new Map<number, SentRequest>();
    if (known === undefined) this.#requests.set(request.session, ofSession);
    ofSession.set(request.xid, request);
  }

  received(story: Story, frame: Frame): void {
    story.frames.push(frame);
    // what a server without a quorum shows need not be part of the history
    if (story.isReadOnly) this.readOnlyCount++;
    else if (frame.zxid > this.floor) this.floor = frame.zxid;
    if (frame.kind === 'reply') this.replyCount++;
    else if (frame.kind === 'event') this.eventCount++;
  }

  /** A copy, for a frame. */
  keep(bytes: Uint8Array, start: number, end: number): Uint8Array {
    return this.#bytes.view(bytes, start, end);
  }

  requestOf(session: bigint, xid: number): SentRequest | undefined {
    return this.#requests.get(session)?.get(xid);
  }
}
