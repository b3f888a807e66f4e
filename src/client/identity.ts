/**
 * What a session is to a server: its id, the password that proves it, how far its client has seen, and
 * how its calls are numbered. The numbers go on from connection to connection, which helps whoever
 * reads a server's log.
 */
import type { ConnectResponse } from '../protocol/records.js';
import { FIRST_XID, nextXid } from '../protocol/xid.js';
import type { Introduction } from './greeting.js';
import type { SessionEvent } from './types.js';

/** Of a session that was left to be resumed. */
export interface LeftSession {
  readonly id: bigint;
  readonly password: Uint8Array;
  readonly lastZxid: bigint;
}

const NO_PASSWORD = new Uint8Array(16);

export class Identity {
  #id = 0n;
  #password: Uint8Array = NO_PASSWORD;
  #lastZxid = 0n;
  #xid = FIRST_XID;
  /** What the next session will be told to be, and in whose place. */
  #reason: SessionEvent['reason'] = 'first';
  #previousId: bigint | null = null;
  /** A server with a quorum knows the session: before, its id is one server's own. */
  #isRooted = false;

  /** 0n: there is none. */
  get id(): bigint {
    return this.#id;
  }

  get password(): Uint8Array {
    return this.#password;
  }

  get lastZxid(): bigint {
    return this.#lastZxid;
  }

  /** What a server is asked for: 0n for a session of its own. */
  get wantedId(): bigint {
    return this.#isRooted ? this.#id : 0n;
  }

  introduction(timeoutMs: number, readOnly: boolean): Introduction {
    const id = this.wantedId;
    const password = id === 0n ? NO_PASSWORD : this.#password;
    return { lastZxid: this.#lastZxid, timeoutMs, id, password, readOnly };
  }

  takeXid(): number {
    const xid = this.#xid;
    this.#xid = nextXid(xid);
    return xid;
  }

  note(zxid: bigint): void {
    if (zxid > this.#lastZxid) this.#lastZxid = zxid;
  }

  resume({ id, password, lastZxid }: LeftSession): void {
    this.#id = id;
    this.#password = password;
    this.#lastZxid = lastZxid;
    this.#reason = 'resumed';
    this.#isRooted = true;
  }

  /** A server has given it; returns what there is to tell, null when it is the one that was. */
  adopt({ sessionId, passwd, readOnly }: ConnectResponse): SessionEvent | null {
    const isNew = this.#id !== sessionId;
    const previousId = this.#id === 0n ? this.#previousId : this.#id;
    const reason = this.#reason;
    this.#reason = 'first';
    this.#id = sessionId;
    this.#password = passwd ?? NO_PASSWORD;
    if (readOnly !== true) this.#isRooted = true;
    if (!isNew && reason !== 'resumed') return null;
    return { id: sessionId, isNew, previousId: isNew ? previousId : null, reason };
  }

  /** The session is over; the next has seen nothing. */
  lose(reason: 'expired' | 'replaced'): void {
    this.#previousId = this.#id;
    this.#id = 0n;
    this.#password = NO_PASSWORD;
    this.#lastZxid = 0n;
    this.#reason = reason;
    this.#isRooted = false;
  }
}
