/**
 * The snapshot directory: which snapshots there are and which of them are whole. Checking a snapshot
 * means reading it; one that this process wrote, loaded or checked before is not read again as long
 * as its length is the same.
 */
import type { Clock } from '../ports/clock.js';
import { DiskError, type Compression, type Disk } from '../ports/disk.js';
import type { Logger } from '../ports/logger.js';
import { listSnapshots, type SnapshotName } from './names.js';
import { Pace } from './pace.js';
import {
  ignoringSink,
  readSnapshotContent,
  type SnapshotSink,
  type SnapshotSummary,
} from './snapshot-reader.js';
import { openSnapshotSource, SnapshotError, type SnapshotSource } from './snapshot-source.js';

/** Smaller ones are not whole: header, counts, root, end, seal. */
const tailBytes = 5;

export class Snapshots {
  readonly directory: string;
  readonly #disk: Disk;
  readonly #compression: Compression;
  readonly #logger: Logger;
  /** Names to the lengths with which they were found to be whole. */
  readonly #valid = new Map<string, number>();

  constructor(parts: {
    readonly disk: Disk;
    readonly compression: Compression;
    readonly logger: Logger;
    readonly directory: string;
  }) {
    this.directory = parts.directory;
    this.#disk = parts.disk;
    this.#compression = parts.compression;
    this.#logger = parts.logger;
  }

  /** Newest first. */
  list(): SnapshotName[] {
    return listSnapshots(this.#disk, this.directory);
  }

  markValid(snapshot: SnapshotName): void {
    this.#valid.set(snapshot.name, this.#disk.sizeNow(snapshot.path));
  }

  /**
   * Reads one into `sink`. Throws SnapshotError when it is not whole, after which what the sink has
   * got is worth nothing.
   */
  async read(
    snapshot: SnapshotName,
    sink: SnapshotSink,
    pace: Pace,
    onOpen?: (source: SnapshotSource) => void,
  ): Promise<SnapshotSummary> {
    this.#checkEnd(snapshot);
    const { path, compression } = snapshot;
    const source = openSnapshotSource(this.#disk, this.#compression, path, compression);
    onOpen?.(source);
    const summary = await readSnapshotContent(source, sink, pace);
    this.markValid(snapshot);
    return summary;
  }

  /** The newest `count` that are whole, newest first. */
  async newestValid(count: number, clock: Clock): Promise<SnapshotName[]> {
    const valid: SnapshotName[] = [];
    for (const snapshot of this.list()) {
      if (valid.length === count) break;
      if (await this.#isValid(snapshot, clock)) valid.push(snapshot);
    }
    return valid;
  }

  async #isValid(snapshot: SnapshotName, clock: Clock): Promise<boolean> {
    if (this.#valid.get(snapshot.name) === this.#disk.sizeNow(snapshot.path)) return true;
    try {
      await this.read(snapshot, ignoringSink, new Pace(clock, 2));
      return true;
    } catch (error) {
      if (error instanceof SnapshotError) {
        this.#logger.warn('a snapshot is not whole', { file: snapshot.path, why: error.message });
        return false;
      }
      if (error instanceof DiskError) {
        const { path, code } = error;
        this.#logger.warn('a snapshot cannot be read', { file: path, why: code });
        return false;
      }
      throw error;
    }
  }

  /** A quick look at the end, which an unfinished file of Apache's does not have. */
  #checkEnd({ path, compression }: SnapshotName): void {
    if (compression !== '') return;
    const file = this.#disk.openNow(path, 'read');
    const size = file.sizeNow();
    const end = new Uint8Array(tailBytes);
    const count = size < tailBytes ? 0 : file.readNow(end, 0, tailBytes, size - tailBytes);
    file.closeNow();
    const [a, b, c, d, e] = end;
    const isSealed = count === tailBytes && a === 0 && b === 0 && c === 0 && d === 1 && e === 0x2f;
    if (!isSealed) throw new SnapshotError(`it ends without a seal, after ${size} bytes`);
  }
}
