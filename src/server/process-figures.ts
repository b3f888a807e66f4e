/**
 * What a process counts as long as it lives: a member of an ensemble has a server for each role, one
 * after the other, and its figures must not begin anew with each of them.
 */
import { ServerMetrics } from './metrics.js';

/** What Apache traces by default. */
const TRACE_MASK_DEFAULT = 306n;

export class ProcessFigures {
  readonly metrics = new ServerMetrics();
  /** What Java's server would trace; it changes nothing here. */
  traceMask = TRACE_MASK_DEFAULT;

  /** The data directory has been read, and so many transactions of the log replayed. */
  recovered(tookMs: number, replayed: number): void {
    const { metrics } = this;
    metrics.dbInitTimeMs.add(tookMs);
    if (replayed === 0) return;
    metrics.startupTxnsLoaded.add(replayed);
    metrics.startupTxnsLoadTime.add(tookMs);
  }
}
