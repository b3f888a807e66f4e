/**
 * How calls fail, as classes to catch. Each is a `ZkError` with the code that ZooKeeper's own clients
 * use; what the server answered keeps its code, what this client found out has the nearest one. Two
 * questions decide what a caller does next, so they are answered here: may the same call simply be
 * made again (`isRetryable`), and is it known what became of it (`OutcomeUnknownError`)?
 */
import { ErrorCode, ZkError } from '../protocol/errors.js';

export class NoNodeError extends ZkError {
  override readonly name = 'NoNodeError';
  constructor(path?: string, options?: ErrorOptions) {
    super(ErrorCode.noNode, path, options);
  }
}

export class NodeExistsError extends ZkError {
  override readonly name = 'NodeExistsError';
  constructor(path?: string, options?: ErrorOptions) {
    super(ErrorCode.nodeExists, path, options);
  }
}

export class BadVersionError extends ZkError {
  override readonly name = 'BadVersionError';
  constructor(path?: string, options?: ErrorOptions) {
    super(ErrorCode.badVersion, path, options);
  }
}

export class NotEmptyError extends ZkError {
  override readonly name = 'NotEmptyError';
  constructor(path?: string, options?: ErrorOptions) {
    super(ErrorCode.notEmpty, path, options);
  }
}

export class NoAuthError extends ZkError {
  override readonly name = 'NoAuthError';
  constructor(path?: string, options?: ErrorOptions) {
    super(ErrorCode.noAuth, path, options);
  }
}

export class NoChildrenForEphemeralsError extends ZkError {
  override readonly name = 'NoChildrenForEphemeralsError';
  constructor(path?: string, options?: ErrorOptions) {
    super(ErrorCode.noChildrenForEphemerals, path, options);
  }
}

export class InvalidAclError extends ZkError {
  override readonly name = 'InvalidAclError';
  constructor(path?: string, options?: ErrorOptions) {
    super(ErrorCode.invalidACL, path, options);
  }
}

export class BadArgumentsError extends ZkError {
  override readonly name = 'BadArgumentsError';
  constructor(path?: string, options?: ErrorOptions) {
    super(ErrorCode.badArguments, path, options);
  }
}

export class NoWatcherError extends ZkError {
  override readonly name = 'NoWatcherError';
  constructor(path?: string, options?: ErrorOptions) {
    super(ErrorCode.noWatcher, path, options);
  }
}

export class QuotaExceededError extends ZkError {
  override readonly name = 'QuotaExceededError';
  constructor(path?: string, options?: ErrorOptions) {
    super(ErrorCode.quotaExceeded, path, options);
  }
}

/** The server is too old for this, and there is no other way to it. */
export class UnimplementedError extends ZkError {
  override readonly name = 'UnimplementedError';
  constructor(path?: string, options?: ErrorOptions) {
    super(ErrorCode.unimplemented, path, options);
  }
}

/** A server without a quorum does not write. */
export class NotReadOnlyError extends ZkError {
  override readonly name = 'NotReadOnlyError';
  constructor(path?: string, options?: ErrorOptions) {
    super(ErrorCode.notReadOnly, path, options);
  }
}

export class AuthFailedError extends ZkError {
  override readonly name = 'AuthFailedError';
  constructor(path?: string, options?: ErrorOptions) {
    super(ErrorCode.authFailed, path, options);
  }
}

/** The session that the call was made in is over. */
export class SessionExpiredError extends ZkError {
  override readonly name = 'SessionExpiredError';
  constructor(path?: string, options?: ErrorOptions) {
    super(ErrorCode.sessionExpired, path, options);
  }
}

/** It did nothing: it was never sent, or it was a read. */
export class ConnectionLossError extends ZkError {
  override readonly name = 'ConnectionLossError';
  constructor(path?: string, options?: ErrorOptions) {
    super(ErrorCode.connectionLoss, path, options);
    this.message = sentence(this, 'there was no connection, or it ended before the answer');
  }
}

/** No answer within `requestTimeoutMs`; it did nothing: it was never sent, or it was a read. */
export class RequestTimeoutError extends ZkError {
  override readonly name = 'RequestTimeoutError';
  constructor(path?: string, options?: ErrorOptions) {
    super(ErrorCode.requestTimeout, path, options);
  }
}

/**
 * A write was sent and its answer did not come: it has happened, or will, or never. `cause` tells why
 * there is no answer; `xid` is what the server's log of transactions calls it, with the session's id.
 */
export class OutcomeUnknownError extends ZkError {
  override readonly name = 'OutcomeUnknownError';
  readonly xid: number;

  constructor(xid: number, path: string | undefined, options?: ErrorOptions) {
    super(ErrorCode.connectionLoss, path, options);
    this.message = sentence(this, 'the write was sent and not answered: it may have happened');
    this.xid = xid;
  }
}

/** The client was closed, or has not been connected. */
export class ClientClosedError extends ZkError {
  override readonly name = 'ClientClosedError';
  constructor(path?: string, options?: ErrorOptions) {
    super(ErrorCode.connectionLoss, path, options);
    this.message = sentence(this, 'the client is closed, or was not connected');
  }
}

/** What came from a server is not the protocol. Appears as the `cause` of other errors. */
export class ProtocolViolationError extends Error {
  override readonly name = 'ProtocolViolationError';
}

/** In the place of what the code alone would say. */
function sentence({ codeName, path }: ZkError, text: string): string {
  return `${codeName}: ${text}${path === undefined ? '' : `: ${path}`}`;
}

type ErrorClass = new (path?: string, options?: ErrorOptions) => ZkError;

const classOfCode = new Map<number, ErrorClass>([
  [ErrorCode.noNode, NoNodeError],
  [ErrorCode.nodeExists, NodeExistsError],
  [ErrorCode.badVersion, BadVersionError],
  [ErrorCode.notEmpty, NotEmptyError],
  [ErrorCode.noAuth, NoAuthError],
  [ErrorCode.noChildrenForEphemerals, NoChildrenForEphemeralsError],
  [ErrorCode.invalidACL, InvalidAclError],
  [ErrorCode.badArguments, BadArgumentsError],
  [ErrorCode.noWatcher, NoWatcherError],
  [ErrorCode.quotaExceeded, QuotaExceededError],
  [ErrorCode.unimplemented, UnimplementedError],
  [ErrorCode.notReadOnly, NotReadOnlyError],
  [ErrorCode.authFailed, AuthFailedError],
  [ErrorCode.sessionExpired, SessionExpiredError],
  [ErrorCode.connectionLoss, ConnectionLossError],
  [ErrorCode.requestTimeout, RequestTimeoutError],
]);

/** The error of a code that a server answered with. */
export function zkErrorOf(code: number, path?: string): ZkError {
  const known = classOfCode.get(code);
  return known === undefined ? new ZkError(code, path) : new known(path);
}

/**
 * Whether the same call may be made again as it is, because nothing came of it: later it may succeed.
 * False for `OutcomeUnknownError`: look first whether the write has happened.
 */
export function isRetryable(error: unknown): boolean {
  return (
    error instanceof ConnectionLossError ||
    error instanceof RequestTimeoutError ||
    (error instanceof ZkError &&
      (error.code === ErrorCode.throttledOp || error.code === ErrorCode.sessionMoved))
  );
}

export { ErrorCode, ZkError } from '../protocol/errors.js';
