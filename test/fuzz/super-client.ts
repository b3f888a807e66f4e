/** The operator among the clients: keeps what the fuzz creates within bounds, and takes the tree down
 * in writing, to be compared after a crash. */
import { ErrorCode } from 'zabra/protocol';
import type { Address } from '../support/four-letter.js';
import { openAcl } from '../support/requests.js';
import { TestClient } from '../support/test-client.js';
import { superCredential } from './target.js';

/** Below these nothing is the fuzz's. */
const kept = new Set(['/zookeeper', '/witness']);

export class SuperClient {
  readonly #client: TestClient;

  private constructor(client: TestClient) {
    this.#client = client;
  }

  static async connect(address: Address): Promise<SuperClient> {
    const client = await TestClient.connect(address);
    const { err } = await client.auth('digest', superCredential);
    if (err !== 0) throw new Error(`the super user's auth answered ${err}`);
    return new SuperClient(client);
  }

  /** Keeps its session, whose timeout is short here. */
  async ping(): Promise<void> {
    await this.#client.ping();
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  /** Everything that the fuzz may have made is gone, and its root is there again. */
  async clean(): Promise<void> {
    await this.#client.setAcl('/', openAcl);
    for (const child of await this.#children('/')) {
      if (!kept.has(`/${child}`)) await this.#remove(`/${child}`);
    }
    for (const child of await this.#children('/zookeeper/quota')) {
      await this.#remove(`/zookeeper/quota/${child}`);
    }
    await this.#client.create('/fuzz');
  }

  /** What would go by itself (ephemerals, containers, TTL znodes) goes now. */
  async removeMortal(path = '/'): Promise<void> {
    for (const child of await this.#children(path)) {
      await this.removeMortal(path === '/' ? `/${child}` : `${path}/${child}`);
    }
    const { value } = await this.#client.exists(path);
    if (value !== null && value.ephemeralOwner !== 0n) await this.#client.delete(path);
  }

  /** A line for each znode: path, stat, ACL, data. */
  async dump(path = '/', lines: string[] = []): Promise<string[]> {
    const data = await this.#client.getData(path);
    // a container may go between being listed and being looked at: then it is not in the dump
    if (data.err === ErrorCode.noNode && path !== '/') return lines;
    if (data.value === null) throw new Error(`${path}: error ${data.err}`);
    const acl = await this.#client.getAcl(path);
    lines.push(
      JSON.stringify(
        [path, data.value.stat, acl.value?.acl, Buffer.from(data.value.data ?? []).toString('hex')],
        (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value),
      ),
    );
    for (const child of await this.#children(path)) {
      await this.dump(path === '/' ? `/${child}` : `${path}/${child}`, lines);
    }
    return lines;
  }

  async #remove(path: string): Promise<void> {
    const { err } = await this.#client.delete(path);
    if (err !== -111) return;
    for (const child of await this.#children(path)) await this.#remove(`${path}/${child}`);
    await this.#client.delete(path);
  }

  async #children(path: string): Promise<string[]> {
    return (await this.#client.getChildren(path)).value ?? [];
  }
}
