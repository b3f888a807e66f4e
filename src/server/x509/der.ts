/**
 * As much of DER (X.690) as certificates and PKCS12 files need: elements within elements, read from
 * bytes that may say anything. Throws DerError, reads no byte beyond what it was given.
 */
export class DerError extends Error {
  override readonly name = 'DerError';
}

export const DerTag = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  t61String: 0x14,
  ia5String: 0x16,
  universalString: 0x1c,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

export interface DerElement {
  readonly tag: number;
  /** All of it, with tag and length. */
  readonly whole: Uint8Array;
  readonly content: Uint8Array;
}

export class DerReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** Of the next element; -1 at the end. */
  get nextTag(): number {
    return this.#bytes[this.#at] ?? -1;
  }

  next(): DerElement {
    const start = this.#at;
    const tag = this.#byte();
    if ((tag & 0x1f) === 0x1f) throw new DerError('a tag of more than one byte');
    const length = this.#length();
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new DerError('an element is longer than what holds it');
    const content = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return { tag, whole: this.#bytes.subarray(start, end), content };
  }

  /** The next element, which has this tag. */
  expect(tag: number): DerElement {
    if (this.nextTag !== tag) {
      throw new DerError(`tag ${this.nextTag.toString(16)} where ${tag.toString(16)} belongs`);
    }
    return this.next();
  }

  /** What is in the next element, which has this tag. */
  enter(tag: number): DerReader {
    return new DerReader(this.expect(tag).content);
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new DerError('it ends within an element');
    return byte;
  }

  #length(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    const count = first & 0x7f;
    if (count === 0 || count > 4) throw new DerError('a length of no certain form');
    let length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + this.#byte();
    return length;
  }
}

/** 2.5.4.3 */
export function oidText(content: Uint8Array): string {
  const numbers: number[] = [];
  let value = 0;
  for (const byte of content) {
    value = value * 128 + (byte & 0x7f);
    if ((byte & 0x80) !== 0) continue;
    if (numbers.length === 0) {
      const first = Math.min(2, Math.floor(value / 40));
      numbers.push(first, value - first * 40);
    } else numbers.push(value);
    value = 0;
  }
  return numbers.join('.');
}

/** A number that fits; iterations and lengths do. */
export function smallInteger(content: Uint8Array): number {
  if (content.length > 5) throw new DerError('a number is too large');
  return content.reduce((value, byte) => value * 256 + byte, 0);
}
