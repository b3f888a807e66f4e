/** A simulated run for which everything that nobody catches is a failure of that run. */
import { inspect } from 'node:util';
import type { RunResult } from '../sim/run.js';

const stray: unknown[] = [];
process.on('unhandledRejection', (problem) => {
  stray.push(problem);
});

/** One at a time in a process. */
export async function caught(start: () => Promise<RunResult>): Promise<RunResult> {
  stray.length = 0;
  const result = await start();
  const [problem] = stray;
  if (problem === undefined || result.violation !== null) return result;
  const message = problem instanceof Error ? (problem.stack ?? problem.message) : inspect(problem);
  return { ...result, violation: { invariant: 'assert', message, atMs: result.simulatedMs } };
}
