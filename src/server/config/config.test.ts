import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { configOf, formatProblem, parseConfig } from './config.js';
import type { ConfigInput, ServerConfig } from './config.js';
import { settingNames, settings } from './settings.js';

const fixtures = new URL('../../../test/fixtures/config/', import.meta.url);

function fixture(name: string): string {
  return readFileSync(new URL(name, fixtures), 'utf8');
}

function inputOf(text: string | null, more: Partial<ConfigInput> = {}): ConfigInput {
  return { text, file: text === null ? null : 'zoo.cfg', env: {}, properties: new Map(), ...more };
}

function parsed(text: string | null, more: Partial<ConfigInput> = {}): ServerConfig {
  return parsedWithWarnings(text, more).config;
}

function parsedWithWarnings(
  text: string | null,
  more: Partial<ConfigInput> = {},
): { config: ServerConfig; warnings: readonly string[] } {
  const result = parseConfig(inputOf(text, more));
  if ('problems' in result) throw new Error(result.problems.map(formatProblem).join('\n'));
  return result;
}

function problemsOf(text: string | null, more: Partial<ConfigInput> = {}): string[] {
  const result = parseConfig(inputOf(text, more));
  return 'problems' in result ? result.problems.map(formatProblem) : [];
}

const minimal = 'dataDir=/data\nclientPort=2181\n';

test('a minimal file gives the defaults of Apache 3.9.5', () => {
  const config = parsed(minimal);
  assert.equal(config.dataDir, '/data');
  assert.equal(config.dataLogDir, '/data');
  assert.equal(config.clientPort, 2181);
  assert.equal(config.clientPortAddress, null);
  assert.equal(config.tickTimeMs, 3000);
  assert.equal(config.minSessionTimeoutMs, 6000);
  assert.equal(config.maxSessionTimeoutMs, 60_000);
  assert.equal(config.maxClientCnxns, 60);
  assert.equal(config.snapCount, 100_000);
  assert.equal(config.preAllocBytes, 64 * 1024 * 1024);
  assert.equal(config.snapSizeLimitBytes, 4 * 1024 ** 3);
  assert.equal(config.txnLogSizeLimitBytes, -1);
  assert.equal(config.juteMaxBufferBytes, 1_048_575);
  assert.equal(config.juteMaxBufferExtraBytes, 1_048_575);
  assert.equal(config.forceSync, true);
  assert.equal(config.globalOutstandingLimit, 1000);
  assert.equal(config.adminServerEnabled, true);
  assert.equal(config.adminServerPort, 8080);
  assert.deepEqual([...config.fourLetterWhitelist], ['srvr']);
  assert.equal(config.ensemble.isDistributed, false);
  assert.equal(config.myid, null);
  assert.equal(config.initialConfig, minimal);
});

test('three servers: everything is kept for an ensemble, and limits count for clients', () => {
  const { config, warnings } = parsedWithWarnings(fixture('ensemble.properties'), { myid: '2\n' });
  assert.equal(config.ensemble.isDistributed, true);
  assert.deepEqual([...config.ensemble.servers.keys()], [1, 2, 3]);
  assert.deepEqual(config.ensemble.servers.get(2), {
    sid: 2,
    addresses: [{ host: 'zk2.example', quorumPort: 2888, electionPort: 3888 }],
    role: 'participant',
    client: null,
  });
  assert.equal(config.ensemble.initLimit, 10);
  assert.equal(config.ensemble.syncLimit, 5);
  assert.equal(config.myid, 2);
  assert.equal(config.minSessionTimeoutMs, 4000);
  assert.deepEqual(warnings, []);
});

test('three servers without a myid file is a problem', () => {
  assert.deepEqual(problemsOf(fixture('ensemble.properties')), [
    'zoo.cfg: there is no myid file in dataDir, and an ensemble needs it',
  ]);
});

test('the official image: the client port stands in the only server line', () => {
  for (const myid of ['1\n', null]) {
    const config = parsed(fixture('official-image.cfg'), { myid });
    assert.equal(config.clientPort, 2181);
    assert.equal(config.clientPortAddress, '0.0.0.0');
    assert.equal(config.dataLogDir, '/datalog');
    assert.deepEqual([...config.fourLetterWhitelist], ['srvr', 'ruok', 'mntr']);
    assert.equal(config.ensemble.isDistributed, false);
  }
});

test('Bitnami', () => {
  const config = parsed(fixture('bitnami.cfg'), { myid: '1' });
  assert.equal(config.dataDir, '/bitnami/zookeeper/data');
  assert.equal(config.maxSessionTimeoutMs, 40_000);
  assert.equal(config.adminServerEnabled, false);
  assert.equal(config.adminServerAddress, '127.0.0.1');
  assert.deepEqual([...config.fourLetterWhitelist], ['srvr', 'mntr']);
});

test('Kafka', () => {
  const { config, warnings } = parsedWithWarnings(fixture('kafka.properties'));
  assert.equal(config.dataDir, '/tmp/zookeeper');
  assert.equal(config.maxClientCnxns, 0);
  assert.equal(config.adminServerEnabled, false);
  assert.deepEqual(warnings, []);
});

test('all problems are told at once, each with its line, none with a secret', () => {
  const problems = problemsOf(fixture('mistaken.cfg'), { myid: 'one' });
  const lines = problems.map((problem) => /^zoo\.cfg:(\d+): /.exec(problem)?.[1]);
  assert.deepEqual(lines, [
    ...['3', '4', '5', '6', '7', '8', '9', '10', '11', '12', '13', '14', '14', '16', '17', '18'],
    '20',
    undefined,
  ]);
  assert.ok(problems.some((problem) => problem.includes("myid: 'one' is not a number")));
  assert.ok(problems.every((problem) => !problem.includes('a-secret')));
});

test('precedence: defaults < environment < zoo.cfg < -D', () => {
  const env = { ZOO_DATA_DIR: '/env', ZOO_TICK_TIME: '1000', ZOO_SERVERS: '' };
  assert.equal(parsed(null, { env }).tickTimeMs, 1000);
  assert.equal(parsed(null, { env }).clientPort, 2181);
  assert.equal(parsed(minimal, { env }).tickTimeMs, 3000, 'with a file the environment is silent');
  assert.equal(parsed(minimal, { env }).dataDir, '/data');
  const properties = new Map([
    ['zookeeper.tickTime', '500'],
    ['jute.maxbuffer', '4194304'],
    ['znode.container.checkIntervalMs', '10'],
  ]);
  const config = parsed(`${minimal}tickTime=2000`, { properties });
  assert.equal(config.tickTimeMs, 500);
  assert.equal(config.juteMaxBufferBytes, 4_194_304);
  assert.equal(config.containerCheckIntervalMs, 10);
});

test("Java's own -D's are left alone, ours nobody knows are told once", () => {
  const properties = new Map([
    ['java.net.preferIPv4Stack', 'true'],
    ['version', 'nonsense'],
    ['zookeeper.noSuchThing', '1'],
  ]);
  const { config, warnings } = parsedWithWarnings(`${minimal}another.thing=2`, { properties });
  assert.deepEqual(warnings, [
    'another.thing, noSuchThing: nobody knows this; kept as a property zookeeper.<key>',
  ]);
  assert.equal(config.properties.get('zookeeper.another.thing'), '2');
  assert.equal(config.properties.get('zookeeper.noSuchThing'), '1');
  assert.equal(config.properties.get('java.net.preferIPv4Stack'), 'true');
  assert.equal(config.ensemble.version, 0n);
});

test('the dynamic file holds the members, the version is in its name', () => {
  const dynamic = {
    file: '/conf/zoo.cfg.dynamic.100000005',
    text: 'server.1=a:2888:3888:participant;2181\nserver.2=b:2888:3888:participant;10.0.0.2:2182\nserver.3=c:2888:3888:observer;2181',
  };
  const text =
    'dataDir=/data\ninitLimit=5\nsyncLimit=2\ndynamicConfigFile=/conf/zoo.cfg.dynamic.100000005\n';
  const config = parsed(text, { dynamic, myid: '2' });
  assert.equal(config.ensemble.version, 0x100000005n);
  assert.equal(config.clientPort, 2182);
  assert.equal(config.clientPortAddress, '10.0.0.2');
  assert.equal(config.ensemble.servers.get(3)?.role, 'observer');
  const strayed = problemsOf(`${text}server.4=d:1:2`, {
    dynamic: { ...dynamic, text: `${dynamic.text}\ntickTime=1\nversion=7` },
    myid: '2',
  });
  assert.deepEqual(
    strayed.map((problem) => problem.split(': ')[0]),
    ['/conf/zoo.cfg.dynamic.100000005:4', '/conf/zoo.cfg.dynamic.100000005:5', 'zoo.cfg:5'],
  );
});

test('clientPort and the own server line must agree, -D wins over both', () => {
  const text = 'dataDir=/data\nclientPort=2182\nserver.1=localhost:2888:3888;2181';
  assert.deepEqual(problemsOf(text), [
    'zoo.cfg:2: clientPort and server.1 (0.0.0.0:2181) disagree',
  ]);
  const properties = new Map([['zookeeper.clientPort', '0']]);
  assert.equal(
    parsed('dataDir=/data\nserver.1=localhost:2888:3888;2181', { properties }).clientPort,
    0,
  );
});

test('without any client port a file is refused', () => {
  assert.deepEqual(problemsOf('dataDir=/data'), ['zoo.cfg: clientPort is not set']);
  assert.deepEqual(problemsOf(null), ['dataDir is not set']);
});

test('switches that are off, and providers that are built in, refuse nothing', () => {
  const text = `${minimal}sslQuorum=false
portUnification=false
sessionRequireClientSASLAuth=false
enforce.auth.enabled=false
authProvider.1=org.apache.zookeeper.server.auth.DigestAuthenticationProvider
quorum.auth.enableSasl=false
admin.needClientAuth=false`;
  assert.deepEqual(parsedWithWarnings(text).warnings, []);
});

test('a switch that -D turns off is off', () => {
  const properties = new Map([['zookeeper.sslQuorum', 'false']]);
  assert.deepEqual(problemsOf(`${minimal}sslQuorum=true`, { properties }), []);
});

test("the admin server's TLS matters only while the admin server is on", () => {
  const text = `${minimal}admin.forceHttps=true\n`;
  assert.equal(problemsOf(text).length, 1);
  assert.deepEqual(problemsOf(`${text}admin.enableServer=false`), []);
});

test('-D refuses like zoo.cfg', () => {
  const properties = new Map([['zookeeper.sslQuorum', 'true']]);
  assert.deepEqual(problemsOf(minimal, { properties }), [
    '-Dzookeeper.sslQuorum: sslQuorum: TLS between servers is not built yet, and connections would not be encrypted',
  ]);
});

test('too small counts are raised as Apache raises them, and told', () => {
  const { config, warnings } = parsedWithWarnings(
    `${minimal}snapCount=1\nautopurge.snapRetainCount=1\ncommitLogCount=5`,
  );
  assert.equal(config.snapCount, 2);
  assert.equal(config.autopurgeSnapRetainCount, 3);
  assert.equal(config.commitLogCount, 500);
  assert.equal(warnings.length, 3);
});

test('units: kilobytes become bytes, none stays none', () => {
  const config = parsed(
    `${minimal}preAllocSize=64\ntxnLogSizeLimitInKb=10\nsnapSizeLimitInKb=-1\njute.maxbuffer=0x400000`,
  );
  assert.equal(config.preAllocBytes, 65_536);
  assert.equal(config.txnLogSizeLimitBytes, 10_240);
  assert.equal(config.snapSizeLimitBytes, -1);
  assert.equal(config.juteMaxBufferBytes, 0x400000);
});

test('a repeated key: the last one counts, and it is told', () => {
  const { config, warnings } = parsedWithWarnings(`${minimal}tickTime=1\ntickTime=2`);
  assert.equal(config.tickTimeMs, 2);
  assert.deepEqual(warnings, ['zoo.cfg:4: tickTime stands twice, line 3 is not used']);
});

test('* enables all words; read-only mode enables isro', () => {
  assert.ok(parsed(`${minimal}4lw.commands.whitelist=ruok, *`).fourLetterWhitelist.has('wchc'));
  const config = parsed(minimal, { properties: new Map([['readonlymode.enabled', 'true']]) });
  assert.deepEqual([...config.fourLetterWhitelist].sort(), ['isro', 'srvr']);
});

test('a key with its property prefix in zoo.cfg is told its name', () => {
  const { warnings } = parsedWithWarnings(`${minimal}zookeeper.snapCount=7`);
  assert.ok(warnings.includes('zookeeper.snapCount: in zoo.cfg this is called snapCount'));
});

test('configOf gives a whole configuration from a few settings', () => {
  const config = configOf({
    dataDir: '/data',
    clientPort: 0,
    tickTimeMs: 100,
    preAllocBytes: 8192,
    fourLetterWhitelist: new Set(['ruok']),
    adminServerEnabled: false,
    superDigest: 'super:x',
  });
  assert.equal(config.clientPort, 0);
  assert.equal(config.maxSessionTimeoutMs, 2000);
  assert.equal(config.preAllocBytes, 8192);
  assert.equal(config.superDigest, 'super:x');
  assert.deepEqual([...config.fourLetterWhitelist], ['ruok', 'srvr']);
  assert.throws(() => configOf({ clientPort: 0 }), /dataDir is not set/);
});

test('every setting reads what it writes', () => {
  for (const name of settingNames) {
    const setting = settings[name] as { initial: unknown; write(value: unknown): string } & {
      read(text: string): { ok: boolean; value?: unknown };
    };
    assert.deepEqual(setting.read(setting.write(setting.initial)).value, setting.initial, name);
  }
});

test('every key of zoo.cfg belongs to one setting', () => {
  const keys = settingNames.map((name) => settings[name].key);
  assert.equal(new Set(keys).size, keys.length);
});
