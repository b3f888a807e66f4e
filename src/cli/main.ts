/** The command line: finds the command, and turns what happens into lines and an exit code. */
import { builtOn, compatibleVersion, packageVersion, shortVersion } from '../server/version.js';
import { UsageError } from './arguments.js';
import { logUsage, runLogCommand } from './log-command.js';
import { purgeUsage, runPurgeCommand } from './purge-command.js';
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

const commands: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['up', { summary: 'a ZooKeeper on this machine', usage: upUsage, run: runUpCommand }],
  ['server', { summary: 'one server by zoo.cfg', usage: serverUsage, run: runServerCommand }],
  ['log', { summary: 'print, mend or cut a transaction log', usage: logUsage, run: runLogCommand }],
  ['snapshot', { summary: 'print a snapshot', usage: snapshotUsage, run: runSnapshotCommand }],
  ['purge', { summary: 'delete old snapshots and logs', usage: purgeUsage, run: runPurgeCommand }],
  ['word', { summary: 'ask a server a four-letter word', usage: wordUsage, run: runWordCommand }],
  [
    'version',
    {
      summary: 'which version this is',
      usage: 'zabra version',
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
    terminal.complain(`zabra: there is no command '${name}'; zabra help lists them`);
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
    terminal.complain(`zabra ${name}: ${error.message}`);
    return exitCodes.invalidInvocation;
  }
}

function helpFor(name: string | undefined): string {
  const command = name === undefined ? undefined : commands.get(name);
  if (command !== undefined) return `${command.usage}\n`;
  const lines = [...commands].map(([known, { summary }]) => `  ${known.padEnd(10)}${summary}`);
  return `zabra ${shortVersion}\n\n${lines.join('\n')}\n\nzabra help COMMAND tells more.\n`;
}
