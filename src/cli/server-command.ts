/**
 * `zabra server [zoo.cfg]`: one server in the foreground, until a signal. The process is the server:
 * what is sent to its pid reaches it, and it ends when the server has.
 */
import type { ServerConfig } from '../server/config/config.js';
import { settingNameOf, settings } from '../server/config/settings.js';
import { writeSetting } from '../server/config/config.js';
import { shortVersion } from '../server/version.js';
import { parseArguments } from './arguments.js';
import type { Arguments } from './arguments.js';
import { loggerFor, loggingValues } from './logging.js';
import {
  complainOfProblems,
  configValues,
  rawValuesOf,
  readConfig,
  sourceOf,
} from './server-config.js';
import { exitCodes } from './terminal.js';
import type { Terminal } from './terminal.js';

export const serverUsage = `zabra server [zoo.cfg] [--config DIR] [--data DIR] [--client-port N] [-Dkey=value …]
             [--log-level debug|info|warn|error] [--log-format text|json] [--log-file FILE]
             [--check] [--print KEY,KEY …]

Runs one server in the foreground. Without a zoo.cfg it looks for one as zkServer.sh does (--config,
ZOOCFGDIR, conf/, the working directory), and where there is none it is configured by the ZOO_*
variables of the official image or by --data. -D's stand over the file.

  --check   read the configuration, tell what is wrong with it, start nothing
  --print   print the values of these keys of zoo.cfg, one a line, start nothing

  zabra server /var/lib/zabra/zoo.cfg
  zabra server --data /var/lib/zabra --client-port 2181

Ends with 0 after SIGTERM or SIGINT, 1 for an error that its last line tells, 2 when the
configuration is wrong, 3 when the data directory cannot be used, 10 when the disk refuses what must
be durable.`;

export async function runServerCommand(
  argv: readonly string[],
  terminal: Terminal,
): Promise<number> {
  const args = parseArguments(argv, {
    values: [...configValues, ...loggingValues, 'print'],
    flags: ['check'],
    positionals: 1,
  });
  const source = sourceOf(args, terminal.env);
  const keys = args.values.get('print');
  const result = readConfig(source);
  if (keys !== undefined) {
    const raw = rawValuesOf(source);
    const config = 'config' in result ? result.config : null;
    for (const key of keys.split(',')) terminal.print(`${valueOf(key, config, raw)}\n`);
    return exitCodes.finished;
  }
  if ('problems' in result) {
    complainOfProblems(result, terminal);
    terminal.complain('Invalid config, exiting abnormally');
    return exitCodes.invalidInvocation;
  }
  const { config, warnings } = result;
  if (args.flags.has('check')) {
    for (const warning of warnings) terminal.complain(warning);
    return exitCodes.finished;
  }
  return serve(config, warnings, args, terminal);
}

function valueOf(
  key: string,
  config: ServerConfig | null,
  raw: ReadonlyMap<string, string>,
): string {
  const name = settingNameOf(key);
  if (config === null || name === null) return raw.get(key) ?? '';
  // scripts must see whether there is a log directory of its own
  if (name === 'dataLogDir' && config.dataLogDir === config.dataDir) return '';
  return writeSetting(name, config[name]);
}

async function serve(
  config: ServerConfig,
  warnings: readonly string[],
  args: Arguments,
  terminal: Terminal,
): Promise<number> {
  const logger = await loggerFor(args, 'info');
  for (const warning of warnings) logger.warn(warning);
  terminal.onCrash((error) => {
    logger.error('a bug ended this process', { error: error.stack ?? error.message });
  });
  // a signal that comes while the data is being read is heeded when that is done
  const stopped = terminal.untilStopped();
  logger.info('starting', {
    version: shortVersion,
    config: config.configFile,
    [settings.dataDir.key]: config.dataDir,
    [settings.dataLogDir.key]: config.dataLogDir,
  });
  try {
    const server = await terminal.startServer(config, { logger });
    const host = server.host.includes(':') ? `[${server.host}]` : server.host;
    logger.info('serving clients', { address: `${host}:${server.clientPort}` });
    const signal = await stopped;
    logger.info('stopping', { signal });
    await server.stop();
    logger.info('stopped');
    return exitCodes.finished;
  } catch (error) {
    const reason = reasonOf(error);
    logger.error(`the server does not start: ${reason}`);
    if (args.values.has('log-file')) terminal.complain(reason);
    return exitCodeOf(error);
  } finally {
    logger.close();
  }
}

/** One line that says what to look at. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? error.code : undefined;
  const place = error.message.replace(/^.*? (\S+)$/, '$1');
  if (code === 'EADDRINUSE') return `another process listens on ${place} already (EADDRINUSE)`;
  if (code === 'EACCES') return `this user may not listen on ${place} (EACCES)`;
  if (code === 'EADDRNOTAVAIL') return `${place} is no address of this machine (EADDRNOTAVAIL)`;
  return error.message;
}

/** Errors that know their exit code say so. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof Error && 'exitCode' in error && typeof error.exitCode === 'number') {
    return error.exitCode;
  }
  return exitCodes.unexpected;
}
