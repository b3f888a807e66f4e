/**
 * What the loss of a server came to, for the operator's log: one line for all sessions together, not one
 * for each of a thousand. Each by itself is in the access log.
 */
import type { Clock, Timer } from '../../ports/clock.js';
import type { Logger } from '../../ports/logger.js';

/** What belongs together comes within this. */
const GATHER_MS = 1000;

interface Masked {
  sessions: number;
  slowestMs: number;
}

export class LossReport {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #masked = new Map<string, Masked>();
  readonly #dropped = new Map<string, number>();
  #timer: Timer | null = null;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  onMasked(server: string, tookMs: number): void {
    const known = this.#masked.get(server) ?? { sessions: 0, slowestMs: 0 };
    known.sessions++;
    known.slowestMs = Math.max(known.slowestMs, tookMs);
    this.#masked.set(server, known);
    this.#gather();
  }

  onDropped(reason: string): void {
    this.#dropped.set(reason, (this.#dropped.get(reason) ?? 0) + 1);
    this.#gather();
  }

  /** Tells what there is to tell. */
  stop(): void {
    this.#timer?.cancel();
    this.#tell();
  }

  #gather(): void {
    this.#timer ??= this.#clock.after(GATHER_MS, () => this.#tell());
  }

  #tell(): void {
    this.#timer = null;
    for (const [server, { sessions, slowestMs }] of this.#masked) {
      const fields = { server, sessions, slowestMs: Math.round(slowestMs) };
      this.#logger.info('a server was lost, and clients did not notice', fields);
    }
    for (const [reason, connections] of this.#dropped) {
      this.#logger.info('connections of clients were ended', { connections, reason });
    }
    this.#masked.clear();
    this.#dropped.clear();
  }
}
