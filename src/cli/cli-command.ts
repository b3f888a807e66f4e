/**
 * `zabra cli`: a shell for znodes, with zkCli's commands and some more. One command behind its options,
 * commands from a pipe, or a prompt.
 */
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { UsageError } from './arguments.js';
import { commandNames, commands, builtIns } from './shell/commands.js';
import { exitCodeOf, sentenceOf } from './shell/failure.js';
import { launchOf, type Launch } from './shell/launch.js';
import { Shell } from './shell/shell.js';
import { plainSurface, type Surface } from './shell/surface.js';
import { exitCodes } from './terminal.js';
import type { Terminal } from './terminal.js';

const commandList = commandNames()
  .map((name) => {
    const about = commands.get(name)?.about ?? builtIns.get(name)?.[1] ?? '';
    return `  ${name.padEnd(21)} ${about}`;
  })
  .join('\n');

export const cliUsage = `zabra cli [-server HOST:PORT,…[/PATH]] [-timeout MS] [-r] [-waitforconnection]
          [-client-configuration FILE] [--json|--ndjson] [--fail-fast] [COMMAND …]

A shell for znodes, as Apache's zkCli: with a prompt, for one command, or for those of a pipe, one a
line. Data goes to standard output, all else beside it. bin/zkCli.sh is the same.

  -server                localhost:2181 unless given; paths are below /PATH
  -timeout               of the session, 30000
  -r                     a server without a quorum will do, for reading
  -waitforconnection     wait as long as the timeout for a server, and not 5 seconds
  -client-configuration  properties of Apache's client, for TLS; -D's in CLIENT_JVMFLAGS, too
  --json                 a JSON document for each command; --ndjson: a line for each result of it
  --fail-fast            of a pipe's commands, none after one that failed

${commandList}

  zabra cli -server 10.0.0.1:2181 get /app/config
  zabra cli help create

Ends with 0 when all is well, 1 when a command failed, 2 for wrong arguments, 130 after Ctrl-C.`;

/** At the latest; who waits for a server that went away does not wait for ever. */
const closeMs = 2000;

export async function runCliCommand(argv: readonly string[], terminal: Terminal): Promise<number> {
  const launch = launchOf(argv, terminal.env);
  if (launch.asks === 'help') {
    terminal.print(`${cliUsage}\n`);
    return exitCodes.finished;
  }
  const words = launch.asks === 'version' ? ['version'] : launch.words;
  const isInteractive = words.length === 0 && terminal.inputFd === 0 && process.stdin.isTTY;
  return isInteractive
    ? await runPrompt(launch, terminal)
    : await runPlain({ ...launch, words }, terminal);
}

async function runPlain(launch: Launch, terminal: Terminal): Promise<number> {
  const { words } = launch;
  const surface = plainSurface(terminal, process.stderr.isTTY);
  const shell = new Shell(launch, {
    surface,
    isInteractive: false,
    readInput: () => textOf(inputOf(terminal)),
    onChange: () => undefined,
  });
  void terminal.untilStopped().then(() => {
    shell.stop();
  });
  const isLocal = commands.get(words[0] ?? '')?.isLocal === true || words[0] === 'help';
  return await within(shell, surface, !isLocal, async () => {
    if (words.length > 0) return await shell.runWords(words);
    const { runPiped } = await import('./shell/pipe.js');
    const code = await runPiped(shell, inputOf(terminal), launch);
    // after `quit` there may be more, which nobody waits for
    if (terminal.inputFd === 0) process.stdin.destroy();
    return code;
  });
}

async function runPrompt(launch: Launch, terminal: Terminal): Promise<number> {
  const { Prompt } = await import('./shell/prompt.js');
  const output = process.stdout.isTTY ? process.stdout : process.stderr;
  const prompt = new Prompt({ input: process.stdin, output, env: terminal.env });
  const shell = new Shell(launch, {
    surface: prompt.surface,
    isInteractive: true,
    readInput: () => Promise.reject(new Error('at the prompt, a file needs a name')),
    onChange: () => {
      prompt.refresh();
    },
  });
  return await within(shell, prompt.surface, true, () => prompt.run(shell));
}

/** With a session around it. */
async function within(
  shell: Shell,
  surface: Surface,
  needsServer: boolean,
  act: () => Promise<number>,
): Promise<number> {
  try {
    if (needsServer) await shell.start();
    return await act();
  } catch (error) {
    if (error instanceof UsageError) throw error;
    surface.tell(sentenceOf(error));
    return exitCodeOf(error);
  } finally {
    let timer: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => (timer = setTimeout(resolve, closeMs)));
    await Promise.race([shell.connection.close(), enough]);
    clearTimeout(timer);
  }
}

function inputOf({ inputFd }: Terminal): Readable {
  return inputFd === 0 ? process.stdin : createReadStream('', { fd: inputFd, autoClose: false });
}

async function textOf(input: Readable): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of input) pieces.push(Buffer.from(piece as Uint8Array));
  return Buffer.concat(pieces).toString('utf8');
}
