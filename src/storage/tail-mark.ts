/**
 * `.tail`, a file of our own beside the logs: up to which byte of which log everything is durable.
 *
 * A log's records carry no trace of what was flushed together. After a power failure the last, never
 * acknowledged writes may be on the disk in any selection, so damage followed by a valid record can
 * be either: an unlucky last write (cut it off) or lost transactions that clients were told about
 * (refuse). The mark tells them apart: before it damage is a loss, after it it is a torn write.
 *
 * It is written in place after every flush and not synced, so a crash of the process leaves it exact
 * and a power failure leaves an older one, which is on the safe side of wrong: it never claims more
 * than was durable. It is synced when a log is created, when the logs are closed, and by the kernel
 * within half a minute. It names its log and the checksum of the last record before the mark; when
 * they do not match (Apache's server ran here since, a tool rewrote the log) it says nothing.
 */
import { adler32 } from '../protocol/adler32.js';
import type { Zxid } from '../protocol/zxid.js';
import { DiskError, type Disk, type DiskFile } from '../ports/disk.js';
import { join } from './names.js';

const fileName = '.tail';
/** `ZBTL` */
const magic = 0x5a42544c;
const version = 1;

/** No log is named after it. */
const noLog: Zxid = -1n;

/** One sector holds it: it is written whole or not at all. */
const markBytes = 44;

export interface TailMark {
  /** The log is named after it. */
  readonly logZxid: Zxid;
  /** Everything before is durable; a record ends here. */
  readonly offset: number;
  /** Of the last record's payload, 0 when there is none yet. */
  readonly checksum: number;
}

/** What the last process left; null when there is nothing that can be believed. */
export function readTailMark(disk: Disk, directory: string): TailMark | null {
  const path = join(directory, fileName);
  if (!disk.existsNow(path)) return null;
  const bytes = new Uint8Array(markBytes);
  const file = disk.openNow(path, 'read');
  const count = file.readNow(bytes, 0, markBytes, 0);
  file.closeNow();
  const view = new DataView(bytes.buffer);
  if (count < markBytes || view.getInt32(0) !== magic || view.getInt32(4) !== version) return null;
  if (view.getUint32(markBytes - 4) !== adler32(bytes, 0, markBytes - 4)) return null;
  return {
    logZxid: view.getBigInt64(8),
    offset: Number(view.getBigInt64(16)),
    checksum: view.getUint32(24),
  };
}

export class TailMarkFile {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #bytes = new Uint8Array(markBytes);
  readonly #view = new DataView(this.#bytes.buffer);
  #file: DiskFile | null = null;

  constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.#directory = directory;
    this.#view.setInt32(0, magic);
    this.#view.setInt32(4, version);
  }

  /** Another log is begun. Durable when it resolves, before the log gets its first record. */
  async begin(logZxid: Zxid): Promise<void> {
    const isNew = this.beginUnsynced(logZxid);
    await this.#file?.sync();
    if (isNew) await this.#disk.syncDirectory(this.#directory);
  }

  /** True: the file is new, its name not durable. */
  beginUnsynced(logZxid: Zxid): boolean {
    const isNew = this.#open();
    this.#view.setBigInt64(8, logZxid);
    this.write(0, 0);
    return isNew;
  }

  /**
   * Says where a log ends for good, or (null) nothing about any log. Durable when it resolves, in one
   * step: until then the mark is as it was.
   */
  async place(logZxid: Zxid | null, offset: number, checksum: number): Promise<void> {
    const isNew = this.#open();
    this.#view.setBigInt64(8, logZxid ?? noLog);
    this.write(offset, checksum);
    await this.#file?.sync();
    if (isNew) await this.#disk.syncDirectory(this.#directory);
  }

  /** Moves the mark of the current log. To be durable some time, in order. */
  write(offset: number, checksum: number): void {
    const view = this.#view;
    view.setUint32(16, Math.floor(offset / 0x1_0000_0000));
    view.setUint32(20, offset >>> 0);
    view.setUint32(24, checksum);
    view.setUint32(markBytes - 4, adler32(this.#bytes, 0, markBytes - 4));
    this.#file?.writeNow(this.#bytes, 0, markBytes, 0);
  }

  close(): void {
    const file = this.#file;
    this.#file = null;
    if (file === null) return;
    file.syncNow();
    file.closeNow();
  }

  #open(): boolean {
    if (this.#file !== null) return false;
    const path = join(this.#directory, fileName);
    try {
      this.#file = this.#disk.openNow(path, 'write');
      return false;
    } catch (error) {
      if (!(error instanceof DiskError) || error.code !== 'ENOENT') throw error;
      this.#file = this.#disk.openNow(path, 'create');
      return true;
    }
  }
}
