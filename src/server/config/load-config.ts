/**
 * From the name of a zoo.cfg to a configuration that can be started: reads the files that belong to
 * it (zoo.cfg itself, the dynamic file, `myid` in the data directory), makes paths absolute, and
 * looks at what is there on the disk. The files come through a small interface, so that this is as
 * testable as the parser.
 */
import { rawSettings, parseConfig } from './config.js';
import type { ConfigInput, ConfigProblem, ConfigResult, ServerConfig } from './config.js';
import { loadUsers } from './security-config.js';

export interface ConfigFiles {
  /** Null: there is no such file. Throws an Error whose message names the reason otherwise. */
  read(path: string): Uint8Array | null;
  kindOf(path: string): 'directory' | 'other' | 'absent';
  isAbsolute(path: string): boolean;
  /** From the working directory where the path is relative. */
  absolute(path: string): string;
  join(directory: string, name: string): string;
}

export interface ConfigSource {
  /** Null: there is no zoo.cfg, the environment speaks. */
  readonly file: string | null;
  readonly env: ConfigInput['env'];
  readonly properties: ReadonlyMap<string, string>;
}

export function loadConfig(source: ConfigSource, files: ConfigFiles): ConfigResult {
  const problems: ConfigProblem[] = [];
  const read = (path: string, file: string | null): string | null => {
    try {
      const bytes = files.read(path);
      return bytes === null ? null : decodeLatin1(bytes);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      problems.push({ file, line: null, message: `${path} cannot be read: ${reason}` });
      return null;
    }
  };

  const { file, env, properties } = source;
  let text: string | null = null;
  if (file !== null) {
    text = read(file, null);
    if (text === null) {
      if (problems.length === 0) problems.push({ file, line: null, message: 'no such file' });
      return { problems };
    }
  }
  const input: ConfigInput = { text, file, env, properties };
  const raw = rawSettings(input);
  const dynamicFile = raw.get('dynamicConfigFile') ?? null;
  const dataDir = raw.get('dataDir') ?? null;
  const dynamicText = dynamicFile === null ? null : read(dynamicFile, file);
  if (dynamicFile !== null && dynamicText === null && problems.length === 0) {
    problems.push({
      file,
      line: null,
      message: `dynamicConfigFile: ${dynamicFile} does not exist`,
    });
  }
  const myid = dataDir === null ? null : read(files.join(dataDir, 'myid'), file);
  const dynamic =
    dynamicFile === null || dynamicText === null
      ? {}
      : { dynamic: { text: dynamicText, file: dynamicFile } };
  const result = parseConfig({ ...input, ...dynamic, myid });
  if ('problems' in result) return { problems: [...problems, ...result.problems] };
  const placed = onDisk(result.config, files, problems);
  const loaded = loadUsers(placed.config, files);
  problems.push(...loaded.problems);
  if (problems.length > 0) return { problems };
  return {
    config: loaded.config,
    warnings: [...result.warnings, ...placed.warnings, ...loaded.warnings],
  };
}

function onDisk(
  config: ServerConfig,
  files: ConfigFiles,
  problems: ConfigProblem[],
): { config: ServerConfig; warnings: string[] } {
  const warnings: string[] = [];
  const file = config.configFile;
  const directories = new Map([['dataDir', config.dataDir]]);
  if (config.dataLogDir !== config.dataDir) directories.set('dataLogDir', config.dataLogDir);
  for (const [key, path] of directories) {
    if (!files.isAbsolute(path)) {
      warnings.push(`${key}: ${path} is relative and taken from the working directory`);
    }
    // an ASCII path is the same in every encoding
    if (/[^\x20-\x7e]/.test(path)) {
      warnings.push(
        `${key}: bytes beyond ASCII are read as ISO-8859-1, as Java does; \\uXXXX is exact`,
      );
    }
    if (files.kindOf(path) === 'other') {
      problems.push({ file, line: null, message: `${key}: ${path} is not a directory` });
    }
  }
  if (config.adminServerEnabled && config.adminServerPort === config.clientPort) {
    if (config.clientPort !== 0) {
      warnings.push(`admin.serverPort and clientPort are both ${config.clientPort}`);
    }
  }
  const dataDir = files.absolute(config.dataDir);
  const dataLogDir = files.absolute(config.dataLogDir);
  return { config: { ...config, dataDir, dataLogDir }, warnings };
}

/** Java reads properties files as ISO-8859-1, whatever the platform's encoding is. */
function decodeLatin1(bytes: Uint8Array): string {
  let text = '';
  for (let start = 0; start < bytes.length; start += 4096) {
    text += String.fromCharCode(...bytes.subarray(start, start + 4096));
  }
  return text;
}
