/**
 * The names of sequential contenders in every layout that is about, so that one directory can hold
 * contenders of several languages:
 *
 *     Curator   _c_<uuid>-lock-0000000007   _c_<uuid>-__READ__0000000007   _c_<uuid>-__WRIT__…
 *               _c_<uuid>-latch-0000000007  _c_<uuid>-lease-0000000007
 *     go-zookeeper   _c_<uuid in hex>-lock-0000000007
 *     kazoo     <uuid in hex>__lock__0000000007   <uuid in hex>__rlock__0000000007
 *
 * All are read; which one is written is the recipe's option. The number is the parent's counter, 32
 * bits with a sign: after 2147483647 comes -2147483648. Contenders of one directory lie much nearer
 * together than half of all numbers, so the difference modulo 2^32 says who came first. (Curator and
 * kazoo compare the texts, and are wrong at the wrap; nothing can be done about that from here.)
 */
import type { Crypto } from '../ports/crypto.js';

/** In whose way contenders write their names. */
export type Layout = 'curator' | 'kazoo' | 'go';

/** What a contender wants; it decides whom it has to wait for. */
export type Claim = 'exclusive' | 'shared' | 'latch' | 'lease';

export interface ContenderName {
  readonly name: string;
  readonly claim: Claim;
  readonly sequence: number;
}

/** What stands right before the number. */
const marks: readonly (readonly [mark: string, claim: Claim])[] = [
  ['-lock-', 'exclusive'],
  ['__lock__', 'exclusive'],
  ['__WRIT__', 'exclusive'],
  ['__READ__', 'shared'],
  ['__rlock__', 'shared'],
  ['-latch-', 'latch'],
  ['-lease-', 'lease'],
];

/** Null: not a contender's, whatever it is. Thousands are read at a time: no pattern matching. */
export function parseContender(name: string): ContenderName | null {
  let start = name.length;
  while (start > 0 && isDigit(name.charCodeAt(start - 1))) start--;
  // the sign takes the place of a digit, until there are too many digits for that
  const before = name[start - 2];
  if (name[start - 1] === '-' && (before === '-' || before === '_')) start--;
  const length = name.length - start;
  if (length < 10 || length > 11) return null;
  for (const [mark, claim] of marks) {
    if (name.endsWith(mark, start)) return { name, claim, sequence: Number(name.slice(start)) };
  }
  return null;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** Those of the directory's children that make one of these claims, the first first. */
export function lineUp(children: readonly string[], claims: ReadonlySet<Claim>): ContenderName[] {
  const line: ContenderName[] = [];
  for (const child of children) {
    const contender = parseContender(child);
    if (contender !== null && claims.has(contender.claim)) line.push(contender);
  }
  return line.sort((a, b) => compareSequences(a.sequence, b.sequence));
}

/** Negative: `a` was given out before `b`. */
export function compareSequences(a: number, b: number): number {
  return (a - b) | 0;
}

/** What is put before the number; `lock` names an exclusive claim that has no readers beside it. */
export function prefixOf(
  layout: Layout,
  kind: 'lock' | 'read' | 'write' | 'latch' | 'lease',
  id: string,
): string {
  const hex = id.replaceAll('-', '');
  if (layout === 'kazoo') return `${hex}${kind === 'read' ? '__rlock__' : '__lock__'}`;
  const protection = `_c_${layout === 'go' ? hex : id}-`;
  if (kind === 'read') return `${protection}__READ__`;
  if (kind === 'write') return `${protection}${layout === 'go' ? 'lock-' : '__WRIT__'}`;
  return `${protection}${kind}-`;
}

/** As the server writes it behind a name. */
export function sequenceText(sequence: number): string {
  const digits = String(Math.abs(sequence));
  return sequence < 0 ? `-${digits.padStart(9, '0')}` : digits.padStart(10, '0');
}

/** A random UUID (version 4), by the world's dice. */
export function newUuid(crypto: Crypto): string {
  const bytes = crypto.randomBytes(16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-');
}
