/**
 * How long a client on a survivor waits for its first acknowledged write once the leader is gone: one
 * that had a session there, and one that comes anew.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { OpCode } from 'zabra/protocol';
import type { Address } from '../support/four-letter.js';
import { body } from '../support/requests.js';
import { Session } from './session.js';

const RETRY_MS = 2;
const GIVE_UP_MS = 30_000;

export class FailoverTimes {
  readonly #connected: number[] = [];
  readonly #anew: number[] = [];
  readonly #what: string;
  readonly #problems: string[];

  constructor(what: string, problems: string[]) {
    this.#what = what;
    this.#problems = problems;
  }

  /** `begin` takes the leader away; resolves when both clients have been told of a write. */
  async measure(survivor: Address, path: string, begin: () => Promise<void>): Promise<void> {
    const connected = new Session(30_000, this.#problems);
    if ((await connected.connect(survivor)) !== 'connected') {
      throw new Error(`no session over ${survivor.port} before the leader goes`);
    }
    const anew = new Session(30_000, this.#problems);
    const startMs = performance.now();
    const begun = begin();
    const [first, second] = await Promise.all([
      this.#untilWritten(connected, survivor, path, startMs),
      this.#untilWritten(anew, survivor, path, startMs),
      begun,
    ]);
    if (first !== null) this.#connected.push(first);
    if (second !== null) this.#anew.push(second);
    await Promise.all([connected.close(), anew.close()]);
  }

  async #untilWritten(
    session: Session,
    survivor: Address,
    path: string,
    startMs: number,
  ): Promise<number | null> {
    while (performance.now() - startMs < GIVE_UP_MS) {
      if (!session.isConnected && (await session.connect(survivor)) !== 'connected') {
        await sleep(RETRY_MS);
        continue;
      }
      const reply = await session.ask(OpCode.setData, body.setData(path, 'failover', -1));
      if (reply?.err === 0) return performance.now() - startMs;
    }
    this.#problems.push(`no write ${GIVE_UP_MS} ms after the leader went`);
    return null;
  }

  lines(): string[] {
    return [
      `${this.#what}, session that was on a survivor: ${summary(this.#connected)}`,
      `${this.#what}, new session on a survivor: ${summary(this.#anew)}`,
    ];
  }
}

function summary(times: readonly number[]): string {
  const sorted = [...times].sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)];
  const worst = sorted.at(-1);
  if (median === undefined || worst === undefined) return 'not measured';
  return `median ${median.toFixed(0)} ms, worst ${worst.toFixed(0)} ms of ${sorted.length}`;
}
