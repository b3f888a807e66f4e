/**
 * Streams of frames for one connection: perhaps every operation cut off at every byte, then requests
 * by the grammar, some as they are and many damaged in one way or another.
 */
import { ConnectRequest, OpCode, Writer } from 'zabra/protocol';
import { SeededRandom } from '../conformance/differential/random.js';
import { framed } from '../support/raw-client.js';
import { dutyOf, endsConnection } from './expectation.js';
import { Grammar, requestOps, frameBytesMax } from './grammar.js';

const SPLICE_POOL = 64;
/** Asked for more often than their share, or there would be little to read, change and delete. */
const growingOps: readonly number[] = [
  OpCode.create,
  OpCode.create2,
  OpCode.createContainer,
  OpCode.createTTL,
  OpCode.multi,
];

export type Pacing = 'whole' | 'pieces' | 'bytes';

export interface Batch {
  /** One frame each, with its length; the last may be cut off. */
  readonly frames: readonly Uint8Array[];
  readonly pacing: Pacing;
}

export class Generator {
  readonly #random: SeededRandom;
  readonly #grammar: Grammar;
  readonly #systematic: Iterator<Uint8Array>;
  readonly #recent: Uint8Array[] = [];
  #xid = 1;

  /** `cutsFirst`: begins with every operation cut off at every byte. */
  constructor(seed: number, cutsFirst: boolean) {
    this.#random = new SeededRandom(seed);
    this.#grammar = new Grammar(this.#random);
    this.#systematic = cutsFirst ? this.#cuts() : [][Symbol.iterator]();
  }

  get random(): SeededRandom {
    return this.#random;
  }

  batch(framesMax: number): Batch {
    const random = this.#random;
    const pacing: Pacing = random.chance(0.02) ? 'bytes' : random.chance(0.1) ? 'pieces' : 'whole';
    const size = pacing === 'bytes' ? 3 : 1 + random.below(framesMax);
    const frames: Uint8Array[] = [];
    // now and then a batch goes on behind the frame that ends its connection
    const goesOn = random.chance(0.01);
    while (frames.length < size) {
      const payload = this.#payload();
      frames.push(this.#lengthened(payload));
      if (!goesOn && this.#ends(frames[frames.length - 1] ?? payload)) break;
    }
    return { frames, pacing };
  }

  /** A first packet that asks for a session, more or less. */
  connectRequest(): Uint8Array {
    const payload = this.#grammar.record(ConnectRequest, 0.15);
    return framed(this.#random.chance(0.5) ? this.#damaged(payload) : payload);
  }

  #ends(frame: Uint8Array): boolean {
    const length = new DataView(frame.buffer, frame.byteOffset).getInt32(0);
    if (length < 0 || length > frameBytesMax) return true;
    // a wrong length swallows what follows: let the next frames have their turn
    return length === frame.length - 4 && endsConnection(dutyOf(frame.subarray(4)));
  }

  #payload(): Uint8Array {
    const next = this.#systematic.next();
    if (next.done !== true) return next.value;
    const random = this.#random;
    const op = random.chance(0.004) ? this.#strangeOp() : this.#op();
    const oddness = random.pick([0, 0, 0.05, 0.2]);
    const payload = this.#grammar.request(this.#nextXid(), op, oddness);
    this.#recent[random.below(SPLICE_POOL)] = payload;
    const result = random.chance(0.3) ? this.#damaged(payload) : payload;
    return unambiguous(result);
  }

  #op(): number {
    const random = this.#random;
    const op = random.pick(random.chance(0.25) ? growingOps : requestOps);
    // few sessions end by themselves, or the deep states would never be reached
    const isRare = op === OpCode.closeSession || op === OpCode.auth;
    return isRare && !random.chance(0.05) ? OpCode.create : op;
  }

  #strangeOp(): number {
    return this.#random.pick([0, -1, -10, 10, 13, 20, 23, 77, 108, 0x7fffffff, -0x80000000]);
  }

  #nextXid(): number {
    this.#xid = this.#xid >= 0x7ffffff0 ? 1 : this.#xid + 1;
    return this.#xid;
  }

  #damaged(payload: Uint8Array): Uint8Array {
    const random = this.#random;
    switch (random.below(8)) {
      case 0:
        return payload.slice(0, this.#at(payload));
      case 1:
      case 2:
        return withMore(payload, random.below(24), random.below(256));
      case 3: {
        const other = this.#recent[random.below(SPLICE_POOL)] ?? payload;
        return spliced(payload, this.#at(payload), other, this.#at(other));
      }
      default: {
        const flipped = payload.slice();
        for (let i = 1 + random.below(3); i > 0 && flipped.length > 0; i--) {
          const at = Math.min(this.#at(flipped), flipped.length - 1);
          flipped[at] = (flipped[at] ?? 0) ^ (1 << random.below(8));
        }
        return flipped;
      }
    }
  }

  /** A place in the payload, seldom in its header: those close connections, which is slow. */
  #at(payload: Uint8Array): number {
    const from = this.#random.chance(0.04) ? 0 : Math.min(8, payload.length);
    return from + this.#random.below(payload.length - from + 1);
  }

  /** Behind its length, or seldom behind another. */
  #lengthened(payload: Uint8Array): Uint8Array {
    const frame = framed(payload);
    const random = this.#random;
    if (!random.chance(0.002)) return frame;
    const length = random.pick([
      -0x80000000,
      -1,
      0,
      1,
      7,
      payload.length - 1,
      payload.length + 1,
      payload.length + 40,
      frameBytesMax,
      frameBytesMax + 1,
      0x7fffffff,
    ]);
    new DataView(frame.buffer, frame.byteOffset).setInt32(0, length);
    return frame;
  }

  *#cuts(): Frames {
    for (const op of requestOps) {
      const whole = this.#grammar.request(this.#nextXid(), op, 0);
      for (let length = 8; length <= whole.length; length++) {
        const cut = whole.slice(0, length);
        new DataView(cut.buffer).setInt32(0, this.#nextXid());
        yield cut;
      }
      for (let length = 0; length < 8; length++) yield whole.slice(0, length);
    }
  }
}

type Frames = globalThis.Generator<Uint8Array, void, undefined>;

/** An answer to xid -1 could not be told from a watch event. */
function unambiguous(payload: Uint8Array): Uint8Array {
  if (payload.length < 4) return payload;
  const view = new DataView(payload.buffer, payload.byteOffset);
  if (view.getInt32(0) === -1) view.setInt32(0, 7);
  return payload;
}

function withMore(payload: Uint8Array, count: number, byte: number): Uint8Array {
  const out = new Writer();
  out.writeBytes(payload, 0, payload.length);
  const more = new Uint8Array(count).fill(byte);
  out.writeBytes(more, 0, more.length);
  return out.take();
}

function spliced(a: Uint8Array, aEnd: number, b: Uint8Array, bStart: number): Uint8Array {
  const out = new Writer();
  out.writeBytes(a, 0, aEnd);
  out.writeBytes(b, bStart, b.length);
  return out.take();
}
