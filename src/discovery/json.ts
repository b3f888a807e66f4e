/** JSON that others wrote: each field is looked at before it is believed. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Sums and products of weights stay far from where numbers end. */
export const weightMax = 1e6;

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Throws a SyntaxError or a TypeError when the bytes are not a JSON object in UTF-8. */
export function parseObject(data: Uint8Array): JsonObject {
  const value: unknown = JSON.parse(decoder.decode(data));
  if (!isObject(value)) throw new TypeError('not a JSON object');
  return value;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** A finite number that is not negative; null: it is none. */
export function numberOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;
}

export function portOf(value: unknown): number | null {
  const port = numberOf(value);
  return port !== null && Number.isInteger(port) && port > 0 && port < 65_536 ? port : null;
}

/** What may stand before the port of a URL: a name or an address, and nothing that ends it. */
export function hostOf(value: unknown): string | null {
  return typeof value === 'string' && /^[^\s/?#@\\]{1,255}$/u.test(value) ? value : null;
}

/** Null: it is none. More than the most counts as that. */
export function weightOf(value: unknown): number | null {
  const weight = numberOf(value);
  return weight === null ? null : Math.min(weight, weightMax);
}

/** The members that are texts, numbers or booleans, as texts. */
export function textsOf(value: unknown): Record<string, string> {
  if (!isObject(value)) return {};
  const texts: [string, string][] = [];
  for (const [name, member] of Object.entries(value)) {
    if (typeof member === 'string') texts.push([name, member]);
    else if (typeof member === 'number' || typeof member === 'boolean') {
      texts.push([name, `${member}`]);
    }
  }
  return Object.fromEntries(texts);
}
