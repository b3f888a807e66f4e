/**
 * Loaded into the server's process by `--import` in front of its own code: ten times a second it
 * writes from when to when (wall clock, ms) and how long the longest turn of the event loop was in
 * that time (ms; a timer of 1 ms in libuv is the ruler, so what is told is up to 1 ms too much,
 * never too little). Nothing of the server knows of it.
 */
import { openSync, writeSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const outputFile = process.env['ZABRA_BENCH_LOOP_PROBE'];
if (outputFile !== undefined) {
  const output = openSync(outputFile, 'a');
  const turns = monitorEventLoopDelay({ resolution: 1 });
  turns.enable();
  let fromMs = Date.now();
  setInterval(() => {
    const toMs = Date.now();
    writeSync(output, `${fromMs} ${toMs} ${(turns.max / 1e6).toFixed(2)}\n`);
    turns.reset();
    fromMs = toMs;
  }, 100).unref();
}
