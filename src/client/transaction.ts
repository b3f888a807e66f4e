/**
 * Several writes that happen all or not at all. Each is checked when it is added, and a refusal says
 * which it was; nothing is sent before `commit`. The results come in the order of the writes and,
 * where they are chained, with their types.
 */
import { ErrorCode, ZkError } from '../protocol/errors.js';
import { isContainer, isSequential, isTtl } from '../protocol/create-mode.js';
import { OpCode } from '../protocol/opcodes.js';
import type { MultiOp, MultiResult } from '../protocol/records.js';
import { aclsToWire, Acls } from './acls.js';
import {
  ArgumentError,
  checkAcl,
  checkCreate,
  checkData,
  checkPath,
  checkSignal,
  checkVersion,
  dataBytesMaxDefault,
} from './arguments.js';
import { ProtocolViolationError, zkErrorOf } from './errors.js';
import { statFromWire } from './stat.js';
import { stripRoot, withRoot } from './request.js';
import type { Acl, Data, NodeMode, SignalOptions, Stat } from './types.js';

/** What a transaction needs of the client, or of a handle on another root. */
export interface TransactionHost {
  /** Empty, or what the server knows this handle's "/" as. */
  readonly root: string;
  /** How many bytes of data a request may carry. */
  readonly dataBytesMax?: number;
  /**
   * Sends the multi with paths as the server knows them. Resolves with its results, also when they
   * say that it failed; rejects when there are none.
   */
  multi(ops: readonly MultiOp[], options: SignalOptions): Promise<readonly MultiResult[]>;
}

export interface CreateResult {
  readonly type: 'create';
  /** With the digits that the server appended to a sequential znode. */
  readonly path: string;
  /** Servers tell it for containers and for znodes with a time to live; null for others. */
  readonly stat: Stat | null;
}

export interface SetDataResult {
  readonly type: 'setData';
  readonly path: string;
  readonly stat: Stat;
}

export interface CheckResult {
  readonly type: 'check';
  readonly path: string;
}

export interface DeleteResult {
  readonly type: 'delete';
  readonly path: string;
}

export type TransactionResult = CreateResult | SetDataResult | CheckResult | DeleteResult;

export interface TransactionCreateOptions {
  readonly mode?: NodeMode;
  readonly acl?: readonly Acl[];
  readonly ttlMs?: number;
}

export interface TransactionVersionOptions {
  /** Only if this is the current version; any unless given. */
  readonly version?: number;
}

/** What became of each write of a transaction that failed; null: nothing was wrong with it. */
export type FailedResults = readonly (ZkError | null)[];

/** Nothing was changed, because the write at `index` could not be done; its code is this one's. */
export class TransactionError extends ZkError {
  override readonly name = 'TransactionError';
  readonly index: number;
  /** What the write at `index` was; null: whoever made this error did not say. */
  readonly op: TransactionResult['type'] | null;
  /** By write: what was wrong with it, and RUNTIMEINCONSISTENCY for those not tried. */
  readonly results: FailedResults;

  constructor(
    index: number,
    results: FailedResults,
    path: string,
    op: TransactionResult['type'] | null = null,
  ) {
    const cause = results[index] ?? undefined;
    super(cause?.code ?? ErrorCode.runtimeInconsistency, path, { cause });
    const which = op === null ? '' : `, ${op}`;
    this.message = `write ${index} of the transaction${which}: ${this.message}`;
    this.index = index;
    this.op = op;
    this.results = results;
  }
}

type Step = TransactionResult['type'];

/**
 * `R` is what is known of the results: of writes that are chained onto each other, their types in
 * order; of those that are added in loops, nothing. More may follow than is known.
 */
export class Transaction<R extends readonly TransactionResult[] = readonly []> {
  readonly #host: TransactionHost;
  readonly #ops: MultiOp[] = [];
  readonly #steps: { readonly type: Step; readonly path: string }[] = [];
  #dataBytes = 0;
  #isCommitted = false;

  constructor(host: TransactionHost) {
    this.#host = host;
  }

  /** How many writes were added. */
  get size(): number {
    return this.#ops.length;
  }

  /** Without a mode: persistent; without an ACL: open to anyone. */
  create(
    path: string,
    data: Data = '',
    options: TransactionCreateOptions = {},
  ): Transaction<readonly [...R, CreateResult]> {
    this.#begin(
      'create',
      () => {
        const { flags, ttlMs } = checkCreate(options.mode, options.ttlMs);
        checkPath(path, 'path', isSequential(flags));
        const acl = options.acl ?? Acls.open;
        checkAcl(acl);
        const request = {
          path: withRoot(path, this.#host.root),
          data: this.#take(data),
          acl: aclsToWire(acl),
          flags,
        };
        if (isTtl(flags)) {
          return { type: OpCode.createTTL, request: { ...request, ttl: BigInt(ttlMs) } };
        }
        // create2 would tell the stat too, but within a multi servers before 3.8.2 do not know it
        return { type: isContainer(flags) ? OpCode.createContainer : OpCode.create, request };
      },
      path,
    );
    return this as unknown as Transaction<readonly [...R, CreateResult]>;
  }

  setData(
    path: string,
    data: Data,
    options: TransactionVersionOptions = {},
  ): Transaction<readonly [...R, SetDataResult]> {
    this.#begin(
      'setData',
      () => {
        checkPath(path);
        const version = checkVersion(options.version);
        const at = withRoot(path, this.#host.root);
        return { type: OpCode.setData, request: { path: at, data: this.#take(data), version } };
      },
      path,
    );
    return this as unknown as Transaction<readonly [...R, SetDataResult]>;
  }

  /** Changes nothing; all fails unless the znode is there (and has this version). */
  check(
    path: string,
    options: TransactionVersionOptions = {},
  ): Transaction<readonly [...R, CheckResult]> {
    this.#begin(
      'check',
      () => {
        checkPath(path);
        const version = checkVersion(options.version);
        return { type: OpCode.check, request: { path: withRoot(path, this.#host.root), version } };
      },
      path,
    );
    return this as unknown as Transaction<readonly [...R, CheckResult]>;
  }

  delete(
    path: string,
    options: TransactionVersionOptions = {},
  ): Transaction<readonly [...R, DeleteResult]> {
    this.#begin(
      'delete',
      () => {
        checkPath(path);
        const version = checkVersion(options.version);
        return { type: OpCode.delete, request: { path: withRoot(path, this.#host.root), version } };
      },
      path,
    );
    return this as unknown as Transaction<readonly [...R, DeleteResult]>;
  }

  /**
   * Sends it; to be called once. An empty transaction is done without asking anybody. Rejects with
   * `TransactionError` when a write could not be done (then none was), and as any write does when
   * there is no answer.
   */
  async commit(options: SignalOptions = {}): Promise<readonly [...R, ...TransactionResult[]]> {
    if (this.#isCommitted) {
      throw new ArgumentError('transaction', '', 0, 'it was committed before');
    }
    checkSignal(options.signal);
    this.#isCommitted = true;
    const results =
      this.#ops.length === 0 ? [] : this.#resultsOf(await this.#host.multi(this.#ops, options));
    // each result was checked against its write; R was gathered from the same writes
    return results as unknown as readonly [...R, ...TransactionResult[]];
  }

  #begin(type: Step, make: () => MultiOp, path: string): void {
    if (this.#isCommitted) {
      throw new ArgumentError('transaction', '', 0, 'it was committed: nothing can be added');
    }
    try {
      this.#ops.push(make());
    } catch (error) {
      if (!(error instanceof ArgumentError)) throw error;
      const { what, where, position } = error;
      throw new ArgumentError(`write ${this.#ops.length}, ${what}`, where, position, error.reason);
    }
    this.#steps.push({ type, path });
  }

  /** The bytes to send; all writes share what one request may carry. */
  #take(data: Data): Uint8Array {
    const bytesMax = this.#host.dataBytesMax ?? dataBytesMaxDefault;
    checkData(data, bytesMax - this.#dataBytes);
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
    this.#dataBytes += bytes.length;
    return bytes;
  }

  #resultsOf(results: readonly MultiResult[]): TransactionResult[] {
    const steps = this.#steps;
    if (results.length !== steps.length) {
      throw violation(`${results.length} results for ${steps.length} writes of a transaction`);
    }
    if (!results.some(({ type }) => type === OpCode.error)) {
      return results.map((one, i) => this.#resultOf(one, steps[i]!));
    }
    const failed = results.map((one, i) => errorOf(one, steps[i]?.path));
    const index = failed.findIndex((error) => error !== null);
    if (index < 0) throw violation('a transaction failed for no reason');
    const step = steps[index];
    throw new TransactionError(index, failed, step?.path ?? '/', step?.type);
  }

  #resultOf(
    one: MultiResult,
    { type, path }: { readonly type: Step; readonly path: string },
  ): TransactionResult {
    switch (one.type) {
      case OpCode.create:
      case OpCode.create2:
        if (type !== 'create') break;
        return {
          type,
          path: stripRoot(one.result.path ?? '', this.#host.root),
          stat: one.type === OpCode.create2 ? statFromWire(one.result.stat) : null,
        };
      case OpCode.setData:
        if (type !== 'setData') break;
        return { type, path, stat: statFromWire(one.result.stat) };
      case OpCode.check:
      case OpCode.delete:
        if (type !== (one.type === OpCode.check ? 'check' : 'delete')) break;
        return { type, path };
      default:
    }
    throw violation(`a result of type ${one.type} for a ${type}`);
  }
}

/** It may have been done or not: the server does not make sense. */
function violation(what: string): ZkError {
  const cause = new ProtocolViolationError(what);
  return new ZkError(ErrorCode.systemError, undefined, { cause });
}

function errorOf(one: MultiResult, path: string | undefined): ZkError | null {
  if (one.type !== OpCode.error || one.result.err === ErrorCode.ok) return null;
  return zkErrorOf(one.result.err, path);
}
