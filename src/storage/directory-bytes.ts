/**
 * How much the files of one kind take in a directory: what operators watch, since logs and snapshots
 * share one directory where no other is configured.
 */
import type { Disk } from '../ports/disk.js';

/** `prefix`: of the names of that kind. */
export function bytesIn(disk: Disk, directory: string, prefix: string): number {
  let bytes = 0;
  for (const { name, isDirectory } of disk.listNow(directory)) {
    if (!isDirectory && name.startsWith(prefix)) bytes += disk.sizeNow(`${directory}/${name}`);
  }
  return bytes;
}
