/**
 * Numbers, addresses and times as Java prints them, and long answers in pieces. Engines know no
 * calendar but the clock's milliseconds, so the calendar is here.
 */
const pieceCharsMax = 16_384;

/** Instead of a line: end the turn here, a long computation goes on behind it. */
export const pause = '';
const itemsPerTurn = 2048;

/**
 * Joins short lines into pieces of some kilobytes, so that one turn sends one piece. A piece may be
 * empty: then nothing is ready yet.
 */
export function* inPieces(lines: Iterable<string>): Generator<string> {
  let piece = '';
  for (const line of lines) {
    piece += line;
    if (piece.length < pieceCharsMax && line !== pause) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

/** All items, gathered over as many turns as it takes. */
export function* gathered<T>(items: Iterable<T>): Generator<typeof pause, T[]> {
  const all: T[] = [];
  for (const item of items) {
    all.push(item);
    if (all.length % itemsPerTurn === 0) yield pause;
  }
  return all;
}

/** `0x` and the 64 bits in hexadecimal, negative numbers as their complement. */
export function hex(value: bigint): string {
  return BigInt.asUintN(64, value).toString(16);
}

/** `127.0.0.1`, or an IPv6 address with all its groups; IPv4 in IPv6 is IPv4. */
export function formatAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1] !== undefined) return mapped[1];
  if (!address.includes(':')) return address;
  const [plain = '', zone] = address.split('%');
  const [head = '', tail] = plain.split('::');
  const groupsOf = (part: string): string[] => part.split(':').filter((group) => group !== '');
  const front = groupsOf(head);
  const back = tail === undefined ? [] : groupsOf(tail);
  const missing = tail === undefined ? 0 : Math.max(0, 8 - front.length - back.length);
  const groups = [...front, ...Array.from({ length: missing }, () => '0'), ...back];
  const written = groups.map((group) => group.replace(/^0+(?=.)/, '')).join(':');
  return `[${zone === undefined ? written : `${written}%${zone}`}]`;
}

const weekdays = ['Thu', 'Fri', 'Sat', 'Sun', 'Mon', 'Tue', 'Wed'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const dayMs = 86_400_000;

/** `Sat Nov 21 02:37:33 UTC 2026`. */
export function formatTime(wallMs: number): string {
  const day = Math.floor(wallMs / dayMs);
  const second = Math.floor((wallMs - day * dayMs) / 1000);
  const { year, month, date } = civil(day);
  const two = (value: number): string => String(value).padStart(2, '0');
  const time = [Math.floor(second / 3600), Math.floor(second / 60) % 60, second % 60].map(two);
  const weekday = weekdays[((day % 7) + 7) % 7] ?? '';
  return `${weekday} ${months[month] ?? ''} ${two(date)} ${time.join(':')} UTC ${year}`;
}

/** Days since 1970 in the Gregorian calendar; months from 0. */
function civil(day: number): { year: number; month: number; date: number } {
  // years that begin in March put the leap day last; an era of 400 of them has a fixed length
  const shifted = day + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const leapDays =
    Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365);
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const date = dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1;
  const month = (fromMarch + 2) % 12;
  return { year: era * 400 + yearOfEra + (month < 2 ? 1 : 0), month, date };
}
