/** The flags for logs that every command with a server has. */
import { createLogger, logLevels } from '../node/logger.js';
import type { ClosableLogger, LogLevel } from '../node/logger.js';
import { UsageError } from './arguments.js';
import type { Arguments } from './arguments.js';

export const loggingValues = ['log-level', 'log-format', 'log-file'] as const;

export async function loggerFor(args: Arguments, level: LogLevel): Promise<ClosableLogger> {
  const format = args.values.get('log-format') ?? 'text';
  if (format !== 'text' && format !== 'json') {
    throw new UsageError(`--log-format is 'text' or 'json', not '${format}'`);
  }
  const given = args.values.get('log-level')?.toLowerCase() ?? level;
  const chosen = logLevels.find((known) => known === given);
  if (chosen === undefined) {
    throw new UsageError(`--log-level is one of ${logLevels.join(', ')}, not '${given}'`);
  }
  const file = args.values.get('log-file') ?? null;
  try {
    return await createLogger({ level: chosen, format, file });
  } catch (error) {
    throw new UsageError(`the log file cannot be opened: ${(error as Error).message}`);
  }
}
