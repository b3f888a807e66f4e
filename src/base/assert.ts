/**
 * Assertions are for programmer errors and stay on in production: a server whose invariants are
 * broken must stop before it acknowledges anything else. What the outside world can cause (bad
 * input, a full disk, a lost connection) is never an assertion; it is a typed value or an error.
 */

export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new AssertionError(what);
}

/** For values that an invariant says are there; names the invariant when it is broken. */
export function present<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new AssertionError(what);
  return value;
}
