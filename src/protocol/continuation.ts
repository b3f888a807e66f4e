/**
 * Zabra's own part of the client protocol: what it takes to go on with a session at another server
 * without its client noticing. It is negotiated in trailing bytes of the handshake, where Apache's
 * servers and clients read their own fields and leave the rest alone, and nothing of it is ever sent
 * to a server that has not granted it.
 *
 * Behind ConnectRequest:   int magic  int length  int capabilities  long generation
 * Behind ConnectResponse:  int magic  int length  int capabilities  int status  long generation  long zxid
 *
 * A reader takes the fields that it knows and ignores what follows them, so the blocks may grow.
 *
 * *Generation*: which of a session's clients speaks. A client that comes by itself gets a new one,
 * greater than all before; whoever goes on for that client shows it again, and is refused once a
 * greater one has come (`superseded`): who is late cannot take a session from who came after it.
 *
 * *Zxid*: every write of the session's earlier clients has this one or a lower one, every write of this
 * client a greater one. So within one generation a request's number is enough to find its transaction:
 * whoever asks for fates asks since the zxid of the attach that got the generation, or a later one.
 */
import { MalformedError, type Reader } from './reader.js';
import type { Writer } from './writer.js';

/** The registry: a capability is a bit, given once and never again for something else. */
export const ContinuationCapability = {
  /** Answers `fate`; since 0.1. */
  fate: 1 << 0,
  /** Answers `catchUp`; since 0.1. */
  catchUp: 1 << 1,
  /** Asked for by whoever wants to know; granted: the session is the whole ensemble's, so it may move. */
  global: 1 << 2,
} as const;

/** Operations, far from Apache's numbers. */
export const ContinuationOp = {
  /**
   * What became of writes that nobody heard an answer to. To be asked behind a sync, on a connection
   * that took the session over: then what the server before has still to send is refused everywhere.
   */
  fate: 0x5a42_0001,
  /**
   * SetWatches2 that loses nothing: every event of these watches after the zxid is told, in order, with
   * its own zxid, before the reply; one-shot watches that fire are spent, all others are set. Refused
   * as a whole with `dataInconsistency` when the server does not know that far back.
   */
  catchUp: 0x5a42_0002,
} as const;

export const AttachStatus = {
  ok: 0,
  /** There is no session in this response because a later client has it. */
  superseded: 1,
} as const;

export interface AttachRequest {
  readonly capabilities: number;
  /** 0n: a client that comes by itself. */
  readonly generation: bigint;
}

export interface AttachResponse {
  readonly capabilities: number;
  readonly status: number;
  readonly generation: bigint;
  readonly zxid: bigint;
}

export const Fate = {
  /** It has not been executed and never will be. */
  never: 0,
  executed: 1,
  /** It lies beyond what the server remembers. */
  unknown: 2,
} as const;

export type WriteFate =
  | { readonly cxid: number; readonly fate: typeof Fate.never | typeof Fate.unknown }
  | {
      readonly cxid: number;
      readonly fate: typeof Fate.executed;
      readonly zxid: bigint;
      /** The reply's: `error`, and `body`, what followed its header. */
      readonly error: number;
      readonly body: Uint8Array;
    };

const MAGIC = 0x5a425253;
const HEAD_BYTES = 8;
const REQUEST_BYTES = 12;
const RESPONSE_BYTES = 24;
const FATE_BYTES_MIN = 8;

export function writeAttachRequest(out: Writer, request: AttachRequest): void {
  out.writeInt(MAGIC);
  out.writeInt(REQUEST_BYTES);
  out.writeInt(request.capabilities);
  out.writeLong(request.generation);
}

/** From where the reader stands, behind `readOnly`; null: what is there, or is not, is none. */
export function readAttachRequest(reader: Reader): AttachRequest | null {
  if (!hasBlock(reader, REQUEST_BYTES)) return null;
  return { capabilities: reader.readInt(), generation: reader.readLong() };
}

export function writeAttachResponse(out: Writer, response: AttachResponse): void {
  out.writeInt(MAGIC);
  out.writeInt(RESPONSE_BYTES);
  out.writeInt(response.capabilities);
  out.writeInt(response.status);
  out.writeLong(response.generation);
  out.writeLong(response.zxid);
}

/** From where the reader stands, behind `readOnly`; null: what is there, or is not, is none. */
export function readAttachResponse(reader: Reader): AttachResponse | null {
  if (!hasBlock(reader, RESPONSE_BYTES)) return null;
  return {
    capabilities: reader.readInt(),
    status: reader.readInt(),
    generation: reader.readLong(),
    zxid: reader.readLong(),
  };
}

function hasBlock(reader: Reader, bytes: number): boolean {
  if (reader.remaining < HEAD_BYTES || reader.readInt() !== MAGIC) return false;
  const length = reader.readInt();
  return length >= bytes && length <= reader.remaining;
}

/** Body of `fate`. `since`: the zxid of the attach. */
export function writeFateRequest(out: Writer, since: bigint, cxids: readonly number[]): void {
  out.writeLong(since);
  out.writeInt(cxids.length);
  for (const cxid of cxids) out.writeInt(cxid);
}

export function readFateRequest(reader: Reader): { since: bigint; cxids: number[] } {
  const since = reader.readLong();
  const count = reader.readCount(4);
  const cxids: number[] = [];
  for (let i = 0; i < count; i++) cxids.push(reader.readInt());
  return { since, cxids };
}

/** Body of its reply, in the order of the question. */
export function writeFates(out: Writer, fates: readonly WriteFate[]): void {
  out.writeInt(fates.length);
  for (const one of fates) {
    out.writeInt(one.cxid);
    out.writeInt(one.fate);
    if (one.fate !== Fate.executed) continue;
    out.writeLong(one.zxid);
    out.writeInt(one.error);
    out.writeBuffer(one.body);
  }
}

export function readFates(reader: Reader): WriteFate[] {
  const count = reader.readCount(FATE_BYTES_MIN);
  const fates: WriteFate[] = [];
  for (let i = 0; i < count; i++) {
    const cxid = reader.readInt();
    const fate = reader.readInt();
    switch (fate) {
      case Fate.executed: {
        const zxid = reader.readLong();
        const error = reader.readInt();
        const body = reader.readBuffer() ?? new Uint8Array(0);
        fates.push({ cxid, fate, zxid, error, body });
        break;
      }
      case Fate.never:
      case Fate.unknown:
        fates.push({ cxid, fate });
        break;
      default:
        throw new MalformedError(`no fate ${fate}`);
    }
  }
  return fates;
}

/** The five lists of SetWatches2, in its order. */
export interface WatchLists {
  readonly data: readonly string[];
  readonly exist: readonly string[];
  readonly child: readonly string[];
  readonly persistent: readonly string[];
  readonly recursive: readonly string[];
}

/**
 * Body of `catchUp`. `hasMore`: another one of these follows, and all of them count as one; so lists of
 * any length fit requests of bounded length, and what they missed is still told in order.
 */
export function writeCatchUp(
  out: Writer,
  since: bigint,
  lists: WatchLists,
  hasMore: boolean,
): void {
  out.writeBool(hasMore);
  out.writeLong(since);
  const { data, exist, child, persistent, recursive } = lists;
  for (const list of [data, exist, child, persistent, recursive]) {
    out.writeInt(list.length);
    for (const path of list) out.writeString(path);
  }
}

export function readCatchUp(reader: Reader): {
  hasMore: boolean;
  since: bigint;
  lists: WatchLists;
} {
  const hasMore = reader.readBool();
  const since = reader.readLong();
  const list = (): string[] => {
    const count = reader.readCount(4);
    const paths: string[] = [];
    for (let i = 0; i < count; i++) {
      const path = reader.readString();
      if (path === null) throw new MalformedError('a watch without a path');
      paths.push(path);
    }
    return paths;
  };
  const data = list();
  const exist = list();
  const child = list();
  const persistent = list();
  const recursive = list();
  return { hasMore, since, lists: { data, exist, child, persistent, recursive } };
}
