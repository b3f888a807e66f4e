/**
 * Container images configure ZooKeeper by variables, in two dialects that share their prefix: the
 * official image's (`ZOO_SERVERS="server.1=…;2181 …"`, `ZOO_CFG_EXTRA`) and Bitnami's
 * (`ZOO_PORT_NUMBER`, `ZOO_SERVERS="host:2888:3888::1,…"`, `ZOO_CFG_<key>`). Both images write a
 * zoo.cfg from them where there is none; this gives the same lines without a file. A variable that
 * both have means the same in both, except ZOO_SERVERS, whose forms tell themselves apart.
 */
interface EnvironmentEntry {
  readonly key: string;
  readonly value: string;
  /** The variable it comes from: complaints name it. */
  readonly variable: string;
}

export interface ImageEnvironment {
  readonly entries: readonly EnvironmentEntry[];
  /** ZOO_MY_ID or ZOO_SERVER_ID: this server's number where there is no `myid` file. */
  readonly myid: string | null;
}

type Environment = Readonly<Record<string, string | undefined>>;

const shared: Readonly<Record<string, string>> = {
  ZOO_DATA_DIR: 'dataDir',
  ZOO_DATA_LOG_DIR: 'dataLogDir',
  ZOO_TICK_TIME: 'tickTime',
  ZOO_INIT_LIMIT: 'initLimit',
  ZOO_SYNC_LIMIT: 'syncLimit',
  ZOO_MAX_CLIENT_CNXNS: 'maxClientCnxns',
  ZOO_4LW_COMMANDS_WHITELIST: '4lw.commands.whitelist',
};

const official: Readonly<Record<string, string>> = {
  ZOO_AUTOPURGE_PURGEINTERVAL: 'autopurge.purgeInterval',
  ZOO_AUTOPURGE_SNAPRETAINCOUNT: 'autopurge.snapRetainCount',
  ZOO_STANDALONE_ENABLED: 'standaloneEnabled',
  ZOO_ADMINSERVER_ENABLED: 'admin.enableServer',
};

const bitnami: Readonly<Record<string, string>> = {
  ZOO_PORT_NUMBER: 'clientPort',
  ZOO_PRE_ALLOC_SIZE: 'preAllocSize',
  ZOO_SNAPCOUNT: 'snapCount',
  ZOO_MAX_CNXNS: 'maxCnxns',
  ZOO_AUTOPURGE_INTERVAL: 'autopurge.purgeInterval',
  ZOO_AUTOPURGE_RETAIN_COUNT: 'autopurge.snapRetainCount',
  ZOO_MAX_SESSION_TIMEOUT: 'maxSessionTimeout',
  ZOO_ADMIN_SERVER_ADDRESS: 'admin.serverAddress',
  ZOO_ADMIN_SERVER_PORT_NUMBER: 'admin.serverPort',
  ZOO_PEER_TYPE: 'peerType',
  ZOO_TLS_CLIENT_KEYSTORE_FILE: 'ssl.keyStore.location',
  ZOO_TLS_CLIENT_KEYSTORE_PASSWORD: 'ssl.keyStore.password',
  ZOO_TLS_CLIENT_TRUSTSTORE_FILE: 'ssl.trustStore.location',
  ZOO_TLS_CLIENT_TRUSTSTORE_PASSWORD: 'ssl.trustStore.password',
  ZOO_TLS_CLIENT_AUTH: 'ssl.clientAuth',
};

/** Bitnami's switches say yes, true or 1. */
const bitnamiSwitches: Readonly<Record<string, string>> = {
  ZOO_RECONFIG_ENABLED: 'reconfigEnabled',
  ZOO_LISTEN_ALLIPS_ENABLED: 'quorumListenOnAllIPs',
  ZOO_ENABLE_ADMIN_SERVER: 'admin.enableServer',
  ZOO_TLS_QUORUM_ENABLE: 'sslQuorum',
  ZOO_ENABLE_AUTH: 'sessionRequireClientSASLAuth',
  ZOO_ENABLE_QUORUM_AUTH: 'quorum.auth.enableSasl',
};

const cfgPrefix = 'ZOO_CFG_';

/** Entries as lines of a zoo.cfg; none when no variable of either image is set. */
export function readImageEnvironment(env: Environment): ImageEnvironment {
  const entries: EnvironmentEntry[] = [];
  const names = { ...shared, ...official, ...bitnami };
  for (const [variable, key] of Object.entries(names)) {
    const value = env[variable];
    if (isSet(value)) entries.push({ key, value, variable });
  }
  for (const [variable, key] of Object.entries(bitnamiSwitches)) {
    const value = env[variable];
    if (isSet(value)) entries.push({ key, value: String(isYes(value)), variable });
  }
  if (isYes(env['ZOO_TLS_CLIENT_ENABLE'])) {
    const value = env['ZOO_TLS_PORT_NUMBER'] ?? '3181';
    entries.push({ key: 'secureClientPort', value, variable: 'ZOO_TLS_CLIENT_ENABLE' });
  }
  entries.push(...readServers(env), ...readExtra(env));
  const myid = env['ZOO_MY_ID'] ?? env['ZOO_SERVER_ID'];
  return { entries, myid: isSet(myid) ? myid : null };
}

function readServers(env: Environment): EnvironmentEntry[] {
  const variable = 'ZOO_SERVERS';
  const list = (env[variable] ?? '').trim();
  if (list === '') return [];
  if (/(^|\s)server\.\d+=/.test(list)) {
    return list.split(/\s+/).map((item) => ({ ...splitPair(item), variable }));
  }
  const items = list.split(/[;, ]+/).filter((item) => item !== '');
  // one server is standalone there, and its line is left out
  if (items.length < 2) return [];
  const clientPort = env['ZOO_PORT_NUMBER'] ?? '2181';
  return items.map((item, index) => {
    const [address = '', id = String(index + 1)] = item.split('::');
    return { key: `server.${id}`, value: `${address};${clientPort}`, variable };
  });
}

function readExtra(env: Environment): EnvironmentEntry[] {
  const variable = 'ZOO_CFG_EXTRA';
  const extra = (env[variable] ?? '').split(/\s+/).filter((item) => item !== '');
  const entries = extra.map((item) => ({ ...splitPair(item), variable }));
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(cfgPrefix) || name === variable || value === undefined) continue;
    const key = name.slice(cfgPrefix.length).replaceAll('_', '.');
    entries.push({ key, value, variable: name });
  }
  return entries;
}

function splitPair(item: string): { key: string; value: string } {
  const at = item.indexOf('=');
  return at < 0 ? { key: item, value: '' } : { key: item.slice(0, at), value: item.slice(at + 1) };
}

function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== '';
}

function isYes(value: string | undefined): boolean {
  return value !== undefined && /^(?:yes|true|1)$/i.test(value);
}
