/**
 * The third party of two servers: a file that somebody who must know writes `1` into where this server
 * may go on without the other, and anything else where it may not. Who cannot be asked has said no.
 */
import { DiskError, type Disk } from '../../ports/disk.js';

const YES = 0x31;

/** What it returns reads the file each time. */
export function oracleAt(disk: Disk, path: string): () => boolean {
  const first = new Uint8Array(1);
  return () => {
    try {
      const file = disk.openNow(path, 'read');
      try {
        return file.readNow(first, 0, 1, 0) === 1 && first[0] === YES;
      } finally {
        file.closeNow();
      }
    } catch (problem) {
      if (problem instanceof DiskError) return false;
      throw problem;
    }
  };
}
