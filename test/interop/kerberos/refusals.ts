/** What goes wrong between a client, its tickets and the KDC: how soon it is told, as what, and what it says. */
import { cpSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../support/machine.js';
import type { Tally } from '../ensemble/tally.js';
import type { Stage } from './stage.js';
import { Folder, User, type Task } from './user.js';

/** Generous: two cores and whatever else runs on them; a silent KDC keeps its library for 25 seconds. */
const BOUND_MS = 10_000;

export interface Refusal {
  readonly what: string;
  readonly task: Task;
  readonly env?: NodeJS.ProcessEnv;
  /** All of these stand in what is told. */
  readonly says: readonly RegExp[];
}

export async function checkRefusal(
  tally: Tally,
  refusal: Pick<Refusal, 'what' | 'says'>,
  user: User,
): Promise<void> {
  checkTold(tally, refusal, await user.next());
  await user.end();
}

/** The client's first connection fails, once, as an AuthFailedError and an event, in bounded time. */
function checkTold(
  tally: Tally,
  { what, says }: Pick<Refusal, 'what' | 'says'>,
  told: string,
): void {
  if (process.argv.includes('--print')) console.log(`${what}: ${told}`);
  const problems: string[] = [];
  const tookMs = Number(/ after (\d+) ms, refused 1 times$/.exec(told)?.[1] ?? Infinity);
  if (tookMs > BOUND_MS) problems.push('not once in bounded time');
  for (const wanted of [/^AuthFailedError: .* <- SaslError: /, ...says])
    if (!wanted.test(told)) problems.push(`does not say ${wanted.source}`);
  tally.none(what, problems.length === 0 ? [] : [...problems, told]);
}

export async function refusals(stage: Stage, tally: Tally): Promise<void> {
  const server = await stage.startServer();
  const hosts = `localhost:${server.port}`;
  try {
    for (const refusal of await ticketRefusals(stage, hosts)) {
      const { task, env = {} } = refusal;
      await checkRefusal(tally, refusal, await stage.user(task, env));
    }
    await silentKdc(stage, tally, hosts);
    await packages(stage, tally, hosts);
    await changedKeys(stage, tally, hosts);
  } finally {
    await server.dispose();
  }
}

async function ticketRefusals(stage: Stage, hosts: string): Promise<Refusal[]> {
  const { realm, keytabs } = stage;
  const task: Task = { hosts, sasl: { gssapi: {} } };
  const as = (principal: string): Task => ({ hosts, sasl: { gssapi: { principal } } });
  const noTicket = /; get one by kinit \(klist .*KRB5_CLIENT_KTNAME/;
  const expired = await realm.ticket('alice', keytabs.alice, { lifetime: '1s' });
  // the library's clock counts whole seconds
  await sleep(2_000);
  const fresh = await realm.ticket('alice', keytabs.alice);
  const nowhere = realm.config('nowhere.conf', await freePort());
  return [
    {
      what: 'no ticket',
      task,
      env: { KRB5CCNAME: realm.emptyCache() },
      says: [/GSSAPI: no ticket for zookeeper\/localhost: No Kerberos credentials/, noTicket],
    },
    {
      what: 'no ticket, on a machine that has never heard of Kerberos',
      task,
      env: { KRB5CCNAME: realm.emptyCache(), KRB5_CONFIG: join(stage.work, 'none.conf') },
      says: [/No Kerberos credentials/, noTicket],
    },
    {
      what: 'a ticket that has ended',
      task,
      env: { KRB5CCNAME: expired },
      says: [/: Ticket expired; get one by kinit/],
    },
    {
      what: 'the ticket of somebody else',
      task: as('bob'),
      says: [/client principal bob@ZABRA\.TEST in cache.*; get one by kinit bob \(/],
    },
    {
      what: 'a principal without a realm where none is the default',
      task: as('alice'),
      env: { KRB5_CONFIG: join(stage.work, 'none.conf') },
      says: [/default realm; set default_realm in krb5\.conf/],
    },
    {
      what: 'a service that the KDC does not know',
      task: { hosts, sasl: { gssapi: { service: 'zk' } } },
      says: [
        /no ticket for zk\/localhost: Server zk\/localhost@ZABRA\.TEST not found/,
        /; the options service/,
      ],
    },
    {
      what: 'a host that the KDC does not know',
      task: { ...task, hosts: hosts.replace('localhost', '127.0.0.1') },
      says: [/no ticket for zookeeper\/127\.0\.0\.1: Server .* not found.*; the options service/],
    },
    {
      what: 'a KDC that does not run',
      task,
      env: { KRB5CCNAME: fresh, KRB5_CONFIG: nowhere },
      says: [/Cannot contact any KDC for realm 'ZABRA\.TEST'; look at the kdc of the realm/],
    },
  ];
}

/** It takes connections and says nothing. */
async function silentKdc(stage: Stage, tally: Tally, hosts: string): Promise<void> {
  const held = new Set<Socket>();
  const server: Server = createServer((socket) => held.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const { realm, keytabs } = stage;
  try {
    const env = {
      KRB5CCNAME: await realm.ticket('alice', keytabs.alice),
      KRB5_CONFIG: realm.config('silent.conf', port),
    };
    const user = await stage.user({ hosts, sasl: { gssapi: {} } }, env);
    checkTold(
      tally,
      { what: 'a KDC that is silent', says: [/no KDC has answered for 5000 ms; look at the kdc/] },
      await user.next(),
    );
    tally.check('the rest of the process goes on', await user.ask('crowd'), 'free');
    await user.end();
    tally.check('the KDC was asked', held.size > 0, true);
    // an attempt has two thirds of it
    const hasty = { hosts, sasl: { gssapi: {} }, sessionTimeoutMs: 3_000 };
    await checkRefusal(
      tally,
      {
        what: 'a KDC that is silent for longer than an attempt may take',
        says: [/no KDC has answered for 1\d\d\d ms; look at the kdc/],
      },
      await stage.user(hasty, env),
    );
    const login = stage.shellLogins('useTicketCache=true');
    const flags = { CLIENT_JVMFLAGS: `-Djava.security.auth.login.config=${login}` };
    const said = await stage.shell({ ...env, ...flags }, '-server', hosts, 'whoami');
    const isTold = /= AuthFailed\n.*no KDC has answered for \d+ ms; look at the kdc/.test(said);
    tally.none('the shell, which waits no longer than that', isTold ? [] : [said]);
  } finally {
    for (const socket of held) socket.destroy();
    server.close();
  }
}

/** The package is not there, was not compiled, or finds no library of the system's. */
async function packages(stage: Stage, tally: Tally, hosts: string): Promise<void> {
  const task: Task = { hosts, sasl: { gssapi: {} } };
  const env = { ...stage.realm.env, KRB5CCNAME: stage.ticket };
  await checkRefusal(
    tally,
    { what: 'no package', says: [/not installed here: npm install kerberos/] },
    new User(await stage.folder(null), env, task),
  );
  const installed = await stage.folder('new');
  const copy = join(mkdtempSync(join(stage.work, 'package-')), 'kerberos');
  mkdirSync(copy);
  for (const name of ['package.json', 'lib'])
    cpSync(join(installed.path, 'node_modules', 'kerberos', name), join(copy, name), {
      recursive: true,
      dereference: true,
    });
  const bare = new Folder(copy);
  await checkRefusal(
    tally,
    {
      what: 'a package that was not compiled',
      says: [/cannot be loaded: Cannot find module .*kerberos\.node.*npm rebuild kerberos/],
    },
    new User(bare, env, task),
  );
  bare.dispose();
  // a library of that name that is none, before the system's
  const empty = mkdtempSync(join(stage.work, 'library-'));
  writeFileSync(join(empty, 'libgssapi_krb5.so.2'), '');
  await checkRefusal(
    tally,
    {
      what: 'a system without its library',
      says: [/cannot be loaded: .*Debian: libgssapi-krb5-2/],
    },
    new User(installed, { ...env, LD_LIBRARY_PATH: empty }, task),
  );
}

/** The server does not know the keys that the KDC gives tickets for, until its keytab has them. */
async function changedKeys(stage: Stage, tally: Tally, hosts: string): Promise<void> {
  const { realm, keytabs } = stage;
  await realm.changeKeys('zookeeper/localhost');
  try {
    await checkRefusal(
      tally,
      {
        what: 'a server whose keytab is older than its keys',
        says: [/GSSAPI: the server refuses: its log tells why; its keytab may be older/],
      },
      await stage.user(
        { hosts, sasl: { gssapi: {} } },
        { KRB5CCNAME: await realm.ticket('alice', keytabs.alice) },
      ),
    );
  } finally {
    await realm.exportKeys('zookeeper/localhost', keytabs.server);
  }
}
