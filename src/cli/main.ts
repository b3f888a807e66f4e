/** The command line: finds the command, and turns what happens into lines and an exit code. */
import { builtOn, compatibleVersion, packageVersion, shortVersion } from '../server/version.js';
import { UnknownArgumentError, UsageError } from './arguments.js';
import { handoverUsage, runHandoverCommand } from './handover-command.js';
import { initUsage, runInitCommand } from './init-command.js';
import { joinUsage, runJoinCommand } from './join-command.js';
import { leaveUsage, runLeaveCommand } from './leave-command.js';
import { logUsage, runLogCommand } from './log-command.js';
import { purgeUsage, runPurgeCommand } from './purge-command.js';
import { recoverUsage, runRecoverCommand } from './recover-command.js';
import { runServerCommand, serverUsage } from './server-command.js';
import { runSnapshotCommand, snapshotUsage } from './snapshot-command.js';
import { exitCodes, processTerminal } from './terminal.js';
import type { Terminal } from './terminal.js';
import { runUpCommand, upUsage } from './up-command.js';
import { runWordCommand, wordUsage } from './word-command.js';

interface Command {
  readonly summary: string;
  readonly usage: string;
  readonly run: (argv: readonly string[], terminal: Terminal) => Promise<number> | number;
}

/** In the order in which they are met. */
const commands: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['up', { summary: 'three servers on this machine', usage: upUsage, run: runUpCommand }],
  ['init', { summary: 'what several hosts need', usage: initUsage, run: runInitCommand }],
  ['server', { summary: 'one server by zoo.cfg', usage: serverUsage, run: runServerCommand }],
  ['join', { summary: 'a new server into an ensemble', usage: joinUsage, run: runJoinCommand }],
  ['leave', { summary: 'a server out of its ensemble', usage: leaveUsage, run: runLeaveCommand }],
  [
    'handover',
    { summary: 'another server is to lead', usage: handoverUsage, run: runHandoverCommand },
  ],
  ['word', { summary: 'ask a server a four-letter word', usage: wordUsage, run: runWordCommand }],
  ['log', { summary: 'print, mend or cut a transaction log', usage: logUsage, run: runLogCommand }],
  ['snapshot', { summary: 'print a snapshot', usage: snapshotUsage, run: runSnapshotCommand }],
  ['purge', { summary: 'delete old snapshots and logs', usage: purgeUsage, run: runPurgeCommand }],
  [
    'recover',
    {
      summary: 'go on when a majority is lost for good',
      usage: recoverUsage,
      run: runRecoverCommand,
    },
  ],
  [
    'version',
    {
      summary: 'which version this is',
      usage:
        'zabra version\n\nPrints this version, and the one of Apache ZooKeeper that it is for clients.',
      run: (_argv, terminal) => {
        terminal.print(versionLine);
        return exitCodes.finished;
      },
    },
  ],
]);

/** Scripts look for Apache's words in it. */
const versionLine = `Zabra ${packageVersion}, compatible with Apache ZooKeeper, version ${compatibleVersion} ${builtOn}\n`;

/** Resolves with the exit code; throws only what is a bug. */
export async function main(
  argv: readonly string[],
  terminal: Terminal = processTerminal,
): Promise<number> {
  const [name = 'help', ...rest] = argv;
  if (name === 'help' || name === '--help' || name === '-h') {
    terminal.print(helpFor(rest[0]));
    return exitCodes.finished;
  }
  const command = commands.get(name === '--version' ? 'version' : name);
  if (command === undefined) {
    const meant = nearest(name, [...commands.keys()]);
    const hint = meant === null ? 'zabra help lists them' : `did you mean ${meant}?`;
    terminal.complain(`zabra: there is no command '${name}'; ${hint}`);
    return exitCodes.invalidInvocation;
  }
  if (rest.includes('--help') || rest.includes('-h')) {
    terminal.print(helpFor(name));
    return exitCodes.finished;
  }
  try {
    return await command.run(rest, terminal);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const more = error instanceof UnknownArgumentError ? `; zabra help ${name} tells them` : '';
    terminal.complain(`zabra ${name}: ${error.message}${more}`);
    return exitCodes.invalidInvocation;
  }
}

function helpFor(name: string | undefined): string {
  const command = name === undefined ? undefined : commands.get(name);
  if (command !== undefined) return `${command.usage}\n`;
  const lines = [...commands].map(([known, { summary }]) => `  ${known.padEnd(10)}${summary}`);
  return `zabra ${shortVersion}

${lines.join('\n')}

Begin with  zabra up  on this machine, with  zabra init  for several hosts.
zabra help COMMAND tells more. Commands end with 0 when all is well, with 1 when it is not,
with 2 for wrong arguments or a wrong configuration.
`;
}

/** Null: nothing is as near as a slip of the fingers. */
function nearest(name: string, known: readonly string[]): string | null {
  const near = known.map((word) => ({ word, distance: editDistance(name, word) }));
  near.sort((one, other) => one.distance - other.distance);
  const [first] = near;
  return first !== undefined && first.distance <= Math.max(1, first.word.length / 3)
    ? first.word
    : null;
}

/** Letters to insert, delete or change. */
function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let at = 0; at < one.length; at++) {
    const next = [at + 1];
    for (let to = 0; to < other.length; to++) {
      const changed = (row[to] ?? 0) + Number(one[at] !== other[to]);
      next.push(Math.min(changed, (row[to + 1] ?? 0) + 1, (next[to] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
