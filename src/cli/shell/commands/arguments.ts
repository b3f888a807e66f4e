/** What the arguments of several commands have in common. */
import { ErrorCode, ZkError } from '../../../protocol/errors.js';
import { CommandUsageError, checkedPath } from '../failure.js';
import type { Call } from '../command.js';

export function pathArgument({ args }: Call, at = 0): string {
  return checkedPath(args[at] ?? '');
}

/** As if the server had said so. */
export function noNode(path: string): ZkError {
  return new ZkError(ErrorCode.noNode, path);
}

const intMax = 0x7fff_ffff;

/** `-v`: any version unless given; -1 says so, too. */
export function versionFlag({ flags }: Call): { version?: number } {
  return versionOf(flags.number('v', -1, intMax));
}

export function versionOf(version: number | undefined): { version?: number } {
  return version === undefined || version === -1 ? {} : { version };
}

/** A version among the arguments, as old scripts have it. */
export function versionArgument(text: string): { version?: number } {
  const version = Number(text);
  if (!/^-?\d+$/.test(text) || version < -1 || version > intMax) {
    throw new CommandUsageError(`a version is a whole number, not '${text}'`);
  }
  return versionOf(version);
}
