/**
 * What the value of an option may look like, said once: the check of what programs and configuration
 * files give, and the type of it, follow from the same table. All that is wrong is told at once, each
 * with the place where it stands; a limit that is misspelt and silently not applied would be worse than a
 * balancer that does not start.
 */
export interface OptionProblem {
  /** `guards.perAddress.rate`; empty: the whole. */
  readonly place: string;
  readonly message: string;
}

/**
 * Reads what is given; what is wrong goes to `problems`, and what is returned then is of no use. `Given`:
 * what a program may write, which is more than what is read out of it.
 */
export interface OptionKind<T, Given = T> {
  /** For a problem: what is expected. */
  readonly expected: string;
  read(given: unknown, place: string, problems: OptionProblem[]): T;
  /** Never there: it carries the type. */
  readonly given?: Given;
}

export type OptionValue<K> = K extends OptionKind<infer T, unknown> ? T : never;
export type OptionGiven<K> = K extends OptionKind<unknown, infer Given> ? Given : never;

type Fields = Readonly<Record<string, OptionKind<unknown>>>;

/** As it is read: what was not given is not there. */
type FieldValues<F extends Fields> = {
  readonly [Name in keyof F]?: OptionValue<F[Name]>;
};

type FieldsGiven<F extends Fields> = {
  readonly [Name in keyof F]?: OptionGiven<F[Name]>;
};

function kindOf<T>(expected: string, test: (given: unknown) => given is T): OptionKind<T> {
  return {
    expected,
    read(given, place, problems) {
      if (!test(given)) problems.push({ place, message: `expected ${expected}` });
      return given as T;
    },
  };
}

export function number(min: number, max = Number.MAX_SAFE_INTEGER): OptionKind<number> {
  const upTo = max === Number.MAX_SAFE_INTEGER ? `from ${min} on` : `from ${min} to ${max}`;
  return kindOf(
    `a number ${upTo}`,
    (given): given is number => typeof given === 'number' && given >= min && given <= max,
  );
}

export function whole(min: number, max = Number.MAX_SAFE_INTEGER): OptionKind<number> {
  const upTo = max === Number.MAX_SAFE_INTEGER ? `from ${min} on` : `from ${min} to ${max}`;
  return kindOf(
    `a whole number ${upTo}`,
    (given): given is number => Number.isSafeInteger(given) && within(given as number, min, max),
  );
}

function within(value: number, min: number, max: number): boolean {
  return value >= min && value <= max;
}

export const flag: OptionKind<boolean> = kindOf(
  'true or false',
  (given): given is boolean => typeof given === 'boolean',
);

export const text: OptionKind<string> = kindOf(
  'a text that is not empty',
  (given): given is string => typeof given === 'string' && given !== '',
);

export function textLike(expected: string, test: (given: string) => boolean): OptionKind<string> {
  return kindOf(expected, (given): given is string => typeof given === 'string' && test(given));
}

export function oneOf<const T extends string>(names: readonly T[]): OptionKind<T> {
  return kindOf(
    `one of ${names.join(', ')}`,
    (given): given is T =>
      typeof given === 'string' && (names as readonly string[]).includes(given),
  );
}

/** One alone counts as a list of one. */
export function list<T, G>(item: OptionKind<T, G>): OptionKind<readonly T[], G | readonly G[]> {
  return {
    expected: `a list, each ${item.expected}`,
    read(given, place, problems) {
      const all: readonly unknown[] = Array.isArray(given) ? given : [given];
      return all.map((one, at) =>
        item.read(one, all.length === 1 ? place : `${place}[${at}]`, problems),
      );
    },
  };
}

export function either<A, GA, B, GB>(
  one: OptionKind<A, GA>,
  other: OptionKind<B, GB>,
): OptionKind<A | B, GA | GB> {
  return {
    expected: `${one.expected}, or ${other.expected}`,
    read(given, place, problems) {
      const first: OptionProblem[] = [];
      const value = one.read(given, place, first);
      if (first.length === 0) return value;
      const second: OptionProblem[] = [];
      const otherValue = other.read(given, place, second);
      // an object with a mistake inside is told of the mistake, not of the alternatives
      if (second.length > 0)
        problems.push(
          ...(isRecord(given) ? second : [{ place, message: `expected ${this.expected}` }]),
        );
      return otherValue;
    },
  };
}

/** Names of the user's own, each with a value. */
export function mapOf<T, G>(
  value: OptionKind<T, G>,
): OptionKind<Readonly<Record<string, T>>, Readonly<Record<string, G>>> {
  return {
    expected: `an object whose values are each ${value.expected}`,
    read(given, place, problems) {
      if (!isRecord(given)) {
        problems.push({ place, message: 'expected an object' });
        return {};
      }
      const entries = Object.entries(given).map(([name, one]): [string, T] => [
        name,
        value.read(one, joined(place, name), problems),
      ]);
      return Object.fromEntries(entries);
    },
  };
}

export interface ObjectKind<F extends Fields, R extends keyof F> extends OptionKind<
  FieldValues<F> & { readonly [Name in R]: OptionValue<F[Name]> },
  FieldsGiven<F> & { readonly [Name in R]: OptionGiven<F[Name]> }
> {
  readonly fields: F;
}

/** `required`: without them it means nothing. */
export function object<F extends Fields, R extends keyof F & string = never>(
  fields: F,
  required: readonly R[] = [],
): ObjectKind<F, R> {
  type Value = OptionValue<ObjectKind<F, R>>;
  return {
    fields,
    expected: 'an object',
    read(given, place, problems) {
      if (!isRecord(given)) {
        problems.push({ place, message: 'expected an object' });
        return {} as Value;
      }
      const read: Record<string, unknown> = {};
      for (const [name, value] of Object.entries(given)) {
        const kind = Object.hasOwn(fields, name) ? fields[name] : undefined;
        if (kind === undefined) {
          const known = Object.keys(fields).join(', ');
          const message = `there is no such option; there are ${known}`;
          problems.push({ place: joined(place, name), message });
        } else if (value !== undefined) {
          read[name] = kind.read(value, joined(place, name), problems);
        }
      }
      for (const name of required) {
        if (read[name] === undefined)
          problems.push({ place: joined(place, name), message: 'is missing' });
      }
      return read as Value;
    },
  };
}

function isRecord(given: unknown): given is Readonly<Record<string, unknown>> {
  return typeof given === 'object' && given !== null && !Array.isArray(given);
}

function joined(place: string, name: string): string {
  return place === '' ? name : `${place}.${name}`;
}

export function formatOptionProblem({ place, message }: OptionProblem): string {
  return place === '' ? message : `${place}: ${message}`;
}
