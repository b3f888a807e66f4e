/**
 * Doing something until it succeeds, while the connection, the session or the quorum comes and goes.
 * What a registration wants is true for as long as its process lives; a call that failed because there
 * was no server is no reason to give up.
 */
import { Backoff } from '../client/backoff.js';
import { ConnectionLossError, isRetryable, OutcomeUnknownError } from '../client/errors.js';
import { ErrorCode, ZkError } from '../client/errors.js';
import type { ZkClient } from '../client/types.js';
import type { DiscoveryWorld } from './registry.js';

const bounds = { minMs: 50, maxMs: 5_000 };

/** The same may work later, in another connection or session. */
export function isPassing(error: unknown): boolean {
  return (
    isRetryable(error) ||
    error instanceof OutcomeUnknownError ||
    error instanceof ConnectionLossError ||
    (error instanceof ZkError &&
      (error.code === ErrorCode.sessionExpired || error.code === ErrorCode.notReadOnly))
  );
}

/** Resolves after `delayMs`, or rejects with the signal's reason. */
export function pause(world: DiscoveryWorld, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      timer.cancel();
      reject(signal.reason as Error);
    };
    const timer = world.clock.after(delayMs, () => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}

/**
 * Runs `attempt` until it resolves: again after a while, or as soon as the client is connected again.
 * Rejects when it fails for good, or with the signal's reason.
 */
export async function persist<T>(
  client: ZkClient,
  signal: AbortSignal,
  attempt: () => Promise<T>,
): Promise<T> {
  const { world } = client;
  const backoff = new Backoff(bounds, () => world.random());
  for (;;) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      if (!isPassing(error)) throw error;
      await pauseUnlessConnected(client, backoff.nextMs(), signal);
    }
  }
}

/** As `pause`; over when a connection has come about in between. */
async function pauseUnlessConnected(
  client: ZkClient,
  delayMs: number,
  signal: AbortSignal,
): Promise<void> {
  const wake = new AbortController();
  const onAbort = (): void => {
    wake.abort(signal.reason);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  const offState = client.on('state', (state) => {
    if (state === 'connected') wake.abort();
  });
  try {
    await pause(client.world, delayMs, wake.signal);
  } catch {
    signal.throwIfAborted(); // otherwise it was woken
  } finally {
    offState();
    signal.removeEventListener('abort', onAbort);
  }
}
