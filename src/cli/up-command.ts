/**
 * `zabra up`, which is `npm start`: a ZooKeeper on this machine without any configuration, one durable
 * server or an ensemble that grows from the same folder. It listens on the loopback interface only,
 * which is why every four-letter word may be open.
 */
import type { ClosableLogger } from '../node/logger.js';
import { configOf } from '../server/config/config.js';
import type { ServerConfig } from '../server/config/config.js';
import { fourLetterWords } from '../server/commands/four-letter-words.js';
import { compatibleVersion, packageVersion } from '../server/version.js';
import { numberOf, parseArguments, UsageError } from './arguments.js';
import type { Arguments } from './arguments.js';
import { loggerFor, loggingValues } from './logging.js';
import { exitCodeOf, reasonOf } from './server-command.js';
import { exitCodes } from './terminal.js';
import type { Terminal } from './terminal.js';
import { sizes, UpFolder, type Size } from './up-folder.js';
import { ensembleSpan, firstEnsemblePort, host, portFrom } from './up-ports.js';

export const upUsage = `zabra up [--servers 1|3|5] [--port N] [--data DIR] [--fresh] [--log-level LEVEL]

Runs a ZooKeeper on 127.0.0.1, with its data in ./zabra-data, until Ctrl-C. Started again it finds
its data; --fresh throws the data away first.

  --servers  1, which listens on 2181; or 3 or 5: an ensemble, each server a process of its own that is
             started again when it dies. Clients connect to 2191, 2192, 2193 …; the servers talk to each
             other on 2201 … and 2211 …. Without it: as many as the data is of, at first 1. One server
             grows into three and three into five with all their data; nothing shrinks.
  --port     the first port to use; 0: any free ones`;

const defaultPort = 2181;

export async function runUpCommand(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, {
    values: ['port', 'data', 'servers', ...loggingValues],
    flags: ['fresh'],
  });
  const chosenSize = sizeOf(args);
  const port = numberOf(args, 'port', 0, 65535);
  const logger = await loggerFor(args, 'warn');
  terminal.onCrash((error) => {
    logger.error('a bug ended this process', { error: error.stack ?? error.message });
  });
  const stopped = terminal.untilStopped();
  let folder: UpFolder | null = null;
  try {
    folder = UpFolder.take(args.values.get('data') ?? 'zabra-data');
    if (args.flags.has('fresh')) folder.throwAway();
    const size = sizeFor(folder, chosenSize);
    const given = { args, folder, port, logger, stopped };
    if (size === 1) await runOne(given, terminal);
    else await runSeveral({ ...given, size }, terminal);
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
  if (found === 0) return chosen ?? 1;
  if (chosen === null || chosen >= found) return chosen ?? found;
  throw new UsageError(
    `${folder.path} holds the data of ${found} servers, and an ensemble cannot shrink yet: ` +
      `--servers ${found} starts it, --data names another folder, --fresh throws it away`,
  );
}

interface Given {
  readonly args: Arguments;
  readonly folder: UpFolder;
  /** Null: the usual one, or the next that is free. */
  readonly port: number | null;
  readonly logger: ClosableLogger;
  readonly stopped: Promise<unknown>;
}

/** In this process. */
async function runOne(given: Given, terminal: Terminal): Promise<void> {
  const { folder, logger, stopped } = given;
  const dataDir = folder.serverFolder(1);
  const port = given.port ?? (await portFrom(defaultPort, terminal));
  const server = await terminal.startServer(configFor(dataDir, port), { logger });
  terminal.print(
    `Zabra ${packageVersion}, for clients a ZooKeeper ${compatibleVersion}\n` +
      `server 1 listens on ${host}:${server.clientPort}, data in ${dataDir}\n` +
      'Ctrl-C stops it\n',
  );
  await stopped;
  await server.stop();
  terminal.print('stopped\n');
}

async function runSeveral(
  { args, folder, port, logger, stopped, size }: Given & { readonly size: Size },
  terminal: Terminal,
): Promise<void> {
  if (args.values.has('log-file')) {
    throw new UsageError(`--log-file is for one server: each of ${size} has its server.log`);
  }
  const firstPort = port ?? firstEnsemblePort;
  if (firstPort > 65535 - ensembleSpan) {
    throw new UsageError(`--port ${firstPort} leaves no ports for ${size} servers`);
  }
  // a single server does without: it would only start later
  const { growEnsemble } = await import('./up-growth.js');
  const { runEnsemble } = await import('./up-ensemble.js');
  await growEnsemble(folder, size, {
    logger,
    tell: (line) => {
      terminal.complain(line);
    },
  });
  const loggingArguments = ['log-level', 'log-format'].flatMap((name) => {
    const value = args.values.get(name);
    return value === undefined ? [] : [`--${name}`, value];
  });
  await runEnsemble({ size, folder, firstPort, arguments: loggingArguments }, terminal, stopped);
}

/** A small log, purged now and then; everything may be asked, from this machine. */
function configFor(dataDir: string, clientPort: number): ServerConfig {
  return configOf({
    dataDir,
    clientPort,
    clientPortAddress: host,
    tickTimeMs: 2000,
    preAllocBytes: 1024 * 1024,
    autopurgePurgeIntervalHours: 1,
    fourLetterWhitelist: new Set(fourLetterWords),
    adminServerAddress: host,
  });
}
