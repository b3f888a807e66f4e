/**
 * Many operations in one request. Writes keep the form of the protocol's records, which the
 * transaction builds and judges; reads are turned into what their single calls would answer.
 */
import { ErrorCode, type ZkError } from '../protocol/errors.js';
import { OpCode } from '../protocol/opcodes.js';
import { MalformedError, type Reader } from '../protocol/reader.js';
import {
  MultiRequest,
  MultiResponse,
  type MultiOp,
  type MultiResult,
} from '../protocol/records.js';
import type { Writer } from '../protocol/writer.js';
import { zkErrorOf } from './errors.js';
import { readData, readStat, readStrings } from './operations.js';
import { withRoot, type Operation } from './request.js';
import type { ReadOp, ReadResult } from './types.js';

export const multi: Operation<readonly MultiResult[]> = {
  opCode: OpCode.multi,
  isWrite: true,
  write(writer, request) {
    MultiRequest.write(writer, { ops: request.extra as readonly MultiOp[] });
  },
  read(reader, request) {
    const { results } = MultiResponse.read(reader);
    const { length } = request.extra as readonly MultiOp[];
    if (results.length === length) return results;
    throw new MalformedError(`${results.length} results for ${length} writes`);
  },
};

export const multiRead: Operation<(ReadResult | ZkError)[]> = {
  opCode: OpCode.multiRead,
  isWrite: false,
  write(writer, request) {
    for (const { type, path } of request.extra as readonly ReadOp[]) {
      writeHeader(writer, type === 'getData' ? OpCode.getData : OpCode.getChildren, false);
      writer.writeString(withRoot(path, request.root));
      writer.writeBool(false);
    }
    writeHeader(writer, -1, true);
  },
  read(reader, request) {
    const ops = request.extra as readonly ReadOp[];
    const results: (ReadResult | ZkError)[] = [];
    for (;;) {
      const type = reader.readInt();
      const isDone = reader.readBool();
      reader.readInt();
      if (isDone) break;
      const op = ops[results.length];
      if (op === undefined) throw new MalformedError('more results than reads');
      results.push(readResult(reader, type, op));
    }
    if (results.length !== ops.length) throw new MalformedError('fewer results than reads');
    return results;
  },
};

function writeHeader(writer: Writer, type: number, isDone: boolean): void {
  writer.writeInt(type);
  writer.writeBool(isDone);
  writer.writeInt(-1);
}

function readResult(reader: Reader, type: number, op: ReadOp): ReadResult | ZkError {
  if (type === OpCode.error) {
    const code = reader.readInt();
    return zkErrorOf(code === ErrorCode.ok ? ErrorCode.runtimeInconsistency : code, op.path);
  }
  if (type === OpCode.getData && op.type === 'getData') {
    const data = readData(reader);
    return { type: 'getData', data, stat: readStat(reader) };
  }
  if (type === OpCode.getChildren && op.type === 'getChildren') {
    return { type: 'getChildren', children: readStrings(reader) };
  }
  throw new MalformedError(`a result of type ${type} for a ${op.type}`);
}
