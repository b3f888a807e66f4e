/**
 * What /zookeeper/config says, as it changes: a client of the ensemble's own reads it, so that the
 * balancer follows every reconfiguration without anybody telling it.
 */
import type { TlsOptions } from '../client/tls.js';
import type { ConfigSource } from '../balancer/pool/membership.js';
import { Client } from './client.js';

const CONFIG_PATH = '/zookeeper/config';
const RETRY_MS = 2000;

export class ClientConfigSource implements ConfigSource {
  readonly #connectString: string;
  readonly #tls: TlsOptions | true | undefined;
  readonly #stopped = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(connectString: string, tls?: TlsOptions | true) {
    this.#connectString = connectString;
    this.#tls = tls;
  }

  start(listener: { onText(text: string): void; onProblem(text: string): void }): void {
    this.#running = this.#follow(listener);
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
      try {
        await client.connect({ signal });
        await this.#read(client, listener);
        for await (const event of client.watch(CONFIG_PATH, { signal })) {
          if (event.type !== 'deleted') await this.#read(client, listener);
        }
      } catch (error) {
        if (!isAborted(signal)) listener.onProblem(reasonOf(error));
      } finally {
        await client.close().catch(() => undefined);
      }
      if (!isAborted(signal)) await pause(RETRY_MS, signal);
    }
  }

  async #read(client: Client, listener: { onText(text: string): void }): Promise<void> {
    const { data } = await client.getConfig({ signal: this.#stopped.signal });
    listener.onText(data.toString('utf8'));
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
