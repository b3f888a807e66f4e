import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProblem, parseConfig, type ServerConfig } from './config.js';
import { enforcedSchemesOf, loadUsers } from './security-config.js';

const minimal = 'dataDir=/data\nclientPort=2181\n';
const sasl = 'authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider\n';
const digest = 'org.apache.zookeeper.server.auth.DigestLoginModule required';
const jaas = { 'java.security.auth.login.config': '/jaas.conf' };

function result(text: string, properties: Record<string, string> = {}) {
  const map = new Map(Object.entries(properties));
  return parseConfig({ text: minimal + text, file: 'zoo.cfg', env: {}, properties: map });
}

function parsed(text: string, properties: Record<string, string> = {}): ServerConfig {
  const read = result(text, properties);
  assert.ok('config' in read, 'problems' in read ? JSON.stringify(read.problems) : '');
  return read.config;
}

function problemsOf(text: string): string[] {
  const read = result(text);
  return 'problems' in read ? read.problems.map(formatProblem) : [];
}

function loaded(config: ServerConfig, file: string | null) {
  const bytes = file === null ? null : new TextEncoder().encode(file);
  const { config: after, problems, warnings } = loadUsers(config, { read: () => bytes });
  return { users: after.security.users, problems: problems.map(formatProblem), warnings };
}

test('providers and super users come in any number', () => {
  const { security } = parsed(
    `${sasl}superUser=admin\nsuperUser.2=root\nauthProvider.x509=org.apache.zookeeper.server.auth.X509AuthenticationProvider`,
  );
  assert.deepEqual([...security.schemes].sort(), ['sasl', 'x509']);
  assert.deepEqual([...security.superUsers], ['admin', 'root']);
  assert.equal(security.users, null);
  assert.deepEqual([...parsed('').security.schemes], []);
  assert.match(
    problemsOf('authProvider.1=com.example.Own')[0] ?? '',
    /^zoo\.cfg:3: authProvider\.1: ACL providers/,
  );
});

test('schemes that are required must be there', () => {
  assert.deepEqual(enforcedSchemesOf(parsed(`${sasl}sessionRequireClientSASLAuth=true`)), ['sasl']);
  const both = parsed(`${sasl}enforce.auth.enabled=true\nenforce.auth.schemes=sasl, digest`);
  assert.deepEqual(enforcedSchemesOf(both), ['sasl', 'digest']);
  assert.equal(enforcedSchemesOf(parsed('enforce.auth.schemes=sasl')), null);
  assert.deepEqual(problemsOf('sessionRequireClientSASLAuth=true'), [
    'zoo.cfg:3: sessionRequireClientSASLAuth: there is no scheme sasl here; it comes with authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider',
  ]);
  assert.deepEqual(problemsOf('enforce.auth.enabled=true\nenforce.auth.schemes=x509'), [
    'zoo.cfg:4: enforce.auth.schemes: there is no scheme x509 here; it comes with secureClientPort',
  ]);
  assert.deepEqual(problemsOf('enforce.auth.enabled=true'), [
    'zoo.cfg:3: enforce.auth.enabled needs enforce.auth.schemes',
  ]);
});

test('users come out of the login file, in the section of this server', () => {
  const file = `Client { ${digest} username="x"; }; Server { ${digest} user_bob="secret" user_super="s"; };`;
  const { users, problems, warnings } = loaded(parsed('', jaas), file);
  assert.deepEqual(
    [...(users ?? [])],
    [
      ['bob', 'secret'],
      ['super', 's'],
    ],
  );
  assert.deepEqual([problems, warnings], [[], []]);
  const named = parsed('sasl.serverconfig=Zk', jaas);
  assert.deepEqual([...(loaded(named, `Zk { ${digest} user_a="b"; };`).users ?? [])], [['a', 'b']]);
  const admin = parsed('SASLAuthenticationProvider.superPassword=other', jaas);
  assert.equal(loaded(admin, file).users?.get('super'), 'other');
});

test('what is wrong with the login file is told with its line', () => {
  const config = parsed('', jaas);
  assert.deepEqual(loaded(config, null).problems, [
    '/jaas.conf: no such file (java.security.auth.login.config)',
  ]);
  assert.match(
    loaded(config, 'Server {\n x maybe; };').problems[0] ?? '',
    /^\/jaas\.conf:2: 'maybe'/,
  );
  assert.match(
    loaded(config, 'Server {\n\n com.sun.security.auth.module.Krb5LoginModule required; };')
      .problems[0] ?? '',
    /^\/jaas\.conf:3: .*Kerberos on the server is not built yet/,
  );
  const other = loaded(config, `Client { ${digest} username="x"; };`);
  assert.equal(other.users, null);
  assert.match(other.warnings[0] ?? '', /no section Server \(sasl\.serverconfig\)/);
});

test('who requires SASL must have users', () => {
  const required = `${sasl}sessionRequireClientSASLAuth=true`;
  assert.match(loaded(parsed(required), null).problems[0] ?? '', /nobody could log in: give users/);
  assert.match(
    loaded(parsed(required, jaas), 'Client { };').problems[0] ?? '',
    /no section Server/,
  );
});

test('fips-mode=true and users of DIGEST-MD5 exclude each other', () => {
  const file = `Server { ${digest} user_bob="secret"; };`;
  assert.match(
    loaded(parsed('fips-mode=true', jaas), file).problems[0] ?? '',
    /^\/jaas\.conf:1: fips-mode=true/,
  );
  assert.equal(loaded(parsed('fips-mode=false', jaas), file).users?.size, 1);
});

test('a port with TLS alone will do', () => {
  const text =
    'dataDir=/data\nsecureClientPort=2281\nssl.keyStore.location=/s.pem\nssl.clientAuth=none\n';
  const read = parseConfig({ text, file: 'zoo.cfg', env: {}, properties: new Map() });
  assert.ok('config' in read, 'problems' in read ? JSON.stringify(read.problems) : '');
  assert.equal(read.config.clientPort, -1);
  assert.deepEqual([...read.config.security.schemes], ['x509']);
  assert.deepEqual(read.warnings, []);
  assert.deepEqual(problemsOf('secureClientPortAddress=10.0.0.1'), [
    'zoo.cfg:3: secureClientPortAddress is set, and secureClientPort is not',
  ]);
});

test('keys of TLS that demand what is not built refuse; those between servers wait', () => {
  const tls = 'secureClientPort=2281\nssl.keyStore.location=/s.pem\nssl.clientAuth=none\n';
  assert.match(problemsOf(`${tls}ssl.crl=true`)[0] ?? '', /ssl\.crl: .*revoked ones would do/);
  assert.match(
    problemsOf(`${tls}ssl.clientHostnameVerification=true`)[0] ?? '',
    /names in clients/,
  );
  assert.match(problemsOf(`${tls}ssl.context.supplier.class=x.Y`)[0] ?? '', /classes of Java/);
  assert.match(problemsOf(`${tls}ssl.authProvider=own`)[0] ?? '', /only x509/);
  assert.match(problemsOf('sslQuorum=true')[0] ?? '', /TLS between servers is not built yet/);
  const quiet = result(
    `${tls}ssl.crl=false\nssl.hostnameVerification=true\nssl.authProvider=x509\nssl.quorum.keyStore.location=/q.pem\n`,
  );
  assert.ok('warnings' in quiet);
  assert.deepEqual(quiet.warnings, ['ssl.quorum.keyStore.location: not built yet, no effect']);
});
