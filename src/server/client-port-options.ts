/** What the configuration says of the client port, under the names that the client port has for it. */
import type { Crypto } from '../ports/crypto.js';
import type { ListenOptions, Network } from '../ports/network.js';
import type { ClientPortOptions } from './client-port.js';
import type { SaslLogins } from './authenticate.js';
import type { ServerConfig } from './config/config.js';
import { enforcedSchemesOf } from './config/security-config.js';
import type { ServerWorld } from './server-world.js';

export function clientPortOptions(config: ServerConfig, crypto: Crypto): ClientPortOptions {
  return {
    minSessionTimeoutMs: config.minSessionTimeoutMs,
    maxSessionTimeoutMs: config.maxSessionTimeoutMs,
    frameBytesMax: config.juteMaxBufferBytes,
    globalOutstandingLimit:
      config.requestThrottleMaxRequests > 0
        ? Math.min(config.globalOutstandingLimit, config.requestThrottleMaxRequests)
        : config.globalOutstandingLimit,
    maxClientConnections: config.maxClientCnxns,
    maxConnections: config.maxCnxns,
    sessionlessTimeoutMs: config.sessionlessCnxnTimeoutMs,
    skipAcl: config.skipAcl,
    authentication: {
      crypto,
      digestAlgorithm: config.digestAuthAlgorithm,
      isDigestEnabled: config.digestAuthEnabled,
      superDigest: config.superDigest,
      x509SuperUser: config.x509SuperUser,
      sasl: saslLoginsOf(config),
    },
    admission: {
      largeRequestThresholdBytes: config.largeRequestThresholdBytes,
      largeRequestMaxBytes: config.largeRequestMaxBytes,
      enforcedSchemes: enforcedSchemesOf(config),
    },
    throttle: {
      tokens: config.connectionThrottleTokens,
      fillTimeMs: config.connectionThrottleFillTimeMs,
      fillCount: config.connectionThrottleFillCount,
      freezeTimeMs: config.connectionThrottleFreezeTimeMs,
      dropIncrease: config.connectionThrottleDropIncrease,
      dropDecrease: config.connectionThrottleDropDecrease,
      decreaseRatio: config.connectionThrottleDecreaseRatio,
      isWeighted: config.connectionThrottleWeightEnabled,
      newSessionWeight: config.ensemble.localSessionsEnabled
        ? config.connectionThrottleLocalSessionWeight
        : config.connectionThrottleGlobalSessionWeight,
      resumeWeight: config.connectionThrottleRenewSessionWeight,
    },
  };
}

export interface ClientListener {
  readonly network: Network;
  readonly at: ListenOptions;
}

/** Where clients find a server of this configuration; the first is its address. */
export function clientListeners(
  config: ServerConfig,
  { network, clientNetwork, secureNetwork }: ServerWorld,
): ClientListener[] {
  const listeners: ClientListener[] = [];
  const backlog = config.clientPortListenBacklog;
  const add = (on: Network, host: string | null, port: number): void => {
    const at = { host: host ?? undefined, port };
    listeners.push({ network: on, at: backlog > 0 ? { ...at, backlog } : at });
  };
  if (config.clientPort !== -1) {
    add(clientNetwork ?? network, config.clientPortAddress, config.clientPort);
  }
  if (config.secureClientPort !== -1 && secureNetwork !== undefined) {
    add(secureNetwork, config.secureClientPortAddress, config.secureClientPort);
  }
  return listeners;
}

function saslLoginsOf(config: ServerConfig): SaslLogins | null {
  const { users, superUsers } = config.security;
  if (users === null) return null;
  const isRequired = enforcedSchemesOf(config)?.includes('sasl') ?? false;
  return { users, superUsers, allowsFailed: config.allowSaslFailedClients, isRequired };
}
