/** One rule about a path and all below it, and what its limits have been used for by all clients. */
import type { PathRule } from './limits.js';
import { isWithin, touches, type NamedPath } from './named-paths.js';
import { opTestOf, type OpTest } from './op-selector.js';
import { TokenBucket } from './token-bucket.js';

export class PathGuard {
  readonly rule: PathRule;
  readonly bucket: TokenBucket | null;
  /** At or below its path: held, or asked for without an answer yet. */
  watches = 0;
  readonly #names: OpTest;

  constructor(rule: PathRule, nowMs: number) {
    this.rule = rule;
    this.bucket = rule.rate === undefined ? null : new TokenBucket(rule.rate, nowMs);
    this.#names = opTestOf(rule.ops);
  }

  /** To deny, any of it is enough; for everything else it takes the whole. */
  isAbout(path: NamedPath): boolean {
    const { prefix, action } = this.rule;
    if (!this.#names(path.op, path.isWrite)) return false;
    return action === 'deny' ? touches(path, prefix) : isWithin(path.path, prefix);
  }

  countWatches(path: string, change: number): void {
    if (this.rule.watches !== undefined && isWithin(path, this.rule.prefix)) this.watches += change;
  }
}
