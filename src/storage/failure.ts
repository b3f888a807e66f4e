/**
 * The end of a storage that its disk has failed. After a write or an fsync that did not succeed nobody
 * knows what the disk holds, so nothing may be confirmed any more: whoever owns the storage is told so,
 * once, in one line, by whichever part of it meets the failure first.
 */
import { DiskError } from '../ports/disk.js';
import { describeDiskError, exitCodes, StartError } from './start-error.js';

export class Failure {
  readonly #onFatal: (error: Error) => void;
  #error: Error | null = null;

  constructor(onFatal: (error: Error) => void) {
    this.#onFatal = onFatal;
  }

  /** What the owner was told, where it lives on (in a simulation). */
  throwIfAny(): void {
    if (this.#error !== null) throw this.#error;
  }

  /** `doing` begins the line: what was under way. */
  during(error: Error, doing = 'Writing the transaction log'): void {
    const line =
      error instanceof DiskError
        ? `${doing} failed: ${error.path}: ${describeDiskError(error)}`
        : `${doing} failed: ${error.message}`;
    this.end(new StartError(line, exitCodes.unexpected, { cause: error }));
  }

  /** As `during`, of what is one line already. */
  end(error: Error): void {
    if (this.#error !== null) return;
    this.#error = error;
    this.#onFatal(error);
  }
}
