/**
 * After the logs have been read and found consistent: what a crash left half done is finished, and
 * what was read is made sure of. Every step can be interrupted and repeated.
 */
import type { Disk, DiskFile } from '../ports/disk.js';
import type { LogReplayResult } from './log-replay.js';

const pieceBytes = 1024 * 1024;
/** Without a tail mark nobody knows what was durable; this much of the end is written again. */
const rewrittenBytesMax = 1024 * 1024;

/** Throws a DiskError when the disk refuses: then the server must not start. */
export function repairLogs(disk: Disk, directory: string, result: LogReplayResult): void {
  const { last, empty, durableTo } = result;
  if (last !== null) {
    const file = disk.openNow(last.log.path, 'write');
    try {
      // though it may end there already: a cut whose fsync failed is in the cache alone
      file.truncateNow(last.validEnd);
      rewrite(file, durableTo, last.validEnd);
      file.syncNow();
    } finally {
      file.closeNow();
    }
  }
  for (const log of empty) disk.unlinkNow(log.path);
  disk.syncDirectoryNow(directory);
}

/**
 * What was read may lie in the page cache alone: written by a process that died before its fsync, or
 * taken for clean by the kernel after an fsync that failed. Writing the same bytes again makes the
 * pages dirty, and the fsync that follows real.
 */
function rewrite(file: DiskFile, durableTo: number, validEnd: number): void {
  const from = durableTo > 0 ? durableTo : Math.max(0, validEnd - rewrittenBytesMax);
  const bytes = new Uint8Array(Math.min(pieceBytes, Math.max(0, validEnd - from)));
  for (let at = from; at < validEnd; at += bytes.length) {
    const count = file.readNow(bytes, 0, Math.min(bytes.length, validEnd - at), at);
    file.writeNow(bytes, 0, count, at);
  }
}
