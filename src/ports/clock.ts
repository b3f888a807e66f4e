/**
 * Time as the server may know it. Deadlines, ticks and session expiry run on the monotonic clock;
 * the wall clock is for the times in a Stat and for people, and may jump either way.
 */
export interface Timer {
  /** Idempotent; after it, `run` is not called any more. */
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since 1970, whole. May jump. */
  wallMs(): number;
  /** Milliseconds since an arbitrary start, never backwards, with fractions. */
  monotonicMs(): number;
  /** Calls `run` once, not earlier than `delayMs` from now. */
  after(delayMs: number, run: () => void): Timer;
  /** Calls `run` at the end of this turn: after all input that is already here has been read. */
  soon(run: () => void): void;
}
