/**
 * A server that looks for a leader and finds none: after a grace period it serves, read-only, the
 * clients that said they can bear it (`readonlymode.enabled`), until the election has an outcome.
 */
import type { Clock, Timer } from '../../ports/clock.js';
import type { Server } from '../server.js';

/** Elections that succeed take less. */
const GRACE_MS_MIN = 2000;

export class Alone {
  readonly #clock: Clock;
  readonly #graceMs: number;
  readonly #open: (() => Server | null) | null;
  #timer: Timer | null = null;
  #server: Server | null = null;

  /**
   * `open` makes the server and begins to serve, unless there is a role by then; null: nobody is ever
   * served without a quorum.
   */
  constructor(clock: Clock, tickTimeMs: number, open: (() => Server | null) | null) {
    this.#clock = clock;
    this.#graceMs = Math.max(GRACE_MS_MIN, tickTimeMs);
    this.#open = open;
  }

  get server(): Server | null {
    return this.#server;
  }

  /** The search for a leader begins. */
  begin(): void {
    const open = this.#open;
    if (open === null) return;
    this.#timer?.cancel();
    this.#timer = this.#clock.after(this.#graceMs, () => {
      this.#server ??= open();
    });
  }

  /** It is over: whoever was served has to come again. */
  async end(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = null;
    const server = this.#server;
    this.#server = null;
    await server?.leave();
  }
}
