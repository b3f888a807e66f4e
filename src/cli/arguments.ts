/**
 * Arguments of the commands: Node's own parser, plus Java's `-Dkey=value`, and mistakes as one
 * sentence.
 */
import { parseArgs } from 'node:util';

/** Wrong arguments: told with one line, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** An option that the command does not have, or one too few: what it has is told by its help. */
export class UnknownArgumentError extends UsageError {}

export interface ArgumentSpec {
  /** Options with a value, without the dashes: `name`, `n` or `name|n`. */
  readonly values?: readonly string[];
  /** Options that may be given again, and take several values with commas between them. */
  readonly lists?: readonly string[];
  readonly flags?: readonly string[];
  /** At most so many other arguments. */
  readonly positionals?: number;
}

export interface Arguments {
  readonly positionals: readonly string[];
  readonly values: ReadonlyMap<string, string>;
  readonly lists: ReadonlyMap<string, readonly string[]>;
  readonly flags: ReadonlySet<string>;
  /** -Dkey=value in order, the last of a repeated key. */
  readonly properties: ReadonlyMap<string, string>;
}

const define = 'define';

export function parseArguments(args: readonly string[], spec: ArgumentSpec): Arguments {
  const options: NonNullable<Parameters<typeof parseArgs>[0]>['options'] = {
    [define]: { type: 'string', short: 'D', multiple: true },
  };
  const add = (name: string, type: 'string' | 'boolean'): void => {
    const [long = '', short = long] = name.split('|');
    options[long] = short.length === 1 ? { type, short } : { type };
  };
  for (const name of spec.values ?? []) add(name, 'string');
  for (const name of spec.flags ?? []) add(name, 'boolean');
  for (const name of spec.lists ?? []) options[name] = { type: 'string', multiple: true };
  let parsed;
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    const [sentence = ''] = (error as Error).message.split('. ');
    throw new UnknownArgumentError(sentence);
  }
  const { positionals } = parsed;
  const surplus = positionals[spec.positionals ?? 0];
  if (surplus !== undefined) throw new UnknownArgumentError(`Unexpected argument '${surplus}'`);
  const values = new Map<string, string>();
  const lists = new Map<string, string[]>();
  const flags = new Set<string>();
  const properties = new Map<string, string>();
  for (const [name, value] of Object.entries(parsed.values)) {
    if (typeof value === 'string') values.set(name, value);
    else if (value === true) flags.add(name);
    else if (name !== define && Array.isArray(value)) lists.set(name, value.flatMap(itemsOf));
    else if (Array.isArray(value)) {
      for (const item of value) addProperty(properties, String(item));
    }
  }
  return { positionals, values, lists, flags, properties };
}

function itemsOf(text: string | boolean): string[] {
  return String(text)
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

/** The -D's among a JVM's flags, which stand in a variable, separated by white space. */
export function javaProperties(flags: string | undefined): ReadonlyMap<string, string> {
  const properties = new Map<string, string>();
  for (const flag of (flags ?? '').split(/\s+/)) {
    if (flag.startsWith('-D') && flag.length > 2) addProperty(properties, flag.slice(2));
  }
  return properties;
}

function addProperty(properties: Map<string, string>, pair: string): void {
  const at = pair.indexOf('=');
  if (at < 0) properties.set(pair, '');
  else properties.set(pair.slice(0, at), pair.slice(at + 1));
}

/** A whole number within bounds. */
export function numberOf(args: Arguments, name: string, min: number, max: number): number | null {
  const text = args.values.get(name);
  if (text === undefined) return null;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw new UsageError(`--${name} must be a number from ${min} to ${max}, not '${text}'`);
  }
  return value;
}
