/** The few figures that `srvr` and `stat` have shown since the beginning, and their reset. */

export class ServerStats {
  packetsReceived = 0;
  packetsSent = 0;
  latencyMinMs = 0;
  latencyMaxMs = 0;
  latencySumMs = 0;
  latencyCount = 0;
  lastResponseBytes = -1;
  minResponseBytes = -1;
  maxResponseBytes = -1;
  authFailedCount = 0;

  /** A request was answered, pings included. */
  onAnswered(latencyMs: number): void {
    if (this.latencyCount === 0 || latencyMs < this.latencyMinMs) this.latencyMinMs = latencyMs;
    if (latencyMs > this.latencyMaxMs) this.latencyMaxMs = latencyMs;
    this.latencySumMs += latencyMs;
    this.latencyCount++;
  }

  /** A reply or an event was encoded. */
  onSent(bytes: number): void {
    this.packetsSent++;
    this.lastResponseBytes = bytes;
    if (this.minResponseBytes < 0 || bytes < this.minResponseBytes) this.minResponseBytes = bytes;
    if (bytes > this.maxResponseBytes) this.maxResponseBytes = bytes;
  }

  get latencyAvgMs(): number {
    return this.latencyCount === 0 ? 0 : this.latencySumMs / this.latencyCount;
  }

  reset(): void {
    this.packetsReceived = 0;
    this.packetsSent = 0;
    this.latencyMinMs = 0;
    this.latencyMaxMs = 0;
    this.latencySumMs = 0;
    this.latencyCount = 0;
    this.lastResponseBytes = -1;
    this.minResponseBytes = -1;
    this.maxResponseBytes = -1;
  }
}
