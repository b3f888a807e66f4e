/**
 * Sessions that end within a cycle: each has an ephemeral, some say good-bye and some are forgotten.
 * Whichever it was, and whatever happens to the servers meanwhile: the ephemeral goes, on all servers.
 */
import { OpCode } from 'zabra/protocol';
import type { Address } from '../support/four-letter.js';
import { body, flags } from '../support/requests.js';
import { Session } from './session.js';

export class Mayflies {
  readonly timeoutMs: number;
  readonly #problems: string[];
  #living: { readonly session: Session; readonly path: string }[] = [];
  /** Of sessions that have been ended. */
  readonly #ended: string[] = [];

  constructor(timeoutMs: number, problems: string[]) {
    this.timeoutMs = timeoutMs;
    this.#problems = problems;
  }

  /** One over each server that answers. */
  async hatch(servers: readonly Address[]): Promise<void> {
    for (const address of servers) {
      const session = new Session(this.timeoutMs, this.#problems);
      if ((await session.connect(address)) !== 'connected') continue;
      const path = `/ephemerals/mayfly-${session.name}`;
      this.#living.push({ session, path });
      await session.ask(OpCode.create, body.create(path, { flags: flags.ephemeral }));
    }
  }

  /** Every other one is closed, the rest is left without a word. */
  async end(): Promise<void> {
    const ending = this.#living;
    this.#living = [];
    for (const [index, { session, path }] of ending.entries()) {
      if (index % 2 === 0) await session.close();
      else session.drop();
      this.#ended.push(path);
    }
  }

  /** Those that should be gone and are there. */
  leftIn(znodes: ReadonlyMap<string, unknown>): string[] {
    return this.#ended.filter((path) => znodes.has(path));
  }

  forget(): void {
    this.#ended.length = 0;
  }
}
