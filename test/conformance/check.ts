/** Comparisons whose messages say what was expected and what was seen; errors by their names. */
import { ErrorCode } from 'zabra/protocol';
import type { Answer } from '../support/test-client.js';

export class Disagreement extends Error {
  override readonly name = 'Disagreement';
}

export type ErrorName = keyof typeof ErrorCode;

export function nameOfError(err: number): string {
  for (const [name, code] of Object.entries(ErrorCode)) if (code === err) return name;
  return `error ${err}`;
}

export function show(value: unknown): string {
  if (typeof value === 'bigint') return value < 0n ? String(value) : `0x${value.toString(16)}`;
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`;
  if (value === undefined) return 'undefined';
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner === 'bigint') return `0x${inner.toString(16)}`;
    if (inner instanceof Uint8Array) return Buffer.from(inner).toString('hex');
    return inner;
  });
}

export function equal(seen: unknown, expected: unknown, what: string): void {
  const isSame = Object.is(seen, expected) || show(seen) === show(expected);
  if (!isSame) throw new Disagreement(`${what}: expected ${show(expected)}, saw ${show(seen)}`);
}

export function that(isTrue: boolean, what: string): asserts isTrue {
  if (!isTrue) throw new Disagreement(what);
}

/** The reply is a success; its body. */
export function ok<T>(answer: Answer<T>, what = 'the reply'): T {
  if (answer.err !== 0 || answer.value === null) {
    throw new Disagreement(`${what}: expected ok, saw ${nameOfError(answer.err)}`);
  }
  return answer.value;
}

/** The reply is that error, and nothing follows its header. */
export function fails(
  answer: { readonly err: number; readonly body: Uint8Array },
  name: ErrorName,
  what = 'the reply',
): void {
  if (answer.err !== ErrorCode[name]) {
    throw new Disagreement(`${what}: expected ${name}, saw ${nameOfError(answer.err)}`);
  }
  equal(answer.body.length, 0, `${what}: bytes after the header of an error`);
}
