/**
 * Which configuration a server command runs with: finds zoo.cfg where `zkServer.sh` would, adds the
 * -D's of SERVER_JVMFLAGS, of JVMFLAGS and of the command line in this order, and lets options have
 * the last word.
 */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { nodeConfigFiles } from '../node/config-files.js';
import { formatProblem, rawSettings } from '../server/config/config.js';
import type { ConfigResult } from '../server/config/config.js';
import { loadConfig } from '../server/config/load-config.js';
import type { ConfigSource } from '../server/config/load-config.js';
import { javaProperties, numberOf, UsageError } from './arguments.js';
import type { Arguments } from './arguments.js';
import type { Terminal } from './terminal.js';

export const configValues = ['config', 'data', 'client-port'] as const;

export function sourceOf(args: Arguments, env: Terminal['env']): ConfigSource {
  const properties = new Map([
    ...javaProperties(env['SERVER_JVMFLAGS']),
    ...javaProperties(env['JVMFLAGS']),
    ...args.properties,
  ]);
  const data = args.values.get('data');
  const clientPort = numberOf(args, 'client-port', 0, 65535);
  if (data !== undefined) properties.set('zookeeper.dataDir', data);
  if (clientPort !== null) properties.set('zookeeper.clientPort', String(clientPort));
  return { file: fileOf(args, env), env, properties };
}

/** Null: no file; then options and the environment are all there is. */
function fileOf(args: Arguments, env: Terminal['env']): string | null {
  const [given] = args.positionals;
  const name = env['ZOOCFG'] ?? 'zoo.cfg';
  const folder = args.values.get('config') ?? env['ZOOCFGDIR'];
  if (given !== undefined) {
    // a folder stands for the file in it
    return isDirectory(given) ? join(given, name) : given;
  }
  if (args.values.has('data')) return null;
  if (folder !== undefined) {
    const file = join(folder, name);
    // an image without a zoo.cfg is configured by its environment
    return existsSync(file) || args.values.has('config') || !hasImageVariables(env) ? file : null;
  }
  const candidates = [join('conf', name), name];
  const found = candidates.find((candidate) => existsSync(candidate));
  if (found !== undefined) return found;
  if (hasImageVariables(env)) return null;
  throw new UsageError(
    `no configuration: name a zoo.cfg, or give --data DIR (looked for ${candidates.join(', ')})`,
  );
}

function hasImageVariables(env: Terminal['env']): boolean {
  return env['ZOO_DATA_DIR'] !== undefined && env['ZOO_DATA_DIR'] !== '';
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

export function readConfig(source: ConfigSource): ConfigResult {
  return loadConfig(source, nodeConfigFiles);
}

/** Tells every problem, one a line. */
export function complainOfProblems(result: ConfigResult, terminal: Terminal): void {
  if (!('problems' in result)) return;
  for (const problem of result.problems) terminal.complain(formatProblem(problem));
}

/** What scripts ask for: a value by its key in zoo.cfg, also out of a file with problems. */
export function rawValuesOf(source: ConfigSource): ReadonlyMap<string, string> {
  const bytes = source.file === null ? null : nodeConfigFiles.read(source.file);
  const text = bytes === null ? null : Buffer.from(bytes).toString('latin1');
  const { file, env, properties } = source;
  return rawSettings({ text, file, env, properties });
}
