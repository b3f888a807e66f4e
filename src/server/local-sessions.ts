/**
 * Sessions that this server keeps to itself: no transaction makes or ends them, no other server knows
 * them, and they are gone when this server's role is. What they save is a round through the quorum for
 * each client that comes and goes; what they cannot do is own an ephemeral, so one that wants to is
 * made a session of the ensemble first, where that is allowed. A read-only server has no others.
 */
import { isEphemeral } from '../protocol/create-mode.js';
import { OpCode } from '../protocol/opcodes.js';
import { MalformedError, Reader } from '../protocol/reader.js';
import { CreateRequest, MultiRequest } from '../protocol/records.js';
import type { Session } from '../session/session.js';
import type { SessionTracker } from '../session/tracker.js';

export interface LocalSessionEvents {
  onSessionCreated(session: Session): void;
  onSessionClosed(sessionId: bigint): void;
}

export class LocalSessions {
  readonly tracker: SessionTracker;
  readonly canUpgrade: boolean;
  readonly #events: LocalSessionEvents;

  constructor(tracker: SessionTracker, canUpgrade: boolean, events: LocalSessionEvents) {
    this.tracker = tracker;
    this.canUpgrade = canUpgrade;
    this.#events = events;
  }

  create(timeoutMs: number, nowMs: number): Session {
    const session = this.tracker.create(timeoutMs, nowMs);
    session.locality = 'here';
    this.#events.onSessionCreated(session);
    return session;
  }

  /** The session, while its client may go on with it. */
  resume(id: bigint, nowMs: number): Session | null {
    const session = this.tracker.get(id);
    return session !== undefined && this.tracker.touch(session, nowMs) ? session : null;
  }

  /** By its client, by expiry or by the operator. */
  end(session: Session): void {
    if (this.tracker.get(session.id) !== session) return;
    this.tracker.remove(session.id);
    this.#events.onSessionClosed(session.id);
  }
}

/** Whether bytes[start, end), the body of a write, ask for an ephemeral. */
export function asksForEphemeral(
  op: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): boolean {
  if (op !== OpCode.create && op !== OpCode.create2 && op !== OpCode.multi) return false;
  const reader = new Reader().reset(bytes, start, end);
  try {
    if (op !== OpCode.multi) return isEphemeral(CreateRequest.read(reader).flags);
    return MultiRequest.read(reader).ops.some(
      (part) =>
        (part.type === OpCode.create || part.type === OpCode.create2) &&
        isEphemeral(part.request.flags),
    );
  } catch (problem) {
    // whoever prepares it finds the same, and tells the client
    if (problem instanceof MalformedError) return false;
    throw problem;
  }
}
