/**
 * A request becomes a transaction. On the leader only (a standalone server leads itself), one
 * request at a time, against the tree plus everything already proposed. The transaction's bytes are
 * written once, straight into the batch that goes to the log: header, record, digest of the tree as
 * it will be.
 *
 * A request that fails is a transaction too (an ErrorTxn): it takes its zxid, so that the history of
 * errors is ordered with everything else. Only a request that cannot even be read takes none.
 */
import { ErrorCode } from '../protocol/errors.js';
import { OpCode } from '../protocol/opcodes.js';
import { MalformedError, Reader } from '../protocol/reader.js';
import type { TxnBatch } from '../protocol/txn-batch.js';
import type { Writer } from '../protocol/writer.js';
import type { Session } from '../session/session.js';
import type { Tree } from '../tree/tree.js';
import { NOBODY, type Caller } from './authorize.js';
import { PrepareContext, type PrepareOptions } from './context.js';
import { prepareCreate } from './create.js';
import {
  prepareCloseSession,
  prepareDelete,
  prepareDeleteContainer,
  prepareSetAcl,
  prepareSetData,
} from './modify.js';
import { NullAclError, prepareMulti, type PreparedMulti } from './multi.js';
import { Outstanding } from './outstanding.js';
import { prepareReconfig } from './reconfig.js';

/** Where in a TxnHeader the type stands: after client, cxid, zxid and time. */
const TYPE_AT = 28;
const DIGEST_VERSION = 2;

export type Prepared =
  /** Added to the batch under the given zxid. */
  | 'proposed'
  /** The request's bytes make no sense: answer MARSHALLINGERROR, nothing was proposed. */
  | 'malformed';

/** What to prepare; a reused record, filled by the caller. */
export class WriteRequest {
  op = 0;
  cxid = 0;
  session: Session | null = null;
  sessionHigh = 0;
  sessionLow = 0;
  caller: Caller = NOBODY;
  /** The request's body: bytes[start, end). */
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  zxidHigh = 0;
  zxidLow = 0;
  /** Wall clock, milliseconds. */
  nowMs = 0;
}

export class Preparer {
  readonly #context: PrepareContext;
  readonly #reader = new Reader();
  /** Results of the last `prepare`. */
  error: number = ErrorCode.ok;
  resultPath = '';
  multi: PreparedMulti | null = null;

  constructor(tree: Tree, options: PrepareOptions) {
    this.#context = new PrepareContext(tree, new Outstanding(tree), options, this.#reader);
  }

  get outstandingCount(): number {
    return this.#context.outstanding.txnCount;
  }

  prepare(request: WriteRequest, batch: TxnBatch): Prepared {
    const context = this.#begin(request);
    const out = batch.begin();
    const start = out.pos;
    this.#writeHeader(out, request);
    const bodyAt = out.pos;
    let error: number;
    try {
      error = this.#prepareOp(request.op, context, out);
    } catch (problem) {
      if (!(problem instanceof MalformedError)) throw problem;
      if (request.op !== OpCode.multi || problem instanceof NullAclError) {
        batch.cancel();
        context.outstanding.abandon();
        return 'malformed';
      }
      error = ErrorCode.marshallingError;
    }
    const failed = error !== ErrorCode.ok && request.op !== OpCode.multi;
    if (failed || error === ErrorCode.marshallingError) {
      out.pos = bodyAt;
      out.patchInt(start + TYPE_AT, OpCode.error);
      out.writeInt(error);
    }
    if (context.options.digestEnabled) {
      out.writeInt(DIGEST_VERSION);
      out.writeLongParts(context.outstanding.digestHigh, context.outstanding.digestLow);
    }
    batch.finish();
    context.outstanding.end();
    this.error = error;
    this.resultPath = context.resultPath;
    return 'proposed';
  }

  /** A transaction that only says that the request failed. */
  fail(request: WriteRequest, batch: TxnBatch, error: number): void {
    const context = this.#begin(request);
    const out = batch.begin();
    const start = out.pos;
    this.#writeHeader(out, request);
    out.patchInt(start + TYPE_AT, OpCode.error);
    out.writeInt(error);
    if (context.options.digestEnabled) {
      out.writeInt(DIGEST_VERSION);
      out.writeLongParts(context.outstanding.digestHigh, context.outstanding.digestLow);
    }
    batch.finish();
    context.outstanding.end();
    this.error = error;
    this.resultPath = '';
  }

  /** The oldest prepared transaction has been applied to the tree. */
  applied(): void {
    this.#context.outstanding.applied();
  }

  #begin(request: WriteRequest): PrepareContext {
    const context = this.#context;
    context.outstanding.begin();
    context.session = request.session;
    context.sessionHigh = request.sessionHigh;
    context.sessionLow = request.sessionLow;
    context.caller = request.caller;
    context.zxidHigh = request.zxidHigh;
    context.zxidLow = request.zxidLow;
    context.timeHigh = Math.floor(request.nowMs / 0x1_0000_0000);
    context.timeLow = request.nowMs >>> 0;
    context.resultPath = '';
    context.isInMulti = false;
    this.#reader.reset(request.bytes, request.start, request.end);
    this.multi = null;
    return context;
  }

  #writeHeader(out: Writer, request: WriteRequest): void {
    out.writeLongParts(request.sessionHigh, request.sessionLow);
    out.writeInt(request.cxid);
    out.writeLongParts(request.zxidHigh, request.zxidLow);
    out.writeLongParts(this.#context.timeHigh, this.#context.timeLow);
    out.writeInt(request.op);
  }

  #prepareOp(op: number, context: PrepareContext, out: Writer): number {
    switch (op) {
      case OpCode.create:
      case OpCode.create2:
      case OpCode.createContainer:
      case OpCode.createTTL:
        return prepareCreate(op, context, out);
      case OpCode.delete:
        return prepareDelete(context, out);
      case OpCode.deleteContainer:
        return prepareDeleteContainer(context, out);
      case OpCode.setData:
        return prepareSetData(context, out);
      case OpCode.setACL:
        return prepareSetAcl(context, out);
      case OpCode.multi:
        this.multi = prepareMulti(context, out);
        return ErrorCode.ok;
      case OpCode.createSession:
        out.writeInt(this.#reader.readInt());
        return ErrorCode.ok;
      case OpCode.closeSession:
        return prepareCloseSession(context, out);
      case OpCode.reconfig:
        return prepareReconfig(context, out);
      default:
        throw new MalformedError(`operation ${op} is no write`);
    }
  }
}
