/**
 * Flags of the shell's commands, as zkCli takes them: anywhere among the arguments, several in one
 * (`-sR`), a value behind a space, an equals sign or nothing (`-v 3`, `-v=3`, `-v3`), and `--` before
 * arguments that begin with a dash. Ours with longer names have two dashes.
 */
import { CommandUsageError } from './failure.js';

export interface FlagSpec {
  /** Without the dashes. */
  readonly name: string;
  /** What its value is called; absent: it has none. */
  readonly value?: string;
  readonly about: string;
}

export class Flags {
  readonly #values: ReadonlyMap<string, string>;
  /** What is not a flag, in order. */
  readonly rest: readonly string[];

  constructor(values: ReadonlyMap<string, string>, rest: readonly string[]) {
    this.#values = values;
    this.rest = rest;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** The last one given. */
  text(name: string): string | undefined {
    return this.#values.get(name);
  }

  /** A whole number from min to max; undefined where it is not given. */
  number(name: string, min: number, max: number): number | undefined {
    const text = this.#values.get(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (!/^-?\d+$/.test(text) || value < min || value > max) {
      throw new CommandUsageError(
        `${dashed(name)} must be a whole number from ${min} to ${max}, not '${text}'`,
      );
    }
    return value;
  }
}

export function dashed(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}

export function parseFlags(specs: readonly FlagSpec[], words: readonly string[]): Flags {
  const known = new Map(specs.map((spec) => [spec.name, spec]));
  const values = new Map<string, string>();
  const rest: string[] = [];
  let at = 0;
  while (at < words.length) {
    const word = words[at++] ?? '';
    if (word === '--') {
      rest.push(...words.slice(at));
      break;
    }
    if (!word.startsWith('-') || word === '-') {
      rest.push(word);
      continue;
    }
    const waiting = takeFlag(word, known, values);
    if (waiting === null) continue;
    const value = words[at];
    if (value === undefined || (isFlag(value, known) && !/^-\d/.test(value))) {
      throw new CommandUsageError(`Missing argument for option: ${waiting}`);
    }
    values.set(waiting, value);
    at++;
  }
  return new Flags(values, rest);
}

/** The name of the flag whose value is the next word; null: it is complete. */
function takeFlag(
  word: string,
  known: ReadonlyMap<string, FlagSpec>,
  values: Map<string, string>,
): string | null {
  const [, name = '', value] = /^--?([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
  const spec = known.get(name);
  if (spec !== undefined) {
    if (spec.value === undefined) {
      if (value !== undefined) throw new CommandUsageError(`${dashed(name)} takes no value`);
      values.set(name, '');
      return null;
    }
    if (value === undefined) return name;
    values.set(name, value);
    return null;
  }
  for (let at = 1; at < word.length; at++) {
    const letter = word[at] ?? '';
    const one = known.get(letter);
    if (one === undefined) throw new CommandUsageError(`Unrecognized option: ${word}`);
    if (one.value !== undefined) {
      if (at + 1 === word.length) return letter;
      values.set(letter, word.slice(at + 1));
      return null;
    }
    values.set(letter, '');
  }
  return null;
}

function isFlag(word: string, known: ReadonlyMap<string, FlagSpec>): boolean {
  if (!word.startsWith('-') || word === '-') return false;
  const [, name = ''] = /^--?([^=]*)/.exec(word) ?? [];
  return known.has(name) || known.has(name.slice(0, 1));
}
