#!/usr/bin/env node
/**
 * `npm run sim`: simulated runs, by seed. One line for each that fails, with the command that replays
 * it; now and then how far it got; at the end the sum. Nothing here is part of a run: the clock and the
 * dice of this file only say which seeds are tried and for how long.
 */
import { parseArgs } from 'node:util';
import { runSeed, type RunResult } from '../sim/run.js';

const usage = `Usage: sim [--seed N] [--seeds COUNT] [--minutes M] [--trace] [--hits]
  --seed N      run this seed (with --seeds: begin with it)
  --seeds N     run so many seeds, one after the other
  --minutes M   run random seeds for so long (10 when nothing is said)
  --trace       write every line of the trace to the standard output
  --hits        say at the end how often each fault struck`;

interface Sum {
  passed: number;
  failed: number;
  events: number;
  simulatedMs: number;
  readonly hits: Map<string, number>;
  readonly startedMs: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string' },
      minutes: { type: 'string' },
      trace: { type: 'boolean', default: false },
      hits: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return;
  }
  const sum: Sum = {
    passed: 0,
    failed: 0,
    events: 0,
    simulatedMs: 0,
    hits: new Map(),
    startedMs: performance.now(),
  };
  const first =
    values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : number(values.seed);
  const isTimed = values.seeds === undefined && values.seed === undefined;
  const count = isTimed ? Infinity : number(values.seeds ?? '1');
  const untilMs = isTimed ? sum.startedMs + 60_000 * number(values.minutes ?? '10') : Infinity;
  let toldMs = sum.startedMs;
  for (let i = 0; i < count && performance.now() < untilMs; i++) {
    const seed = (first + i) % 2 ** 31;
    const result = await runSeed(
      values.trace ? { seed, sink: (line) => console.log(line) } : { seed },
    );
    add(sum, result);
    if (count === 1) console.log(`trace ${result.hash}, ${describe(result)}`);
    if (performance.now() - toldMs > 5000) {
      toldMs = performance.now();
      console.log(`… ${sum.passed} passed, ${sum.failed} failed, at seed ${seed}`);
    }
  }
  if (values.hits) {
    for (const [name, hits] of [...sum.hits].sort())
      console.log(`${String(hits).padStart(8)} ${name}`);
  }
  const realMs = performance.now() - sum.startedMs;
  const speed = Math.round(sum.simulatedMs / realMs);
  console.log(
    `${sum.passed} passed, ${sum.failed} failed; ${Math.round((sum.events / realMs) * 1000)} events/s, ` +
      `${(sum.simulatedMs / 3_600_000).toFixed(2)} h simulated in ${(realMs / 1000).toFixed(1)} s (${speed}x)`,
  );
  if (sum.failed > 0) process.exitCode = 1;
}

function add(sum: Sum, result: RunResult): void {
  sum.events += result.events;
  sum.simulatedMs += result.simulatedMs;
  for (const [name, hits] of result.hits) sum.hits.set(name, (sum.hits.get(name) ?? 0) + hits);
  if (result.violation === null) {
    sum.passed++;
    return;
  }
  sum.failed++;
  const { invariant, message, atMs } = result.violation;
  console.log(
    `seed ${result.seed} broke ${invariant} at ${atMs.toFixed(3)} ms: ${message}\n` +
      `    replay: npm run sim -- --seed ${result.seed} --trace`,
  );
}

function describe(result: RunResult): string {
  return (
    `${result.events} events, ${result.replies} replies, ${result.watchEvents} watch events, ` +
    `${result.txns} transactions, ${result.starts} starts`
  );
}

function number(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new TypeError(`not a number: ${text}\n${usage}`);
  return value;
}

main().catch((problem: unknown) => {
  console.error(problem);
  process.exitCode = 1;
});
