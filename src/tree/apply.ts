/**
 * From the bytes of a transaction to changes of the tree, without strings or objects in between: the
 * bytes are those of the log and of the proposal, and every path, value and ACL is used where it lies.
 *
 * A transaction was checked when it was prepared and its checksum when it was read, so what cannot be
 * parsed here means that somebody's memory or disk is wrong: MalformedError, and nothing to repair.
 */
import { ErrorCode } from '../protocol/errors.js';
import { OpCode } from '../protocol/opcodes.js';
import { MalformedError, Reader } from '../protocol/reader.js';
import { compareParts } from '../protocol/zxid.js';
import type { Changes } from './changes.js';
import type { Contents } from './contents.js';
import { DigestHistory } from './digest-history.js';
import { DIGEST_VERSION, type DigestSum } from './digest.js';
import { NO_NODE, W_PARENT } from './node-store.js';
import { CONTAINER_OWNER_HIGH, ttlOwnerHigh } from './owner-lists.js';
import { intAt, statBytes, statInto } from './stat-encoding.js';

/** Of a transaction's digest: version and value. */
const DIGEST_BYTES = 12;

/** Perms, and the lengths of scheme and id. */
const ACL_BYTES_MIN = 12;

/** Type, and the length of the record. */
const SUB_TXN_BYTES_MIN = 8;

const SLASH = 0x2f;

/** What the digest at the end of the last transaction said about the tree after it. */
export type DigestVerdict = 'none' | 'otherVersion' | 'equal' | 'different';

export class TxnApplier {
  lastZxidHigh = 0;
  lastZxidLow = 0;
  /** One error code for each part of the last multi. */
  multiResults: number[] = [];
  /** 68 bytes for each part of the last multi; set for creates and setData that succeeded. */
  multiStats = new Uint8Array(0);
  digestVerdict: DigestVerdict = 'none';
  readonly digests = new DigestHistory();

  readonly #changes: Changes;
  readonly #contents: Contents;
  readonly #digest: DigestSum;
  readonly #reader = new Reader();
  readonly #partReader = new Reader();
  /** The session in the header. */
  #clientHigh = 0;
  #clientLow = 0;

  constructor(changes: Changes, contents: Contents, digest: DigestSum) {
    this.#changes = changes;
    this.#contents = contents;
    this.#digest = digest;
  }

  apply(bytes: Uint8Array, start: number, end: number): number {
    const changes = this.#changes;
    const reader = this.#reader.reset(bytes, start, end);
    this.#clientHigh = reader.readInt();
    this.#clientLow = reader.readInt();
    reader.skip(4);
    const zxidHigh = reader.readInt();
    const zxidLow = reader.readInt();
    changes.zxidHigh = zxidHigh;
    changes.zxidLow = zxidLow;
    changes.timeHigh = reader.readInt();
    changes.timeLow = reader.readInt();
    const type = reader.readInt();
    const result = type === OpCode.multi ? this.#multi(reader) : this.#single(type, reader);
    // a snapshot begun between the parts of a multi must not claim the whole of it
    if (compareParts(zxidHigh, zxidLow, this.lastZxidHigh, this.lastZxidLow) > 0) {
      this.lastZxidHigh = zxidHigh;
      this.lastZxidLow = zxidLow;
    }
    this.#checkDigest(reader);
    this.digests.note(zxidHigh, zxidLow, this.#digest.high, this.#digest.low);
    return result;
  }

  #single(type: number, reader: Reader): number {
    switch (type) {
      case OpCode.setACL:
        return this.#setAcl(reader);
      case OpCode.reconfig:
        return this.#setData(reader);
      case OpCode.createSession:
        reader.skip(4);
        return ErrorCode.ok;
      case OpCode.closeSession:
        return this.#closeSession(reader);
      case OpCode.check:
        throw new MalformedError('a check is no transaction of its own');
      default:
        return this.#part(type, reader);
    }
  }

  /** What can be alone or in a multi. */
  #part(type: number, reader: Reader): number {
    switch (type) {
      case OpCode.create:
      case OpCode.create2:
      case OpCode.createTTL:
      case OpCode.createContainer:
        return this.#create(type, reader);
      case OpCode.delete:
      case OpCode.deleteContainer:
        this.#readPath(reader);
        return this.#changes.delete(reader.bytes, reader.viewStart, reader.viewEnd);
      case OpCode.setData:
        return this.#setData(reader);
      case OpCode.check:
        return ErrorCode.ok;
      case OpCode.error:
        return reader.readInt();
      default:
        throw new MalformedError(`no transaction has the type ${type}`);
    }
  }

  #create(type: number, reader: Reader): number {
    this.#readPath(reader);
    const start = reader.viewStart;
    const end = reader.viewEnd;
    const dataLength = reader.readBufferView();
    const dataStart = reader.viewStart;
    const aclStart = reader.pos;
    const aclEnd = this.#skipAcl(reader);
    let ownerHigh = 0;
    let ownerLow = 0;
    let parentCVersion = -1;
    if (type === OpCode.create || type === OpCode.create2) {
      if (reader.readBool()) {
        ownerHigh = this.#clientHigh;
        ownerLow = this.#clientLow;
      }
      // the oldest form of create ends here
      if (type === OpCode.create2 || reader.remaining > 0) parentCVersion = reader.readInt();
    } else {
      parentCVersion = reader.readInt();
      ownerHigh = CONTAINER_OWNER_HIGH;
      if (type === OpCode.createTTL) {
        const ttlHigh = reader.readInt();
        ownerLow = reader.readInt();
        const isTtl = ttlHigh >= 0 && ttlHigh <= 0xff && (ttlHigh | ownerLow) !== 0;
        if (!isTtl) throw new MalformedError('a time to live is 1 to 2^40 - 1 milliseconds');
        ownerHigh = ttlOwnerHigh(ttlHigh);
      }
    }
    return this.#changes.create(
      reader.bytes,
      start,
      end,
      dataStart,
      dataLength,
      aclStart,
      aclEnd,
      ownerHigh,
      ownerLow,
      parentCVersion,
    );
  }

  #setData(reader: Reader): number {
    this.#readPath(reader);
    const start = reader.viewStart;
    const end = reader.viewEnd;
    const dataLength = reader.readBufferView();
    const dataStart = reader.viewStart;
    const version = reader.readInt();
    return this.#changes.setData(reader.bytes, start, end, dataStart, dataLength, version);
  }

  #setAcl(reader: Reader): number {
    this.#readPath(reader);
    const start = reader.viewStart;
    const end = reader.viewEnd;
    const aclStart = reader.pos;
    const aclEnd = this.#skipAcl(reader);
    const aversion = reader.readInt();
    return this.#changes.setAcl(reader.bytes, start, end, aclStart, aclEnd, aversion);
  }

  /** Logs of before 3.6, and servers told so, do not list the paths: then it is all it has. */
  #closeSession(reader: Reader): number {
    const afterPaths = endOfPaths(reader);
    if (afterPaths >= 0) {
      for (let count = reader.readCount(4); count > 0; count--) {
        this.#readPath(reader);
        this.#changes.delete(reader.bytes, reader.viewStart, reader.viewEnd);
      }
    }
    this.#changes.endSession(this.#clientHigh, this.#clientLow);
    return ErrorCode.ok;
  }

  #multi(reader: Reader): number {
    const results: number[] = [];
    this.multiResults = results;
    const begin = reader.pos;
    const hasFailed = this.#skipParts(reader);
    const after = reader.pos;
    reader.pos = begin;
    const count = reader.readCount(SUB_TXN_BYTES_MIN);
    if (!hasFailed && this.multiStats.length < count * statBytes) {
      this.multiStats = new Uint8Array(count * statBytes);
    }
    let isPastFailure = false;
    let result: number = ErrorCode.ok;
    for (let i = 0; i < count; i++) {
      const type = reader.readInt();
      reader.readBufferView();
      const part = this.#partReader.reset(reader.bytes, reader.viewStart, reader.viewEnd);
      let error: number;
      if (!hasFailed) error = this.#partOfMulti(type, part, i);
      else if (type === OpCode.error) error = part.readInt();
      else error = isPastFailure ? ErrorCode.runtimeInconsistency : ErrorCode.ok;
      isPastFailure ||= type === OpCode.error;
      results.push(error);
      if (result === ErrorCode.ok) result = error;
    }
    reader.pos = after;
    return result;
  }

  #partOfMulti(type: number, part: Reader, index: number): number {
    const changes = this.#changes;
    const { bytes, pos } = part;
    changes.lastNode = NO_NODE;
    const error = this.#part(type, part);
    const node = changes.lastNode;
    if (error !== ErrorCode.ok || node === NO_NODE) return error;
    const contents = this.#contents;
    statInto(contents, node, this.multiStats, index * statBytes);
    if (changes.recorder !== null) {
      const kind = type === OpCode.setData ? 'dataChanged' : 'created';
      const parent = contents.nodes.get(node, W_PARENT);
      const start = pos + 4;
      changes.recorder.onChange(kind, node, parent, bytes, start, start + intAt(bytes, pos));
    }
    return error;
  }

  /** Moves past all parts; true when one of them is an error, so that none may happen. */
  #skipParts(reader: Reader): boolean {
    let hasFailed = false;
    for (let left = reader.readCount(SUB_TXN_BYTES_MIN); left > 0; left--) {
      const type = reader.readInt();
      if (reader.readBufferView() < 0) throw new MalformedError('a part of a multi is null');
      switch (type) {
        case OpCode.error:
          hasFailed = true;
          break;
        case OpCode.create:
        case OpCode.create2:
        case OpCode.createTTL:
        case OpCode.createContainer:
        case OpCode.delete:
        case OpCode.deleteContainer:
        case OpCode.setData:
        case OpCode.check:
          break;
        default:
          throw new MalformedError(`a multi has no part of type ${type}`);
      }
    }
    return hasFailed;
  }

  #readPath(reader: Reader): void {
    if (reader.readBufferView() <= 0) throw new MalformedError('a transaction without a path');
  }

  /** Where the ACL that begins at the reader ends; for the null ACL where it begins. */
  #skipAcl(reader: Reader): number {
    const begin = reader.pos;
    const count = reader.readCount(ACL_BYTES_MIN);
    if (count < 0) return begin;
    for (let left = count; left > 0; left--) {
      reader.skip(4);
      reader.readBufferView();
      reader.readBufferView();
    }
    return reader.pos;
  }

  #checkDigest(reader: Reader): void {
    if (reader.remaining < DIGEST_BYTES) {
      this.digestVerdict = 'none';
      return;
    }
    const version = reader.readInt();
    const high = reader.readUint32();
    const low = reader.readUint32();
    if (version !== DIGEST_VERSION) this.digestVerdict = 'otherVersion';
    else if (high === this.#digest.high && low === this.#digest.low) this.digestVerdict = 'equal';
    else this.digestVerdict = 'different';
  }
}

/** Where the vector of paths at the reader ends, or -1 when there is none but a digest or nothing. */
function endOfPaths(reader: Reader): number {
  const { bytes, end } = reader;
  let pos = reader.pos;
  if (end - pos < 4) return -1;
  const count = intAt(bytes, pos);
  pos += 4;
  for (let left = count; left > 0; left--) {
    if (end - pos < 4) return -1;
    const length = intAt(bytes, pos);
    pos += 4;
    if (length <= 0 || length > end - pos || bytes[pos] !== SLASH) return -1;
    pos += length;
  }
  return pos;
}
