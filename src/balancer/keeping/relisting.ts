/**
 * Makes good what lasting watches missed at a server that cannot tell (Apache's): there the znodes that
 * the client knew of (picture.ts) are asked for again, with all that have come below recursive watches,
 * and what is different is told as the events that it must have been (missed-events.ts).
 *
 * The watches are set first, so from then on the server tells by itself; what it tells while the znodes
 * are being asked for is held back. Nothing leaves before everything is known: when this server is lost
 * too, the client has heard nothing, and the next one is asked the same.
 */
import { ErrorCode, errorName } from '../../protocol/errors.js';
import { KeeperState } from '../../protocol/events.js';
import { OpCode } from '../../protocol/opcodes.js';
import { join } from '../../protocol/paths.js';
import { MalformedError, type Reader } from '../../protocol/reader.js';
import { Stat } from '../../protocol/records.js';
import { decodeUtf8 } from '../../protocol/utf8.js';
import { SpecialXid } from '../../protocol/xid.js';
import { Writer } from '../../protocol/writer.js';
import { beginFrame, endFrame } from './connect-frames.js';
import { eventKey, type Delivered } from './delivered.js';
import {
  isThere,
  missedEvents,
  type LiveEvent,
  type MissedEvent,
  type Seen,
  type TwoLooks,
} from './missed-events.js';
import { OwnXid } from './own-xid.js';
import type { Picture } from './picture.js';
import { int32At } from './request-facts.js';

const ASKED_AT_ONCE = 256;
const STRING_BYTES_MIN = 4;
/** Of an event's frame. */
const ZXID_AT = 8;
const TYPE_AT = 20;
const PATH_AT = 32;

/** The session whose watches these are. */
export interface Relisted {
  readonly delivered: Delivered;
  /** bytes[start, end): an event with its length, lent until the outlet is flushed. */
  deliverEvent(bytes: Uint8Array, start: number, end: number): void;
}

export type RelistingFault =
  | { readonly lost: string }
  /** Nobody could do better. */
  | { readonly obstacle: string };

export class Relisting {
  readonly #session: Relisted;
  readonly #picture: Picture;
  readonly #toAsk: string[];
  /** All that were asked for, and are to be. */
  readonly #known: Set<string>;
  readonly #asked: string[] = [];
  #askedFrom = 0;
  readonly #seen = new Map<string, Seen>();
  readonly #live = new Map<string, LiveEvent>();
  /** Frames of events: those that setting one-shot watches gave rise to, and those since then. */
  readonly #undated: Uint8Array[] = [];
  readonly #later: Uint8Array[] = [];
  /** When the watches had been set; null: they have not. */
  #until: bigint | null = null;

  constructor(session: Relisted, picture: Picture) {
    this.#session = session;
    this.#picture = picture;
    this.#known = new Set([...picture.roots(), ...picture.paths()]);
    this.#toAsk = [...this.#known];
  }

  get hasBegun(): boolean {
    return this.#until !== null;
  }

  /** So few questions are under way that more of them should be. */
  get wantsToAsk(): boolean {
    return this.#toAsk.length > 0 && this.#asked.length - this.#askedFrom < ASKED_AT_ONCE / 2;
  }

  get isDone(): boolean {
    return (
      this.#until !== null && this.#toAsk.length === 0 && this.#askedFrom === this.#asked.length
    );
  }

  /** The server watches, and has told everything up to this zxid that it has to tell. */
  begin(zxid: bigint): void {
    this.#until = zxid;
  }

  /** Writes the questions whose turn it is. */
  ask(out: Writer): void {
    while (this.#asked.length - this.#askedFrom < ASKED_AT_ONCE) {
      const path = this.#toAsk.pop();
      if (path === undefined) return;
      this.#asked.push(path);
      writeSurvey(out, OpCode.getChildren2, path);
    }
  }

  /** The answer to the oldest question; null: go on. */
  onAnswer(error: number, reader: Reader): RelistingFault | null {
    const path = this.#asked[this.#askedFrom];
    if (path === undefined) return { lost: 'an answer to a listing that nobody asked for' };
    this.#askedFrom++;
    if (error === ErrorCode.noNode) this.#seen.set(path, 'gone');
    else if (error === ErrorCode.noAuth) this.#seen.set(path, 'hidden');
    else if (error !== ErrorCode.ok) {
      return { lost: `a listing was refused with ${errorName(error)}` };
    } else {
      try {
        this.#onChildren(path, reader);
      } catch (problem) {
        if (!(problem instanceof MalformedError)) throw problem;
        return { lost: 'a listing that cannot be read' };
      }
    }
    if (this.#known.size <= this.#limit) return null;
    return { obstacle: 'its persistent watches are about too many znodes' };
  }

  /** Those that went and those that came are asked for alike. */
  get #limit(): number {
    return 2 * this.#picture.nodesMax;
  }

  #onChildren(path: string, reader: Reader): void {
    const isRecursive = this.#picture.isBelowRecursive(path);
    const count = reader.readCount(STRING_BYTES_MIN);
    for (let i = 0; i < count; i++) {
      const name = reader.readString() ?? '';
      if (!isRecursive) continue;
      const child = join(path, name);
      if (this.#known.has(child)) continue;
      this.#known.add(child);
      this.#toAsk.push(child);
    }
    const { czxid, mzxid, pzxid, version, numChildren } = Stat.read(reader);
    this.#seen.set(path, { czxid, mzxid, pzxid, version, numChildren });
  }

  /** bytes[start, end): an event with its length and a path, lent for the call. */
  onEvent(bytes: Uint8Array, start: number, end: number): void {
    const frame = bytes.slice(start, end);
    const zxid = zxidOf(frame);
    if (zxid < 0n && this.#until === null) {
      this.#undated.push(frame);
      return;
    }
    this.#later.push(frame);
    if (zxid < 0n) this.#picture.spoil();
    const path = pathOf(frame);
    if (this.#live.has(path) || !this.#picture.covers(path)) return;
    this.#live.set(path, { type: int32At(frame, TYPE_AT), zxid });
  }

  /** Tells the client everything. */
  deliver(): void {
    const session = this.#session;
    const { delivered } = session;
    const until = this.#until ?? 0n;
    const looks = this.#looksAt(until);
    const missed = missedEvents(looks);
    const told = new Set<string>();
    for (const frame of this.#undated) {
      told.add(eventKey(int32At(frame, TYPE_AT), pathOf(frame)));
      session.deliverEvent(frame, 0, frame.length);
    }
    this.#tell(missed.filter(({ type, path }) => !told.has(eventKey(type, path))));
    this.#correct(looks);
    delivered.onReply(Number(until >> 32n), Number(until & 0xffff_ffffn));
    for (const frame of this.#later) session.deliverEvent(frame, 0, frame.length);
  }

  #looksAt(until: bigint): TwoLooks {
    const { delivered } = this.#session;
    const skipped = delivered.toSkip();
    const { high, low } = delivered;
    const newest = delivered.zxid;
    return {
      base: delivered.base,
      until,
      wasThere: (path) => this.#picture.has(path),
      seen: this.#seen,
      live: this.#live,
      hearsChildren: (path) => this.#picture.hearsChildren(path),
      takeTold: (zxid, key) => zxid === newest && skipped?.takes(high, low, key) === true,
    };
  }

  #tell(events: readonly MissedEvent[]): void {
    if (events.length === 0) return;
    const out = new Writer();
    for (const { type, path, zxid } of events) {
      const start = beginFrame(out);
      out.writeInt(SpecialXid.notification);
      out.writeLong(zxid);
      out.writeInt(ErrorCode.ok);
      out.writeInt(type);
      out.writeInt(KeeperState.syncConnected);
      out.writeString(path);
      endFrame(out, start);
    }
    for (let start = 0; start < out.pos;) {
      const end = start + 4 + int32At(out.bytes, start);
      this.#session.deliverEvent(out.bytes, start, end);
      start = end;
    }
  }

  /** Znodes that have become hidden, or have been until now, without an event. */
  #correct(looks: TwoLooks): void {
    for (const path of this.#seen.keys()) {
      if (isThere(looks, path)) this.#picture.add(path);
      else this.#picture.remove(path);
    }
  }
}

/** One question about a znode's children. */
export function writeSurvey(out: Writer, op: number, path: string): void {
  const start = beginFrame(out);
  out.writeInt(OwnXid.survey);
  out.writeInt(op);
  out.writeString(path);
  out.writeBool(false);
  endFrame(out, start);
}

function zxidOf(frame: Uint8Array): bigint {
  return (BigInt(int32At(frame, ZXID_AT)) << 32n) | BigInt(int32At(frame, ZXID_AT + 4) >>> 0);
}

function pathOf(frame: Uint8Array): string {
  return decodeUtf8(frame, PATH_AT, frame.length);
}
