/** The thread of flush-watchdog.ts: it looks whether the same flush has been under way for too long. */
import { workerData } from 'node:worker_threads';
import { endHung } from './hung-flush.js';

const { serial, checkEveryMs, checks } = workerData as {
  readonly serial: Int32Array<SharedArrayBuffer>;
  readonly checkEveryMs: number;
  readonly checks: number;
};
const never = new Int32Array(new SharedArrayBuffer(4));

let seen = 0;
let seenFor = 0;
for (;;) {
  Atomics.wait(never, 0, 0, checkEveryMs);
  const now = Atomics.load(serial, 0);
  const isFlushing = (now & 1) !== 0;
  seenFor = isFlushing && now === seen ? seenFor + 1 : 0;
  seen = now;
  if (seenFor < checks) continue;
  endHung(checkEveryMs * checks);
}
