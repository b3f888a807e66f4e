/**
 * multi: all operations or none, one zxid, one transaction. Each operation is judged with the changes
 * of those before it in place; the first that fails undoes them, and the transaction then says so:
 * every part becomes an error (OK before the failing one, its own code, RUNTIMEINCONSISTENCY after),
 * is logged and takes its zxid.
 */
import { isCreateMode, isTtl } from '../protocol/create-mode.js';
import { ErrorCode } from '../protocol/errors.js';
import { OpCode } from '../protocol/opcodes.js';
import { MalformedError, type Reader } from '../protocol/reader.js';
import type { Writer } from '../protocol/writer.js';
import { readAcls } from './acl-codec.js';
import type { PrepareContext } from './context.js';
import { prepareCreate } from './create.js';
import { prepareCheck, prepareDelete, prepareSetData } from './modify.js';

/** type, done, err */
const MULTI_HEADER_BYTES = 9;

/** The one defect that Apache finds before it gives the multi a zxid. */
export class NullAclError extends MalformedError {}

export interface PreparedMulti {
  /** The parts' types as they stand in the transaction. */
  readonly types: number[];
  /** Paths of the parts, as created where they create. */
  readonly paths: string[];
  /** 0, or the error of the first part that failed. */
  readonly error: number;
}

/** Writes a MultiTxn. Throws MalformedError, with nothing written, when the request is. */
export function prepareMulti(context: PrepareContext, out: Writer): PreparedMulti {
  const reader = context.reader;
  const count = countOperations(reader);
  const types: number[] = [];
  const paths: string[] = [];
  const start = out.pos;
  let error: number = ErrorCode.ok;
  let failedAt = -1;
  context.isInMulti = true;
  context.outstanding.startJournal();
  out.writeInt(count);
  try {
    for (let i = 0; i < count && failedAt === -1; i++) {
      const type = reader.readInt();
      reader.skip(MULTI_HEADER_BYTES - 4);
      const bodyStart = reader.pos;
      out.writeInt(type);
      const lengthAt = out.pos;
      out.writeInt(0);
      error = prepareOperation(type, context, out);
      if (error === ErrorCode.marshallingError) throw new MalformedError('a part of a multi');
      if (error !== ErrorCode.ok) failedAt = i;
      out.patchInt(lengthAt, out.pos - lengthAt - 4);
      if (createsNode(type)) out.patchInt(lengthAt - 4, context.resultType);
      types.push(createsNode(type) ? context.resultType : type);
      paths.push(createsNode(type) ? context.resultPath : pathAt(reader, bodyStart));
    }
  } catch (malformed) {
    context.outstanding.rollback();
    out.pos = start;
    throw malformed;
  }
  if (failedAt === -1) {
    context.outstanding.dropJournal();
    return { types, paths, error };
  }
  context.outstanding.rollback();
  out.pos = start;
  writeFailure(out, count, failedAt, error);
  return { types: new Array<number>(count).fill(OpCode.error), paths: [], error };
}

function prepareOperation(type: number, context: PrepareContext, out: Writer): number {
  switch (type) {
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL:
      return prepareCreate(type, context, out);
    case OpCode.delete:
      return prepareDelete(context, out);
    case OpCode.setData:
      return prepareSetData(context, out);
    case OpCode.check:
      return prepareCheck(context, out);
    default:
      throw new MalformedError(`operation ${type} has no place in a multi`);
  }
}

function writeFailure(out: Writer, count: number, failedAt: number, error: number): void {
  out.writeInt(count);
  for (let i = 0; i < count; i++) {
    out.writeInt(OpCode.error);
    out.writeInt(4);
    if (i < failedAt) out.writeInt(ErrorCode.ok);
    else out.writeInt(i === failedAt ? error : ErrorCode.runtimeInconsistency);
  }
}

/** Reads through the whole request once, so that a malformed end is found before anything changes. */
function countOperations(reader: Reader): number {
  const { count, kind } = readParts(reader);
  if (kind === 'reads') throw new MalformedError('a multi of reads');
  return count;
}

/**
 * Counts the parts of a multi or multiRead and leaves the reader at the first again. Throws what makes
 * the request unreadable as a whole: bytes that are no parts, reads and writes mixed.
 */
export function readParts(reader: Reader): { count: number; kind: 'reads' | 'writes' | 'none' } {
  const start = reader.pos;
  let count = 0;
  let kind: 'reads' | 'writes' | 'none' = 'none';
  for (;;) {
    const type = reader.readInt();
    const isDone = reader.readBool();
    reader.readInt();
    if (isDone) break;
    const kindNow = skipPart(type, reader);
    if (kind !== 'none' && kind !== kindNow) throw new MalformedError('reads and writes mixed');
    kind = kindNow;
    count++;
  }
  reader.pos = start;
  return { count, kind };
}

function skipPart(type: number, reader: Reader): 'reads' | 'writes' {
  reader.readBufferView();
  switch (type) {
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL:
      reader.readBufferView();
      skipCreateEnd(type, reader);
      return 'writes';
    case OpCode.delete:
    case OpCode.check:
      reader.skip(4);
      return 'writes';
    case OpCode.setData:
      reader.readBufferView();
      reader.skip(4);
      return 'writes';
    case OpCode.getData:
    case OpCode.getChildren:
      reader.skip(1);
      return 'reads';
    default:
      throw new MalformedError(`operation ${type} has no place in a multi`);
  }
}

function skipCreateEnd(type: number, reader: Reader): void {
  const acls = readAcls(reader);
  const flags = reader.readInt();
  if (type === OpCode.createTTL) {
    // its flags are looked at only when its turn comes
    reader.skip(8);
    return;
  }
  if (!isCreateMode(flags)) throw new MalformedError(`no create has the flags ${flags}`);
  if (acls === null) throw new NullAclError('a create without an ACL');
  if (isTtl(flags)) throw new MalformedError('a time to live needs an operation of its own');
}

function createsNode(type: number): boolean {
  return (
    type === OpCode.create ||
    type === OpCode.create2 ||
    type === OpCode.createContainer ||
    type === OpCode.createTTL
  );
}

function pathAt(reader: Reader, at: number): string {
  const after = reader.pos;
  reader.pos = at;
  const path = reader.readString() ?? '';
  reader.pos = after;
  return path;
}
