/**
 * `zabra up`, which is `npm start`: a ZooKeeper on this machine without any configuration. For now it
 * is one durable server; later releases grow an ensemble from the same folder. It listens on the
 * loopback interface only, which is why every four-letter word may be open.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { lockDirectoryNow } from '../node/directory-lock.js';
import { configOf } from '../server/config/config.js';
import type { ServerConfig } from '../server/config/config.js';
import { fourLetterWords } from '../server/commands/four-letter-words.js';
import { compatibleVersion, packageVersion } from '../server/version.js';
import { numberOf, parseArguments, UsageError } from './arguments.js';
import { loggerFor, loggingValues } from './logging.js';
import { exitCodeOf, reasonOf } from './server-command.js';
import { exitCodes } from './terminal.js';
import type { Terminal } from './terminal.js';

export const upUsage = `zabra up [--port N] [--data DIR] [--fresh] [--log-level LEVEL]

Runs one durable server on 127.0.0.1:2181 with its data in ./zabra-data/1, until Ctrl-C. Started
again it finds its data; --fresh throws the data away first.`;

const defaultPort = 2181;
const portsTried = 100;
const host = '127.0.0.1';

export async function runUpCommand(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, {
    values: ['port', 'data', ...loggingValues],
    flags: ['fresh'],
  });
  const dataDir = join(resolve(args.values.get('data') ?? 'zabra-data'), '1');
  const chosenPort = numberOf(args, 'port', 0, 65535);
  const logger = await loggerFor(args, 'warn');
  terminal.onCrash((error) => {
    logger.error('a bug ended this process', { error: error.stack ?? error.message });
  });
  const stopped = terminal.untilStopped();
  try {
    if (args.flags.has('fresh')) throwAway(dataDir);
    const port = chosenPort ?? (await portFrom(defaultPort, terminal));
    const server = await terminal.startServer(configFor(dataDir, port), { logger });
    terminal.print(
      `Zabra ${packageVersion}, for clients a ZooKeeper ${compatibleVersion}\n` +
        `server 1 listens on ${host}:${server.clientPort}, data in ${dataDir}\n` +
        'Ctrl-C stops it\n',
    );
    await stopped;
    await server.stop();
    terminal.print('stopped\n');
    return exitCodes.finished;
  } catch (error) {
    terminal.complain(reasonOf(error));
    return error instanceof UsageError ? exitCodes.invalidInvocation : exitCodeOf(error);
  } finally {
    logger.close();
  }
}

/** A small log, purged now and then; everything may be asked, from this machine. */
export function configFor(dataDir: string, clientPort: number): ServerConfig {
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

/** What a server writes into its data directory; anything else is somebody's. */
const ownNames = /^(?:version-2|myid|initialize|\.lock|zookeeper_server\.pid)$/;

function throwAway(dataDir: string): void {
  if (!existsSync(dataDir)) return;
  const foreign = readdirSync(dataDir).find((name) => !ownNames.test(name));
  if (foreign !== undefined) {
    throw new UsageError(
      `--fresh: ${join(dataDir, foreign)} is not a server's, nothing is deleted`,
    );
  }
  const files = join(dataDir, 'version-2');
  const lock = existsSync(files) ? lockDirectoryNow(files) : null;
  if (lock !== null && !('release' in lock)) {
    const holder = lock.heldByPid === null ? 'a process' : `process ${lock.heldByPid}`;
    throw new UsageError(`--fresh: ${holder} is using ${dataDir}, nothing is deleted`);
  }
  rmSync(dataDir, { recursive: true });
  lock?.release();
}

/** The first free one, told loudly when it is not `first`. */
export async function portFrom(
  first: number,
  terminal: Pick<Terminal, 'complain'>,
): Promise<number> {
  for (let port = first; port < first + portsTried; port++) {
    if (!(await isFree(port))) continue;
    if (port !== first) {
      terminal.complain(`PORT ${first} IS TAKEN: listening on ${port} instead (--port chooses)`);
    }
    return port;
  }
  throw new UsageError(`no free port from ${first} to ${first + portsTried - 1}: choose by --port`);
}

/** Looked at by taking it; who is faster in between makes the server's start fail, as told then. */
function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const probe = createServer();
    probe.once('error', () => done(false));
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => done(true)));
  });
}
