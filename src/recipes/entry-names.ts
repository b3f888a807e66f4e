/**
 * The names of what lies in queues, and what is in it, in every layout that is about:
 *
 *     Curator's SimpleDistributedQueue     qn-0000000007              the data as they are
 *     Curator's DistributedQueue           queue-0000000007           items in a frame (item-frame.ts)
 *     Curator's DistributedPriorityQueue   queue-1000000050000000007  1 (0: negative), 8 hex digits
 *     Curator's DistributedDelayQueue      queue-|19A4C3A2F10|0000000007   when, milliseconds in hex
 *     kazoo's Queue and LockingQueue       entry-100-0000000007       priority, 3 digits
 *
 * The number is the parent's counter and wraps as those of contenders do.
 */
import { compareSequences } from './contender-names.js';

export interface EntryName {
  readonly name: string;
  /** The smallest first: a priority, or when it is due; 0 where there is neither. */
  readonly rank: number;
  readonly sequence: number;
}

export interface EntryNames {
  /** What stands before the number. */
  prefix(rank: number): string;
  /** Null: it is none of these. */
  parse(name: string): EntryName | null;
}

export const simpleNames = namesOf(/^qn-(?<number>\d{10}|-\d{9,10})$/, () => 'qn-');

export const framedNames = namesOf(/^queue-(?<number>\d{10}|-\d{9,10})$/, () => 'queue-');

/** Any whole number of 32 bits. */
export const priorityNames = namesOf(
  /^queue-[01](?<rank>[0-9A-F]{8})(?<number>\d{10}|-\d{9,10})$/,
  (priority) => {
    const hex = (priority >>> 0).toString(16).toUpperCase().padStart(8, '0');
    return `queue-${priority < 0 ? '0' : '1'}${hex}`;
  },
  (hex) => Number.parseInt(hex, 16) | 0,
);

/** Milliseconds since 1970. */
export const delayNames = namesOf(
  /^queue-\|(?<rank>[0-9A-F]{8,13})\|(?<number>\d{10}|-\d{9,10})$/,
  (dueMs) => `queue-|${dueMs.toString(16).toUpperCase().padStart(8, '0')}|`,
  (hex) => Number.parseInt(hex, 16),
);

/** 0 to 999. */
export const kazooNames = namesOf(
  /^entry-(?<rank>\d{3})-(?<number>\d{10}|-\d{9,10})$/,
  (priority) => `entry-${String(priority).padStart(3, '0')}-`,
  Number,
);

/** In the order in which they are taken. */
export function compareEntries(a: EntryName, b: EntryName): number {
  return a.rank - b.rank || compareSequences(a.sequence, b.sequence);
}

export function prefixOfEntry({ name, sequence }: EntryName): string {
  const digits = sequence < 0 ? Math.max(10, String(sequence).length) : 10;
  return name.slice(0, name.length - digits);
}

function namesOf(
  pattern: RegExp,
  prefix: (rank: number) => string,
  rankOf: (text: string) => number = () => 0,
): EntryNames {
  return {
    prefix,
    parse(name) {
      const groups = pattern.exec(name)?.groups;
      if (groups === undefined) return null;
      const { rank = '', number } = groups;
      return { name, rank: rankOf(rank), sequence: Number(number) };
    },
  };
}
