/** Clients that write while members change: nothing that was acknowledged to them may be missing. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Session } from '../../cluster/session.js';
import { body } from '../../support/requests.js';
import { TestClient } from '../../support/test-client.js';
import { OpCode } from 'zabra/protocol';
import type { Town } from './town.js';

const PAUSE_MS = 4;

export class Load {
  readonly #town: Town;
  readonly #acknowledged: string[] = [];
  readonly #problems: string[] = [];
  #isStopping = false;
  #running: Promise<void>[] = [];

  constructor(town: Town) {
    this.#town = town;
  }

  async begin(sids: readonly number[]): Promise<void> {
    const client = await TestClient.connect(this.#town.addressOf(sids[0] ?? 1));
    await client.create('/load');
    client.destroy();
    this.#running = sids.map((sid, index) => this.#write(index, sid));
  }

  async #write(index: number, sid: number): Promise<void> {
    const session = new Session(30_000, this.#problems);
    let number = 0;
    while (!this.#isStopping) {
      if (!session.isConnected) {
        const outcome = await session.connect(this.#town.addressOf(sid));
        if (outcome === 'expired') this.#problems.push(`the session of writer ${index} expired`);
        if (outcome !== 'connected') await sleep(50);
        continue;
      }
      const path = `/load/${index}-${number++}`;
      const reply = await session.ask(OpCode.create, body.create(path));
      if (reply?.err === 0) this.#acknowledged.push(path);
      await sleep(PAUSE_MS);
    }
    session.drop();
  }

  stop(): void {
    this.#isStopping = true;
  }

  /** Each of these servers has all that was acknowledged, and they have the same. */
  async problems(sids: readonly number[]): Promise<string[]> {
    this.stop();
    await Promise.all(this.#running);
    const problems = [...this.#problems];
    if (this.#acknowledged.length < 100) problems.push(`${this.#acknowledged.length} writes`);
    const lists: string[] = [];
    for (const sid of sids) {
      const client = await TestClient.connect(this.#town.addressOf(sid));
      await client.sync('/');
      const children = (await client.getChildren('/load')).value ?? [];
      client.destroy();
      const there = new Set(children);
      const missing = this.#acknowledged.filter((path) => !there.has(path.slice('/load/'.length)));
      if (missing.length > 0) problems.push(`server ${sid} lacks ${missing.slice(0, 3).join()} …`);
      lists.push(children.sort().join());
    }
    if (new Set(lists).size > 1) problems.push('servers have different children of /load');
    return problems;
  }
}
