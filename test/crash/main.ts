/**
 * The long form of src/storage/crash.test.ts: every write path, crashed at every moment into many more
 * states, disks that refuse at every call, seed after seed, until the time is over.
 *
 *   npm run build && node build/test/crash/main.js --minutes N [--seed S] [--states K]
 *
 * Prints one line a round and every violation with its seed; the exit code is 1 if there was one.
 */
import { parseArgs } from 'node:util';

// The scenarios live beside the simulated disk, where the bundled package does not reach.
type Explore = typeof import('../../src/sim/crash/explore.js');
type Faults = typeof import('../../src/sim/crash/faults.js');
type Scenarios = typeof import('../../src/sim/crash/scenarios.js');

function built<T>(module: string): Promise<T> {
  return import(
    new URL(`../../../dist/sim/crash/${module}.js`, import.meta.url).href
  ) as Promise<T>;
}

const { explore } = await built<Explore>('explore');
const { exploreFaults } = await built<Faults>('faults');
const { crashScenarios } = await built<Scenarios>('scenarios');

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string' },
    states: { type: 'string', default: '4096' },
  },
});
const endMs = Date.now() + Number(values.minutes) * 60_000;
const statesMax = Number(values.states);
const goOn = (): boolean => Date.now() < endMs;

let states = 0;
let moments = 0;
let violations = 0;

function count(found: Awaited<ReturnType<Explore['explore']>>): void {
  states += found.states;
  moments += found.moments;
  violations += found.violations.length;
  for (const line of found.violations) console.log(`VIOLATION ${line}`);
}

/** The first rounds take few states of each moment, so that every path has its turn early. */
let perMoment = 16;
for (let seed = Number(values.seed ?? Date.now() % 1_000_000); goOn(); seed++) {
  for (const scenario of crashScenarios) {
    if (!goOn()) break;
    count(await explore(scenario, { seed, statesMax: perMoment, nestedEvery: 50, goOn }));
    if (!goOn()) break;
    count(await exploreFaults(scenario, { seed, statesMax: Math.min(perMoment, 64), goOn }));
  }
  console.log(
    `seed ${seed}: ${states} states of ${moments} moments so far (up to ${perMoment} a moment), ` +
      `${violations} violations`,
  );
  perMoment = Math.min(statesMax, perMoment * 4);
}
if (violations > 0) process.exitCode = 1;
