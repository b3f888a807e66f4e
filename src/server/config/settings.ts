/**
 * Every key of zoo.cfg (and system property of Apache's) that concerns a standalone server, said
 * once: its name there, its name here, its kind, its default. The type of the configuration, the
 * parser and the writer follow from this table. Defaults are those of Apache 3.9.5.
 *
 * Names here end in their unit. -1 stands for "none" where Apache has it so.
 */
import { fourLetterWords } from '../commands/four-letter-words.js';
import {
  addressList,
  choice,
  flag,
  fraction,
  integer,
  long,
  optionalText,
  port,
  text,
  wordSet,
  yesNo,
} from './setting.js';
import type { Setting } from './setting.js';

const kibi = 1024;

export const settings = {
  /** Snapshots (in `version-2` inside it) and `myid`. Empty only before a configuration is read. */
  dataDir: text('dataDir', ''),
  /** The transaction log (in `version-2` inside it); the same as dataDir when not set. */
  dataLogDir: text('dataLogDir', ''),
  /** 0: any free one. */
  clientPort: port('clientPort', 2181),
  /** Null: every address of this machine. */
  clientPortAddress: optionalText('clientPortAddress'),
  /** -1: the system's default. */
  clientPortListenBacklog: integer('clientPortListenBacklog', -1),
  clientTcpKeepAlive: flag('clientTcpKeepAlive', false),
  /** Where clients come by TLS; -1: nowhere. Then the port alone is enough, clientPort may be absent. */
  secureClientPort: integer('secureClientPort', -1, { min: -1, max: 65_535 }),
  /** Null: every address of this machine. */
  secureClientPortAddress: optionalText('secureClientPortAddress'),
  /** clientPort takes both TLS and what is not encrypted. */
  clientPortUnification: flag('client.portUnification', false),
  /** The server's private key and its certificates. */
  sslKeyStoreLocation: optionalText('ssl.keyStore.location'),
  /** A secret. */
  sslKeyStorePassword: optionalText('ssl.keyStore.password'),
  /** A file that holds the password; it counts where both are given. */
  sslKeyStorePasswordPath: optionalText('ssl.keyStore.passwordPath'),
  /** PEM or PKCS12; null: as the file's name ends. */
  sslKeyStoreType: optionalText('ssl.keyStore.type'),
  /** Whose signature makes a client's certificate a good one. */
  sslTrustStoreLocation: optionalText('ssl.trustStore.location'),
  /** A secret. */
  sslTrustStorePassword: optionalText('ssl.trustStore.password'),
  sslTrustStorePasswordPath: optionalText('ssl.trustStore.passwordPath'),
  sslTrustStoreType: optionalText('ssl.trustStore.type'),
  /** Whether a client must show a certificate, may, or is not asked for one. */
  sslClientAuth: choice('ssl.clientAuth', 'need', ['need', 'want', 'none'] as const),
  sslProtocol: text('ssl.protocol', 'TLSv1.3'),
  /** Separated by commas; null: sslProtocol alone. */
  sslEnabledProtocols: optionalText('ssl.enabledProtocols'),
  /** By their names in Java, separated by commas; null: OpenSSL's good ones. */
  sslCipherSuites: optionalText('ssl.ciphersuites'),
  /** What a connection has for its whole handshake. */
  sslHandshakeTimeoutMs: integer('ssl.handshakeDetectionTimeoutMillis', 5000, { min: 1 }),
  /** Handshakes under way at once; 0 or less: no limit. */
  sslHandshakesMax: integer('netty.server.outstandingHandshake.limit', -1),
  /** DIGEST-MD5 is not allowed. Not set, it is allowed here; Apache's clients refuse it unless `false`. */
  fipsMode: flag('fips-mode', false),
  /** Proxies whose PROXY headers tell where their clients are; none: nobody's. Zabra's own. */
  proxyProtocolTrustedSenders: addressList('proxyProtocol.trustedSenders'),

  tickTimeMs: integer('tickTime', 3000, { min: 1 }),
  /** Resolved: 2 ticks unless set. */
  minSessionTimeoutMs: integer('minSessionTimeout', -1, { min: -1 }),
  /** Resolved: 20 ticks unless set. */
  maxSessionTimeoutMs: integer('maxSessionTimeout', -1, { min: -1 }),

  /** Connections from one address; 0 or less: no limit. */
  maxClientCnxns: integer('maxClientCnxns', 60),
  /** Connections in all; 0 or less: no limit. */
  maxCnxns: integer('maxCnxns', 0),
  /** How long a connection may take to send its connect request. */
  sessionlessCnxnTimeoutMs: integer('nio.sessionlessCnxnTimeout', 10_000, { min: 1 }),
  /** Requests read but not answered, over all connections, before reading stops. */
  globalOutstandingLimit: integer('globalOutstandingLimit', 1000, { min: 1 }),
  /** The longest frame taken from a client. */
  juteMaxBufferBytes: integer('jute.maxbuffer', 0xfffff, { min: 1, onlyPropertyInApache: true }),
  /** What a record on disk may be longer than a frame. Resolved: as long again unless set. */
  juteMaxBufferExtraBytes: integer('jute.maxbuffer.extrasize', -1),

  requestThrottleMaxRequests: integer('request_throttle_max_requests', 0, { min: 0 }),
  requestThrottleStallTimeMs: integer('request_throttle_stall_time', 100, { min: 0 }),
  requestThrottleDropStale: flag('request_throttle_drop_stale', true),
  requestStaleConnectionCheck: flag('request_stale_connection_check', true),
  requestStaleLatencyCheck: flag('request_stale_latency_check', false),
  requestThrottlerShutdownTimeoutMs: integer('request_throttler.shutdownTimeout', 10_000, {
    min: 0,
  }),
  /** A request that waited longer than this is answered THROTTLEDOP; 0: never. */
  throttledOpWaitTimeMs: integer('throttled_op_wait_time', 0, { min: 0 }),
  /** Large requests in flight, in all. */
  largeRequestMaxBytes: integer('largeRequestMaxBytes', 104_857_600, { min: 1 }),
  /** From this length on a request is a large one; -1: none is. */
  largeRequestThresholdBytes: integer('largeRequestThreshold', -1),

  /** Token bucket of new connections; 0: off. */
  connectionThrottleTokens: integer('connection_throttle_tokens', 0, { min: 0 }),
  connectionThrottleFillTimeMs: integer('connection_throttle_fill_time', 1, { min: 1 }),
  connectionThrottleFillCount: integer('connection_throttle_fill_count', 1, { min: 1 }),
  /** How often the drop probability is looked at again; -1: it stays 0. */
  connectionThrottleFreezeTimeMs: integer('connection_throttle_freeze_time', -1),
  connectionThrottleDropIncrease: fraction('connection_throttle_drop_increase', 0.02),
  connectionThrottleDropDecrease: fraction('connection_throttle_drop_decrease', 0.002),
  connectionThrottleDecreaseRatio: fraction('connection_throttle_decrease_ratio', 0),
  connectionThrottleWeightEnabled: flag('connection_throttle_weight_enabled', false),
  connectionThrottleGlobalSessionWeight: integer('connection_throttle_global_session_weight', 3, {
    min: 1,
  }),
  connectionThrottleLocalSessionWeight: integer('connection_throttle_local_session_weight', 1, {
    min: 1,
  }),
  connectionThrottleRenewSessionWeight: integer('connection_throttle_renew_session_weight', 2, {
    min: 1,
  }),

  /** Transactions between snapshots (a random number from half of it up to it). */
  snapCount: integer('snapCount', 100_000, { raisedTo: 2 }),
  /** Log bytes between snapshots, likewise; 0 or less: no such rule. */
  snapSizeLimitBytes: long('snapSizeLimitInKb', 4_194_304 * kibi, { factor: kibi }),
  /** Bytes of log to allocate ahead; 0: none. */
  preAllocBytes: long('preAllocSize', 65_536 * kibi, { min: 0, factor: kibi }),
  /** The log moves on to a new file when this is reached; -1: only with a snapshot. */
  txnLogSizeLimitBytes: long('txnLogSizeLimitInKb', -1, { factor: kibi }),
  /** `no`: acknowledged writes may be lost when the machine stops. */
  forceSync: yesNo('forceSync', true),
  /** A slower fsync is warned of. */
  fsyncWarningThresholdMs: long('fsync.warningthresholdms', 1000, { min: 0 }),
  /** A flush on the event loop that hangs longer ends the process; 0: never. Zabra's own. */
  fsyncHangLimitMs: long('fsync.hangLimitMs', 40_000, { min: 0 }),
  /**
   * A snapshot that is due by snapCount waits until the log has grown by this share of the last one; 0:
   * it never waits. Zabra's own.
   */
  snapLogPercent: integer('snapshot.logPercent', 50, { min: 0 }),
  /** A snapshot at least this often, when there was a write since the last; 0: not for that reason. Zabra's own. */
  snapshotIntervalMs: long('snapshot.intervalMs', 0, { min: 0 }),
  /** Of servers that are up to date, the one with the greatest leads. Zabra's own. */
  leaderPriority: integer('leader.priority', 0),
  /** A leader that was silent for so long is left, at least a tick; 0: after syncLimit ticks. Zabra's own. */
  leaderSilenceMs: long('leader.silenceMs', 0, { min: 0 }),
  /** Leadership goes on to the next server after so long; 0: it stays. Zabra's own. */
  leaderRotationMs: long('leader.rotationMs', 0, { min: 0 }),
  /** A voter that stayed away so long is taken out until it returns; 0: it stays. Zabra's own. */
  autopilotDeadMs: long('autopilot.deadMs', 0, { min: 0 }),
  /** Committed transactions kept in memory. */
  commitLogCount: integer('commitLogCount', 500, { raisedTo: 500 }),
  /** What is remembered of recent writes, for sessions that go on here; 0: nothing. Zabra's own. */
  recentHistoryBytes: long('recentHistory.sizeInKb', 4096 * kibi, {
    min: 0,
    max: 1_048_576,
    factor: kibi,
  }),
  /** Logs larger than this part of the snapshot are not sent instead of it. */
  snapshotSizeFactor: fraction('snapshotSizeFactor', 0.33),
  snapshotCompression: choice('snapshot.compression.method', '', ['', 'gz', 'snappy'] as const),
  /** Start with logs and no snapshot (as 3.4 left them). */
  snapshotTrustEmpty: flag('snapshot.trust.empty', false),
  serializeLastProcessedZxidEnabled: flag('serializeLastProcessedZxid.enabled', true),
  /** False: an empty data directory without the file `initialize` is not a server's first start. */
  dbAutoCreate: flag('db.autocreate', true),
  /** False: a missing data directory is an error. */
  dataDirAutoCreate: flag('datadir.autocreate', true),
  autopurgeSnapRetainCount: integer('autopurge.snapRetainCount', 3, { raisedTo: 3 }),
  /** 0: no purging. */
  autopurgePurgeIntervalHours: integer('autopurge.purgeInterval', 0),

  digestEnabled: flag('digest.enabled', true),
  /** Sessions' ends list what they delete, so that replay deletes the same. */
  closeSessionTxnEnabled: flag('closeSessionTxn.enabled', true),
  /** Container and TTL znodes need it (TTL only, in Apache). */
  extendedTypesEnabled: flag('extendedTypesEnabled', false),
  emulate353TtlNodes: flag('emulate353TTLNodes', false),
  containerCheckIntervalMs: integer('znode.container.checkIntervalMs', 60_000, {
    min: 1,
    onlyPropertyInApache: true,
  }),
  containerMaxPerMinute: integer('znode.container.maxPerMinute', 10_000, {
    min: 1,
    onlyPropertyInApache: true,
  }),
  /** A container that never had a child is collected after this; 0: never. */
  containerMaxNeverUsedIntervalMs: long('znode.container.maxNeverUsedIntervalMs', 0, {
    min: 0,
    onlyPropertyInApache: true,
  }),
  /** Cached replies of getData; we answer without a cache, so only the figures show it. */
  maxResponseCacheSize: integer('maxResponseCacheSize', 400, { min: 0 }),
  maxGetChildrenResponseCacheSize: integer('maxGetChildrenResponseCacheSize', 400, { min: 0 }),

  skipAcl: yesNo('skipACL', false),
  /** Hard quotas are enforced, not only counted. */
  enforceQuota: flag('enforceQuota', false),
  /** Clients must have proven one of the schemes before they may ask anything. */
  enforceAuthEnabled: flag('enforce.auth.enabled', false),
  /** Separated by commas. */
  enforceAuthSchemes: text('enforce.auth.schemes', ''),
  digestAuthEnabled: flag('DigestAuthenticationProvider.enabled', true),
  /** As Java names it. */
  digestAuthAlgorithm: text('DigestAuthenticationProvider.digestAlg', 'SHA1'),
  /** `super:<base64 of the digest>`; who shows it is allowed everything. A secret. */
  superDigest: optionalText('DigestAuthenticationProvider.superDigest'),
  /** The subject of the certificate that is allowed everything, as x509 ids have it. */
  x509SuperUser: optionalText('X509AuthenticationProvider.superUser'),
  /** Java's login file, which has the users of SASL. */
  jaasFile: optionalText('java.security.auth.login.config', { onlyPropertyInApache: true }),
  /** The section of it that is this server's. */
  saslSection: text('sasl.serverconfig', 'Server'),
  /** Instead of user_super's in the login file. A secret. */
  saslSuperPassword: optionalText('SASLAuthenticationProvider.superPassword'),
  /** Who fails at SASL goes on as nobody, unless SASL is required. */
  allowSaslFailedClients: flag('allowSaslFailedClients', false),
  /** As enforce.auth with the scheme sasl, and instead of it. */
  sessionRequireClientSaslAuth: flag('sessionRequireClientSASLAuth', false),
  readOnlyModeEnabled: flag('readonlymode.enabled', false, { onlyPropertyInApache: true }),

  /** Words that are answered. Resolved: with srvr, and with isro where read-only mode is on. */
  fourLetterWhitelist: wordSet('4lw.commands.whitelist', fourLetterWords),
  adminServerEnabled: flag('admin.enableServer', true),
  adminServerAddress: text('admin.serverAddress', '0.0.0.0'),
  adminServerPort: port('admin.serverPort', 8080),
  adminIdleTimeoutMs: integer('admin.idleTimeout', 30_000, { min: 1 }),
  adminCommandUrl: text('admin.commandURL', '/commands'),
  adminRateLimiterIntervalMs: integer('admin.rateLimiterIntervalInMS', 300_000, { min: 0 }),
  adminSnapshotEnabled: flag('admin.snapshot.enabled', true),
  adminRestoreEnabled: flag('admin.restore.enabled', true),
  /** What mntr and the admin server show besides version and state. */
  metricsProvider: choice('metricsProvider.className', 'default', ['default', 'none'] as const, {
    'org.apache.zookeeper.metrics.impl.DefaultMetricsProvider': 'default',
    'org.apache.zookeeper.metrics.impl.NullMetricsProvider': 'none',
    'org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider': 'default',
  }),
  /** A watch on pauses of the event loop, as Apache's on those of the JVM. */
  pauseMonitorEnabled: flag('jvm.pause.monitor', false),
  pauseMonitorSleepTimeMs: long('jvm.pause.sleep.time.ms', 500, { min: 1 }),
  pauseMonitorWarnThresholdMs: long('jvm.pause.warn-threshold.ms', 10_000, { min: 0 }),
  pauseMonitorInfoThresholdMs: long('jvm.pause.info-threshold.ms', 1000, { min: 0 }),
} as const;

export type SettingName = keyof typeof settings;

export type SettingValues = {
  readonly [Name in SettingName]: (typeof settings)[Name] extends Setting<infer T> ? T : never;
};

export const settingNames = Object.keys(settings) as SettingName[];

const namesByKey: ReadonlyMap<string, SettingName> = new Map(
  settingNames.map((name) => [settings[name].key, name]),
);

export function settingNameOf(key: string): SettingName | null {
  return namesByKey.get(key) ?? null;
}
