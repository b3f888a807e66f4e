/** What `cons` shows of one connection, and `crst` sets back. */
export class ConnectionFigures {
  packetsReceived = 0;
  packetsSent = 0;
  /** Four letters, `NA` before the first request. */
  lastOp = 'NA';
  /** -1 before the first request. */
  lastXid = -1;
  lastZxidHigh = 0;
  lastZxidLow = 0;
  /** Monotonic; 0 before the first reply. */
  lastResponseMs = 0;
  lastLatencyMs = 0;
  maxLatencyMs = 0;
  #minLatencyMs = -1;
  #sumLatencyMs = 0;
  #count = 0;

  onAnswered(op: string, xid: number, latencyMs: number, nowMs: number): void {
    this.lastOp = op;
    this.lastXid = xid;
    this.lastResponseMs = nowMs;
    this.lastLatencyMs = latencyMs;
    this.#sumLatencyMs += latencyMs;
    this.#count++;
    if (latencyMs > this.maxLatencyMs) this.maxLatencyMs = latencyMs;
    if (this.#minLatencyMs < 0 || latencyMs < this.#minLatencyMs) this.#minLatencyMs = latencyMs;
  }

  get minLatencyMs(): number {
    return Math.max(0, this.#minLatencyMs);
  }

  get avgLatencyMs(): number {
    return this.#count === 0 ? 0 : this.#sumLatencyMs / this.#count;
  }

  reset(): void {
    Object.assign(this, new ConnectionFigures());
    this.#minLatencyMs = -1;
    this.#sumLatencyMs = 0;
    this.#count = 0;
  }
}
