/**
 * When to take a snapshot and when to purge. A snapshot is due after a random number of transactions
 * between half of snapCount and all of it (so that the servers of an ensemble do not all write at
 * the same moment), when the log has grown by its size limit, or, where the operator wants a bounded
 * recovery on a quiet server, after an interval; one at a time, never delaying a write. A count alone
 * would write a large tree over and over for a little log: it waits until there is a share of the last
 * snapshot's size to be replayed, so what snapshots write stays in proportion to what clients write.
 * A snapshot that fails leaves the old ones and the whole log: it is told, and tried again when the
 * next one is due.
 */
import type { Clock, Timer } from '../ports/clock.js';
import type { Logger } from '../ports/logger.js';
import { AbandonedError } from '../storage/pace.js';

export interface SnapshotScheduleOptions {
  readonly snapCount: number;
  /** Of the last snapshot's size, what the log must have grown by before a count matters; 0: nothing. */
  readonly snapLogPercent: number;
  /** Bytes of log; -1 or 0: no limit. */
  readonly snapSizeLimitBytes: number;
  /** After a write, a snapshot follows within this; 0: not for that reason. */
  readonly snapshotIntervalMs: number;
  /** 0 or less: never. */
  readonly purgeIntervalMs: number;
}

export interface SnapshotWork {
  /** `bytes`: of its file. */
  snapshot(): Promise<{ readonly bytes: number }>;
  /** The one under way is to be done sooner. */
  hurry(): void;
  purge(): Promise<readonly string[]>;
  /** In [0, 1). */
  fraction(): number;
}

export class SnapshotSchedule {
  readonly #options: SnapshotScheduleOptions;
  readonly #work: SnapshotWork;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #txnCount = 0;
  #logBytes = 0;
  #countDue = 0;
  #bytesDue = 0;
  /** Of the last one that this process took; 0: none yet. */
  #snapshotBytes = 0;
  #purgeTimer: Timer | null = null;
  #intervalTimer: Timer | null = null;
  #running: Promise<void> | null = null;
  #purging: Promise<void> | null = null;
  #isStopped = false;
  snapshotCount = 0;
  lastDurationMs = 0;

  constructor(options: SnapshotScheduleOptions, work: SnapshotWork, clock: Clock, logger: Logger) {
    this.#options = options;
    this.#work = work;
    this.#clock = clock;
    this.#logger = logger;
    this.#draw();
  }

  start(): void {
    this.#snapshotLater();
    if (this.#options.purgeIntervalMs > 0) this.#purgeLater(0);
  }

  /** When it resolves nothing of it touches the disk any more, or ever will. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#purgeTimer?.cancel();
    this.#intervalTimer?.cancel();
    await Promise.all([this.#running, this.#purging]);
  }

  /** Told of every batch that went to the log. */
  onLogged(txnCount: number, bytes: number): void {
    this.#txnCount += txnCount;
    this.#logBytes += bytes;
    const isDue =
      this.#isDueByCount(this.#countDue, 1) ||
      (this.#bytesDue > 0 && this.#logBytes >= this.#bytesDue);
    if (this.#running !== null) {
      // a restart would have to replay all that is logged meanwhile
      if (this.#isDueByCount(this.#options.snapCount / 2, 0.5)) this.#work.hurry();
      return;
    }
    if (isDue && !this.#isStopped) void this.take();
  }

  #isDueByCount(countDue: number, share: number): boolean {
    const bytesDue = (share * this.#options.snapLogPercent * this.#snapshotBytes) / 100;
    return this.#txnCount >= countDue && this.#logBytes >= bytesDue;
  }

  /** One is being taken. */
  get isTaking(): boolean {
    return this.#running !== null;
  }

  /** Takes one now, or joins the one being taken. */
  take(): Promise<void> {
    this.#running ??= this.#take().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #take(): Promise<void> {
    this.#txnCount = 0;
    this.#logBytes = 0;
    this.#draw();
    const startMs = this.#clock.monotonicMs();
    try {
      this.#snapshotBytes = (await this.#work.snapshot()).bytes;
      this.lastDurationMs = Math.round(this.#clock.monotonicMs() - startMs);
      this.snapshotCount++;
    } catch (problem) {
      if (this.#isStopped && problem instanceof AbandonedError) return;
      const reason = problem instanceof Error ? problem.message : String(problem);
      this.#logger.error('snapshot failed; the older ones and the whole log remain', { reason });
    }
  }

  #draw(): void {
    const { snapCount, snapSizeLimitBytes } = this.#options;
    const between = (limit: number): number =>
      Math.ceil(limit / 2) + Math.floor(this.#work.fraction() * (limit / 2));
    this.#countDue = Math.max(1, between(snapCount));
    this.#bytesDue = snapSizeLimitBytes > 0 ? between(snapSizeLimitBytes) : 0;
  }

  #snapshotLater(): void {
    const { snapshotIntervalMs } = this.#options;
    if (snapshotIntervalMs <= 0 || this.#isStopped) return;
    this.#intervalTimer = this.#clock.after(snapshotIntervalMs, () => {
      if (this.#txnCount > 0 && !this.#isStopped) void this.take();
      this.#snapshotLater();
    });
  }

  #purgeLater(delayMs: number): void {
    if (this.#isStopped) return;
    this.#purgeTimer = this.#clock.after(delayMs, () => {
      this.#purging = this.#purge().finally(() => {
        this.#purging = null;
      });
    });
  }

  async #purge(): Promise<void> {
    try {
      const removed = await this.#work.purge();
      if (removed.length > 0) this.#logger.info('purged', { files: removed.length });
    } catch (problem) {
      const reason = problem instanceof Error ? problem.message : String(problem);
      this.#logger.error('purge failed; it is tried again', { reason });
    }
    this.#purgeLater(this.#options.purgeIntervalMs);
  }
}
