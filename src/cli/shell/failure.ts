/**
 * How a command of the shell fails: by wrong words (exit code 2, its usage is told), or because it
 * could not be done (1). The sentences are those that zkCli has, since scripts look for them.
 */
import { ErrorCode, errorShortText, ZkError } from '../../protocol/errors.js';
import { validatePath } from '../../protocol/paths.js';
import { exitCodes } from '../terminal.js';

/** Wrong words: nothing was sent. */
export class CommandUsageError extends Error {
  override readonly name = 'CommandUsageError';
}

/** It could not be done; the message is the whole story. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
  /** More for who reads, a line each. */
  readonly hints: readonly string[];

  constructor(message: string, hints: readonly string[] = [], options?: ErrorOptions) {
    super(message, options);
    this.hints = hints;
  }
}

/** The path that a command was given, before anything is sent. */
export function checkedPath(path: string, isSequential = false): string {
  const reason = validatePath(path, isSequential);
  if (reason === null) return path;
  throw new CommandUsageError(
    / @\d+$/.test(reason) ? `Invalid path string "${path}" caused by ${reason}` : reason,
  );
}

const sentences = new Map<number, (path: string) => string>([
  [ErrorCode.noNode, (path) => `Node does not exist: ${path}`],
  [ErrorCode.noChildrenForEphemerals, (path) => `Ephemerals cannot have children: ${path}`],
  [ErrorCode.nodeExists, (path) => `Node already exists: ${path}`],
  [ErrorCode.notEmpty, (path) => `Node not empty: ${path}`],
  [ErrorCode.notReadOnly, (path) => `Not a read-only call: ${path}`],
  [ErrorCode.invalidACL, (path) => `Acl is not valid : ${path}`],
  [ErrorCode.noAuth, (path) => `Insufficient permission : ${path}`],
  [ErrorCode.badArguments, (path) => `Arguments are not valid : ${path}`],
  [ErrorCode.badVersion, (path) => `version No is not valid : ${path}`],
  [ErrorCode.quotaExceeded, (path) => `Quota has exceeded : ${path}`],
  [ErrorCode.reconfigInProgress, () => 'Another reconfiguration is in progress'],
  [
    ErrorCode.newConfigNoQuorum,
    () => 'No quorum of the new configuration is connected and up-to-date with the leader',
  ],
]);

/** One line. */
export function sentenceOf(error: unknown): string {
  if (!(error instanceof ZkError)) return error instanceof Error ? error.message : String(error);
  const sentence = sentences.get(error.code);
  if (sentence !== undefined) return sentence(error.path ?? '');
  const where = error.path === undefined || error.path === '' ? '' : ` for ${error.path}`;
  return `KeeperErrorCode = ${errorShortText(error.code)}${where}`;
}

export function exitCodeOf(error: unknown): number {
  return error instanceof CommandUsageError ? exitCodes.invalidInvocation : exitCodes.unexpected;
}
