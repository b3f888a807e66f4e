/**
 * Waiting, which is most of what recipes do: for a connection, for a znode to change, for somebody
 * else; always so that the caller can give up. Everything that recipes do again after a lost
 * connection is done again here.
 *
 * Two rules. A wait that was given up rejects at once, and what was begun for it goes on alone until
 * nothing of it is left (a `create` that is under way has to be awaited before its znode can be
 * deleted). And calls are repeated only when that is harmless: by `patiently`, which therefore takes
 * reads and those writes that may happen twice.
 */
import { whenAborted } from '../client/abort-group.js';
import {
  ClientClosedError,
  isRetryable,
  NotReadOnlyError,
  OutcomeUnknownError,
  SessionExpiredError,
} from '../client/errors.js';
import type { WatchEvent, Watcher, ZkClient } from '../client/types.js';
import { WaitTimeoutError } from './errors.js';

/** How long to wait: until `signal` aborts (rejects with its reason) or `timeoutMs` are over. */
export interface WaitOptions {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/** Between attempts that a living connection refused. */
const pauseMinMs = 10;
const pauseMaxMs = 1000;

/**
 * Runs `run` until it settles or the wait is given up. `run` gets a signal that aborts with the wait
 * and sees to its own remains; what it still brings after that goes to `abandon`.
 */
export async function within<T>(
  client: ZkClient,
  options: WaitOptions,
  what: string,
  run: (signal: AbortSignal) => Promise<T>,
  abandon: (late: T) => void = ignore,
): Promise<T> {
  const { signal, timeoutMs } = options;
  signal?.throwIfAborted();
  const end = new AbortController();
  const off =
    signal === undefined
      ? null
      : onAbort(signal, () => {
          end.abort(signal.reason);
        });
  const timer =
    timeoutMs === undefined
      ? null
      : client.world.clock.after(timeoutMs, () => {
          end.abort(new WaitTimeoutError(what, timeoutMs));
        });
  try {
    return await orAborted(run(end.signal), end.signal, abandon);
  } finally {
    timer?.cancel();
    off?.();
  }
}

/** As the promise settles, or rejects with the signal's reason; a late value goes to `abandon`. */
export function orAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal,
  abandon: (late: T) => void = ignore,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const off = onAbort(signal, () => {
      reject(reasonOf(signal));
    });
    promise.then(
      (value) => {
        off();
        if (signal.aborted) abandon(value);
        else resolve(value);
      },
      (problem: unknown) => {
        off();
        reject(asError(problem));
      },
    );
  });
}

/** Calls `run` when the signal aborts, at once if it has. Returns how to end that. */
export function onAbort(signal: AbortSignal, run: () => void): () => void {
  if (!signal.aborted) return whenAborted(signal, run);
  run();
  return ignore;
}

/** Resolves when requests can be sent. Rejects when the client is closed. */
export function untilConnected(client: ZkClient, signal?: AbortSignal): Promise<void> {
  if (client.state === 'connected') return Promise.resolve();
  if (client.state === 'closed') return Promise.reject(new ClientClosedError());
  return untilEvent(signal, (wake, fail) =>
    client.on('state', (state) => {
      if (state === 'connected') wake();
      else if (state === 'closed') fail(new ClientClosedError());
    }),
  );
}

/**
 * Resolves when something subscribed to calls `wake`. `subscribe` returns how to end that.
 */
export function untilEvent(
  signal: AbortSignal | undefined,
  subscribe: (wake: () => void, fail: (problem: Error) => void) => () => void,
): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(reasonOf(signal));
      return;
    }
    let unsubscribe: (() => void) | null = null;
    let off: (() => void) | null = null;
    let isOver = false;
    const finish = (settle: () => void): void => {
      if (isOver) return;
      isOver = true;
      unsubscribe?.();
      off?.();
      settle();
    };
    if (signal !== undefined) {
      off = onAbort(signal, () => {
        finish(() => {
          reject(reasonOf(signal));
        });
      });
    }
    unsubscribe = subscribe(
      () => {
        finish(resolve);
      },
      (problem) => {
        finish(() => {
          reject(problem);
        });
      },
    );
    // it called back at once
    if (isOver as boolean) unsubscribe();
  });
}

/** Resolves after so long. */
export function pause(client: ZkClient, delayMs: number, signal?: AbortSignal): Promise<void> {
  return untilEvent(signal, (wake) => {
    const timer = client.world.clock.after(delayMs, wake);
    return () => {
      timer.cancel();
    };
  });
}

/** Longer with each attempt, and never in step with others. */
export function backoffMs(client: ZkClient, attempt: number): number {
  const ceiling = Math.min(pauseMaxMs, pauseMinMs * 2 ** Math.min(attempt, 16));
  return ceiling * (0.5 + client.world.random() / 2);
}

/** The call failed for a reason that goes away by itself; it may or may not have been executed. */
export function isPassing(problem: unknown): boolean {
  return (
    isRetryable(problem) ||
    problem instanceof OutcomeUnknownError ||
    problem instanceof NotReadOnlyError
  );
}

/**
 * Makes the call until it succeeds or fails for good; never while there is no connection. It must be
 * one that may be executed more than once. Ends with the session: watches and ephemeral znodes that
 * the caller relies on have gone with it.
 */
export async function patiently<T>(
  client: ZkClient,
  signal: AbortSignal | undefined,
  call: () => Promise<T>,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    signal?.throwIfAborted();
    await untilConnected(client, signal);
    try {
      return await call();
    } catch (problem) {
      if (!isPassing(problem)) throw problem;
      if (attempt > 0) await pause(client, backoffMs(client, attempt), signal);
    }
  }
}

/** As `patiently`, in the next session too: for what has to do with no session. */
export async function acrossSessions<T>(
  client: ZkClient,
  signal: AbortSignal | undefined,
  call: () => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await patiently(client, signal, call);
    } catch (problem) {
      if (!(problem instanceof SessionExpiredError)) throw problem;
    }
  }
}

/** The session is not this client's (any more), or is known to be over. */
export function isSessionOver(client: ZkClient, sessionId: bigint): boolean {
  return client.sessionId !== sessionId || client.state === 'lost' || client.state === 'closed';
}

/**
 * Sets a one-shot watch by `arm` and resolves with its event; null: `arm` answered false (there is
 * nothing to wait for), or the session that has the watch is over.
 */
export async function untilWatched(
  client: ZkClient,
  signal: AbortSignal,
  arm: (watch: Watcher) => Promise<boolean>,
): Promise<WatchEvent | null> {
  const { sessionId } = client;
  const told: { event: WatchEvent | null; wake: (() => void) | null } = { event: null, wake: null };
  const watch: Watcher = (event) => {
    told.event ??= event;
    told.wake?.();
  };
  if (!(await patiently(client, signal, () => arm(watch)))) return null;
  if (client.sessionId !== sessionId) return null;
  if (told.event !== null) return told.event;
  await untilEvent(signal, (resume, fail) => {
    told.wake = resume;
    const offSession = client.on('session', resume);
    const offState = client.on('state', (state) => {
      if (state === 'lost') resume();
      else if (state === 'closed') fail(new ClientClosedError());
    });
    return () => {
      told.wake = null;
      offSession();
      offState();
    };
  });
  return told.event;
}

/** Asked again after waiting, when it may have changed. */
export function isGivenUp(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** For work that goes on alone: whoever started it has given up on the result. */
export function inBackground(work: Promise<unknown>): void {
  work.catch(ignore);
}

export function reasonOf(signal: AbortSignal): Error {
  return asError(signal.reason);
}

export function asError(problem: unknown): Error {
  return problem instanceof Error ? problem : new Error(String(problem));
}

function ignore(): void {
  // there is nobody left to tell
}
