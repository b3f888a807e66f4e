/**
 * A client whose n-th request meets a fault: before it is sent, or after the server has executed it and
 * before the answer is told. By trying every n, a test visits every step of a recipe.
 */
import { OutcomeUnknownError, type ZkClient } from 'zabra/client';
import type { TestServer } from 'zabra/testing';

export type Fault = 'drop before' | 'drop after' | 'expire before' | 'expire after';

export const faults: readonly Fault[] = [
  'drop before',
  'drop after',
  'expire before',
  'expire after',
];

const writes = new Set(['create', 'setData', 'delete', 'commit']);
const reads = new Set(['getData', 'exists', 'getChildren', 'sync']);

export interface Faulty {
  readonly client: ZkClient;
  /** Requests so far. */
  readonly count: number;
}

/** `at` counts requests from 0; -1: no fault, only counting. */
export function faultyClient(
  client: ZkClient,
  server: TestServer,
  at: number,
  fault: Fault,
): Faulty {
  const state = { count: 0 };
  const strike = (): void => {
    if (fault.startsWith('drop')) server.dropConnections();
    else server.expireSession(client.sessionId);
  };
  /** Makes the call, or lets it fail as a lost connection does at just this moment. */
  const run = async (name: string, call: () => Promise<unknown>): Promise<unknown> => {
    if (state.count++ !== at) return await call();
    const { sessionId } = client;
    if (fault.endsWith('before')) {
      strike();
      return await call();
    }
    await call();
    strike();
    // the connection ends before anything else is sent
    await left(client, sessionId);
    if (writes.has(name)) throw new OutcomeUnknownError(0, undefined, { cause: new Error(fault) });
    return await call();
  };
  const proxy = new Proxy(client, {
    get(target, name: string): unknown {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      const method = (value as (...args: unknown[]) => unknown).bind(target);
      if (name === 'transaction') {
        return () =>
          new Proxy(method() as object, {
            get(transaction, step: string, self: unknown): unknown {
              const own: unknown = Reflect.get(transaction, step, transaction);
              if (typeof own !== 'function') return own;
              const part = (own as (...args: unknown[]) => unknown).bind(transaction);
              if (step === 'commit')
                return (...args: unknown[]) =>
                  run('commit', () => part(...args) as Promise<unknown>);
              return (...args: unknown[]) => {
                part(...args);
                return self;
              };
            },
          });
      }
      if (!writes.has(name) && !reads.has(name)) return method;
      return (...args: unknown[]) => run(name, () => method(...args) as Promise<unknown>);
    },
  });
  return {
    client: proxy,
    get count() {
      return state.count;
    },
  };
}

/** Resolves when the client has noticed that the connection or the session is gone. */
function left(client: ZkClient, sessionId: bigint): Promise<void> {
  return new Promise((resolve) => {
    if (client.state !== 'connected' || client.sessionId !== sessionId) {
      resolve();
      return;
    }
    const off = client.on('state', () => {
      off();
      resolve();
    });
  });
}
