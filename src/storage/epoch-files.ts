/**
 * `acceptedEpoch` and `currentEpoch`, beside the snapshots: which leader's term this server last
 * promised to follow, and whose history it holds. A server that forgot either could vote twice in one
 * epoch, or take an old history for the newest, so both are durable before anybody is told.
 *
 * The text in them is Apache's, and so is what Apache makes of it after a crash: it refuses a history
 * that is newer than currentEpoch, unless `currentEpoch.tmp` says that the step was being taken. That
 * is why currentEpoch is written in two steps, one before the history of the new epoch is durable and
 * one after it.
 *
 * The two steps also tell a server that lost its disk from one that never had anything to lose: until
 * the second step of its first epoch, what is here is nobody's whole history, and no base for a vote.
 */
import { assert } from '../base/assert.js';
import { DiskError, type Disk } from '../ports/disk.js';
import type { Logger } from '../ports/logger.js';
import { decodeUtf8, encodeUtf8 } from '../protocol/utf8.js';
import { epochOf, type Zxid } from '../protocol/zxid.js';
import { join } from './names.js';
import { describeDiskError, exitCodes, StartError, startErrorOf } from './start-error.js';

const acceptedName = 'acceptedEpoch';
const currentName = 'currentEpoch';

/** Longer than any number that could be meant. */
const textBytesMax = 64;
const epochMax = 0xffff_ffff;

export interface EpochFilesParts {
  readonly disk: Disk;
  /** The snapshots' one, as Apache has it. It is this process's alone. */
  readonly directory: string;
  readonly logger: Logger;
  /** What is durable is not known any more: nothing may be told to anybody, the process ends. */
  onFatal(error: Error): void;
}

/** One call at a time. After one that rejected with a StartError nothing is written any more. */
export class EpochFiles {
  readonly #parts: EpochFilesParts;
  #accepted: number | null;
  #current: number | null;
  /** What `currentEpoch.tmp` holds, durably, and what `finishCurrentEpoch` makes of it. */
  #begun: number | null = null;
  /** A first step was found that nobody has finished. */
  #isInterrupted: boolean;
  #hasHistory = false;
  #isBusy = false;
  #isFailed = false;

  /** Reads what is there and changes nothing. Throws StartError for what is no epoch. */
  static open(parts: EpochFilesParts): EpochFiles {
    const { disk, directory } = parts;
    try {
      return new EpochFiles(
        parts,
        readEpoch(disk, join(directory, acceptedName)),
        readEpoch(disk, join(directory, currentName)),
        disk.existsNow(join(directory, stepOf(currentName))),
      );
    } catch (error) {
      throw startErrorOf(error, 'Reading the epoch files', exitCodes.unexpected);
    }
  }

  private constructor(
    parts: EpochFilesParts,
    accepted: number | null,
    current: number | null,
    isInterrupted: boolean,
  ) {
    this.#parts = parts;
    this.#accepted = accepted;
    this.#current = current;
    this.#isInterrupted = isInterrupted;
  }

  /** Null: there is no such file, and `recover` was not called. */
  get acceptedEpoch(): number | null {
    return this.#accepted;
  }

  get currentEpoch(): number | null {
    return this.#current;
  }

  /**
   * What is on this disk is a history that was once whole here. False for a new server, for one that
   * was emptied, and until the first synchronisation of either has ended. Known after `recover`.
   */
  get hasHistory(): boolean {
    return this.#hasHistory;
  }

  /**
   * After a start, and whenever the history was read again: currentEpoch is not older than the last
   * transaction, acceptedEpoch not older than currentEpoch, a step that was begun is either finished
   * (the history got there) or forgotten, and all of it is durable, whatever the last process knew.
   * Except for a first synchronisation that was broken off: its step stays, and no epoch is current.
   */
  async recover(lastLogged: Zxid): Promise<void> {
    const isFirst = (this.#current ?? 0) === 0;
    const isBroken = isFirst && lastLogged > 0n && (this.#isInterrupted || this.#begun !== null);
    this.#hasHistory = lastLogged > 0n ? !isBroken : !isFirst;
    const reached = Math.max(this.#current ?? 0, epochOf(lastLogged), 0);
    await this.#write(async () => {
      const current = isBroken ? 0 : reached;
      const accepted = Math.max(this.#accepted ?? 0, reached);
      this.#tellRaised(acceptedName, this.#accepted, accepted);
      this.#tellRaised(currentName, this.#current, current);
      // acceptedEpoch first: at no moment is it the lower one. Both are written though they may be the
      // same: names that were read may be in the cache alone, and a second fsync of a directory after
      // one that failed does nothing
      await this.#put(acceptedName, acceptedName, accepted);
      this.#accepted = accepted;
      this.#begun = null;
      await this.#put(currentName, currentName, current);
      this.#current = current;
      if (isBroken) {
        await this.#put(currentName, stepOf(currentName), reached);
        this.#begun = reached;
      } else await this.#forgetSteps();
      this.#isInterrupted = isBroken;
    });
  }

  /** Durable when it resolves: from then on the epoch may be promised. Never goes back. */
  async writeAcceptedEpoch(epoch: number): Promise<void> {
    assert(epoch >= this.#known.accepted, 'a promise is not taken back');
    if (epoch === this.#accepted) return;
    await this.#write(async () => {
      await this.#put(acceptedName, acceptedName, epoch);
      this.#accepted = epoch;
    });
  }

  /**
   * The first step: that the epoch is about to be the current one is durable when this resolves. Then
   * the history that belongs to it is made durable, then comes `finishCurrentEpoch`.
   */
  async beginCurrentEpoch(epoch: number): Promise<void> {
    const { accepted, current } = this.#known;
    assert(
      epoch >= current && epoch <= accepted,
      'the current epoch was accepted, and goes forward',
    );
    if (epoch === current || epoch === this.#begun) return;
    await this.#write(async () => {
      this.#begun = null;
      await this.#put(currentName, stepOf(currentName), epoch);
      this.#begun = epoch;
    });
  }

  /** The second step: the epoch is the current one, durably, when it resolves. */
  async finishCurrentEpoch(): Promise<void> {
    const epoch = this.#begun;
    if (epoch === null) return;
    await this.#write(async () => {
      const { disk, directory } = this.#parts;
      await disk.rename(join(directory, stepOf(currentName)), join(directory, currentName));
      await disk.syncDirectory(directory);
      this.#begun = null;
      this.#current = epoch;
      this.#isInterrupted = false;
      this.#hasHistory = true;
    });
  }

  get #known(): { readonly accepted: number; readonly current: number } {
    assert(
      this.#accepted !== null && this.#current !== null,
      'the epoch files are recovered first',
    );
    return { accepted: this.#accepted, current: this.#current };
  }

  #tellRaised(name: string, from: number | null, to: number): void {
    if (from === to) return;
    const { logger } = this.#parts;
    if (from === null) logger.info('an epoch file is missing: created', { file: name, epoch: to });
    else logger.warn('an epoch file was older than what it speaks of', { file: name, from, to });
  }

  /** Memory follows the file, never the other way; whatever the disk refuses is the end. */
  async #write(act: () => Promise<void>): Promise<void> {
    assert(!this.#isBusy && !this.#isFailed, 'epoch files are written one at a time');
    this.#isBusy = true;
    try {
      await act();
    } catch (error) {
      this.#isFailed = true;
      if (!(error instanceof DiskError)) throw error;
      const fatal = new StartError(
        `Writing the epoch files failed: ${error.path}: ${describeDiskError(error)}`,
        exitCodes.unexpected,
        { cause: error },
      );
      this.#parts.onFatal(fatal);
      throw fatal;
    } finally {
      this.#isBusy = false;
    }
  }

  /** The file `target` holds the epoch, durably, when it resolves; until then it is as it was. */
  async #put(name: string, target: string, epoch: number): Promise<void> {
    const { disk, directory } = this.#parts;
    const unfinished = join(directory, `.${name}.tmp`);
    if (disk.existsNow(unfinished)) disk.unlinkNow(unfinished);
    const bytes = encodeUtf8(String(epoch));
    const file = disk.openNow(unfinished, 'create');
    try {
      file.writeNow(bytes, 0, bytes.length, 0);
      await file.sync();
    } finally {
      file.closeNow();
    }
    await disk.rename(unfinished, join(directory, target));
    await disk.syncDirectory(directory);
  }

  /** Steps that somebody began and never finished, Apache's among them. */
  async #forgetSteps(): Promise<void> {
    const { disk, directory } = this.#parts;
    const steps = [acceptedName, currentName]
      .map((name) => join(directory, stepOf(name)))
      .filter((path) => disk.existsNow(path));
    for (const path of steps) disk.unlinkNow(path);
    if (steps.length > 0) await disk.syncDirectory(directory);
  }
}

/** Apache's name for a file that is being replaced; of currentEpoch it reads it. */
function stepOf(name: string): string {
  return `${name}.tmp`;
}

function readText(disk: Disk, path: string): string {
  const file = disk.openNow(path, 'read');
  try {
    const bytes = new Uint8Array(textBytesMax);
    return decodeUtf8(bytes, 0, file.readNow(bytes, 0, bytes.length, 0));
  } finally {
    file.closeNow();
  }
}

/** The first line counts, as with Apache. */
function readEpoch(disk: Disk, path: string): number | null {
  if (!disk.existsNow(path)) return null;
  const [line = ''] = readText(disk, path).split(/\r?\n|\r/);
  const epoch = /^\+?[0-9]+$/.test(line) ? Number(line) : Number.NaN;
  if (epoch <= epochMax) return epoch;
  throw new StartError(
    `${path} holds ${JSON.stringify(line.slice(0, 40))}, which is no epoch. Restore it from a backup, ` +
      'or replace this server by a new one',
    exitCodes.unexpected,
  );
}
