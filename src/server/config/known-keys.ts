/**
 * The keys of Apache's that are not settings of a standalone server, and what a server does that
 * meets one: it keeps those of an ensemble for the part that will use them; it says that one has no
 * effect here, or not yet; and it refuses to start where going on would leave open a door that the
 * operator closed (encryption, authentication, own ACL providers).
 */
import { settingNameOf } from './settings.js';

export type KeyRole =
  | 'setting'
  | 'ensemble'
  /** Safe to go on without; told. */
  | 'notBuilt'
  /** Tunes something that does not exist here (thread pools, caches of the JVM); told. */
  | 'noEffect'
  /** Not worth a word: logging of Java, its clients' keys, doors that stay open. */
  | 'silent'
  /** Unsafe to go on without. */
  | 'refused'
  | 'unknown';

interface KeySet {
  readonly names: ReadonlySet<string>;
  readonly prefixes: readonly string[];
}

function keySet(prefixes: string, names: string): KeySet {
  const words = (list: string): string[] => list.split(/\s+/).filter((word) => word !== '');
  return { names: new Set(words(names)), prefixes: words(prefixes) };
}

function holds(keys: KeySet, key: string): boolean {
  return keys.names.has(key) || keys.prefixes.some((prefix) => key.startsWith(prefix));
}

const ensembleKeys = keySet(
  `server. group weight leader. follower. learner. observer. fastleader. multiAddress.
   observerMaster. quorum.auth.`,
  `version initLimit syncLimit connectToLearnerMasterLimit electionAlg electionPort
   electionPortBindRetry peerType standaloneEnabled reconfigEnabled quorumListenOnAllIPs
   localSessionsEnabled localSessionsUpgradingEnabled syncEnabled observerMasterPort
   dynamicConfigFile oraclePath leaderServes quorum.cnxn.threads.size tcpKeepAlive cnxTimeout
   quorumCnxnTimeoutMs leaderConnectDelayDuringRetryMs forceSnapshotSync enableEagerACLCheck
   forward_learner_requests_to_commit_processor_disabled sslQuorumReloadCertFiles`,
);

const notBuiltKeys = keySet(
  'audit. metricsProvider. sasl. kerberos. X509AuthenticationProvider. SASLAuthenticationProvider.',
  `security.auth_to_local letAnySaslUserDoX requireKerberosConfig superUser ensembleAuthName
   allowSaslFailedClients jaasLoginRenew fips-mode client.certReload
   IPAuthenticationProvider.usexforwardedfor java.security.auth.login.config
   testingonly.initialZxid`,
);

const noEffectKeys = keySet(
  'nio. netty. commitProcessor. pathStats. messageTracker. test.',
  `serverCnxnFactory watchManagerName watcherCleanThreshold watcherCleanIntervalInSeconds
   watcherCleanThreadsNum maxInProcessingDeadWatchers bitHashCacheSize flushDelay
   maxWriteQueuePollTime maxBatchSize intBufferStartingSizeBytes admin.httpVersion controllerPort
   requireClientAuthScheme kinit`,
);

const silentKeys = keySet(
  'log. jmx. console. root. tracelog. auditlog. client.',
  'clientCnxnSocket request.timeout disableAutoWatchReset shuffleDnsResponse',
);

const refusedKeys = keySet('ssl.', 'secureClientPort secureClientPortAddress');

/** Refused only when switched on. */
const refusedSwitches = keySet(
  '',
  `sslQuorum portUnification client.portUnification sessionRequireClientSASLAuth
   quorum.auth.enableSasl quorum.auth.learnerRequireSasl
   quorum.auth.serverRequireSasl admin.forceHttps admin.portUnification admin.needClientAuth`,
);

/** These providers are always on. */
const builtInProviders: ReadonlySet<string> = new Set([
  'org.apache.zookeeper.server.auth.DigestAuthenticationProvider',
  'org.apache.zookeeper.server.auth.IPAuthenticationProvider',
]);

export function roleOf(key: string, value: string): KeyRole {
  if (holds(refusedSwitches, key)) return value.toLowerCase() === 'true' ? 'refused' : 'silent';
  if (holds(refusedKeys, key)) return 'refused';
  if (key.startsWith('authProvider.')) return builtInProviders.has(value) ? 'silent' : 'refused';
  if (settingNameOf(key) !== null) return 'setting';
  if (holds(ensembleKeys, key)) return 'ensemble';
  if (holds(notBuiltKeys, key)) return 'notBuilt';
  if (holds(noEffectKeys, key)) return 'noEffect';
  if (holds(silentKeys, key)) return 'silent';
  return 'unknown';
}

/** Why a refused key is refused; never its value, which may be a password. */
export function refusalOf(key: string): string {
  if (key.startsWith('authProvider.')) {
    return `${key}: ACL providers other than digest and ip are not built yet, and what they protect would not be`;
  }
  if (/sasl/i.test(key)) {
    return `${key}: SASL is not built yet, and clients would be let in without it`;
  }
  return `${key}: TLS is not built yet, and connections would not be encrypted`;
}

/**
 * Whether a plain -Dkey=value is meant for this server. Java's own flags live there too, so what is
 * not a setting stays what it is: a property for others.
 */
export function isPlainPropertyOfOurs(key: string): boolean {
  return settingNameOf(key) !== null || key === 'java.security.auth.login.config';
}
