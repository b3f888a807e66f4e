/**
 * What the configuration says of TLS and of logins, made real for a server of this process: the
 * networks that clients come by, and the users out of the login file where nobody has read it yet.
 */
import type { Logger } from '../ports/logger.js';
import { formatProblem, type ServerConfig } from '../server/config/config.js';
import { loadUsers } from '../server/config/security-config.js';
import { readTlsConfig, wantsTls } from '../server/config/tls-config.js';
import type { ServerWorld } from '../server/server-world.js';
import { exitCodes, StartError } from '../storage/start-error.js';
import { nodeConfigFiles } from './config-files.js';
import { tlsNetworks } from './tls-port.js';

/** Throws StartError. */
export function secureNetworks(
  config: ServerConfig,
  logger: Logger,
): Pick<ServerWorld, 'clientNetwork' | 'secureNetwork'> {
  if (!wantsTls(config)) return {};
  const result = readTlsConfig(config);
  if ('problems' in result) {
    throw startError(result.problems.map(({ message }) => message));
  }
  const { secure, unified } = tlsNetworks(result.tls, logger);
  return {
    secureNetwork: secure,
    ...(config.clientPortUnification ? { clientNetwork: unified } : {}),
  };
}

/** A configuration that comes from a program has no file read yet. Throws StartError. */
export function withUsers(config: ServerConfig, logger: Logger): ServerConfig {
  if (config.security.users !== null) return config;
  const { config: loaded, problems, warnings } = loadUsers(config, nodeConfigFiles);
  if (problems.length > 0) throw startError(problems.map(formatProblem));
  // those of a file were told when it was read
  if (config.configFile === null) for (const warning of warnings) logger.warn(warning);
  return loaded;
}

function startError(lines: readonly string[]): StartError {
  return new StartError(lines.join('; '), exitCodes.unexpected);
}
