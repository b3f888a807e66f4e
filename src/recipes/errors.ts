/**
 * How recipes fail beyond what the client's own calls can tell: a wait that was too long, and a thing
 * that is not held (any more). Both are told apart by class; the message is for people.
 */

/** `timeoutMs` went by. Nothing of the attempt stays behind: its znodes are being removed. */
export class WaitTimeoutError extends Error {
  override readonly name = 'WaitTimeoutError';
  readonly timeoutMs: number;

  constructor(what: string, timeoutMs: number) {
    super(`${what}: not within ${timeoutMs} ms`);
    this.timeoutMs = timeoutMs;
  }
}

/** Why a thing is not held any more. */
export type LossReason = 'suspended' | 'session' | 'deleted' | 'released' | 'closed' | 'expired';

const sentences: Readonly<Record<LossReason, string>> = {
  suspended: 'the connection is gone, and the session may be over',
  session: 'the session is over',
  deleted: 'its znode was deleted by somebody else',
  released: 'it was released',
  closed: 'the client was closed',
  expired: 'its time is over',
};

/** The thing is not held (any more); the reason of a held thing's `signal`. */
export class NotHeldError extends Error {
  override readonly name = 'NotHeldError';
  readonly path: string;
  readonly reason: LossReason;

  constructor(path: string, reason: LossReason, options?: ErrorOptions) {
    super(`${path} is not held: ${sentences[reason]}`, options);
    this.path = path;
    this.reason = reason;
  }
}

/** What is in a znode is not what the recipe writes there. */
export class LayoutError extends Error {
  override readonly name = 'LayoutError';
  readonly path: string;

  constructor(path: string, message: string) {
    super(`${path}: ${message}`);
    this.path = path;
  }
}
