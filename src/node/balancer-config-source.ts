/**
 * What /zookeeper/config says, as it changes: a client of the ensemble's own reads it, so that the
 * balancer follows every reconfiguration without anybody telling it.
 */
import { isRetryable, SessionExpiredError } from '../client/errors.js';
import { printServer } from '../client/connect-string.js';
import type { TlsOptions } from '../client/tls.js';
import type { BackendAddress } from '../balancer/pool/backend.js';
import type { ConfigSource } from '../balancer/pool/membership.js';
import { Client } from './client.js';

const RETRY_MS = 2000;
const REREAD_MS = 100;

export class ClientConfigSource implements ConfigSource {
  #connectString: string;
  #client: Client | null = null;
  readonly #tls: TlsOptions | true | undefined;
  readonly #stopped = new AbortController();
  readonly #aborted: Promise<never>;
  #running: Promise<void> = Promise.resolve();

  constructor(connectString: string, tls?: TlsOptions | true) {
    this.#connectString = connectString;
    this.#tls = tls;
    this.#aborted = new Promise((_, reject) => {
      this.#stopped.signal.addEventListener('abort', () => reject(new Error('stopped')));
    });
    // whether or not somebody waits for it
    this.#aborted.catch(() => undefined);
  }

  start(listener: { onText(text: string): void; onProblem(text: string): void }): void {
    this.#running = this.#follow(listener);
  }

  follow(servers: readonly BackendAddress[]): void {
    this.#connectString = servers.map(printServer).join();
    this.#client?.updateServers(this.#connectString);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #follow(listener: {
    onText(text: string): void;
    onProblem(text: string): void;
  }): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const tls = this.#tls === undefined ? {} : { tls: this.#tls };
      const client = new Client(this.#connectString, { name: 'balancer-config', ...tls });
      this.#client = client;
      try {
        await client.connect({ signal });
        for (;;) await this.#next(client, listener);
      } catch (error) {
        if (!isAborted(signal)) listener.onProblem(reasonOf(error));
      } finally {
        this.#client = null;
        await client.close().catch(() => undefined);
      }
      if (!isAborted(signal)) await pause(RETRY_MS, signal);
    }
  }

  /** Reads it, and waits until it is another one or may be. Rejects when it is stopped, too. */
  async #next(client: Client, listener: { onText(text: string): void }): Promise<void> {
    let change: () => void = () => undefined;
    const changed = new Promise<void>((resolve) => {
      change = resolve;
    });
    const { data } = await this.#read(client, () => change());
    listener.onText(data.toString('utf8'));
    await Promise.race([changed, this.#aborted]);
  }

  /** Whom it was asked from may have been taken out of the ensemble just now. */
  async #read(client: Client, watch: () => void): Promise<{ readonly data: Buffer }> {
    const { signal } = this.#stopped;
    for (;;) {
      try {
        return await client.getConfig({ watch, signal });
      } catch (error) {
        if (signal.aborted || !(isRetryable(error) || error instanceof SessionExpiredError)) {
          throw error;
        }
        await pause(REREAD_MS, signal);
      }
    }
  }
}

/** Asked anew: it may have changed meanwhile. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, durationMs);
    signal.addEventListener('abort', end);
  });
}
