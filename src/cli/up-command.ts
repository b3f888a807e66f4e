/**
 * `zabra up`, which is `npm start`: a ZooKeeper on this machine without any configuration, an ensemble
 * that outlives the death of any one of its servers with balancers before it, or one server alone. It listens on the loopback
 * interface only, which is why every four-letter word may be open.
 */
import { numberOf, parseArguments, UsageError } from './arguments.js';
import type { Arguments } from './arguments.js';
import { loggerFor } from './logging.js';
import { exitCodeOf, reasonOf } from './server-command.js';
import { exitCodes } from './terminal.js';
import type { Terminal } from './terminal.js';
import { stopUp, tellUpStatus } from './up-elsewhere.js';
import { runEnsemble } from './up-ensemble.js';
import { sizes, UpFolder, type Size } from './up-folder.js';

export const upUsage = `zabra up [--servers 1|3|5|7] [--balancers 0|1|2] [--port N] [--data DIR] [--fresh] [--log-level LEVEL]
zabra up status [--data DIR]
zabra up stop [--data DIR]

Runs three ZooKeeper servers on 127.0.0.1, with their data in ./zabra-data, and two balancers before
them, until Ctrl-C. Clients connect to the balancers, and do not notice when a server dies. What dies
is started again. Started again it finds its data. On a terminal it shows a table, in a pipe it
prints a line for each change; the first line is the connect string.

  status     the table of one that runs, from another terminal; ends with 0 when all is well
  stop       stops one that runs; returns when all its servers have stopped

  --servers  how many, 3 unless the data is of more. One server grows into three, three into five
             with all their data; nothing shrinks. 1: one server alone, without an ensemble
  --balancers  2; none before one server alone
  --port     the first port for clients, 2181; 0: any free ones. The servers behind the balancers
             have the ports 10 above, and talk to each other on those 20 and 30 above; their
             AdminServers have 8081 and up, with --port those 40 above. A port that is taken is
             passed over, and that is told
  --data     the folder, ./zabra-data: a folder for each server, with its data and its server.log
  --fresh    throws the data away first
  --log-level, --log-format  of the logs: debug, info, warn, error; text, json

  zabra up
  zabra up --servers 5 --data /tmp/five --port 3000 &
  zabra up status --data /tmp/five`;

const defaultFolder = 'zabra-data';
const defaultSize: Size = 3;
const balancersMax = 2;

export async function runUpCommand(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, {
    values: ['port', 'data', 'servers', 'balancers', 'log-level', 'log-format'],
    flags: ['fresh'],
    positionals: 1,
  });
  const path = args.values.get('data') ?? defaultFolder;
  const [verb] = args.positionals;
  switch (verb) {
    case undefined:
      return await start(args, path, terminal);
    case 'status':
      return await tellUpStatus(path, terminal);
    case 'stop':
      return await stopUp(path, terminal);
    default:
      throw new UsageError(`'${verb}' is not 'status' or 'stop'; without a word it starts`);
  }
}

async function start(args: Arguments, path: string, terminal: Terminal): Promise<number> {
  const chosenSize = sizeOf(args);
  const firstPort = numberOf(args, 'port', 0, 65535);
  const balancersGiven = numberOf(args, 'balancers', 0, balancersMax);
  const logger = await loggerFor(args, 'warn');
  terminal.onCrash((error) => {
    logger.error('a bug ended this process', { error: error.stack ?? error.message });
  });
  const stopped = terminal.untilStopped();
  let folder: UpFolder | null = null;
  try {
    folder = UpFolder.take(path);
    if (args.flags.has('fresh')) folder.throwAway();
    const size = sizeFor(folder, chosenSize);
    if (folder.size === 0) {
      folder.allowEmptyStart(size);
    } else if (folder.isMissingAny(size)) {
      // whoever only starts does without the code of a server, and is quicker
      const { growEnsemble } = await import('./up-growth.js');
      const tell = (line: string): void => {
        terminal.complain(line);
      };
      await growEnsemble(folder, size, { logger, tell });
    }
    const balancers = size === 1 ? 0 : (balancersGiven ?? balancersMax);
    const logArguments = ['log-level', 'log-format'].flatMap((name) => {
      const value = args.values.get(name);
      return value === undefined ? [] : [`--${name}`, value];
    });
    const options = { size, balancers, folder, firstPort, arguments: logArguments };
    await runEnsemble(options, terminal, stopped);
    return exitCodes.finished;
  } catch (error) {
    terminal.complain(reasonOf(error));
    return error instanceof UsageError ? exitCodes.invalidInvocation : exitCodeOf(error);
  } finally {
    folder?.release();
    logger.close();
  }
}

function sizeOf(args: Arguments): Size | null {
  const given = args.values.get('servers');
  if (given === undefined) return null;
  const size = sizes.find((known) => String(known) === given);
  if (size !== undefined) return size;
  throw new UsageError(`--servers is one of ${sizes.join(', ')}, not '${given}'`);
}

/**
 * Fewer servers than there were could be just those that did not know the last writes, and they
 * would not miss the others.
 */
function sizeFor(folder: UpFolder, chosen: Size | null): Size {
  const { size: found } = folder;
  const size = chosen ?? (found === 0 || found < defaultSize ? defaultSize : found);
  if (size >= found) return size;
  throw new UsageError(
    `${folder.path} holds the data of ${found} servers, and an ensemble cannot shrink: ` +
      `--servers ${found} starts it, --data names another folder, --fresh throws it away`,
  );
}
