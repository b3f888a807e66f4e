/**
 * What the tests of recipes share: one server, and clients that are quick to come back. Faults strike
 * the onlookers too, so looking is repeated.
 */
import { Client, ConnectionLossError, SessionExpiredError } from 'zabra/client';
import { TestServer } from 'zabra/testing';

export class RecipeBench implements AsyncDisposable {
  readonly server: TestServer;
  readonly zk: Client;
  readonly #clients: Client[];

  static async start(): Promise<RecipeBench> {
    const server = await TestServer.start();
    const zk = await connectTo(server);
    return new RecipeBench(server, zk);
  }

  private constructor(server: TestServer, zk: Client) {
    this.server = server;
    this.zk = zk;
    this.#clients = [zk];
  }

  async connect(): Promise<Client> {
    const client = await connectTo(this.server);
    this.#clients.push(client);
    return client;
  }

  /** Names in the directory; none when it does not exist. */
  children(path: string): Promise<string[]> {
    return patiently(async () => {
      if ((await this.zk.exists(path)) === null) return [];
      return (await this.zk.getChildren(path)).children.sort();
    });
  }

  /** Lets everything that can happen without time passing happen. */
  async settle(): Promise<void> {
    for (let i = 0; i < 3; i++) {
      for (const client of this.#clients) {
        if (client.state !== 'closed') await patiently(() => client.sync('/'));
      }
    }
  }

  /** Asks until it is so; what is told meanwhile is told. */
  async until(isSo: () => boolean | Promise<boolean>): Promise<void> {
    while (!(await isSo())) await this.settle();
  }

  dataOf(path: string): Promise<string> {
    return patiently(async () => (await this.zk.getData(path)).data.toString());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    await this.server.stop();
  }
}

function connectTo(server: TestServer): Promise<Client> {
  const backoff = { minMs: 1, maxMs: 5 };
  return new Client(server.connectString, { sessionTimeoutMs: 10_000, backoff }).connect();
}

/** Again after a lost connection or session. */
export async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (problem) {
      const isPassing =
        problem instanceof ConnectionLossError || problem instanceof SessionExpiredError;
      if (!isPassing) throw problem;
    }
  }
}

export function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    const tell = (): void => {
      resolve(signal.reason);
    };
    if (signal.aborted) tell();
    else signal.addEventListener('abort', tell, { once: true });
  });
}
