/**
 * The command line: finds the command, and turns what happens into lines and an exit code. The code
 * of a command is loaded when it is called: who asks a shell for one znode does not wait for a server.
 */
import { builtOn, compatibleVersion, packageVersion, shortVersion } from '../server/version.js';
import { UnknownArgumentError, UsageError } from './arguments.js';
import { nearest } from './nearest.js';
import { exitCodes, processTerminal } from './terminal.js';
import type { Terminal } from './terminal.js';

interface Command {
  readonly usage: string;
  readonly run: (argv: readonly string[], terminal: Terminal) => Promise<number> | number;
}

interface CommandEntry {
  readonly summary: string;
  /** It has arguments of all kinds, and looks itself whether one of them asks for help. */
  readonly takesAll?: true;
  /** Loads its code, which the other commands do without. */
  readonly load: () => Promise<Command>;
}

/** In the order in which they are met. */
const commands: ReadonlyMap<string, CommandEntry> = new Map<string, CommandEntry>([
  [
    'up',
    {
      summary: 'three servers on this machine',
      load: async () => {
        const { runUpCommand, upUsage } = await import('./up-command.js');
        return { usage: upUsage, run: runUpCommand };
      },
    },
  ],
  [
    'init',
    {
      summary: 'what several hosts need',
      load: async () => {
        const { initUsage, runInitCommand } = await import('./init-command.js');
        return { usage: initUsage, run: runInitCommand };
      },
    },
  ],
  [
    'server',
    {
      summary: 'one server by zoo.cfg',
      load: async () => {
        const { runServerCommand, serverUsage } = await import('./server-command.js');
        return { usage: serverUsage, run: runServerCommand };
      },
    },
  ],
  [
    'balance',
    {
      summary: 'a balancer in front of an ensemble',
      load: async () => {
        const { balanceUsage, runBalanceCommand } = await import('./balance-command.js');
        return { usage: balanceUsage, run: runBalanceCommand };
      },
    },
  ],
  [
    'cli',
    {
      summary: 'a shell for znodes, as zkCli',
      takesAll: true,
      load: async () => {
        const { cliUsage, runCliCommand } = await import('./cli-command.js');
        return { usage: cliUsage, run: runCliCommand };
      },
    },
  ],
  [
    'top',
    {
      summary: 'an ensemble and its sessions, live',
      load: async () => {
        const { runTopCommand, topUsage } = await import('./top/top-command.js');
        return { usage: topUsage, run: runTopCommand };
      },
    },
  ],
  [
    'join',
    {
      summary: 'a new server into an ensemble',
      load: async () => {
        const { joinUsage, runJoinCommand } = await import('./join-command.js');
        return { usage: joinUsage, run: runJoinCommand };
      },
    },
  ],
  [
    'leave',
    {
      summary: 'a server out of its ensemble',
      load: async () => {
        const { leaveUsage, runLeaveCommand } = await import('./leave-command.js');
        return { usage: leaveUsage, run: runLeaveCommand };
      },
    },
  ],
  [
    'handover',
    {
      summary: 'another server is to lead',
      load: async () => {
        const { handoverUsage, runHandoverCommand } = await import('./handover-command.js');
        return { usage: handoverUsage, run: runHandoverCommand };
      },
    },
  ],
  [
    'doctor',
    {
      summary: 'what is wrong with an ensemble, and what to do',
      load: async () => {
        const { doctorUsage, runDoctorCommand } = await import('./doctor-command.js');
        return { usage: doctorUsage, run: runDoctorCommand };
      },
    },
  ],
  [
    'word',
    {
      summary: 'ask a server a four-letter word',
      load: async () => {
        const { runWordCommand, wordUsage } = await import('./word-command.js');
        return { usage: wordUsage, run: runWordCommand };
      },
    },
  ],
  [
    'log',
    {
      summary: 'print, mend or cut a transaction log',
      load: async () => {
        const { logUsage, runLogCommand } = await import('./log-command.js');
        return { usage: logUsage, run: runLogCommand };
      },
    },
  ],
  [
    'snapshot',
    {
      summary: 'print a snapshot',
      load: async () => {
        const { runSnapshotCommand, snapshotUsage } = await import('./snapshot-command.js');
        return { usage: snapshotUsage, run: runSnapshotCommand };
      },
    },
  ],
  [
    'purge',
    {
      summary: 'delete old snapshots and logs',
      load: async () => {
        const { purgeUsage, runPurgeCommand } = await import('./purge-command.js');
        return { usage: purgeUsage, run: runPurgeCommand };
      },
    },
  ],
  [
    'recover',
    {
      summary: 'go on when a majority is lost for good',
      load: async () => {
        const { recoverUsage, runRecoverCommand } = await import('./recover-command.js');
        return { usage: recoverUsage, run: runRecoverCommand };
      },
    },
  ],
  [
    'version',
    {
      summary: 'which version this is',
      load: () => Promise.resolve({ usage: versionUsage, run: printVersion }),
    },
  ],
]);

const versionUsage = `zabra version

Prints this version, and the one of Apache ZooKeeper that it is for clients.`;

function printVersion(_argv: readonly string[], terminal: Terminal): number {
  terminal.print(versionLine);
  return exitCodes.finished;
}

/** Scripts look for Apache's words in it. */
const versionLine = `Zabra ${packageVersion}, compatible with Apache ZooKeeper, version ${compatibleVersion} ${builtOn}\n`;

/** Resolves with the exit code; throws only what is a bug. */
export async function main(
  argv: readonly string[],
  terminal: Terminal = processTerminal,
): Promise<number> {
  const [name = 'help', ...rest] = argv;
  if (name === 'help' || name === '--help' || name === '-h') {
    terminal.print(await helpFor(rest[0]));
    return exitCodes.finished;
  }
  const command = commands.get(name === '--version' ? 'version' : name);
  if (command === undefined) {
    const meant = nearest(name, [...commands.keys()]);
    const hint = meant === null ? 'zabra help lists them' : `did you mean ${meant}?`;
    terminal.complain(`zabra: there is no command '${name}'; ${hint}`);
    return exitCodes.invalidInvocation;
  }
  if (command.takesAll !== true && (rest.includes('--help') || rest.includes('-h'))) {
    terminal.print(await helpFor(name));
    return exitCodes.finished;
  }
  try {
    return await (await command.load()).run(rest, terminal);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const more = error instanceof UnknownArgumentError ? `; zabra help ${name} tells them` : '';
    terminal.complain(`zabra ${name}: ${error.message}${more}`);
    return exitCodes.invalidInvocation;
  }
}

async function helpFor(name: string | undefined): Promise<string> {
  const command = name === undefined ? undefined : commands.get(name);
  if (command !== undefined) return `${(await command.load()).usage}\n`;
  const lines = [...commands].map(([known, { summary }]) => `  ${known.padEnd(10)}${summary}`);
  return `zabra ${shortVersion}

${lines.join('\n')}

Begin with  zabra up  on this machine, with  zabra init  for several hosts.
zabra help COMMAND tells more. Commands end with 0 when all is well, with 1 when it is not,
with 2 for wrong arguments or a wrong configuration.
`;
}
