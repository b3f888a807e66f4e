/** What the cases share: a realm with people in it, servers that belong to it, and folders to start users in. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../support/machine.js';
import { Realm, realmName } from '../../support/krb5.js';
import { startOracle } from '../../support/oracle.js';
import type { ServerProcess } from '../../support/server-process.js';
import { installKerberos, versions } from './package.js';
import { asInstalled, Folder, User, type Task } from './user.js';

type Person = 'alice' | 'bob' | 'admin';

const loginModule = 'com.sun.security.auth.module.Krb5LoginModule required';

export class Stage {
  readonly realm: Realm;
  readonly work: string;
  /** Keytabs. */
  readonly keytabs: Readonly<Record<Person | 'server', string>>;
  /** Of alice; nobody ends it. */
  readonly ticket: string;
  readonly #folders = new Map<string, Folder>();

  private constructor(
    realm: Realm,
    keytabs: Readonly<Record<Person | 'server', string>>,
    ticket: string,
  ) {
    this.realm = realm;
    this.keytabs = keytabs;
    this.ticket = ticket;
    this.work = mkdtempSync(join(tmpdir(), 'zabra-kerberos-'));
  }

  /** MissingError where there is no KDC. */
  static async set(): Promise<Stage> {
    const realm = await Realm.start();
    const keytabs = {
      alice: await realm.keytab('alice'),
      bob: await realm.keytab('bob'),
      admin: await realm.keytab('admin'),
      server: await realm.keytab('zookeeper/localhost'),
    };
    return new Stage(realm, keytabs, await realm.ticket('alice', keytabs.alice));
  }

  /** The package's newest version; MissingError where it cannot be compiled. */
  async requirePackage(): Promise<void> {
    await this.folder('new');
  }

  /** Apache's server, as its documentation has it log in; its name is localhost. */
  async startServer(): Promise<ServerProcess> {
    const logins = this.file(
      'server-jaas.conf',
      `Server { ${loginModule} useKeyTab=true keyTab="${this.keytabs.server}" storeKey=true
        useTicketCache=false principal="zookeeper/localhost@${realmName}"; };\n`,
    );
    return await startOracle('3.9.5', {
      config: {
        'authProvider.1': 'org.apache.zookeeper.server.auth.SASLAuthenticationProvider',
        superUser: `admin@${realmName}`,
      },
      properties: {
        'java.security.auth.login.config': logins,
        'java.security.krb5.conf': this.realm.configFile,
      },
    });
  }

  /** A login file for Java's client. */
  javaLogins(): string {
    const byKeytab = (name: Person): string =>
      `useKeyTab=true keyTab="${this.keytabs[name]}" useTicketCache=false principal="${name}"`;
    const cache = this.ticket.replace(/^FILE:/, '');
    const sections = {
      AliceByTicket: `useTicketCache=true doNotPrompt=true ticketCache="${cache}"`,
      AliceByKeytab: byKeytab('alice'),
      BobByKeytab: byKeytab('bob'),
      AdminByKeytab: byKeytab('admin'),
    };
    const lines = Object.entries(sections).map(
      ([name, options]) => `${name} { ${loginModule} ${options}; };`,
    );
    return this.file('client-jaas.conf', `${lines.join('\n')}\n`);
  }

  /** A login file for the shell, whose module has these options. */
  shellLogins(options: string): string {
    return this.file('shell-jaas.conf', `Client { ${loginModule} ${options}; };\n`);
  }

  /** Where that version of the package is installed; null: where none is. */
  async folder(version: keyof typeof versions | null): Promise<Folder> {
    const name = version ?? 'none';
    const known = this.#folders.get(name);
    if (known !== undefined) return known;
    const { headers } = this.realm.krb5;
    const kerberos = version === null ? null : await installKerberos(versions[version], headers);
    const folder = new Folder(kerberos);
    this.#folders.set(name, folder);
    return folder;
  }

  /** Somebody with these variables, alice's ticket unless they say otherwise. */
  async user(
    task: Task,
    env: NodeJS.ProcessEnv = {},
    version: keyof typeof versions = 'new',
  ): Promise<User> {
    return new User(await this.folder(version), this.env(env), task);
  }

  /** `bin/zabra cli` with these words and alice's ticket: what it prints and says. */
  async shell(env: NodeJS.ProcessEnv, ...words: string[]): Promise<string> {
    const { path } = await this.folder('new');
    const program = join('node_modules', 'zabra', 'bin', 'zabra');
    const args = [...asInstalled, program, 'cli', ...words];
    const options = { cwd: path, env: this.env(env), timeoutMs: 60_000 };
    const { stdout, stderr } = await run(process.execPath, args, options);
    return `${stdout}${stderr}`.trim();
  }

  env(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
    return { ...this.realm.env, KRB5CCNAME: this.ticket, ...env };
  }

  file(name: string, text: string): string {
    const path = join(this.work, name);
    writeFileSync(path, text);
    return path;
  }

  async dispose(): Promise<void> {
    for (const folder of this.#folders.values()) folder.dispose();
    rmSync(this.work, { recursive: true, force: true });
    await this.realm.dispose();
  }
}
