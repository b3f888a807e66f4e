/**
 * Clients that sit at a balancer and notice everything: a connection that ends, a session that is not
 * what it was, an event that does not come.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'zabra/client';

const SESSION_TIMEOUT_MS = 20_000;

interface Member {
  readonly client: Client;
  readonly sessionId: bigint;
  readonly path: string;
}

export class Crowd {
  static readonly #present = new Set<Crowd>();
  readonly #root: string;
  readonly #members: Member[] = [];
  /** What somebody has noticed since it was asked last. */
  readonly #noticed: string[] = [];

  /** Below `root` each of them has an ephemeral znode. */
  static async come(connectString: string, count: number, root: string): Promise<Crowd> {
    const crowd = new Crowd(root);
    Crowd.#present.add(crowd);
    await crowd.grow(connectString, count);
    return crowd;
  }

  /** Whoever is still there goes. */
  static async disperse(): Promise<void> {
    await Promise.all([...Crowd.#present].map((crowd) => crowd.leave()));
  }

  private constructor(root: string) {
    this.#root = root;
  }

  async grow(connectString: string, count: number): Promise<void> {
    const first = this.#members.length;
    await Promise.all(
      Array.from({ length: count }, (_, index) => this.#join(connectString, first + index)),
    );
  }

  async #join(connectString: string, index: number): Promise<void> {
    const client = new Client(connectString, { sessionTimeoutMs: SESSION_TIMEOUT_MS });
    await client.connect();
    const path = `${this.#root}/${index}`;
    await client.create(path, '', { mode: 'ephemeral', makePath: true });
    const { sessionId } = client;
    client.on('state', (state, previous) => {
      if (state !== 'closed') this.#noticed.push(`client ${index}: ${previous}, then ${state}`);
    });
    this.#members.push({ client, sessionId, path });
  }

  get size(): number {
    return this.#members.length;
  }

  /** Each of them watches the same znode; how many have been told of its next change. */
  async watch(path: string): Promise<() => number> {
    let told = 0;
    await Promise.all(
      this.#members.map(async ({ client }) => {
        await client.sync(path);
        await client.getData(path, { watch: () => (told += 1) });
      }),
    );
    return () => told;
  }

  get someone(): Client {
    const [first] = this.#members;
    if (first === undefined) throw new Error('nobody is there');
    return first.client;
  }

  /** Everybody reads, and has the session and the znode that it had. Nothing: nobody has noticed anything. */
  async noticed(): Promise<string[]> {
    await Promise.all(
      this.#members.map(async ({ client, sessionId, path }) => {
        const stat = await client.exists(path).catch(String);
        if (client.sessionId !== sessionId) this.#noticed.push(`${path}: another session`);
        if (stat === null || typeof stat === 'string') {
          this.#noticed.push(`${path}: ${stat ?? 'is gone'}`);
        }
      }),
    );
    return this.#noticed.splice(0);
  }

  async leave(): Promise<void> {
    Crowd.#present.delete(this);
    const closed = this.#members.map(({ client }) => client.close().catch(() => undefined));
    await Promise.race([Promise.all(closed), sleep(3_000, null, { ref: false })]);
  }
}
