/**
 * The `ip` scheme: an address, or an address and a number of leading bits (10.0.0.0/8), IPv4 or
 * IPv6. A caller's address matches when its leading bits are the expression's.
 */

/** 4 or 16 bytes, or null when the text is no address. */
export function parseAddress(text: string): Uint8Array | null {
  return text.includes(':') ? parseV6(text) : parseV4(text);
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
