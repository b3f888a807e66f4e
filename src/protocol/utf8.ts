/**
 * Strings on the wire are UTF-8, nearly always short and ASCII, so both directions are tuned for that:
 * a call into the engine's decoder costs more than building a path of two dozen characters here.
 *
 * Bytes that are not UTF-8 become U+FFFD exactly as in Java, whose rule differs from the web's for
 * surrogates that were encoded one by one: they yield one U+FFFD each, not three. Lone surrogates are
 * written as '?', pairs as the four bytes that UTF-8 asks for.
 */

/** Up to here, building the string eight characters at a time beats the engine's decoder. */
const SHORT = 24;

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string {
  if (end - start <= SHORT) {
    let bits = 0;
    for (let i = start; i < end; i++) bits |= bytes[i]!;
    if (bits < 0x80) return shortAscii(bytes, start, end);
  }
  const text = decoder.decode(bytes.subarray(start, end));
  return text.includes('\ufffd') ? decodeAsJava(bytes, start, end) : text;
}

function shortAscii(b: Uint8Array, start: number, end: number): string {
  const of = String.fromCharCode;
  let text = '';
  let i = start;
  for (; i + 8 <= end; i += 8) {
    text += of(b[i]!, b[i + 1]!, b[i + 2]!, b[i + 3]!, b[i + 4]!, b[i + 5]!, b[i + 6]!, b[i + 7]!);
  }
  if (i + 4 <= end) {
    text += of(b[i]!, b[i + 1]!, b[i + 2]!, b[i + 3]!);
    i += 4;
  }
  switch (end - i) {
    case 3:
      return text + of(b[i]!, b[i + 1]!, b[i + 2]!);
    case 2:
      return text + of(b[i]!, b[i + 1]!);
    case 1:
      return text + of(b[i]!);
    default:
      return text;
  }
}

/** For bytes that hold a U+FFFD or something that must become one. */
function decodeAsJava(bytes: Uint8Array, start: number, end: number): string {
  const parts: string[] = [];
  let i = start;
  while (i < end) {
    const lead = bytes[i]!;
    if (lead < 0x80) {
      parts.push(String.fromCharCode(lead));
      i++;
      continue;
    }
    const wanted = sequenceLength(lead);
    let have = 1;
    while (have < wanted && i + have < end && mayFollow(lead, have, bytes[i + have]!)) have++;
    parts.push(wanted > 0 && have === wanted ? codePointText(bytes, i, wanted) : '\ufffd');
    i += have;
  }
  return parts.join('');
}

/** Bytes in the sequence that `lead` begins; 0 when it can begin none. */
function sequenceLength(lead: number): number {
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  return 0;
}

function mayFollow(lead: number, at: number, byte: number): boolean {
  if ((byte & 0xc0) !== 0x80) return false;
  if (at > 1) return true;
  if (lead === 0xe0) return byte >= 0xa0;
  if (lead === 0xf0) return byte >= 0x90;
  if (lead === 0xf4) return byte < 0x90;
  return true;
}

function codePointText(bytes: Uint8Array, at: number, length: number): string {
  let code = bytes[at]! & (0xff >> (length + 1));
  for (let i = 1; i < length; i++) code = (code << 6) | (bytes[at + i]! & 0x3f);
  return code >= 0xd800 && code <= 0xdfff ? '\ufffd' : String.fromCodePoint(code);
}

/** Bytes that `encodeUtf8Into` will write. */
export function utf8Length(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c < 0x80) continue;
    if (c < 0x800) {
      length++;
    } else if (c < 0xd800 || c > 0xdfff) {
      length += 2;
    } else if (isPairAt(text, i)) {
      length += 2;
      i++;
    }
  }
  return length;
}

/** Writes the text at `pos` and returns the position after it; the caller has made room. */
export function encodeUtf8Into(text: string, bytes: Uint8Array, pos: number): number {
  let p = pos;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c < 0x80) {
      bytes[p++] = c;
    } else if (c < 0x800) {
      bytes[p++] = 0xc0 | (c >> 6);
      bytes[p++] = 0x80 | (c & 0x3f);
    } else if (c < 0xd800 || c > 0xdfff) {
      bytes[p++] = 0xe0 | (c >> 12);
      bytes[p++] = 0x80 | ((c >> 6) & 0x3f);
      bytes[p++] = 0x80 | (c & 0x3f);
    } else if (isPairAt(text, i)) {
      const code = text.codePointAt(i) ?? 0;
      i++;
      bytes[p++] = 0xf0 | (code >> 18);
      bytes[p++] = 0x80 | ((code >> 12) & 0x3f);
      bytes[p++] = 0x80 | ((code >> 6) & 0x3f);
      bytes[p++] = 0x80 | (code & 0x3f);
    } else {
      bytes[p++] = 0x3f;
    }
  }
  return p;
}

export function encodeUtf8(text: string): Uint8Array {
  const bytes = new Uint8Array(utf8Length(text));
  encodeUtf8Into(text, bytes, 0);
  return bytes;
}

function isPairAt(text: string, i: number): boolean {
  if (text.charCodeAt(i) > 0xdbff || i + 1 >= text.length) return false;
  const next = text.charCodeAt(i + 1);
  return next >= 0xdc00 && next <= 0xdfff;
}
