/**
 * The honest client beside the fuzzed ones: it writes and reads all the time in a subtree that only
 * it may touch, on one connection, and is told of its own writes on another. What it sees is the
 * oracle for "nobody else is disturbed".
 */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Address } from '../support/four-letter.js';
import type { Acl } from '../support/requests.js';
import { TestClient } from '../support/test-client.js';

const CREDENTIAL = 'witness:word';
const CHILDREN = 20;

export function digestOf(credential: string): string {
  const user = credential.split(':')[0] ?? '';
  return `${user}:${createHash('sha1').update(credential).digest('base64')}`;
}

const acl: readonly Acl[] = [{ perms: 31, scheme: 'digest', id: digestOf(CREDENTIAL) }];

export class Witness {
  readonly #writer: TestClient;
  readonly #watcher: TestClient;
  #isToStop = false;
  #rounds = 0;
  slowestMs = 0;
  #complaint: string | null = null;
  #finished: Promise<void> = Promise.resolve();

  private constructor(writer: TestClient, watcher: TestClient) {
    this.#writer = writer;
    this.#watcher = watcher;
  }

  static async start(address: Address): Promise<Witness> {
    const writer = await TestClient.connect(address);
    const watcher = await TestClient.connect(address);
    await writer.auth('digest', CREDENTIAL);
    await watcher.auth('digest', CREDENTIAL);
    await writer.create('/witness', { acl });
    await writer.create('/witness/value', { acl, data: '0' });
    for (let i = 0; i < CHILDREN; i++) await writer.create(`/witness/n${i}`, { acl, data: `${i}` });
    const witness = new Witness(writer, watcher);
    witness.#finished = witness.#run();
    return witness;
  }

  get rounds(): number {
    return this.#rounds;
  }

  /** What it saw that it should not have, or null. */
  get complaint(): string | null {
    return this.#complaint;
  }

  async stop(): Promise<void> {
    this.#isToStop = true;
    await this.#finished;
    if (this.#complaint === null) await this.#checkSubtree();
    this.#writer.destroy();
    this.#watcher.destroy();
  }

  async #run(): Promise<void> {
    try {
      for (; !this.#isToStop; this.#rounds++) {
        await this.#round(this.#rounds);
        if (this.#rounds % 50 === 0) await this.#checkSubtree();
        await sleep(5);
      }
    } catch (problem) {
      this.#complaint ??= String(problem);
    }
  }

  async #round(round: number): Promise<void> {
    const before = await this.#timed(() => this.#watcher.getData('/witness/value', true));
    this.#demand(before.value?.text === `${round}`, `reads ${before.value?.text}, not ${round}`);
    const written = await this.#timed(() => this.#writer.setData('/witness/value', `${round + 1}`));
    this.#demand(written.err === 0, `a write answered ${written.err}`);
    const event = await this.#timed(() => this.#watcher.event());
    const isRight = event.type === 3 && event.path === '/witness/value';
    this.#demand(isRight, `an event of type ${event.type} for ${event.path}`);
  }

  async #checkSubtree(): Promise<void> {
    const count = await this.#timed(() => this.#watcher.getAllChildrenNumber('/witness'));
    this.#demand(count.value === CHILDREN + 1, `${count.value} znodes below /witness`);
    for (let i = 0; i < CHILDREN; i++) {
      const { value } = await this.#timed(() => this.#watcher.getData(`/witness/n${i}`));
      this.#demand(value?.text === `${i}` && value.stat.version === 0, `/witness/n${i} changed`);
    }
  }

  async #timed<T>(run: () => Promise<T>): Promise<T> {
    const from = performance.now();
    const result = await run();
    this.slowestMs = Math.max(this.slowestMs, performance.now() - from);
    return result;
  }

  #demand(holds: boolean, otherwise: string): void {
    if (!holds) this.#complaint ??= otherwise;
  }
}
