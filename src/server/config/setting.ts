/**
 * What a value in zoo.cfg, in the environment or behind -D may look like, and what it means. Each
 * kind reads text and gives a value or one sentence that says what would have been right. Apache
 * falls back to the default in silence when the value of a system property cannot be read; a typed
 * wrong limit that is not applied is worse than a server that says so and stops, so here every
 * unreadable value is a problem.
 */
import { isAddressExpression } from '../../protocol/ip-address.js';

type Reading<T> =
  | { readonly ok: true; readonly value: T; readonly warning?: string }
  | { readonly ok: false; readonly reason: string };

export interface Setting<T> {
  /** The key as it stands in zoo.cfg. `zookeeper.<key>` is its system property. */
  readonly key: string;
  readonly initial: T;
  read(text: string): Reading<T>;
  /** The value as zoo.cfg would have it. */
  write(value: T): string;
  /** Apache reads this one only as a system property and ignores it in zoo.cfg; we honour both. */
  readonly onlyPropertyInApache: boolean;
}

interface NumberLimits {
  readonly min?: number;
  readonly max?: number;
  /** Below this, Apache takes this and warns. */
  readonly raisedTo?: number;
  /** Multiplied by this on the way in, so that the field has the unit its name says. */
  readonly factor?: number;
  readonly onlyPropertyInApache?: boolean;
}

const int32Max = 0x7fffffff;
const int32Min = -0x80000000;

export function integer(key: string, initial: number, limits: NumberLimits = {}): Setting<number> {
  const { min = int32Min, max = int32Max, raisedTo, factor = 1 } = limits;
  return {
    key,
    initial,
    onlyPropertyInApache: limits.onlyPropertyInApache ?? false,
    read(text) {
      const number = readWhole(text);
      if (number === null) return { ok: false, reason: `'${text}' is not a whole number` };
      if (number < min || number > max) {
        return { ok: false, reason: `${number} is not between ${min} and ${max}` };
      }
      if (raisedTo !== undefined && number < raisedTo) {
        const warning = `${number} is too small, ${raisedTo} is used`;
        return { ok: true, value: raisedTo * factor, warning };
      }
      // a negative number stands for "none" or "default" and has no unit
      return { ok: true, value: number < 0 ? number : number * factor };
    },
    write: (value) => String(value < 0 ? value : value / factor),
  };
}

/** As Java's Long: up to 2^53 here, which no sensible setting reaches. */
export function long(key: string, initial: number, limits: NumberLimits = {}): Setting<number> {
  return integer(key, initial, {
    min: -Number.MAX_SAFE_INTEGER,
    max: Math.floor(Number.MAX_SAFE_INTEGER / (limits.factor ?? 1)),
    ...limits,
  });
}

export function fraction(key: string, initial: number): Setting<number> {
  return {
    key,
    initial,
    onlyPropertyInApache: false,
    read(text) {
      const valid = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text);
      if (!valid) return { ok: false, reason: `'${text}' is not a number` };
      const value = Number(text);
      if (value < 0 || value > 1) return { ok: false, reason: `${text} is not between 0 and 1` };
      return { ok: true, value };
    },
    write: String,
  };
}

export function port(key: string, initial: number): Setting<number> {
  return integer(key, initial, { min: 0, max: 65535 });
}

export function flag(
  key: string,
  initial: boolean,
  options: { onlyPropertyInApache?: boolean } = {},
): Setting<boolean> {
  return eitherOf(key, initial, 'true', 'false', options.onlyPropertyInApache ?? false);
}

/** Apache's older switches: `yes` or `no`, where `true` means nothing. */
export function yesNo(key: string, initial: boolean): Setting<boolean> {
  return eitherOf(key, initial, 'yes', 'no', false);
}

function eitherOf(
  key: string,
  initial: boolean,
  on: string,
  off: string,
  onlyPropertyInApache: boolean,
): Setting<boolean> {
  return {
    key,
    initial,
    onlyPropertyInApache,
    read(text) {
      const lower = text.toLowerCase();
      if (lower === on) return { ok: true, value: true };
      if (lower === off) return { ok: true, value: false };
      return { ok: false, reason: `'${text}' is neither '${on}' nor '${off}'` };
    },
    write: (value) => (value ? on : off),
  };
}

export function text(key: string, initial: string): Setting<string> {
  return {
    key,
    initial,
    onlyPropertyInApache: false,
    read: (value) => ({ ok: true, value }),
    write: (value) => value,
  };
}

/** Text that is absent by default; empty counts as absent. */
export function optionalText(
  key: string,
  options: { onlyPropertyInApache?: boolean } = {},
): Setting<string | null> {
  return {
    key,
    initial: null,
    onlyPropertyInApache: options.onlyPropertyInApache ?? false,
    read: (value) => ({ ok: true, value: value === '' ? null : value }),
    write: (value) => value ?? '',
  };
}

/** One of `choices`; `aliases` say the same in another way (Java class names). */
export function choice<T extends string>(
  key: string,
  initial: T,
  choices: readonly T[],
  aliases: Readonly<Record<string, T>> = {},
): Setting<T> {
  return {
    key,
    initial,
    onlyPropertyInApache: false,
    read(value) {
      const named = aliases[value] ?? choices.find((known) => known === value.toLowerCase());
      if (named !== undefined) return { ok: true, value: named };
      const known = choices.map((name) => `'${name}'`).join(', ');
      return { ok: false, reason: `'${value}' is none of ${known}` };
    },
    write: (value) => value,
  };
}

/** A list with commas; `*` is all of `known`. Words nobody knows are kept: they match nothing. */
export function wordSet(key: string, known: readonly string[]): Setting<ReadonlySet<string>> {
  return {
    key,
    initial: new Set(),
    onlyPropertyInApache: false,
    read(list) {
      const words = list.split(',').map((word) => word.trim());
      if (words.includes('*')) return { ok: true, value: new Set(known) };
      return { ok: true, value: new Set(words.filter((word) => word !== '')) };
    },
    write: (words) => [...words].join(', '),
  };
}

/** Addresses, each maybe with a number of leading bits (10.0.0.0/8), separated by commas. */
export function addressList(key: string): Setting<readonly string[]> {
  return {
    key,
    initial: [],
    onlyPropertyInApache: false,
    read(list) {
      const items = list.split(',').map((item) => item.trim());
      const expressions = items.filter((item) => item !== '');
      const odd = expressions.find((item) => !isAddressExpression(item));
      if (odd === undefined) return { ok: true, value: expressions };
      return { ok: false, reason: `'${odd}' is no address and no network like 10.0.0.0/8` };
    },
    write: (expressions) => expressions.join(','),
  };
}

/** Decimal or, as Java's Integer.decode has it, hexadecimal with 0x or #. Null: neither. */
function readWhole(text: string): number | null {
  const match = /^([+-]?)(?:(\d+)|(?:0[xX]|#)([0-9a-fA-F]+))$/.exec(text);
  if (match === null) return null;
  const [, sign, decimal, hexadecimal] = match;
  const size = decimal === undefined ? parseInt(hexadecimal ?? '', 16) : Number(decimal);
  const value = sign === '-' ? -size : size;
  return Number.isSafeInteger(value) ? value + 0 : null;
}
