import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../ports/logger.js';
import { configOf } from './config/config.js';
import { ServerMetrics } from './metrics.js';
import { PauseMonitor } from './pause-monitor.js';

test('pauses are counted and told by their length', () => {
  let nowMs = 0;
  let alarm = { dueMs: 0, run: (): void => undefined, isCancelled: true };
  const told: string[] = [];
  const metrics = new ServerMetrics();
  const monitor = new PauseMonitor({
    clock: {
      monotonicMs: () => nowMs,
      wallMs: () => nowMs,
      soon: () => undefined,
      after(delayMs, run) {
        const set = { dueMs: nowMs + delayMs, run, isCancelled: false };
        alarm = set;
        return { cancel: () => void (set.isCancelled = true) };
      },
    },
    logger: {
      ...silentLogger,
      info: (_message, fields) => void told.push(`info ${fields?.['pauseMs'] ?? ''}`),
      warn: (_message, fields) => void told.push(`warn ${fields?.['pauseMs'] ?? ''}`),
    },
    metrics,
    settings: configOf({ dataDir: '/d', pauseMonitorSleepTimeMs: 500 }),
  });
  monitor.start();
  for (const lateMs of [0, 999, 1001, 10_001]) {
    nowMs = alarm.dueMs + lateMs;
    alarm.run();
  }
  assert.deepEqual(told, ['info 1001', 'warn 10001']);
  assert.equal(metrics.jvmPauseTimeMs.count, 4);
  assert.equal(metrics.jvmPauseTimeMs.max, 10_001);
  monitor.stop();
  assert.equal(alarm.isCancelled, true);
});
