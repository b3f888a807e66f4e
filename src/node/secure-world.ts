/**
 * What the configuration says of TLS, of proxies and of logins, made real for a server of this process:
 * the networks that clients come by, and the users out of the login file where nobody has read it yet.
 */
import type { Logger } from '../ports/logger.js';
import type { Network } from '../ports/network.js';
import { formatProblem, type ServerConfig } from '../server/config/config.js';
import { loadUsers } from '../server/config/security-config.js';
import { readTlsConfig, wantsTls } from '../server/config/tls-config.js';
import type { ServerWorld } from '../server/server-world.js';
import { exitCodes, StartError } from '../storage/start-error.js';
import { nodeClock } from './clock.js';
import { nodeConfigFiles } from './config-files.js';
import { nodeNetwork } from './network.js';
import { proxiedNetwork } from './proxy-port.js';
import { tlsNetworks } from './tls-port.js';

/** Throws StartError. */
export function secureNetworks(
  config: ServerConfig,
  logger: Logger,
): Pick<ServerWorld, 'clientNetwork' | 'secureNetwork'> {
  const { secureNetwork, clientNetwork = nodeNetwork } = encryptedNetworks(config, logger);
  const options = {
    trustedSenders: config.proxyProtocolTrustedSenders,
    // who is trusted also asks four-letter words, and runs shells
    isRequired: false,
    timeoutMs: config.sessionlessCnxnTimeoutMs,
  };
  const behindProxies = (network: Network): Network =>
    options.trustedSenders.length === 0
      ? network
      : proxiedNetwork(network, options, { clock: nodeClock, logger });
  return {
    clientNetwork: behindProxies(clientNetwork),
    // there the header stands within what is encrypted
    ...(secureNetwork === undefined ? {} : { secureNetwork: behindProxies(secureNetwork) }),
  };
}

function encryptedNetworks(
  config: ServerConfig,
  logger: Logger,
): { readonly clientNetwork?: Network; readonly secureNetwork?: Network } {
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
