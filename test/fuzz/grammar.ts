/**
 * Requests made up from the record tables themselves: every operation has its grammar in
 * `requestCodecOf`, so a new operation is fuzzed from the day it exists. Values are mostly plausible,
 * because only plausible requests reach the deep states; with the given oddness a field takes one of
 * the values at its boundary instead, and lengths and counts lie.
 */
import { OpCode, requestCodecOf, Writer, type Codec } from 'zabra/protocol';
import type { SeededRandom } from '../conformance/differential/random.js';

const INT_MAX = 0x7fffffff;
const INT_MIN = -0x80000000;
/** jute.maxbuffer of the servers under test. */
export const frameBytesMax = 0xfffff;

export const requestOps: readonly number[] = Object.values(OpCode).filter(
  (op) => requestCodecOf(op) !== undefined && op !== OpCode.deleteContainer && op !== OpCode.check,
);
const partOps: readonly number[] = [1, 15, 19, 21, 2, 5, 13];
const readPartOps: readonly number[] = [4, 8];

const plausiblePaths: readonly string[] = [
  '/fuzz',
  '/fuzz/a',
  '/fuzz/a/b',
  '/fuzz/a/b/c',
  '/fuzz/a/b/c/d',
  '/fuzz/e',
  '/fuzz/e/f',
  '/fuzz/container',
  '/fuzz/container/child',
  '/fuzz/ttl',
  '/fuzz/sequence-',
  '/fuzz/a/sequence-',
  '/fuzz/grüße-€-😀',
];
const oddPaths: readonly string[] = [
  '',
  '/',
  'x',
  '//',
  '/fuzz/',
  '/fuzz//a',
  '/fuzz/.',
  '/fuzz/../a',
  '/fuzz/\0',
  '/fuzz/\u0007',
  '/fuzz/\uf8ff',
  '/fuzz/\ufff0',
  '/fuzz/\ud800',
  '/witness',
  '/witness/value',
  '/zookeeper',
  '/zookeeper/config',
  '/zookeeper/quota',
  '/zookeeper/quota/fuzz',
  '/zookeeper/quota/fuzz/zookeeper_limits',
  '/zookeeper/quota/fuzz/zookeeper_stats',
  `/fuzz/${'long'.repeat(800)}`,
  '/deep'.repeat(300),
];
const oddTexts: readonly string[] = [
  '',
  'world',
  'anyone',
  'auth',
  'digest',
  'ip',
  'super',
  'sasl',
  'x509',
  '127.0.0.1',
  '127.0.0.1/8',
  '10.0.0.0/33',
  '::1/129',
  'user:AAAAAAAAAAAAAAAAAAAAAAAAAAA=',
  'user',
  ':',
  'server.1=localhost:1:2;3',
];

type Fields = Readonly<Record<string, Codec<unknown>>>;

export class Grammar {
  readonly #random: SeededRandom;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /** A frame without its length: header and body of this operation. */
  request(xid: number, op: number, oddness: number): Uint8Array {
    const out = new Writer();
    out.writeInt(xid);
    out.writeInt(op);
    const codec = requestCodecOf(op);
    if (op === OpCode.multi || op === OpCode.multiRead) this.#multi(out, op, oddness, 0);
    else if (codec !== undefined) this.#emit(out, codec, '', oddness);
    return out.take();
  }

  /** The first packet of a connection. */
  record(codec: Codec<unknown>, oddness: number): Uint8Array {
    const out = new Writer();
    this.#emit(out, codec, '', oddness);
    return out.take();
  }

  #emit(out: Writer, codec: Codec<unknown>, field: string, oddness: number): void {
    const odd = this.#random.chance(oddness);
    if ('fields' in codec) {
      for (const [name, inner] of Object.entries(codec.fields as Fields)) {
        this.#emit(out, inner, name, oddness);
      }
      return;
    }
    if ('item' in codec) {
      this.#vector(out, codec.item as Codec<unknown>, field, oddness, odd);
      return;
    }
    switch (codec.name) {
      case 'int':
        out.writeInt(odd ? this.#oddInt(4) : this.#int(field));
        return;
      case 'long':
        out.writeLong(odd ? this.#oddLong() : this.#long(field));
        return;
      case 'boolean':
      case 'trailing boolean':
        this.#bytes(out, [odd ? this.#random.pick([2, 255]) : this.#random.below(2)]);
        return;
      case 'buffer':
        this.#sized(out, this.#data(field), odd);
        return;
      case 'ustring':
        this.#sized(out, this.#text(field, odd), odd && this.#random.chance(0.5));
        return;
      default:
        throw new Error(`the fuzzer has no values for ${codec.name}`);
    }
  }

  #vector(out: Writer, item: Codec<unknown>, field: string, oddness: number, odd: boolean): void {
    const count = this.#random.pick([0, 1, 1, 1, 2, 3]);
    out.writeInt(odd ? this.#oddInt(count) : count);
    for (let i = 0; i < count; i++) this.#emit(out, item, field, oddness);
  }

  #multi(out: Writer, op: number, oddness: number, depth: number): void {
    const random = this.#random;
    const ops = op === OpCode.multi ? partOps : readPartOps;
    const count = random.below(5);
    for (let i = 0; i < count; i++) {
      const odd = random.chance(oddness);
      const type = odd
        ? random.pick([...readPartOps, ...partOps, 0, -1, 14, 22, 77])
        : random.pick(ops);
      out.writeInt(type);
      this.#bytes(out, [0]);
      out.writeInt(odd ? this.#oddInt(0) : -1);
      const codec = requestCodecOf(type);
      if (type === OpCode.multi || type === OpCode.multiRead) {
        if (depth < 3) this.#multi(out, op, oddness, depth + 1);
      } else if (codec !== undefined) this.#emit(out, codec, '', oddness);
    }
    if (random.chance(oddness / 4)) return;
    out.writeInt(-1);
    this.#bytes(out, [1]);
    out.writeInt(-1);
  }

  #int(field: string): number {
    const random = this.#random;
    switch (field) {
      case 'version':
        return random.pick([-1, -1, -1, 0, 1, 2]);
      case 'flags':
        return random.pick([0, 0, 0, 1, 2, 3, 4, 5, 6]);
      case 'perms':
        return random.chance(0.02) ? random.below(31) : 31;
      case 'timeOut':
        return random.pick([4000, 6000, 0]);
      default:
        return random.below(6);
    }
  }

  #long(field: string): bigint {
    if (field === 'ttl') return this.#random.pick([1000n, 60_000n, -1n]);
    return BigInt(this.#random.below(3));
  }

  #data(field: string): Uint8Array | null {
    const random = this.#random;
    if (field === 'auth') return encode(random.pick(['user:secret', 'user', 'other:word', '']));
    if (field === 'passwd') return new Uint8Array(16);
    if (random.chance(0.05)) return null;
    if (random.chance(0.1)) return encode(random.pick(['count=9,bytes=900', 'count=-1', '=']));
    const length = random.chance(0.002) ? random.below(40_000) : random.below(40);
    return new Uint8Array(length).fill(random.below(256));
  }

  #text(field: string, odd: boolean): Uint8Array | null {
    const random = this.#random;
    if (odd && random.chance(0.2)) return null;
    if (odd && random.chance(0.2)) {
      return Uint8Array.from([0x2f, 0xff, 0xfe, 0xc0, 0x80].slice(random.below(3)));
    }
    switch (field) {
      case 'scheme':
        return encode(odd ? random.pick(oddTexts) : random.pick(['world', 'world', 'digest']));
      case 'id':
        return encode(odd ? random.pick(oddTexts) : 'anyone');
      case 'joiningServers':
      case 'leavingServers':
      case 'newMembers':
        return odd ? encode(random.pick(oddTexts)) : null;
      default:
        return encode(odd ? random.pick(oddPaths) : random.pick(plausiblePaths));
    }
  }

  /** Content behind its length, or behind another number. */
  #sized(out: Writer, content: Uint8Array | null, lies: boolean): void {
    const length = content === null ? -1 : content.length;
    out.writeInt(lies ? this.#oddInt(length) : length);
    if (content !== null) out.writeBytes(content, 0, content.length);
  }

  #oddInt(length: number): number {
    return this.#random.pick([
      INT_MIN,
      -2,
      -1,
      0,
      1,
      length - 1,
      length,
      length + 1,
      frameBytesMax,
      frameBytesMax + 1,
      INT_MAX,
    ]);
  }

  #oddLong(): bigint {
    const most = 0x7fff_ffff_ffff_ffffn;
    return this.#random.pick([-most - 1n, -2n, -1n, 0n, 1n, 0xff_ffff_ffffn, 1n << 40n, most]);
  }

  #bytes(out: Writer, bytes: readonly number[]): void {
    out.writeBytes(Uint8Array.from(bytes), 0, bytes.length);
  }
}

const encoder = new TextEncoder();

function encode(text: string): Uint8Array {
  // a lone surrogate leaves as the three bytes that no UTF-8 has
  const at = text.indexOf('\ud800');
  if (at === -1) return encoder.encode(text);
  const before = encoder.encode(text.slice(0, at));
  return Uint8Array.from([...before, 0xed, 0xa0, 0x80]);
}
