/** A Stat as users hold it, from the record of the wire: times are numbers there, zxids are not. */
import type { Stat as StatRecord } from '../protocol/records.js';
import type { Stat } from './types.js';

export function statFromWire(record: StatRecord): Stat {
  return { ...record, ctime: Number(record.ctime), mtime: Number(record.mtime) };
}
