import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from './config.js';
import type { ServerConfig } from './config.js';

function configFrom(env: Record<string, string>): ServerConfig {
  const result = parseConfig({ text: null, file: null, env, properties: new Map() });
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return result.config;
}

test('the official image as its Dockerfile sets it', () => {
  const config = configFrom({
    ZOO_CONF_DIR: '/conf',
    ZOO_DATA_DIR: '/data',
    ZOO_DATA_LOG_DIR: '/datalog',
    ZOO_LOG_DIR: '/logs',
    ZOO_TICK_TIME: '2000',
    ZOO_INIT_LIMIT: '5',
    ZOO_SYNC_LIMIT: '2',
    ZOO_AUTOPURGE_PURGEINTERVAL: '1',
    ZOO_AUTOPURGE_SNAPRETAINCOUNT: '5',
    ZOO_MAX_CLIENT_CNXNS: '0',
    ZOO_STANDALONE_ENABLED: 'true',
    ZOO_ADMINSERVER_ENABLED: 'false',
    ZOO_4LW_COMMANDS_WHITELIST: 'mntr, ruok',
    ZOO_CFG_EXTRA: 'snapCount=1000 extendedTypesEnabled=true',
  });
  assert.equal(config.dataDir, '/data');
  assert.equal(config.dataLogDir, '/datalog');
  assert.equal(config.clientPort, 2181);
  assert.equal(config.tickTimeMs, 2000);
  assert.equal(config.autopurgePurgeIntervalHours, 1);
  assert.equal(config.autopurgeSnapRetainCount, 5);
  assert.equal(config.maxClientCnxns, 0);
  assert.equal(config.adminServerEnabled, false);
  assert.equal(config.snapCount, 1000);
  assert.equal(config.extendedTypesEnabled, true);
  assert.deepEqual([...config.fourLetterWhitelist], ['mntr', 'ruok', 'srvr']);
});

test('the official image in an ensemble', () => {
  const config = configFrom({
    ZOO_DATA_DIR: '/data',
    ZOO_INIT_LIMIT: '5',
    ZOO_SYNC_LIMIT: '2',
    ZOO_MY_ID: '2',
    ZOO_SERVERS:
      'server.1=zoo1:2888:3888;2181 server.2=zoo2:2888:3888;2182 server.3=zoo3:2888:3888;2181',
  });
  assert.equal(config.myid, 2);
  assert.equal(config.clientPort, 2182);
  assert.equal(config.ensemble.servers.size, 3);
});

test('Bitnami alone', () => {
  const config = configFrom({
    ALLOW_EMPTY_PASSWORD: 'yes',
    ZOO_DATA_DIR: '/bitnami/zookeeper/data',
    ZOO_PORT_NUMBER: '2182',
    ZOO_SERVER_ID: '1',
    ZOO_SERVERS: 'zk1:2888:3888',
    ZOO_PRE_ALLOC_SIZE: '1024',
    ZOO_SNAPCOUNT: '5000',
    ZOO_MAX_SESSION_TIMEOUT: '50000',
    ZOO_ENABLE_ADMIN_SERVER: 'no',
    ZOO_ENABLE_AUTH: 'no',
    ZOO_TLS_CLIENT_ENABLE: 'false',
    ZOO_TLS_QUORUM_ENABLE: 'false',
    ZOO_LISTEN_ALLIPS_ENABLED: 'no',
    ZOO_CFG_znode_container_checkIntervalMs: '30000',
  });
  assert.equal(config.clientPort, 2182);
  assert.equal(config.preAllocBytes, 1024 * 1024);
  assert.equal(config.snapCount, 5000);
  assert.equal(config.maxSessionTimeoutMs, 50_000);
  assert.equal(config.adminServerEnabled, false);
  assert.equal(config.containerCheckIntervalMs, 30_000);
  assert.equal(config.ensemble.servers.size, 0);
});

test("Bitnami's ensembles: separated by anything, numbered in order or by ::id", () => {
  const common = {
    ZOO_DATA_DIR: '/data',
    ZOO_PORT_NUMBER: '2181',
    ZOO_SERVER_ID: '5',
    ZOO_INIT_LIMIT: '10',
    ZOO_SYNC_LIMIT: '5',
  };
  const jumping = configFrom({
    ...common,
    ZOO_SERVERS: 'a:2888:3888::4,b:2888:3888::5;c:2888:3888::6',
  });
  assert.deepEqual([...jumping.ensemble.servers.keys()], [4, 5, 6]);
  const ordered = configFrom({
    ...common,
    ZOO_SERVER_ID: '2',
    ZOO_SERVERS: 'a:2888:3888 b:2888:3888:observer c:2888:3888',
  });
  assert.equal(ordered.ensemble.servers.get(2)?.role, 'observer');
  assert.equal(ordered.ensemble.servers.get(3)?.addresses[0]?.host, 'c');
});

test("Bitnami's variables of TLS are the keys of zoo.cfg; what is missing names the variable", () => {
  const tls = { ZOO_DATA_DIR: '/data', ZOO_TLS_CLIENT_ENABLE: 'yes' };
  const config = configFrom({
    ...tls,
    ZOO_TLS_CLIENT_KEYSTORE_FILE: '/tls/server.p12',
    ZOO_TLS_CLIENT_KEYSTORE_PASSWORD: 'secret',
    ZOO_TLS_CLIENT_TRUSTSTORE_FILE: '/tls/ca.pem',
    ZOO_TLS_CLIENT_AUTH: 'want',
  });
  assert.equal(config.secureClientPort, 3181);
  assert.equal(config.sslKeyStoreLocation, '/tls/server.p12');
  assert.equal(config.sslKeyStorePassword, 'secret');
  assert.equal(config.sslTrustStoreLocation, '/tls/ca.pem');
  assert.equal(config.sslClientAuth, 'want');
  const result = parseConfig({
    ...{ text: null, file: null, properties: new Map() },
    env: { ...tls, ZOO_ENABLE_AUTH: 'yes' },
  });
  assert.ok('problems' in result);
  const messages = result.problems.map((problem) => problem.message).sort();
  assert.match(messages[0] ?? '', /^ZOO_ENABLE_AUTH: .*authProvider\.1=/);
  assert.match(messages[1] ?? '', /^ZOO_TLS_CLIENT_ENABLE: .*ssl\.keyStore\.location/);
  assert.match(messages[2] ?? '', /^ZOO_TLS_CLIENT_ENABLE: .*ssl\.trustStore\.location/);
});
