/**
 * `npm run soak -- --minutes N`: the long forms, in turn, with new seeds each time, until told to
 * stop or the time is over: simulator seeds, crash states, kill -9 cycles, malformed frames, random
 * scripts beside Apache, directories handed to and fro. Stops at the first failure, whose seed and
 * command it prints.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { repositoryRoot } from './support/machine.js';

type Form = readonly [name: string, program: string, args: (seed: number) => readonly string[]];

const built = (path: string): string => join(repositoryRoot, 'build', 'test', path);

const forms: readonly Form[] = [
  [
    'simulator, 500 seeds',
    join(repositoryRoot, 'dist', 'bin', 'sim.js'),
    (seed) => ['--seed', String(seed * 500), '--seeds', '500'],
  ],
  ['crash states', built('crash/main.js'), () => ['--minutes', '3']],
  [
    'kill -9, 200 times',
    built('cluster/main.js'),
    (seed) => ['--cycles', '200', '--seed', `${seed}`],
  ],
  [
    'malformed frames',
    built('fuzz/main.js'),
    (seed) => ['--frames', '2000000', '--seed', `${seed}`],
  ],
  [
    'random scripts',
    built('conformance/differential.js'),
    (seed) => ['--seed', String(seed * 5000), '--scripts', '5000'],
  ],
  [
    'cross-load',
    built('conformance/cross-load.js'),
    (seed) => ['--seed', `${seed}`, '--rounds', '3'],
  ],
];

function main(): number {
  const { values } = parseArgs({
    options: { minutes: { type: 'string' }, seed: { type: 'string' } },
  });
  const endMs = Date.now() + Number(values.minutes ?? '60') * 60_000;
  let seed = Number(values.seed ?? String(Math.floor(Date.now() / 1000) % 100_000));
  let rounds = 0;
  while (Date.now() < endMs) {
    for (const [name, program, args] of forms) {
      if (Date.now() >= endMs) break;
      console.log(`--- ${name}, seed ${seed}`);
      const command = [program, ...args(seed)];
      const { status } = spawnSync(process.execPath, command, { stdio: 'inherit' });
      if (status === 0) continue;
      console.log(`FAILED: node ${command.join(' ')}\n${rounds} passed, 1 failed`);
      return 1;
    }
    rounds++;
    seed++;
  }
  console.log(`${rounds} passed, 0 failed`);
  return 0;
}

process.exitCode = main();
