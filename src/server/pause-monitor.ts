/**
 * Sees when the event loop stood still: it sets itself a short alarm again and again and looks how
 * late it comes. What makes it late (a long computation, the machine asleep, a container without
 * processor time) makes everything late, sessions first; so it is worth a line in the log. Apache has
 * the same for pauses of the JVM, under the same keys (jvm.pause.*) and the same metric.
 */
import type { Clock, Timer } from '../ports/clock.js';
import type { Logger } from '../ports/logger.js';
import type { ServerConfig } from './config/config.js';
import type { ServerMetrics } from './metrics.js';

type PauseSettings = Pick<
  ServerConfig,
  'pauseMonitorSleepTimeMs' | 'pauseMonitorWarnThresholdMs' | 'pauseMonitorInfoThresholdMs'
>;

export interface PauseMonitorParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: ServerMetrics;
  readonly settings: PauseSettings;
}

export class PauseMonitor {
  readonly #parts: PauseMonitorParts;
  #timer: Timer | null = null;

  constructor(parts: PauseMonitorParts) {
    this.#parts = parts;
  }

  start(): void {
    this.stop();
    const { clock, settings } = this.#parts;
    const dueMs = clock.monotonicMs() + settings.pauseMonitorSleepTimeMs;
    this.#timer = clock.after(settings.pauseMonitorSleepTimeMs, () => {
      this.#onAlarm(clock.monotonicMs() - dueMs);
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #onAlarm(lateMs: number): void {
    const { logger, metrics, settings } = this.#parts;
    const pauseMs = Math.max(0, Math.trunc(lateMs));
    metrics.jvmPauseTimeMs.add(pauseMs);
    const message = 'the event loop stood still';
    if (pauseMs > settings.pauseMonitorWarnThresholdMs) logger.warn(message, { pauseMs });
    else if (pauseMs > settings.pauseMonitorInfoThresholdMs) logger.info(message, { pauseMs });
  }
}
