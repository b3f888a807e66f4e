/**
 * How requests fail. The number is the protocol, the name is what people search for, the sentence is
 * what they read; one table ties them together, and a `ZkError` carries all three. Errors of the
 * outside world that never travel in a reply (a broken frame, a full disk) are not listed here.
 */
export const ErrorCode = {
  ok: 0,
  systemError: -1,
  runtimeInconsistency: -2,
  dataInconsistency: -3,
  connectionLoss: -4,
  marshallingError: -5,
  unimplemented: -6,
  operationTimeout: -7,
  badArguments: -8,
  unknownSession: -12,
  newConfigNoQuorum: -13,
  reconfigInProgress: -14,
  apiError: -100,
  noNode: -101,
  noAuth: -102,
  badVersion: -103,
  noChildrenForEphemerals: -108,
  nodeExists: -110,
  notEmpty: -111,
  sessionExpired: -112,
  invalidCallback: -113,
  invalidACL: -114,
  authFailed: -115,
  sessionMoved: -118,
  notReadOnly: -119,
  ephemeralOnLocalSession: -120,
  noWatcher: -121,
  requestTimeout: -122,
  reconfigDisabled: -123,
  sessionClosedRequireSaslAuth: -124,
  quotaExceeded: -125,
  throttledOp: -127,
} as const;

export type ErrorCodeKey = keyof typeof ErrorCode;
export type ErrorCodeValue = (typeof ErrorCode)[ErrorCodeKey];

/** The short form that Apache's tools print after "KeeperErrorCode = ", and our sentence. */
const texts: Readonly<Record<ErrorCodeKey, readonly [short: string, sentence: string]>> = {
  ok: ['ok', 'the operation succeeded'],
  systemError: ['SystemError', 'the server failed in a way that has no code of its own'],
  runtimeInconsistency: ['RuntimeInconsistency', 'an earlier operation of this multi failed'],
  dataInconsistency: ['DataInconsistency', 'the server found its data inconsistent'],
  connectionLoss: ['ConnectionLoss', 'the connection was lost; the outcome is unknown'],
  marshallingError: ['MarshallingError', 'the request could not be decoded'],
  unimplemented: ['Unimplemented', 'the server does not implement this operation'],
  operationTimeout: ['OperationTimeout', 'the operation took too long'],
  badArguments: ['BadArguments', 'an argument is not valid'],
  unknownSession: ['Unknown error UNKNOWNSESSION', 'the server does not know this session'],
  newConfigNoQuorum: ['NewConfigNoQuorum', 'no quorum of the new configuration is in sync'],
  reconfigInProgress: ['ReconfigInProgress', 'another reconfiguration is in progress'],
  apiError: ['APIError', 'the request was used in a way the server does not support'],
  noNode: ['NoNode', 'the znode does not exist'],
  noAuth: ['NoAuth', 'not permitted by the ACL'],
  badVersion: ['BadVersion', 'the version is not the current one'],
  noChildrenForEphemerals: ['NoChildrenForEphemerals', 'an ephemeral znode cannot have children'],
  nodeExists: ['NodeExists', 'the znode exists already'],
  notEmpty: ['Directory not empty', 'the znode has children'],
  sessionExpired: ['Session expired', 'the session has expired'],
  invalidCallback: ['Invalid callback', 'the callback is not valid'],
  invalidACL: ['InvalidACL', 'the ACL is not valid'],
  authFailed: ['AuthFailed', 'the authentication was refused'],
  sessionMoved: ['Session moved', 'the session has moved to another server'],
  notReadOnly: ['Not a read-only call', 'a read-only server does not accept writes'],
  ephemeralOnLocalSession: [
    'Ephemeral node on local session',
    'a local session cannot own ephemeral znodes',
  ],
  noWatcher: ['No such watcher', 'there is no such watch on this path'],
  requestTimeout: ['Unknown error REQUESTTIMEOUT', 'no answer came within the request timeout'],
  reconfigDisabled: ['Reconfig is disabled', 'reconfiguration is disabled'],
  sessionClosedRequireSaslAuth: [
    'Session closed because client failed to authenticate',
    'the server requires SASL authentication and closed the session',
  ],
  quotaExceeded: ['Quota has exceeded', 'a quota is exceeded'],
  throttledOp: [
    'Op throttled due to high load',
    'the server is overloaded and dropped the request',
  ],
};

interface Entry {
  readonly name: string;
  readonly short: string;
  readonly sentence: string;
}

const entries = new Map<number, Entry>(
  (Object.keys(ErrorCode) as ErrorCodeKey[]).map((key) => {
    const [short, sentence] = texts[key];
    return [ErrorCode[key], { name: key.toUpperCase(), short, sentence }];
  }),
);

/** The stable name (`NONODE`); `UNKNOWN77` for a number that has none. */
export function errorName(code: number): string {
  return entries.get(code)?.name ?? `UNKNOWN${code}`;
}

/** As Apache's tools spell it: `NoNode`, `Directory not empty`. */
export function errorShortText(code: number): string {
  return entries.get(code)?.short ?? `Unknown error ${code}`;
}

export function errorSentence(code: number): string {
  return entries.get(code)?.sentence ?? `the server answered with the unknown error ${code}`;
}

/** The code of a stable name (`NONODE`), undefined when there is none. */
export function errorCodeOf(name: string): number | undefined {
  for (const [code, entry] of entries) if (entry.name === name) return code;
  return undefined;
}

/** A request's failure, as the server answered it or would answer it. */
export class ZkError extends Error {
  override readonly name: string = 'ZkError';
  readonly code: number;
  readonly codeName: string;
  readonly path: string | undefined;

  constructor(code: number, path?: string, options?: ErrorOptions) {
    const where = path === undefined ? '' : `: ${path}`;
    super(`${errorName(code)}: ${errorSentence(code)}${where}`, options);
    this.code = code;
    this.codeName = errorName(code);
    this.path = path;
  }
}
