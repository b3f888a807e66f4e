/** Who logs in at Apache's server, by which ticket, and what is theirs then; Java's client beside ours. */
import { readFileSync } from 'node:fs';
import { realmName } from '../../support/krb5.js';
import { classPath } from '../../support/maven.js';
import { oracleJars, smallJvm } from '../../support/oracle.js';
import type { ServerProcess } from '../../support/server-process.js';
import type { Tally } from '../ensemble/tally.js';
import { converse } from '../program.js';
import { compiled } from '../programs/java.js';
import { versions } from './package.js';
import type { Stage } from './stage.js';
import type { Task, User } from './user.js';

const alice = `sasl:alice@${realmName}`;

export async function logins(stage: Stage, tally: Tally): Promise<void> {
  const server = await stage.startServer();
  const hosts = `localhost:${server.port}`;
  const task: Task = { hosts, sasl: { gssapi: {} } };
  let last = server;
  try {
    await byTicket(stage, tally, task);
    await byKeytab(stage, tally, task);
    await java(stage, tally, server);
    await afterJava(stage, tally, task);
    await byShell(stage, tally, task);
    await byOldVersion(stage, tally, task);
    last = await onNextConnection(stage, tally, task, server);
  } finally {
    await last.dispose();
  }
}

/** Connected, and then each answer. */
async function dialogue(
  tally: Tally,
  user: User,
  lines: readonly (readonly [string, string])[],
): Promise<void> {
  try {
    tally.check('connects', await user.next(), 'connected');
    for (const [command, wanted] of lines)
      tally.check(command, shortened(await user.ask(command)), wanted);
  } finally {
    await user.end();
  }
}

/** Of an error, its name. */
function shortened(answer: string): string {
  return /^\w+Error(?=: )/.exec(answer)?.[0] ?? answer;
}

async function byTicket(stage: Stage, tally: Tally, task: Task): Promise<void> {
  tally.begin('by the ticket in the cache');
  await dialogue(tally, await stage.user(task), [
    ['who', `ip:127.0.0.1 ${alice}`],
    [`create /our-alice ${alice}`, alice],
    ['create /our-own auth:', alice],
    ['get /our-alice', '/our-alice'],
    ['get /our-own', '/our-own'],
  ]);
  for (const principal of [`alice@${realmName}`, 'alice']) {
    tally.begin(`as ${principal}`);
    await dialogue(tally, await stage.user({ ...task, sasl: { gssapi: { principal } } }), [
      ['who', `ip:127.0.0.1 ${alice}`],
      ['get /our-own', '/our-own'],
    ]);
  }
  tally.begin('the servers by another name');
  // what is connected to is not what the KDC knows
  const sasl = { gssapi: { service: 'zookeeper', serviceHost: 'localhost' } };
  const hosts = task.hosts.replace('localhost', '127.0.0.1');
  await dialogue(tally, await stage.user({ hosts, sasl }), [['who', `ip:127.0.0.1 ${alice}`]]);
  tally.begin('without a login');
  await dialogue(tally, await stage.user({ ...task, sasl: null }), [
    ['who', 'ip:127.0.0.1'],
    ['get /our-alice', 'NoAuthError'],
  ]);
}

async function byKeytab(stage: Stage, tally: Tally, task: Task): Promise<void> {
  const { keytabs, realm } = stage;
  const env = (keytab: string): NodeJS.ProcessEnv => ({
    KRB5_CLIENT_KTNAME: `FILE:${keytab}`,
    KRB5CCNAME: realm.emptyCache(),
  });
  tally.begin('by a keytab, without kinit');
  await dialogue(tally, await stage.user(task, env(keytabs.bob)), [
    ['who', `ip:127.0.0.1 sasl:bob@${realmName}`],
    ['get /our-alice', 'NoAuthError'],
    ['get /our-own', 'NoAuthError'],
  ]);
  tally.begin('the super user by a keytab');
  await dialogue(tally, await stage.user(task, env(keytabs.admin)), [
    ['who', `ip:127.0.0.1 sasl:admin@${realmName} super:`],
    ['get /our-alice', '/our-alice'],
  ]);
}

async function java(stage: Stage, tally: Tally, server: ServerProcess): Promise<void> {
  tally.begin("Apache's Java client");
  const lib = await oracleJars('3.9.5');
  const classes = await compiled('KerberosProgram', lib);
  const none = (): Promise<never> => Promise.reject(new Error('the server runs already'));
  const report = {
    ...{ target: '', start: none, startApache: none },
    passed: (what: string) => tally.none(what, []),
    failed: (what: string, why: string) => tally.none(what, [why]),
  };
  await converse(report, {
    program: 'java',
    args: [
      ...smallJvm,
      `-Djava.security.auth.login.config=${stage.javaLogins()}`,
      `-Djava.security.krb5.conf=${stage.realm.configFile}`,
      ...['-cp', classPath(lib, classes), 'KerberosProgram'],
      ...[`localhost:${server.port}`, realmName],
    ],
    timeoutMs: 120_000,
  });
}

async function afterJava(stage: Stage, tally: Tally, task: Task): Promise<void> {
  tally.begin('ours reads what Java wrote');
  await dialogue(tally, await stage.user(task), [
    ['get /java-alice', '/java-alice'],
    ['get /java-own', '/java-own'],
  ]);
}

/** The login file is what Apache's zkCli takes. */
async function byShell(stage: Stage, tally: Tally, { hosts }: Task): Promise<void> {
  tally.begin('the shell');
  const { realm, keytabs, ticket } = stage;
  const asks = async (
    what: string,
    says: string | RegExp,
    options: string,
    { flags = '', env = {} }: { flags?: string; env?: NodeJS.ProcessEnv } = {},
  ): Promise<void> => {
    const login = `-Djava.security.auth.login.config=${stage.shellLogins(options)}`;
    const vars = { ...env, CLIENT_JVMFLAGS: `${login} ${flags}` };
    const said = await stage.shell(vars, '-server', hosts, 'whoami');
    const isSaid = typeof says === 'string' ? said.includes(`sasl: ${says}`) : says.test(said);
    tally.none(what, isSaid ? [] : [said]);
  };
  const [ofAlice, ofBob] = [alice.replace('sasl:', ''), `bob@${realmName}`];
  const none = { KRB5CCNAME: realm.emptyCache() };
  const inCache = 'useTicketCache=true';
  const inFile = `useTicketCache=true ticketCache="${ticket.replace('FILE:', '')}"`;
  const byBob = `useKeyTab=true keyTab="${keytabs.bob}"`;
  await asks('the ticket in the cache', ofAlice, inCache);
  await asks('no ticket', /= AuthFailed\n.*get one by kinit/, inCache, { env: none });
  await asks('the cache that the login file names', ofAlice, inFile, { env: none });
  const ticketBefore = readFileSync(ticket.replace('FILE:', ''));
  await asks('a keytab alone, beside the ticket of somebody else', ofBob, byBob);
  await asks('and its principal', ofBob, `${byBob} principal="bob@${realmName}"`);
  const ticketAfter = readFileSync(ticket.replace('FILE:', ''));
  tally.check('whose ticket is as it was', ticketAfter.equals(ticketBefore), true);
  await asks(
    'a principal that the keytab does not have',
    /= AuthFailed\n.*no ticket for zookeeper\/localhost: /,
    `${byBob} principal="alice"`,
  );
  await asks('a ticket where there is a keytab too', ofAlice, `${byBob} ${inCache}`);
  await asks('a keytab where there is no ticket', ofBob, `${byBob} ${inCache}`, { env: none });
  await asks(
    'a keytab that is not there',
    /shell-jaas\.conf: Client: keyTab cannot be read: ENOENT/,
    ['useKeyTab=true keyTab="${user.home}/no/such.keytab"'].join(),
  );
  await asks("the realm in Java's words", ofAlice, inCache, {
    flags: `-Djava.security.krb5.conf=${realm.configFile}`,
    env: { KRB5_CONFIG: '/nowhere' },
  });
}

async function byOldVersion(stage: Stage, tally: Tally, task: Task): Promise<void> {
  tally.begin(`with the package's version ${versions.old}`);
  await dialogue(tally, await stage.user(task, {}, 'old'), [
    ['who', `ip:127.0.0.1 ${alice}`],
    ['get /our-alice', '/our-alice'],
  ]);
}

/** The session outlives the server and the ticket: there is one again, and it goes on. */
async function onNextConnection(
  stage: Stage,
  tally: Tally,
  task: Task,
  server: ServerProcess,
): Promise<ServerProcess> {
  const { realm, keytabs } = stage;
  tally.begin('on the next connection');
  const cache = await realm.ticket('alice', keytabs.alice);
  const user = await stage.user({ ...task, sessionTimeoutMs: 40_000 }, { KRB5CCNAME: cache });
  try {
    tally.check('connects', await user.next(), 'connected');
    const session = await user.ask('session');
    await server.kill('SIGKILL');
    tally.check('suspended', await user.ask('suspended'), 'suspended');
    realm.dropTickets(cache);
    const again = await server.startAgain();
    tally.check('refused without a ticket, and goes on', await user.ask('refused'), 'suspended');
    await realm.ticket('alice', keytabs.alice, { cache });
    tally.check('connected with a new one', await user.ask('connected'), 'connected');
    tally.check('its session', await user.ask('session'), session);
    tally.check('who', await user.ask('who'), `ip:127.0.0.1 ${alice}`);
    return again;
  } finally {
    await user.end();
  }
}
