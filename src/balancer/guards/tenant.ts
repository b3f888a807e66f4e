/** All that one address, one identity or one class has here at once, and what it may have. */
import type { ClientLimits } from './limits.js';
import { TokenBucket } from './token-bucket.js';

export class Tenant {
  readonly key: string;
  readonly limits: ClientLimits;
  connections = 0;
  readonly bucket: TokenBucket | null;
  /** Held, or asked for without an answer yet. */
  watches = 0;

  constructor(key: string, limits: ClientLimits, nowMs: number) {
    this.key = key;
    this.limits = limits;
    this.bucket = limits.rate === undefined ? null : new TokenBucket(limits.rate, nowMs);
  }

  get isFull(): boolean {
    const { connections } = this.limits;
    return connections !== undefined && this.connections >= connections;
  }
}
