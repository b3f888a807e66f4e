/** What the configuration says of the client port, under the names that the client port has for it. */
import type { Crypto } from '../ports/crypto.js';
import type { ClientPortOptions } from './client-port.js';
import type { ServerConfig } from './config/config.js';

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
    },
    admission: {
      largeRequestThresholdBytes: config.largeRequestThresholdBytes,
      largeRequestMaxBytes: config.largeRequestMaxBytes,
      enforcedSchemes: config.enforceAuthEnabled ? config.enforceAuthSchemes.split(',') : null,
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
