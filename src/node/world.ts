/** The real world as one server needs it: ports, the process's facts, and how a process ends. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Logger } from '../ports/logger.js';
import type { ServerWorld } from '../server/server-world.js';
import { nodeClock } from './clock.js';
import { nodeCompression } from './compression.js';
import { nodeCrypto } from './crypto.js';
import { NodeDisk } from './disk.js';
import type { FlushWatchdog } from './flush-watchdog.js';
import { environment } from './environment.js';
import { nodeNetwork } from './network.js';

/** The log can no longer be trusted: as Apache's code for errors of the transaction log. */
const FATAL_EXIT_CODE = 10;

/** `watchdog`: for a server that has the process to itself. */
export function nodeWorld(logger: Logger, watchdog: FlushWatchdog | null = null): ServerWorld {
  return {
    clock: nodeClock,
    network: nodeNetwork,
    disk: new NodeDisk(watchdog),
    compression: nodeCompression,
    crypto: nodeCrypto,
    logger,
    fraction: () => Math.random(),
    environment,
    fileDescriptors,
    onFatal(error) {
      logger.error('stopping: what cannot be made durable cannot be acknowledged', {
        reason: error.message,
      });
      process.exit(FATAL_EXIT_CODE);
    },
  };
}

function fileDescriptors(): { readonly open: number; readonly max: number } | null {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    const max = /^Max open files\s+(\d+)/mu.exec(limits)?.[1];
    if (max === undefined) return null;
    return { open: readdirSync('/proc/self/fd').length, max: Number(max) };
  } catch {
    // no procfs here (macOS): the gauges are left out
    return null;
  }
}
