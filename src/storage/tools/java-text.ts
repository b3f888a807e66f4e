/**
 * How Java writes things down, where our tools' output is to be read by what reads Apache's: numbers,
 * records (jute's toString), strings in JSON, and the order in which a hash table gives its entries.
 */
import type { ACL } from '../../protocol/records.js';

/** Long.toHexString: two's complement, no padding. */
export function javaHex(value: bigint): string {
  return BigInt.asUintN(64, value).toString(16);
}

/** `%#016x`: sixteen characters at least, the 0x among them. */
export function javaHexPadded(value: bigint): string {
  return `0x${javaHex(value).padStart(14, '0')}`;
}

/** Long.decode: decimal, or 0x, # and 0 for other bases; null for anything else. */
export function javaDecodeLong(text: string): bigint | null {
  const match = /^([+-]?)(?:(?:0[xX]|#)([0-9a-fA-F]+)|0([0-7]+)|([0-9]+))$/.exec(text);
  if (!match) return null;
  const [, sign, hex, octal, decimal] = match;
  const digits = hex === undefined ? (octal === undefined ? decimal : `0o${octal}`) : `0x${hex}`;
  const value = sign === '-' ? -BigInt(digits ?? '0') : BigInt(digits ?? '0');
  return value === BigInt.asIntN(64, value) ? value : null;
}

const juteEscapes: Readonly<Record<string, string>> = {
  '\0': '%00',
  '\n': '%0A',
  '\r': '%0D',
  ',': '%2C',
  '}': '%7D',
  '%': '%25',
};

/** A string in the text form of a record. */
export function juteString(text: string | null): string {
  if (text === null) return '';
  return `'${text.replace(/[\0\n\r,}%]/g, (character) => juteEscapes[character] ?? character)}`;
}

export function juteAcl(acl: ACL): string {
  return `${acl.perms},s{${juteString(acl.id.scheme)},${juteString(acl.id.id)}}`;
}

/** A list of ACL records, as java.util.List prints it: each record ends its line. */
export function javaAclList(acls: readonly ACL[] | null): string {
  return acls === null ? 'null' : `[${acls.map((acl) => `${juteAcl(acl)}\n`).join(', ')}]`;
}

const jsonEscapes: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\f': '\\f',
  '\r': '\\r',
};

/** The inside of a JSON string; characters beyond ASCII stay as they are. */
export function jsonQuoted(text: string): string {
  return text.replace(/[\u0000-\u001f"\\]/g, (character) => {
    const code = character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
    return jsonEscapes[character] ?? `\\u${code}`;
  });
}

export function javaStringHash(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(31, hash) + text.charCodeAt(i)) | 0;
  return hash;
}

export function javaLongHash(value: bigint): number {
  return Number(BigInt.asIntN(32, value ^ BigInt.asUintN(64, value >> 32n)));
}

/**
 * The order in which java.util.HashMap would give `items` that were put in in this order: by bucket of
 * a table that doubles when it is three quarters full. (Buckets of eight and more become trees and
 * would differ.)
 */
export function javaHashOrder<T>(
  items: readonly T[],
  hashOf: (item: T) => number,
  initialCapacity: number,
): T[] {
  let capacity = initialCapacity;
  while (items.length > 0.75 * capacity) capacity *= 2;
  const bucketOf = (item: T): number => {
    const hash = hashOf(item);
    return (hash ^ (hash >>> 16)) & (capacity - 1);
  };
  return items
    .map((item, index) => ({ item, index, bucket: bucketOf(item) }))
    .sort((a, b) => a.bucket - b.bucket || a.index - b.index)
    .map(({ item }) => item);
}

const base64Digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

export function base64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const a = bytes[i] ?? 0;
    const b = bytes[i + 1];
    const c = bytes[i + 2];
    const bits = (a << 16) | ((b ?? 0) << 8) | (c ?? 0);
    text += base64Digits.charAt(bits >> 18) + base64Digits.charAt((bits >> 12) & 63);
    text += b === undefined ? '=' : base64Digits.charAt((bits >> 6) & 63);
    text += c === undefined ? '=' : base64Digits.charAt(bits & 63);
  }
  return text;
}
