/**
 * A session that outlives connections, over whichever server its owner chooses. An answer is one
 * of three: done, refused, or not known, and it never retries by itself. What no session may see is
 * noted as a problem: a zxid that goes back.
 */
import type { Address } from '../support/four-letter.js';
import type { Body, Reply } from '../support/raw-client.js';
import { TestClient } from '../support/test-client.js';

export type Connected = 'connected' | 'refused' | 'expired';

const HANDSHAKE_MS = 3000;
const ANSWER_MS = 4000;

export class Session {
  readonly timeoutMs: number;
  readonly #problems: string[];
  #client: TestClient | null = null;
  #id = 0n;
  #password: Uint8Array = new Uint8Array(16);
  #lastZxid = 0n;

  constructor(timeoutMs: number, problems: string[]) {
    this.timeoutMs = timeoutMs;
    this.#problems = problems;
  }

  /** 0 until the first connection. */
  get id(): bigint {
    return this.#id;
  }

  get name(): string {
    return `0x${BigInt.asUintN(64, this.#id).toString(16)}`;
  }

  get isConnected(): boolean {
    return this.#client !== null && !this.#client.isClosed;
  }

  /** Goes over to that server; `refused` also when it does not answer in time. */
  async connect(address: Address, waitMs = HANDSHAKE_MS): Promise<Connected> {
    const earlier = this.#client;
    this.drop();
    const client = await TestClient.open(address, waitMs).catch(() => null);
    if (client === null) return 'refused';
    const timer = setTimeout(() => {
      client.destroy();
    }, waitMs);
    try {
      const reply = await client.handshake({
        lastZxidSeen: this.#lastZxid,
        timeoutMs: this.timeoutMs,
        sessionId: this.#id,
        password: this.#password,
      });
      if (reply === null) return 'refused';
      if (reply.sessionId === 0n) {
        client.destroy();
        return 'expired';
      }
      if (this.#id !== 0n && reply.sessionId !== this.#id) {
        this.#problems.push(`session ${this.name} was answered with another session`);
      }
      this.#id = reply.sessionId;
      this.#password = reply.password;
    } finally {
      clearTimeout(timer);
    }
    if (earlier !== null) client.continueFrom(earlier);
    this.#client = client;
    return 'connected';
  }

  /** One request. Null: it is not known what became of it, and the connection is given up. */
  async ask(op: number, body?: Body, waitMs = ANSWER_MS): Promise<Reply | null> {
    const client = this.#client;
    if (client === null || client.isClosed) return null;
    try {
      const reply = await client.reply(client.post(op, body), waitMs);
      if (reply.zxid < this.#lastZxid && reply.zxid > 0n) {
        this.#problems.push(
          `session ${this.name} saw zxid ${this.#lastZxid.toString(16)}, then ${reply.zxid.toString(16)}`,
        );
      }
      if (reply.zxid > this.#lastZxid) this.#lastZxid = reply.zxid;
      return reply;
    } catch {
      client.destroy();
      return null;
    }
  }

  /** Lets go of the connection; the session stays until it expires. */
  drop(): void {
    this.#client?.destroy();
  }

  /** Whether the server is known to have ended the session. */
  async close(): Promise<boolean> {
    const client = this.#client;
    if (client === null || client.isClosed) return false;
    try {
      await client.close(ANSWER_MS);
      return true;
    } catch {
      client.destroy();
      return false;
    }
  }
}
