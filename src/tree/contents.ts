/**
 * Names and data of znodes, and finding a znode by its path. A slot of the arena holds, one after the
 * other, the owner's links (where there is an owner), the name, the data; data that does not fit has
 * an array of its own. Only the last name of a path is stored: a znode found by its hash is verified
 * by walking up the names, which is also how its path is written.
 */
import { assert } from '../base/assert.js';
import { pathHash } from '../protocol/paths.js';
import { decodeUtf8 } from '../protocol/utf8.js';
import { copyBytes, equalBytes, utf16Length } from './bytes.js';
import { Arena, SLOT_BYTES_MAX } from './arena.js';
import {
  F_BIG_DATA,
  F_LONG_NAME,
  F_OWNED,
  NAME_LENGTH_MASK,
  NO_NODE,
  NodeStore,
  ROOT,
  W_DATA_LENGTH,
  W_HASH,
  W_HASH_NEXT,
  W_NAME,
  W_PARENT,
  W_SLOT,
  type NodeId,
} from './node-store.js';
import { LINK_BYTES } from './owner-lists.js';
import { PathIndex } from './path-index.js';
import { ShardedMap } from './sharded-map.js';

const SLASH = 0x2f;

/** A longer name has an array of its own. */
const NAME_BYTES_MAX = 0x7fff;

export class Contents {
  readonly nodes = new NodeStore();
  readonly arena = new Arena();
  readonly index = new PathIndex(this.nodes);
  readonly #longNames = new ShardedMap<Uint8Array>();
  readonly #bigData = new ShardedMap<Uint8Array>();
  #scratch = new Uint8Array(1024);

  /** Which bits of a hash count: fewer than all force collisions, for tests. */
  readonly hashMask: number;

  constructor(hashMask: number) {
    this.hashMask = hashMask;
  }

  /** The root for "" and "/". */
  find(bytes: Uint8Array, start: number, end: number): NodeId {
    if (end - start <= 1 && (end === start || bytes[start] === SLASH)) return ROOT;
    return this.findHashed(bytes, start, end, pathHash(bytes, start, end) & this.hashMask);
  }

  /** For every path but the root's, when its (masked) hash is known. */
  findHashed(bytes: Uint8Array, start: number, end: number, hash: number): NodeId {
    const nodes = this.nodes;
    let id = this.index.chainOf(hash);
    while (id !== NO_NODE) {
      const segment = nodes.segmentOf(id);
      const record = nodes.offsetOf(id);
      if (segment[record + W_HASH] === hash && this.isPathOf(id, bytes, start, end)) return id;
      id = segment[record + W_HASH_NEXT]!;
    }
    return NO_NODE;
  }

  /** Whether [start, end) is the path of the znode; the root's is empty here. */
  isPathOf(id: NodeId, bytes: Uint8Array, start: number, end: number): boolean {
    let at = end;
    for (let node = id; node !== ROOT;) {
      const segment = this.nodes.segmentOf(node);
      const record = this.nodes.offsetOf(node);
      const word = segment[record + W_NAME]!;
      let length = word & NAME_LENGTH_MASK;
      let name: Uint8Array;
      let from = 0;
      if ((word & F_LONG_NAME) !== 0) {
        name = this.#longNames.get(node)!;
        length = name.length;
      } else {
        const ref = segment[record + W_SLOT]!;
        name = this.arena.pageOf(ref);
        from = this.arena.offsetOf(ref) + ((word & F_OWNED) !== 0 ? LINK_BYTES : 0);
      }
      at -= length;
      if (at <= start || bytes[at - 1] !== SLASH) return false;
      if (!equalBytes(name, from, bytes, at, length)) return false;
      at--;
      node = segment[record + W_PARENT]!;
    }
    return at === start;
  }

  /**
   * Gives a fresh record its name and data. The record's flags are set already; a length of -1 is null
   * data.
   */
  place(
    id: NodeId,
    names: Uint8Array,
    nameStart: number,
    nameEnd: number,
    data: Uint8Array,
    dataStart: number,
    dataLength: number,
  ): void {
    const { nodes, arena } = this;
    let nameLength = nameEnd - nameStart;
    let word = nodes.get(id, W_NAME);
    if (nameLength > NAME_BYTES_MAX) {
      this.#longNames.set(id, names.slice(nameStart, nameEnd));
      word |= F_LONG_NAME;
      nameLength = 0;
    }
    const head = nameLength + ((word & F_OWNED) !== 0 ? LINK_BYTES : 0);
    let inlined = dataLength > 0 ? dataLength : 0;
    if (head + inlined > SLOT_BYTES_MAX) {
      this.#bigData.set(id, data.slice(dataStart, dataStart + dataLength));
      word |= F_BIG_DATA;
      inlined = 0;
    }
    const ref = arena.allocate(head + inlined);
    nodes.set(id, W_NAME, word | nameLength);
    nodes.set(id, W_SLOT, ref);
    nodes.set(id, W_DATA_LENGTH, dataLength);
    const page = arena.pageOf(ref);
    const at = arena.offsetOf(ref) + head;
    copyBytes(names, nameEnd - nameLength, page, at - nameLength, nameLength);
    copyBytes(data, dataStart, page, at, inlined);
  }

  /** Replaces the data; a length of -1 is null. */
  setData(id: NodeId, data: Uint8Array, start: number, length: number): void {
    const { nodes, arena } = this;
    const word = nodes.get(id, W_NAME);
    const head = this.#headBytes(word);
    const inlined = length > 0 && head + length <= SLOT_BYTES_MAX ? length : 0;
    let ref = nodes.get(id, W_SLOT);
    if (!arena.fits(ref, head + inlined)) {
      const fresh = arena.allocate(head + inlined);
      copyBytes(
        arena.pageOf(ref),
        arena.offsetOf(ref),
        arena.pageOf(fresh),
        arena.offsetOf(fresh),
        head,
      );
      arena.free(ref);
      nodes.set(id, W_SLOT, fresh);
      ref = fresh;
    }
    nodes.set(id, W_DATA_LENGTH, length);
    if (length > 0 && inlined === 0) {
      this.#bigData.set(id, data.slice(start, start + length));
      nodes.set(id, W_NAME, word | F_BIG_DATA);
      return;
    }
    if ((word & F_BIG_DATA) !== 0) {
      this.#bigData.delete(id);
      nodes.set(id, W_NAME, word & ~F_BIG_DATA);
    }
    copyBytes(data, start, arena.pageOf(ref), arena.offsetOf(ref) + head, inlined);
  }

  /** Gives up what `place` took. */
  release(id: NodeId): void {
    const word = this.nodes.get(id, W_NAME);
    if ((word & F_LONG_NAME) !== 0) this.#longNames.delete(id);
    if ((word & F_BIG_DATA) !== 0) this.#bigData.delete(id);
    this.arena.free(this.nodes.get(id, W_SLOT));
  }

  /** Null data has no bytes. */
  dataLengthOf(id: NodeId): number {
    const length = this.nodes.get(id, W_DATA_LENGTH);
    return length < 0 ? 0 : length;
  }

  /** Copies the data to [pos, pos + dataLength). */
  dataInto(id: NodeId, out: Uint8Array, pos: number): void {
    const length = this.nodes.get(id, W_DATA_LENGTH);
    if (length <= 0) return;
    const word = this.nodes.get(id, W_NAME);
    if ((word & F_BIG_DATA) !== 0) {
      out.set(this.#bigData.get(id)!, pos);
      return;
    }
    const ref = this.nodes.get(id, W_SLOT);
    const from = this.arena.offsetOf(ref) + this.#headBytes(word);
    copyBytes(this.arena.pageOf(ref), from, out, pos, length);
  }

  nameLengthOf(id: NodeId): number {
    const word = this.nodes.get(id, W_NAME);
    return (word & F_LONG_NAME) !== 0 ? this.#longNames.get(id)!.length : word & NAME_LENGTH_MASK;
  }

  /** Copies the name to [pos, pos + nameLength). */
  nameInto(id: NodeId, out: Uint8Array, pos: number): void {
    const word = this.nodes.get(id, W_NAME);
    if ((word & F_LONG_NAME) !== 0) {
      out.set(this.#longNames.get(id)!, pos);
      return;
    }
    const ref = this.nodes.get(id, W_SLOT);
    const from = this.arena.offsetOf(ref) + ((word & F_OWNED) !== 0 ? LINK_BYTES : 0);
    copyBytes(this.arena.pageOf(ref), from, out, pos, word & NAME_LENGTH_MASK);
  }

  nameOf(id: NodeId): string {
    const length = this.nameLengthOf(id);
    this.#reserve(length);
    this.nameInto(id, this.#scratch, 0);
    return decodeUtf8(this.#scratch, 0, length);
  }

  /** Bytes of the path; 0 for the root, whose path is empty here. */
  pathLengthOf(id: NodeId): number {
    assert(id !== NO_NODE, 'only a znode has a path');
    let length = 0;
    for (let node = id; node !== ROOT; node = this.nodes.get(node, W_PARENT)) {
      length += 1 + this.nameLengthOf(node);
    }
    return length;
  }

  /** Writes the path to [pos, pos + pathLength). */
  pathInto(id: NodeId, out: Uint8Array, pos: number, pathLength: number): void {
    let at = pos + pathLength;
    for (let node = id; node !== ROOT; node = this.nodes.get(node, W_PARENT)) {
      at -= this.nameLengthOf(node);
      this.nameInto(node, out, at);
      out[--at] = SLASH;
    }
  }

  /** The root's is "/". */
  pathOf(id: NodeId): string {
    if (id === ROOT) return '/';
    const length = this.pathLengthOf(id);
    this.#reserve(length);
    this.pathInto(id, this.#scratch, 0, length);
    return decodeUtf8(this.#scratch, 0, length);
  }

  /** How long Java says the path is. */
  pathCharactersOf(id: NodeId): number {
    const length = this.pathLengthOf(id);
    this.#reserve(length);
    this.pathInto(id, this.#scratch, 0, length);
    return utf16Length(this.#scratch, 0, length);
  }

  #headBytes(word: number): number {
    return (word & NAME_LENGTH_MASK) + ((word & F_OWNED) !== 0 ? LINK_BYTES : 0);
  }

  #reserve(byteCount: number): void {
    if (byteCount > this.#scratch.length) this.#scratch = new Uint8Array(2 * byteCount);
  }
}
