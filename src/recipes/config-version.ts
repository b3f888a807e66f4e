/**
 * One version of a configuration: as it is stored, as it is used, and the schema between the two. The
 * schema is what many validators have in common (Standard Schema, version 1), so none of them is needed
 * here.
 */
import { LayoutError } from './errors.js';

/** The part of Standard Schema that is used. */
export interface ConfigSchema<T> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    validate(value: unknown): SchemaResult<T> | Promise<SchemaResult<T>>;
  };
}

export type SchemaResult<T> =
  { readonly value: T; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] };

export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** As it is stored: JSON of these. */
export interface StoredVersion {
  /** From 1 on, without gaps. */
  readonly number: number;
  /** Of this publication alone. */
  readonly id: string;
  readonly values: Readonly<Record<string, unknown>>;
  /** Milliseconds since 1970, by the clock of who published it. */
  readonly publishedMs: number;
  readonly author?: string;
  readonly comment?: string;
  /** The version whose values these are again. */
  readonly rollbackOf?: number;
}

/** As it is used: with what the schema made of the values. */
export interface ConfigVersion<T> extends Omit<StoredVersion, 'values'> {
  readonly values: Readonly<T>;
}

/** Somebody else has published since. */
export class ConfigConflictError extends Error {
  override readonly name = 'ConfigConflictError';
  readonly newest: number;

  constructor(path: string, wanted: number, newest: number) {
    super(`${path}: the newest version is ${newest}, not ${wanted}`);
    this.newest = newest;
  }
}

/** The schema does not take these values. */
export class ConfigRefusedError extends Error {
  override readonly name = 'ConfigRefusedError';
  readonly number: number;
  readonly issues: readonly SchemaIssue[];

  constructor(number: number, issues: readonly SchemaIssue[]) {
    super(`version ${number}: ${issues.map(sentenceOf).join('; ')}`);
    this.number = number;
    this.issues = issues;
  }
}

/** Rejects with `ConfigRefusedError`. */
export async function valid<T>(
  schema: ConfigSchema<T>,
  values: Readonly<Record<string, unknown>>,
  number: number,
): Promise<T> {
  for (const key of Object.keys(values)) {
    if (!isKey(key)) throw new ConfigRefusedError(number, [{ message: 'no key', path: [key] }]);
  }
  const result = await schema['~standard'].validate(values);
  if (result.issues !== undefined) throw new ConfigRefusedError(number, result.issues);
  return result.value;
}

/** `path` is for the error. */
export function readVersion(text: string, path: string): StoredVersion {
  let version: Partial<StoredVersion> | null;
  try {
    version = JSON.parse(text) as Partial<StoredVersion> | null;
  } catch (problem) {
    throw new LayoutError(path, `not JSON: ${String(problem)}`);
  }
  const { number, id, values, publishedMs } = version ?? {};
  const isWhole =
    typeof number === 'number' &&
    typeof id === 'string' &&
    typeof publishedMs === 'number' &&
    typeof values === 'object';
  if (!isWhole || version === null) throw new LayoutError(path, 'not a version');
  return { ...version, number, id, values, publishedMs };
}

export function textOf(version: StoredVersion): string {
  return JSON.stringify(version);
}

/** In the order of the numbers for whoever sorts them as text. */
export function versionName(number: number): string {
  return String(number).padStart(10, '0');
}

export function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** It has to be the name of a znode. */
function isKey(key: string): boolean {
  return key !== '' && key !== '.' && key !== '..' && !/[/\u0000-\u001f\u007f]/.test(key);
}

function sentenceOf({ message, path }: SchemaIssue): string {
  const keys = (path ?? []).map((part) => String(typeof part === 'object' ? part.key : part));
  return keys.length === 0 ? message : `${keys.join('.')}: ${message}`;
}
