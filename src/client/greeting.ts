/**
 * What is said to a server before any call: who we are, and what we watched. The order is the
 * protocol's: the session, credentials (permissions depend on them), watches (so that no change is
 * missed between), then the calls that wait. All of it behind the session leaves in one write.
 */
import { ErrorCode } from '../protocol/errors.js';
import { OpCode } from '../protocol/opcodes.js';
import { AuthPacket, ConnectRequest, SetWatches, SetWatches2 } from '../protocol/records.js';
import { SpecialXid } from '../protocol/xid.js';
import type { Connection } from './connection.js';
import { AuthFailedError } from './errors.js';
import type { KnownOps } from './known-ops.js';
import type { WatchBook } from './watches/watch-book.js';

export interface Credential {
  readonly scheme: string;
  readonly auth: Uint8Array;
  /** Told once: of the first answer, or that there will be none. */
  onAnswer: ((error: Error | null) => void) | null;
}

export interface Introduction {
  readonly lastZxid: bigint;
  readonly timeoutMs: number;
  readonly id: bigint;
  readonly password: Uint8Array;
  readonly readOnly: boolean;
}

export class Greeting {
  readonly #watches: WatchBook;
  readonly #known: KnownOps;
  /** What every server is shown. */
  #credentials: Credential[] = [];
  /** Shown on this connection and not answered, the oldest first. */
  #shown: Credential[] = [];
  /** The operations that set watches on this connection and were not answered. */
  #setting: number[] = [];

  constructor(watches: WatchBook, known: KnownOps) {
    this.#watches = watches;
    this.#known = known;
  }

  /** A server that closes the connection may have done so because of it. */
  get unansweredOpCode(): number | null {
    return this.#setting[0] ?? null;
  }

  begin(connection: Connection, introduction: Introduction): void {
    connection.sendPacket((writer) => {
      ConnectRequest.write(writer, {
        protocolVersion: 0,
        lastZxidSeen: introduction.lastZxid,
        timeOut: introduction.timeoutMs,
        sessionId: introduction.id,
        passwd: introduction.password,
        readOnly: introduction.readOnly,
      });
    });
  }

  /** The session is there: everything else that comes before calls. */
  complete(connection: Connection, lastZxid: bigint): void {
    this.#shown = [];
    this.#setting = [];
    for (const credential of this.#credentials) this.#show(credential, connection);
    if (this.#known.isMissing(OpCode.setWatches2)) this.#watches.dropPersistent();
    for (const packet of this.#watches.registrations(lastZxid)) {
      this.#setting.push(packet.op);
      connection.sendPacket((writer) => {
        writer.writeInt(SpecialXid.setWatches);
        writer.writeInt(packet.op);
        if (packet.op === OpCode.setWatches) SetWatches.write(writer, packet.request);
        else SetWatches2.write(writer, packet.request);
      });
    }
  }

  /** `connection` null: it is shown when there is one. */
  add(credential: Credential, connection: Connection | null): void {
    this.#credentials.push(credential);
    if (connection !== null) this.#show(credential, connection);
  }

  #show(credential: Credential, connection: Connection): void {
    this.#shown.push(credential);
    const { scheme, auth } = credential;
    connection.sendPacket((writer) => {
      writer.writeInt(SpecialXid.auth);
      writer.writeInt(OpCode.auth);
      AuthPacket.write(writer, { type: 0, scheme, auth });
    });
  }

  /** The scheme that was answered; what was refused is not shown any more. Null: none was shown. */
  onAuthAnswer(error: number): string | null {
    const credential = this.#shown.shift();
    if (credential === undefined) return null;
    if (error === ErrorCode.ok) {
      answer(credential, null);
    } else {
      this.#credentials = this.#credentials.filter((other) => other !== credential);
      answer(credential, new AuthFailedError(credential.scheme));
    }
    return credential.scheme;
  }

  onWatchesSet(error: number): void {
    const opCode = this.#setting.shift();
    if (opCode === undefined || error !== ErrorCode.unimplemented) return;
    this.#known.refuse(opCode);
    this.#watches.dropPersistent();
  }

  /** What was not answered there is shown again on the next connection. */
  onClosed(): void {
    this.#shown = [];
    this.#setting = [];
  }

  /** Nobody waits any more. */
  withdraw(credential: Credential): void {
    credential.onAnswer = null;
    this.#credentials = this.#credentials.filter((other) => other !== credential);
  }

  end(reason: Error): void {
    for (const credential of this.#credentials) answer(credential, reason);
    this.#credentials = [];
  }
}

function answer(credential: Credential, error: Error | null): void {
  credential.onAnswer?.(error);
  credential.onAnswer = null;
}
