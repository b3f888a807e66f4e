/**
 * The first frame of each direction, as it is between the client and the balancer and as it is between
 * the balancer and a server. The extension's blocks are the balancer's own affair: what a client (or a
 * balancer behind this one) appends is not passed on, and what the server grants is not shown to it.
 */
import {
  readAttachResponse,
  writeAttachRequest,
  type AttachRequest,
  type AttachResponse,
} from '../../protocol/continuation.js';
import type { Reader } from '../../protocol/reader.js';
import type { Writer } from '../../protocol/writer.js';

/** What a client said. */
export interface Greeting {
  readonly protocolVersion: number;
  readonly lastZxidSeen: bigint;
  readonly timeoutMs: number;
  /** 0n: it wants a new session. */
  readonly sessionId: bigint;
  readonly password: Uint8Array | null;
  readonly canBeReadOnly: boolean;
  /** Clients from before 3.4 do not send that field, and must not get it back. */
  readonly knowsReadOnly: boolean;
}

/** What a server answered. */
export interface Welcome {
  readonly protocolVersion: number;
  /** 0: there is no such session. */
  readonly timeoutMs: number;
  readonly sessionId: bigint;
  readonly password: Uint8Array | null;
  readonly isReadOnly: boolean;
  /** Null: it does not speak the extension. */
  readonly attach: AttachResponse | null;
}

/** From behind the frame's length. Throws MalformedError. */
export function readGreeting(reader: Reader): Greeting {
  const protocolVersion = reader.readInt();
  const lastZxidSeen = reader.readLong();
  const timeoutMs = reader.readInt();
  const sessionId = reader.readLong();
  const password = reader.readBuffer();
  const knowsReadOnly = reader.remaining > 0;
  const canBeReadOnly = knowsReadOnly && reader.readBool();
  return {
    protocolVersion,
    lastZxidSeen,
    timeoutMs,
    sessionId,
    password,
    canBeReadOnly,
    knowsReadOnly,
  };
}

/** With its length. `attach` null: the server is not asked for the extension. */
export function writeGreeting(
  out: Writer,
  greeting: Omit<Greeting, 'knowsReadOnly'>,
  attach: AttachRequest | null,
): void {
  const start = beginFrame(out);
  out.writeInt(greeting.protocolVersion);
  out.writeLong(greeting.lastZxidSeen);
  out.writeInt(greeting.timeoutMs);
  out.writeLong(greeting.sessionId);
  out.writeBuffer(greeting.password);
  out.writeBool(greeting.canBeReadOnly);
  if (attach !== null) writeAttachRequest(out, attach);
  endFrame(out, start);
}

/** From behind the frame's length. Throws MalformedError. */
export function readWelcome(reader: Reader): Welcome {
  const protocolVersion = reader.readInt();
  const timeoutMs = reader.readInt();
  const sessionId = reader.readLong();
  const password = reader.readBuffer();
  const isReadOnly = reader.remaining > 0 && reader.readBool();
  const attach = readAttachResponse(reader);
  return { protocolVersion, timeoutMs, sessionId, password, isReadOnly, attach };
}

/** As the client is to see it. With its length. */
export function writeWelcome(out: Writer, welcome: Welcome, knowsReadOnly: boolean): void {
  const start = beginFrame(out);
  out.writeInt(welcome.protocolVersion);
  out.writeInt(welcome.timeoutMs);
  out.writeLong(welcome.sessionId);
  out.writeBuffer(welcome.password);
  if (knowsReadOnly) out.writeBool(welcome.isReadOnly);
  endFrame(out, start);
}

/** Where the frame begins; `endFrame` writes its length there. */
export function beginFrame(out: Writer): number {
  const start = out.pos;
  out.writeInt(0);
  return start;
}

export function endFrame(out: Writer, start: number): void {
  out.patchInt(start, out.pos - start - 4);
}
