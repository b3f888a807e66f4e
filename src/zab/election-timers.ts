/**
 * When a server that looks for a leader does something though it hears nothing:
 *
 *   repeat     its vote, at intervals that double: it may not have arrived
 *   finalize   a quorum has been for the same server for a while, and nobody better has spoken up
 *   retreat    from a candidate whose connection is gone and does not return
 *   resign     it has stood for election long enough, without a vote in the configuration in force
 *
 * Infinity is a time that never comes.
 */
export class ElectionTimers {
  readonly #finalizeWaitMs: number;
  readonly #minIntervalMs: number;
  readonly #maxIntervalMs: number;
  #finalizeAtMs = Infinity;
  #repeatAtMs = Infinity;
  #intervalMs = 0;
  #retreatAtMs = Infinity;
  #resignAtMs = Infinity;

  constructor(limits: {
    readonly finalizeWaitMs: number;
    /** Between repeats: at first, and after doubling. */
    readonly minIntervalMs: number;
    readonly maxIntervalMs: number;
  }) {
    this.#finalizeWaitMs = limits.finalizeWaitMs;
    this.#minIntervalMs = limits.minIntervalMs;
    this.#maxIntervalMs = limits.maxIntervalMs;
  }

  /** The next that comes. */
  get deadlineMs(): number {
    return Math.min(this.#finalizeAtMs, this.#repeatAtMs, this.#retreatAtMs, this.#resignAtMs);
  }

  stop(): void {
    this.#finalizeAtMs = this.#repeatAtMs = this.#retreatAtMs = this.#resignAtMs = Infinity;
  }

  /** It tells the voters whom it is for now. */
  proposed(nowMs: number): void {
    this.#finalizeAtMs = Infinity;
    this.#retreatAtMs = Infinity;
    this.#intervalMs = this.#minIntervalMs;
    this.#repeatAtMs = nowMs + this.#intervalMs;
  }

  // ------------------------------------------------------------------ repeat

  /** It is likely that there is news, so repeats begin with short intervals again. */
  expectNews(nowMs: number): void {
    this.#intervalMs = this.#minIntervalMs;
    this.#repeatAtMs = Math.min(this.#repeatAtMs, nowMs + this.#minIntervalMs);
  }

  mustRepeat(nowMs: number): boolean {
    return nowMs >= this.#repeatAtMs;
  }

  repeated(nowMs: number): void {
    this.#intervalMs = Math.min(2 * this.#intervalMs, this.#maxIntervalMs);
    this.#repeatAtMs = nowMs + this.#intervalMs;
  }

  // ------------------------------------------------------------------ finalize

  /** A quorum agrees. True: it has for long enough. */
  agreed(nowMs: number): boolean {
    // and nothing is repeated meanwhile: those who wait as well would wait for longer
    if (this.#finalizeAtMs === Infinity) this.#finalizeAtMs = nowMs + this.#finalizeWaitMs;
    this.#repeatAtMs = Infinity;
    return nowMs >= this.#finalizeAtMs;
  }

  /** None does, or not any more. */
  disagreed(nowMs: number): void {
    if (this.#finalizeAtMs !== Infinity) this.#repeatAtMs = nowMs + this.#intervalMs;
    this.#finalizeAtMs = Infinity;
  }

  // ------------------------------------------------------------------ retreat

  /** The connection to the candidate is gone: then a round without it, unless it returns. */
  candidateLost(nowMs: number): void {
    this.#retreatAtMs = nowMs + this.#minIntervalMs;
  }

  candidateReturned(): void {
    this.#retreatAtMs = Infinity;
  }

  get isCandidateLost(): boolean {
    return this.#retreatAtMs !== Infinity;
  }

  mustRetreat(nowMs: number): boolean {
    return nowMs >= this.#retreatAtMs;
  }

  // ------------------------------------------------------------------ resign

  /** Infinity: it does not stand without a vote. */
  standUntil(resignAtMs: number): void {
    this.#resignAtMs = resignAtMs;
  }

  /**
   * It votes for itself, though in the configuration in force it has no vote. Who votes in what is
   * proposed may have to lead: if that was decided, it may have what was committed since, and nobody
   * of the old quorum. But whoever has not heard of the proposal would not elect it.
   */
  get isStanding(): boolean {
    return this.#resignAtMs !== Infinity;
  }

  mustResign(nowMs: number): boolean {
    return nowMs >= this.#resignAtMs;
  }
}
