/**
 * `node build/test/interop/shell/main.js [--verbose]`: our shell beside Apache's zkCli 3.9.5, both with
 * the same commands on the same server, on Apache's and on ours. What each command prints on each
 * stream must be the same, and so must the events and exit codes be, but for what `differences.ts`
 * lists with its reason.
 */
import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { MissingError, temporaryDirectory } from '../../support/machine.js';
import { requireJava } from '../../support/maven.js';
import { startOracle } from '../../support/oracle.js';
import type { ServerProcess } from '../../support/server-process.js';
import { startZabra } from '../../support/zabra-process.js';
import { Tally } from '../ensemble/tally.js';
import { commands } from './commands.js';
import { differences } from './differences.js';
import { checkDumps } from './dumps.js';
import { checkReadOnly } from './read-only.js';
import {
  apacheShell,
  transcriptOf,
  zabraShell,
  type Printed,
  type StartShell,
} from './transcript.js';

/** Exit codes of one command each, theirs and ours; the last says why they differ. */
const exits: readonly (readonly [command: string, theirs: number, ours: number, why: string])[] = [
  ['get /zookeeper', 0, 0, ''],
  ['get /nosuch', 1, 1, ''],
  ['set /nosuch x', 1, 1, ''],
  ['create relative', 1, 2, 'nothing was asked of the server: wrong arguments end with 2'],
  ['create', 1, 2, 'wrong arguments end with 2'],
  ['get -z /', 1, 2, 'wrong arguments end with 2'],
  ['nonsense', 127, 2, 'wrong arguments end with 2'],
  ['listquota /nosuch', 0, 1, 'what could not be done ends with 1'],
  ['setquota -n 0 /zookeeper', 0, 2, 'wrong arguments end with 2'],
];

const used = new Set<string>();

function unexplained(command: string, theirs: Printed, ours: Printed): string[] {
  const problems: string[] = [];
  for (const stream of ['out', 'err'] as const) {
    const known = differences.filter((difference) => difference.command.test(command));
    const isKnown = (line: string, side: 'theirs' | 'ours'): boolean => {
      const found = known.find((difference) => difference[side]?.test(line) === true);
      if (found !== undefined) used.add(found.reason);
      return found !== undefined;
    };
    const their = theirs[stream].filter((line) => line !== '');
    const our = ours[stream].filter((line) => line !== '');
    if (their.join('\n') === our.join('\n')) continue;
    const left = their.filter((line) => !isKnown(line, 'theirs'));
    const right = our.filter((line) => !isKnown(line, 'ours'));
    if (left.join('\n') === right.join('\n')) continue;
    problems.push(`${stream}: theirs ${JSON.stringify(left)}, ours ${JSON.stringify(right)}`);
  }
  return problems;
}

async function compare(server: ServerProcess, apache: StartShell, tally: Tally): Promise<void> {
  const options = ['-waitforconnection', '-server', `127.0.0.1:${server.port}`];
  const theirs = await transcriptOf(apache, options, commands);
  const ours = await transcriptOf(zabraShell, options, commands);
  for (const [index, command] of commands.entries()) {
    const nothing = { out: [], err: [] };
    const [their, our] = [theirs.printed[index] ?? nothing, ours.printed[index] ?? nothing];
    tally.none(`${index} ${command}`, unexplained(command, their, our));
  }
  tally.check('events', ours.events.join('\n'), theirs.events.join('\n'));
  tally.check('there were events', theirs.events.length > 5, true);
}

async function compareExits(
  server: ServerProcess,
  apache: StartShell,
  tally: Tally,
): Promise<void> {
  const options = ['-waitforconnection', '-server', `127.0.0.1:${server.port}`];
  for (const [command, theirs, ours, why] of exits) {
    const words = command.split(' ');
    const their = await apache([...options, ...words], '');
    const our = await zabraShell([...options, ...words], '');
    tally.check(`exit code of Apache's '${command}'`, their.exitCode, theirs);
    tally.check(`exit code of '${command}'`, our.exitCode, ours);
    if (why !== '') used.add(why);
  }
  const piped = await zabraShell(options, 'get /nosuch\nget /\n');
  tally.check('exit code of commands of which one failed', piped.exitCode, 1);
  used.add('several commands end with the exit code of the first that failed, not of the last');
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { verbose: { type: 'boolean' } } });
  const tally = new Tally();
  const directory = temporaryDirectory('shell');
  let skipped = 0;
  try {
    await requireJava();
    const apache = await apacheShell(directory);
    const options = { properties: { 'zookeeper.extendedTypesEnabled': 'true' } };
    for (const kind of ['apache', 'zabra'] as const) {
      tally.begin(kind);
      const server = await (kind === 'apache'
        ? startOracle('3.9.5', options)
        : startZabra(options));
      try {
        await compare(server, apache, tally);
        await checkDumps(server, directory, tally);
        if (kind === 'zabra') await compareExits(server, apache, tally);
      } finally {
        await server.dispose();
      }
    }
    await checkReadOnly(apache, tally, unexplained);
    const idle = differences.filter(({ reason }) => !used.has(reason));
    tally.none(
      'differences that are listed and not met',
      idle.map(({ command, reason }) => `${String(command)}: ${reason}`),
    );
    console.log(`deliberate differences that were met: ${used.size}`);
    if (values.verbose === true) for (const reason of used) console.log(`  ${reason}`);
  } catch (error) {
    if (!(error instanceof MissingError)) throw error;
    skipped++;
    console.log(`skip: ${error.message}`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  console.log(`${tally.passed} passed, ${tally.failed} failed, ${skipped} skipped`);
  return tally.failed === 0 ? 0 : 1;
}

process.exitCode = await main();
