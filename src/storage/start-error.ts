/**
 * Why a server does not start, or stops: one line for its operator that says what is wrong, where,
 * and what to do about it, with the exit code that Apache's server gives in such a case.
 */
import { DiskError } from '../ports/disk.js';

export const exitCodes = {
  /** Unexpected errors, I/O among them. */
  unexpected: 1,
  /** The data directories cannot be used. */
  dataDirectory: 3,
  /** A snapshot that the server cannot go on without could not be written. */
  snapshot: 10,
} as const;

export class StartError extends Error {
  override readonly name = 'StartError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

const sentences: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space left on the disk',
  EDQUOT: 'the disk quota is used up',
  EIO: 'the disk reports an I/O error',
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  EISDIR: 'a directory is in its place',
  EEXIST: 'it exists already',
  EMFILE: 'too many open files in this process (ulimit -n)',
  ENFILE: 'too many open files on this machine',
  ENAMETOOLONG: 'the name is too long',
};

/** What a disk's error code means, for one line: `no space left on the disk (ENOSPC)`. */
export function describeDiskError(error: DiskError): string {
  const sentence = sentences[error.code];
  return sentence === undefined ? error.message : `${sentence} (${error.code})`;
}

/** The line for a disk that refused something the server cannot start without. */
export function startErrorOf(error: unknown, doing: string, exitCode: number): StartError {
  if (error instanceof StartError) return error;
  if (error instanceof DiskError) {
    const line = `${doing} failed: ${error.path}: ${describeDiskError(error)}`;
    return new StartError(line, exitCode, { cause: error });
  }
  throw error;
}
