/**
 * Addresses as text and as bytes, and expressions that take many of them: an address, or an address
 * and a number of leading bits (10.0.0.0/8), IPv4 or IPv6. That is how ACLs of the `ip` scheme name
 * clients, and how lists of who is trusted do. An address matches when its leading bits are the
 * expression's.
 */

/** 4 or 16 bytes, or null when the text is no address. */
export function parseAddress(text: string): Uint8Array | null {
  return text.includes(':') ? parseV6(text) : parseV4(text);
}

/** 4 or 16 bytes. An IPv4 address that IPv6 has mapped is written as what it is. */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups: number[] = [];
  for (let i = 0; i < bytes.length; i += 2)
    groups.push(((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0));
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return bytes.subarray(12).join('.');
  }
  const { start, length } = longestZeros(groups);
  const text = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  // RFC 5952: the first of the longest runs of zeros is left out, unless it is a single group
  if (length < 2) return text(0, groups.length);
  return `${text(0, start)}::${text(start + length, groups.length)}`;
}

function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}

export function isAddressExpression(expression: string): boolean {
  return parseExpression(expression) !== null;
}

export function addressMatches(address: string, expression: string): boolean {
  const wanted = parseExpression(expression);
  const given = parseAddress(address);
  if (wanted === null || given === null || given.length !== wanted.bytes.length) return false;
  for (let i = 0; i < given.length; i++) {
    const bits = Math.min(8, Math.max(0, wanted.bits - i * 8));
    const mask = (0xff00 >> bits) & 0xff;
    if (((given[i] ?? 0) & mask) !== ((wanted.bytes[i] ?? 0) & mask)) return false;
  }
  return true;
}

function parseExpression(expression: string): { bytes: Uint8Array; bits: number } | null {
  const slash = expression.indexOf('/');
  const bytes = parseAddress(slash === -1 ? expression : expression.slice(0, slash));
  if (bytes === null) return null;
  if (slash === -1) return { bytes, bits: bytes.length * 8 };
  const text = expression.slice(slash + 1);
  const bits = Number(text);
  if (!/^\+?\d+$/.test(text) || bits > bytes.length * 8) return null;
  return { bytes, bits };
}

function parseV4(text: string): Uint8Array | null {
  const parts = text.split('.');
  if (parts.length !== 4 || parts.some((part) => !/^\d+$/.test(part) || Number(part) > 255)) {
    return null;
  }
  return Uint8Array.from(parts, Number);
}

function parseV6(text: string): Uint8Array | null {
  const halves = text.split('::').map((half) => (half === '' ? [] : half.split(':')));
  if (halves.length > 2) return null;
  const [head = [], tail = []] = halves;
  const count = head.length + tail.length;
  if (halves.length === 1 ? count !== 8 : count >= 8) return null;
  const segments = [...head, ...new Array<string>(8 - count).fill('0'), ...tail];
  if (segments.some((segment) => !/^[0-9a-fA-F]{1,4}$/.test(segment))) return null;
  const bytes = new Uint8Array(16);
  segments.forEach((segment, i) => {
    const value = Number.parseInt(segment, 16);
    bytes[2 * i] = value >> 8;
    bytes[2 * i + 1] = value & 0xff;
  });
  return bytes;
}
