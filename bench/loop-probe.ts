/**
 * Loaded into the server's process by `--import` in front of its own code: ten times a second it
 * writes from when to when (wall clock, ms), how long the longest turn of the event loop was in
 * that time, and how much of that turn the thread was ready to run and had no core (both ms). A
 * timer of 1 ms is the ruler: what is told is up to 2 ms too much, never too little. Nothing of the
 * server knows of it.
 */
import { openSync, readSync, writeSync } from 'node:fs';

const outputFile = process.env['ZABRA_BENCH_LOOP_PROBE'];
if (outputFile !== undefined) {
  const output = openSync(outputFile, 'a');
  const waitedNs = runQueueClock();
  let fromMs = Date.now();
  let turnFrom = performance.now();
  let waitedFrom = waitedNs();
  let longest = 0;
  let waited = 0;
  setInterval(() => {
    const now = performance.now();
    const waitedNow = waitedNs();
    if (now - turnFrom > longest) {
      longest = now - turnFrom;
      waited = (waitedNow - waitedFrom) / 1e6;
    }
    turnFrom = now;
    waitedFrom = waitedNow;
    const toMs = Date.now();
    if (toMs - fromMs < 100) return;
    writeSync(output, `${fromMs} ${toMs} ${longest.toFixed(2)} ${waited.toFixed(2)}\n`);
    fromMs = toMs;
    longest = 0;
  }, 1).unref();
}

/** How long the main thread has waited for a core so far, as Linux counts it; 0 elsewhere. */
function runQueueClock(): () => number {
  let file: number;
  try {
    file = openSync('/proc/self/schedstat', 'r');
  } catch {
    // not Linux, or a kernel that does not count
    return () => 0;
  }
  const bytes = Buffer.alloc(128);
  return () => {
    const length = readSync(file, bytes, 0, bytes.length, 0);
    return Number(bytes.toString('latin1', 0, length).split(' ')[1]);
  };
}
