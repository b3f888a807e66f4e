/**
 * The learner's end of a leader's snapshot: bytes as they arrive, in pieces of any length, become a new
 * tree beside the old one. What is allocated grows with what has really arrived. Nothing of it counts
 * before the whole is there: whoever gives up throws the tree away.
 */
import { assert } from '../base/assert.js';
import { statPersistedBytes } from '../protocol/limits.js';
import { MalformedError, Reader } from '../protocol/reader.js';
import { ACLs } from '../protocol/records.js';
import { zxidHigh, zxidLow, type Zxid } from '../protocol/zxid.js';
import { Tree, TreeLoadError, type TreeOptions } from '../tree/tree.js';
import { snapSignature } from './snap-stream.js';

const windowBytesInitial = 64 * 1024;
/** No ACL list is longer. */
const aclBytesMax = 2 * 1024 * 1024;
/** Perms and the lengths of two strings. */
const aclBytesMin = 12;
const sessionBytes = 12;
const slash = 0x2f;
const notYet = -1;

export interface SnapReceiverOptions {
  readonly treeOptions: TreeOptions;
  /** A longer path, znode's data or ACL list is not believed: jute.maxbuffer, and some. */
  readonly itemBytesMax: number;
  /** Whether `snapSignature` behind the body is this one's to take, too. Default: the caller's. */
  readonly takesSignature?: boolean;
}

type Part = 'sessionCount' | 'sessions' | 'aclCount' | 'acls' | 'nodes' | 'signature' | 'end';

export class SnapReceiver {
  readonly tree: Tree;
  /** Timeouts by session id. */
  readonly sessions = new Map<bigint, number>();
  nodeCount = 0;
  /** Why `push` said 'malformed'. */
  problem: string | null = null;

  readonly #itemBytesMax: number;
  readonly #takesSignature: boolean;
  readonly #reader = new Reader();
  #part: Part = 'sessionCount';
  /** Items that are still to come in this part. */
  #left = 0;
  #bytes = new Uint8Array(windowBytesInitial);
  #view = new DataView(this.#bytes.buffer);
  /** What has not been used: [#pos, #end). */
  #pos = 0;
  #end = 0;

  constructor(options: SnapReceiverOptions) {
    this.tree = Tree.forLoading(options.treeOptions);
    this.#itemBytesMax = options.itemBytesMax;
    this.#takesSignature = options.takesSignature ?? false;
  }

  /** All of it has arrived. */
  get isComplete(): boolean {
    return this.#part === 'end';
  }

  /** Bytes of an item that is not whole yet. */
  get pendingBytes(): number {
    return this.#end - this.#pos;
  }

  /**
   * Takes bytes[start, end), or what of it still belongs to the stream: returns how many, fewer than
   * all only when it is complete. 'malformed': it is no snapshot, and this one is of no more use.
   */
  push(bytes: Uint8Array, start: number, end: number): number | 'malformed' {
    if (this.problem !== null) return 'malformed';
    if (this.#part === 'end') return 0;
    this.#keep(bytes, start, end);
    try {
      while (this.#step());
    } catch (error) {
      if (!(error instanceof MalformedError) && !(error instanceof TreeLoadError)) throw error;
      this.problem = error.message;
      return 'malformed';
    }
    if (!this.isComplete) return end - start;
    const unused = this.pendingBytes;
    this.#bytes = new Uint8Array(0);
    this.#pos = this.#end = 0;
    return end - start - unused;
  }

  /**
   * Once it is complete: the tree of that zxid, which may know of ACLs only from later transactions
   * (`verifyAcls` when they have been applied). Throws TreeLoadError when it is no tree.
   */
  finish(zxid: Zxid): { readonly tree: Tree; readonly sessions: Map<bigint, number> } {
    assert(this.isComplete, 'a snapshot that is not whole is no tree');
    this.tree.finishLoading();
    this.tree.setLastZxid(zxidHigh(zxid), zxidLow(zxid));
    return { tree: this.tree, sessions: this.sessions };
  }

  /** Uses the next item; false when it is not whole yet, or when there is none. */
  #step(): boolean {
    switch (this.#part) {
      case 'sessionCount':
        return this.#count('sessions');
      case 'sessions':
        return this.#left === 0 ? this.#goTo('aclCount') : this.#session();
      case 'aclCount':
        return this.#count('acls');
      case 'acls':
        return this.#left === 0 ? this.#goTo('nodes') : this.#acl();
      case 'nodes':
        return this.#node();
      case 'signature':
        return this.#signature();
      case 'end':
        return false;
    }
  }

  #goTo(part: Part): true {
    this.#part = part;
    return true;
  }

  /** A count of what follows; as with Apache, a negative one is none. */
  #count(part: Part): boolean {
    if (!this.#isHere(4)) return false;
    this.#left = Math.max(0, this.#view.getInt32(this.#pos));
    this.#pos += 4;
    return this.#goTo(part);
  }

  #session(): boolean {
    if (!this.#isHere(sessionBytes)) return false;
    this.sessions.set(this.#view.getBigInt64(this.#pos), this.#view.getInt32(this.#pos + 8));
    this.#pos += sessionBytes;
    this.#left--;
    return true;
  }

  #acl(): boolean {
    const end = this.#aclEnd(8);
    if (end === notYet) return false;
    const id = this.#longNumber(this.#pos);
    this.#reader.reset(this.#bytes, this.#pos + 8, this.#pos + end);
    const acls = ACLs.read(this.#reader);
    if (acls === null) throw new MalformedError('an ACL list is missing');
    this.tree.loadAcl(id, acls);
    this.#pos += end;
    this.#left--;
    return true;
  }

  /** Where the list that begins `at` bytes from here ends: it has no length before it. */
  #aclEnd(at: number): number {
    if (!this.#isHere(at + 4)) return notYet;
    const count = this.#view.getInt32(this.#pos + at);
    if (count * aclBytesMin > aclBytesMax) throw new MalformedError(`an ACL list of ${count}`);
    let end = at + 4;
    for (let i = 0; i < count; i++) {
      end += 4;
      for (let strings = 0; strings < 2; strings++) {
        if (!this.#isHere(end + 4)) return notYet;
        end += 4 + this.#length(this.#view.getInt32(this.#pos + end), 'a string of an ACL');
        if (end > aclBytesMax) throw new MalformedError('an ACL list without an end');
      }
    }
    return this.#isHere(end) ? end : notYet;
  }

  #node(): boolean {
    if (!this.#isHere(4)) return false;
    const pathLength = this.#view.getInt32(this.#pos);
    if (pathLength < 0) throw new MalformedError(`a path of ${pathLength} bytes`);
    const pathEnd = 4 + this.#length(pathLength, 'a path');
    if (pathLength === 1) {
      if (!this.#isHere(pathEnd)) return false;
      if (this.#bytes[this.#pos + 4] === slash) {
        this.#pos += pathEnd;
        return this.#goTo(this.#takesSignature ? 'signature' : 'end');
      }
    }
    if (!this.#isHere(pathEnd + 4)) return false;
    const dataLength = this.#view.getInt32(this.#pos + pathEnd);
    const aclAt = pathEnd + 4 + this.#length(dataLength, 'data');
    const end = aclAt + 8 + statPersistedBytes;
    if (!this.#isHere(end)) return false;
    const base = this.#pos;
    this.tree.loadNode(
      this.#bytes,
      base + 4,
      base + pathEnd,
      dataLength < 0 ? null : this.#bytes,
      base + pathEnd + 4,
      base + aclAt,
      this.#longNumber(base + aclAt),
      this.#bytes,
      base + aclAt + 8,
    );
    this.nodeCount++;
    this.#pos += end;
    return true;
  }

  #signature(): boolean {
    if (!this.#isHere(snapSignature.length)) return false;
    const isRight = snapSignature.every((byte, i) => this.#bytes[this.#pos + i] === byte);
    if (!isRight) throw new MalformedError('the signature behind the snapshot is missing');
    this.#pos += snapSignature.length;
    return this.#goTo('end');
  }

  /** Of content after its length, 0 for null. */
  #length(length: number, what: string): number {
    if (length < -1 || length > this.#itemBytesMax) {
      throw new MalformedError(`${what} of ${length} bytes`);
    }
    return Math.max(0, length);
  }

  /** Signed; ids of ACLs are small. */
  #longNumber(at: number): number {
    return this.#view.getInt32(at) * 0x1_0000_0000 + this.#view.getUint32(at + 4);
  }

  #isHere(length: number): boolean {
    return this.#end - this.#pos >= length;
  }

  #keep(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (this.#end + length > this.#bytes.length) {
      const left = this.#end - this.#pos;
      if (left + length > this.#bytes.length) {
        const grown = new Uint8Array(Math.max(this.#bytes.length * 2, left + length));
        grown.set(this.#bytes.subarray(this.#pos, this.#end));
        this.#bytes = grown;
        this.#view = new DataView(grown.buffer);
      } else {
        this.#bytes.copyWithin(0, this.#pos, this.#end);
      }
      this.#pos = 0;
      this.#end = left;
    }
    this.#bytes.set(bytes.subarray(start, end), this.#end);
    this.#end += length;
  }
}
