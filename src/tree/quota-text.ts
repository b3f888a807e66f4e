/**
 * What the znodes of a quota say, `count=5,bytes=100=;countHardLimit=10`: limits in one, the running
 * statistics in the other. The order, and the `=` before the first semicolon, are such that readers
 * older than hard limits still find count and bytes.
 *
 * Anybody with the right to write below `/zookeeper/quota` can put anything there. Apache's servers
 * fall over it; here what is no number counts as not said.
 */
const UNSET = -1n;
const PAIR_SEPARATORS = /[,;]+/;
const INTEGER = /^[+-]?[0-9]+$/;

const LONG_MIN = -(1n << 63n);
const LONG_MAX = (1n << 63n) - 1n;

export class QuotaText {
  readonly #values = new Map<string, bigint>();

  constructor(text = '') {
    for (const pair of text.split(PAIR_SEPARATORS)) {
      const [key = '', value] = pair.split('=');
      if (value !== undefined) this.#values.set(key, numberIn(value));
    }
  }

  /** -1 for what the text does not say. */
  get count(): bigint {
    return this.#get('count');
  }

  get bytes(): bigint {
    return this.#get('bytes');
  }

  get countHardLimit(): bigint {
    return this.#get('countHardLimit');
  }

  get byteHardLimit(): bigint {
    return this.#get('byteHardLimit');
  }

  setCount(value: bigint): void {
    this.#values.set('count', BigInt.asIntN(64, value));
  }

  setBytes(value: bigint): void {
    this.#values.set('bytes', BigInt.asIntN(64, value));
  }

  toString(): string {
    const head = `count=${this.count},bytes=${this.bytes}`;
    const rest = [...this.#values].filter(([key]) => key !== 'count' && key !== 'bytes');
    if (rest.length === 0) return head;
    rest.sort(([a], [b]) => (a < b ? -1 : 1));
    return `${head}=${rest.map(([key, value]) => `;${key}=${value}`).join('')}`;
  }

  #get(key: string): bigint {
    return this.#values.get(key) ?? UNSET;
  }
}

function numberIn(text: string): bigint {
  if (!INTEGER.test(text)) return UNSET;
  const value = BigInt(text.replace('+', ''));
  return value < LONG_MIN || value > LONG_MAX ? UNSET : value;
}
