/**
 * One call on its way: made, waiting, sent, settled. A plain object without a timer or a closure of
 * its own, because a busy client makes a hundred thousand of them a second; what is different about
 * an operation lies in the one `Operation` that all its calls share.
 */
import type { Reader } from '../protocol/reader.js';
import type { Writer } from '../protocol/writer.js';
import { AbortGroup, type Abortable } from './abort-group.js';
import { ConnectionLossError, OutcomeUnknownError } from './errors.js';

/** How calls of one kind are written, and their answers read. */
export interface Operation<T> {
  readonly opCode: number;
  /** When there is no answer, something may have changed all the same. */
  readonly isWrite: boolean;
  write(writer: Writer, request: Request<T>): void;
  read(reader: Reader, request: Request<T>): T;
  /** For answers that are errors: the value that this one stands for, or undefined. */
  readError?(code: number, request: Request<T>): T | undefined;
}

export const RequestState = { waiting: 0, sent: 1, settled: 2 } as const;
export type RequestStateValue = (typeof RequestState)[keyof typeof RequestState];

/** As a method's type, so that a call with a narrow answer is a call. */
type Settled<T> = { told(error: unknown, value: T | undefined): void }['told'];
type Resolve<T> = (value: T) => void;
type Reject = (reason: unknown) => void;

let grabbedResolve: Resolve<never> | undefined;
let grabbedReject: Reject | undefined;
const grab = (resolve: Resolve<never>, reject: Reject): void => {
  grabbedResolve = resolve;
  grabbedReject = reject;
};

export class Request<T = unknown> implements Abortable {
  readonly operation: Operation<T>;
  /** As the server knows it. */
  readonly path: string;
  /** What a handle puts before its paths, and takes off the answer's. */
  readonly root: string;
  /** The operation's own: data, a version, flags, a list. */
  readonly data: Uint8Array | string | null;
  readonly number: number;
  readonly extra: unknown;
  /** Told when the answer is good, before anybody else: where watches are registered. */
  onAnswer: ((code: number) => void) | null = null;
  /** Told at once, in the promise's stead: `error` null means that `value` is the answer. */
  onSettled: Settled<T> | null = null;
  state: RequestStateValue = RequestState.waiting;
  /** From when it is sent. */
  xid = 0;
  /** When it was made, for time limits; 0 where nobody measures. */
  calledAtMs = 0;
  sentAtMs = 0;
  readonly #resolve: Resolve<never>;
  readonly #reject: Reject;
  readonly promise: Promise<T>;
  #abortGroup: AbortGroup | null = null;

  constructor(
    operation: Operation<T>,
    path: string,
    root: string,
    data: Uint8Array | string | null = null,
    number = 0,
    extra: unknown = null,
  ) {
    this.operation = operation;
    this.path = path;
    this.root = root;
    this.data = data;
    this.number = number;
    this.extra = extra;
    this.promise = new Promise<T>(grab);
    // the executor has run by now
    this.#resolve = grabbedResolve as Resolve<never>;
    this.#reject = grabbedReject as Reject;
  }

  /** For people and for errors: as the caller knows it. */
  get shownPath(): string | undefined {
    if (this.path === '') return undefined;
    return stripRoot(this.path, this.root);
  }

  /** `signal` has not been aborted; when it is, what becomes of this call depends on how far it is. */
  listen(signal: AbortSignal): void {
    this.#abortGroup = AbortGroup.of(signal);
    this.#abortGroup.add(this);
  }

  onAbort(reason: unknown): void {
    if (this.state === RequestState.sent && this.operation.isWrite) this.failUnanswered(reason);
    else this.fail(reason);
  }

  /** It was sent, and there will be no answer, or nobody waits for it any more. */
  failUnanswered(cause: unknown): void {
    if (this.state === RequestState.settled) return;
    const path = this.shownPath;
    this.fail(
      this.operation.isWrite
        ? new OutcomeUnknownError(this.xid, path, { cause })
        : new ConnectionLossError(path, { cause }),
    );
  }

  succeed(value: T): void {
    this.#settle();
    if (this.onSettled === null) this.#resolve(value as never);
    else this.onSettled(null, value);
  }

  /** `reason`: a `ZkError`, or whatever the caller's signal was aborted with. */
  fail(reason: unknown): void {
    this.#settle();
    if (this.onSettled === null) this.#reject(reason);
    else this.onSettled(reason, undefined);
  }

  #settle(): void {
    this.state = RequestState.settled;
    this.#abortGroup?.remove(this);
    this.#abortGroup = null;
  }
}

/** The path that a handle's caller knows; paths outside of the root stay as they are. */
export function stripRoot(path: string, root: string): string {
  if (root === '') return path;
  if (path === root) return '/';
  return path.startsWith(root) && path.charCodeAt(root.length) === 0x2f
    ? path.slice(root.length)
    : path;
}

/** The path that the server knows. */
export function withRoot(path: string, root: string): string {
  if (root === '') return path;
  return path === '/' ? root : root + path;
}
