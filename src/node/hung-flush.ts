/**
 * The end of a process whose disk does not answer a flush: one line, and SIGKILL, for an orderly end
 * would wait for that disk.
 */
import { writeSync } from 'node:fs';

const STDERR = 2;

export function endHung(afterMs: number): void {
  writeSync(
    STDERR,
    `stopping: the disk has not answered a flush of the transaction log for ${(afterMs / 1000).toFixed(1)} s ` +
      '(fsync.hangLimitMs); look at the device of dataLogDir\n',
  );
  process.kill(process.pid, 'SIGKILL');
}
