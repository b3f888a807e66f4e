/**
 * The keys of Apache's that are not settings of a standalone server, and what a server does that
 * meets one: it keeps those of an ensemble for the part that will use them; it says that one has no
 * effect here, or not yet; and it refuses to start where going on would leave open a door that the
 * operator closed (encryption between servers, revocation of certificates, own ACL providers).
 */
import { isSecurityKey, providerOf } from './security-config.js';
import { settingNameOf } from './settings.js';

export type KeyRole =
  | 'setting'
  /** Comes in any number: who may come in (security-config.ts). */
  | 'security'
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
  'audit. metricsProvider. sasl. kerberos. ssl.quorum. X509AuthenticationProvider.',
  `security.auth_to_local letAnySaslUserDoX requireKerberosConfig ensembleAuthName
   jaasLoginRenew client.certReload IPAuthenticationProvider.usexforwardedfor
   testingonly.initialZxid`,
);

const noEffectKeys = keySet(
  'nio. netty. commitProcessor. pathStats. messageTracker. test.',
  `serverCnxnFactory watchManagerName watcherCleanThreshold watcherCleanIntervalInSeconds
   watcherCleanThreadsNum maxInProcessingDeadWatchers bitHashCacheSize flushDelay
   maxWriteQueuePollTime maxBatchSize intBufferStartingSizeBytes admin.httpVersion controllerPort
   requireClientAuthScheme kinit ssl.sslProvider`,
);

const silentKeys = keySet(
  'log. jmx. console. root. tracelog. auditlog. client.',
  `clientCnxnSocket request.timeout disableAutoWatchReset shuffleDnsResponse
   ssl.hostnameVerification ssl.allowReverseDnsLookup`,
);

const refusedKeys = keySet('ssl.', '');

/** Refused only when switched on. */
const refusedSwitches = keySet(
  '',
  `sslQuorum portUnification quorum.auth.enableSasl quorum.auth.learnerRequireSasl
   quorum.auth.serverRequireSasl admin.forceHttps admin.portUnification admin.needClientAuth
   ssl.crl ssl.ocsp ssl.clientHostnameVerification`,
);

export function roleOf(key: string, value: string): KeyRole {
  if (holds(refusedSwitches, key)) return value.toLowerCase() === 'true' ? 'refused' : 'silent';
  if (settingNameOf(key) !== null) return 'setting';
  if (isSecurityKey(key)) {
    const isUnknown = key.startsWith('authProvider.') && providerOf(value) === undefined;
    return isUnknown ? 'refused' : 'security';
  }
  if (key === 'ssl.authProvider' && value === 'x509') return 'silent';
  if (holds(ensembleKeys, key)) return 'ensemble';
  if (holds(notBuiltKeys, key)) return 'notBuilt';
  if (holds(noEffectKeys, key)) return 'noEffect';
  if (holds(silentKeys, key)) return 'silent';
  if (holds(refusedKeys, key)) return 'refused';
  return 'unknown';
}

const refusals: ReadonlyMap<string, string> = new Map([
  ['ssl.crl', 'certificates are not looked up in revocation lists yet, and revoked ones would do'],
  ['ssl.ocsp', 'certificates are not asked about by OCSP yet, and revoked ones would do'],
  [
    'ssl.clientHostnameVerification',
    "names in clients' certificates are not compared with their hosts yet, and any would do",
  ],
  ['ssl.context.supplier.class', 'classes of Java cannot be loaded here; use ssl.keyStore.*'],
  ['ssl.authProvider', 'only x509 is built in'],
]);

/** Why a refused key is refused; never its value, which may be a password. */
export function refusalOf(key: string): string {
  const why = refusals.get(key);
  if (why !== undefined) return `${key}: ${why}`;
  if (key.startsWith('authProvider.')) {
    return `${key}: ACL providers other than digest, ip, sasl and x509 are not built yet, and what they protect would not be`;
  }
  if (/sasl/i.test(key)) {
    return `${key}: SASL between servers is not built yet, and servers would be let in without it`;
  }
  if (key.startsWith('admin.')) {
    return `${key}: TLS of the admin server is not built yet, and connections would not be encrypted`;
  }
  if (key === 'sslQuorum' || key === 'portUnification') {
    return `${key}: TLS between servers is not built yet, and connections would not be encrypted`;
  }
  return `${key}: nobody knows this key of TLS, and what it demands would not be done`;
}

/**
 * Whether a plain -Dkey=value is meant for this server. Java's own flags live there too, so what is
 * not a setting stays what it is: a property for others.
 */
export function isPlainPropertyOfOurs(key: string): boolean {
  return settingNameOf(key) !== null;
}
