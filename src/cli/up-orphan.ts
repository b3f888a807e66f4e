/**
 * Loaded by each server that `zabra up` starts, before the server's own code. However `up` ends, be
 * it by kill -9, the channel to it closes; then the server stops as if it had been asked to, and no
 * server is left that nobody knows of.
 */
import { isMainThread } from 'node:worker_threads';

if (isMainThread && process.channel !== undefined) {
  process.once('disconnect', () => {
    process.kill(process.pid, 'SIGTERM');
  });
  // the channel alone does not keep the process
  process.channel.unref();
}
