/**
 * What a server owes for given bytes: reliability's table of replies to bad input, told from the
 * bytes that leave us and from the comfortable codec, which is other code than the one that the
 * server's hot paths read with.
 */
import {
  ErrorCode,
  MalformedError,
  OpCode,
  Reader,
  readWhole,
  requestCodecOf,
  responseCodecOf,
} from 'zabra/protocol';
import { frameBytesMax } from './grammar.js';

export type Duty =
  /** A reply with this xid; `malformed`: it must say MARSHALLINGERROR. */
  | {
      readonly kind: 'reply';
      readonly xid: number;
      readonly op: number;
      readonly malformed: boolean;
    }
  /** Answered at once, also ahead of earlier requests. */
  | { readonly kind: 'auth'; readonly xid: number }
  /** AUTHFAILED at once, then the end. */
  | { readonly kind: 'authFailed'; readonly xid: number }
  /** UNIMPLEMENTED in its turn, then the end. */
  | { readonly kind: 'refuse'; readonly xid: number }
  /** A reply, then the end. */
  | { readonly kind: 'closeSession'; readonly xid: number }
  /** The end, without a word. */
  | { readonly kind: 'close' };

export interface Expectation {
  /** Up to the one that ends the connection, if one does. */
  readonly duties: readonly Duty[];
  /** Behind that one: authentication acts at once, so it may overtake the end that awaits its turn. */
  readonly overtaking: readonly Duty[];
  readonly ends: boolean;
  /** Where the stream's last looked-at byte is, when the connection ends before the stream does. */
  readonly consumed: number;
  /** Bytes that would complete the unfinished frame at the end. */
  readonly missing: number;
}

const EVENT_XID = -1;
const PING_XID = -2;

/** Walks the stream as the server will. */
export function expectationOf(stream: Uint8Array): Expectation {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  const duties: Duty[] = [];
  const overtaking: Duty[] = [];
  let at = 0;
  while (stream.length - at >= 4) {
    const length = view.getInt32(at);
    if (length < 0 || length > frameBytesMax) {
      duties.push({ kind: 'close' });
      return { duties, overtaking, ends: true, consumed: at + 4, missing: 0 };
    }
    const missing = length - (stream.length - at - 4);
    if (missing > 0) return { duties, overtaking, ends: false, consumed: stream.length, missing };
    const duty = dutyOf(stream.subarray(at + 4, at + 4 + length));
    at += 4 + length;
    duties.push(duty);
    if (!endsConnection(duty)) continue;
    if (duty.kind !== 'close') overtaking.push(...authBehind(stream, at));
    return { duties, overtaking, ends: true, consumed: at, missing: 0 };
  }
  const rest = stream.length - at;
  const missing = rest === 0 ? 0 : 4 - rest;
  return { duties, overtaking, ends: false, consumed: stream.length, missing };
}

function authBehind(stream: Uint8Array, start: number): Duty[] {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  const found: Duty[] = [];
  for (let at = start; stream.length - at >= 4;) {
    const length = view.getInt32(at);
    if (length < 0 || length > stream.length - at - 4) break;
    const duty = dutyOf(stream.subarray(at + 4, at + 4 + length));
    if (duty.kind === 'auth' || duty.kind === 'authFailed') found.push(duty);
    at += 4 + length;
  }
  return found;
}

export function endsConnection(duty: Duty): boolean {
  return duty.kind !== 'reply' && duty.kind !== 'auth';
}

export function dutyOf(payload: Uint8Array): Duty {
  if (payload.length < 8) return { kind: 'close' };
  const reader = new Reader(payload);
  const xid = reader.readInt();
  const op = reader.readInt();
  if (op === OpCode.auth) return authDuty(xid, reader);
  if (op === OpCode.closeSession) return { kind: 'closeSession', xid };
  if (op === OpCode.ping) return { kind: 'reply', xid: PING_XID, op, malformed: false };
  const codec = requestCodecOf(op);
  if (codec === undefined || op === OpCode.check || op === OpCode.deleteContainer) {
    return { kind: 'refuse', xid };
  }
  return { kind: 'reply', xid, op, malformed: !isReadable(() => codec.read(reader)) };
}

function authDuty(xid: number, reader: Reader): Duty {
  const codec = requestCodecOf(OpCode.auth);
  let packet: ReturnType<typeof codec.read> | null = null;
  if (!isReadable(() => (packet = codec.read(reader)))) return { kind: 'close' };
  const { scheme, auth } = packet as unknown as ReturnType<typeof codec.read>;
  const passes = scheme === 'ip' || (scheme === 'digest' && auth !== null);
  return { kind: passes ? 'auth' : 'authFailed', xid };
}

function isReadable(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (problem) {
    if (problem instanceof MalformedError) return false;
    throw problem;
  }
}

const known = new Set<number>(Object.values(ErrorCode));
/** What the server may never say to a request that it takes. */
const never = new Set<number>([ErrorCode.systemError, ErrorCode.unimplemented]);

/** Checks a stream of replies against the duties; a complaint in words, or null. */
export class ReplyCheck {
  #duties: Duty[] = [];
  #overtaking: readonly Duty[] = [];
  #zxid = -1n;
  readonly #tally: Map<number, number>;

  /** `tally`: how often each error code was the answer; shows how deep the requests reach. */
  constructor(tally = new Map<number, number>()) {
    this.#tally = tally;
  }

  expect(duties: readonly Duty[], overtaking: readonly Duty[] = []): void {
    this.#duties = [...this.#duties, ...duties];
    this.#overtaking = overtaking;
  }

  /** Everything that has a reply has it. */
  get isSatisfied(): boolean {
    return this.#duties.every((duty) => duty.kind === 'close');
  }

  get next(): Duty | undefined {
    return this.#duties[0];
  }

  onFrame(frame: Uint8Array): string | null {
    if (frame.length < 16) return `a reply of ${frame.length} bytes`;
    const reader = new Reader(frame);
    const xid = reader.readInt();
    const zxid = reader.readLong();
    const error = reader.readInt();
    if (xid === EVENT_XID) {
      return this.#reads(OpCode.notification, reader);
    }
    this.#tally.set(error, (this.#tally.get(error) ?? 0) + 1);
    const index = this.#dutyFor(xid);
    const duty = index === -1 ? undefined : this.#duties[index];
    if (duty === undefined) {
      const overtakes = this.#overtaking.some((late) => late.kind !== 'close' && late.xid === xid);
      if (overtakes && (error === 0 || error === ErrorCode.authFailed)) return null;
      return `a reply to xid ${xid} (error ${error}) where ${JSON.stringify(this.next)} is due`;
    }
    this.#duties.splice(index, 1);
    switch (duty.kind) {
      case 'auth':
        return error === 0 ? null : `auth answered ${error}`;
      case 'authFailed':
        return error === ErrorCode.authFailed ? null : `wrong auth answered ${error}`;
      case 'refuse':
        return error === ErrorCode.unimplemented ? null : `an unknown operation answered ${error}`;
      case 'close':
        return `a reply to xid ${xid} where the end is due`;
      case 'closeSession':
        return error === 0 ? null : `closeSession answered ${error}`;
      case 'reply':
        return this.#onReply(duty, zxid, error, reader);
    }
  }

  #dutyFor(xid: number): number {
    const first = this.#duties[0];
    if (first !== undefined && first.kind !== 'close' && first.xid === xid) return 0;
    return this.#duties.findIndex(
      (duty) => (duty.kind === 'auth' || duty.kind === 'authFailed') && duty.xid === xid,
    );
  }

  #onReply(
    duty: Duty & { kind: 'reply' },
    zxid: bigint,
    error: number,
    reader: Reader,
  ): string | null {
    // a step of a login is no request of the pipeline: Apache answers it with zxid 0, and so do we
    const isLogin = duty.op === OpCode.sasl && zxid === 0n;
    if (!isLogin && zxid < this.#zxid) return `zxid ${zxid} after ${this.#zxid}`;
    if (!isLogin) this.#zxid = zxid;
    if (duty.malformed) {
      if (error === ErrorCode.marshallingError) return null;
      return `a malformed operation ${duty.op} answered ${error}`;
    }
    if (!known.has(error) || never.has(error)) return `operation ${duty.op} answered ${error}`;
    return error === 0 ? this.#reads(duty.op, reader) : null;
  }

  #reads(op: number, reader: Reader): string | null {
    const codec = responseCodecOf(op);
    if (codec === undefined) return `an answer to operation ${op}`;
    try {
      readWhole(codec, reader);
      return null;
    } catch (problem) {
      return `the answer to operation ${op} cannot be read: ${String(problem)}`;
    }
  }
}
