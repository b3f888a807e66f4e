/**
 * A Kerberos realm of a test's own: MIT's KDC from Debian's packages, as an ordinary process of whoever
 * runs the test, on a port that the system gives, with everything it writes in one temporary folder.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { multiarch, unpackedPackages } from './debian.js';
import { freePort, runOrThrow, temporaryDirectory } from './machine.js';

/** With the libraries, so that all are of one version; the last three have headers. */
const packages = [
  ...['krb5-kdc', 'krb5-admin-server', 'krb5-user', 'libkadm5srv-mit12', 'libkadm5clnt-mit12'],
  ...['libkdb5-10', 'libgssrpc4', 'libverto1', 'libverto-libev1', 'libev4', 'libkrb5-3'],
  ...['libgssapi-krb5-2', 'libk5crypto3', 'libkrb5support0', 'libcom-err2', 'libkeyutils1'],
  ...['libss2', 'libkrb5-dev', 'krb5-multidev', 'comerr-dev'],
];

export interface Krb5 {
  /** Directories of headers. */
  readonly headers: readonly string[];
  /** Directories of libraries, as LD_LIBRARY_PATH. */
  readonly libraries: string;
  readonly plugins: string;
  program(name: string): string;
}

/** MissingError where there are no Debian packages. */
export async function installKrb5(): Promise<Krb5> {
  const root = await unpackedPackages('krb5', packages);
  const own = join(root, 'usr', 'lib', multiarch);
  const servers = ['krb5kdc', 'kdb5_util', 'kadmin.local'];
  return {
    headers: [join(root, 'usr', 'include'), join(root, 'usr', 'include', 'mit-krb5')],
    libraries: [own, join(root, 'lib', multiarch)].join(':'),
    plugins: join(own, 'krb5', 'plugins'),
    program: (name) => join(root, 'usr', servers.includes(name) ? 'sbin' : 'bin', name),
  };
}

export const realmName = 'ZABRA.TEST';

/** The environment without whatever Kerberos it speaks of. */
function strangerTo(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('KRB5')));
}

/** KDCs do not outlive us, however we end. */
const living = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

export class Realm {
  readonly configFile: string;
  readonly krb5: Krb5;
  readonly #folder: string;
  readonly #port: number;
  #kdc: ChildProcess | null = null;
  #caches = 0;

  private constructor(krb5: Krb5, folder: string, port: number) {
    this.krb5 = krb5;
    this.#folder = folder;
    this.#port = port;
    this.configFile = this.config('krb5.conf', port);
    writeFileSync(join(folder, 'kdc.conf'), this.#ofServer());
  }

  /** With a running KDC. MissingError where there is none to be had. */
  static async start(): Promise<Realm> {
    const krb5 = await installKrb5();
    for (let attempt = 1; ; attempt++) {
      const realm = new Realm(krb5, temporaryDirectory('krb5'), await freePort());
      try {
        await realm.#run('kdb5_util', 'create', '-s', '-P', 'of a test');
        await realm.#startKdc();
        return realm;
      } catch (error) {
        await realm.dispose();
        // the port was somebody's by then
        if (attempt === 3 || !String(error).includes('already in use')) throw error;
      }
    }
  }

  /** A file for clients, naming a KDC at that port. */
  config(name: string, kdcPort: number): string {
    const file = join(this.#folder, name);
    const text = `[libdefaults]
  default_realm = ${realmName}
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
[realms]
  ${realmName} = {
    kdc = 127.0.0.1:${kdcPort}
  }
[domain_realm]
  localhost = ${realmName}
`;
    writeFileSync(file, text);
    return file;
  }

  #ofServer(): string {
    return `[libdefaults]
  plugin_base_dir = ${this.krb5.plugins}
[kdcdefaults]
  kdc_listen = ""
  kdc_tcp_listen = 127.0.0.1:${this.#port}
[realms]
  ${realmName} = {
    database_name = ${join(this.#folder, 'principals')}
    key_stash_file = ${join(this.#folder, 'stash')}
  }
[dbmodules]
  db_module_dir = ${join(this.krb5.plugins, 'kdb')}
[logging]
  kdc = STDERR
`;
  }

  /** For programs that log in; nothing is said of tickets. */
  get env(): NodeJS.ProcessEnv {
    const { configFile, krb5 } = this;
    return {
      ...strangerTo(process.env),
      KRB5_CONFIG: configFile,
      LD_LIBRARY_PATH: krb5.libraries,
    };
  }

  async #startKdc(): Promise<void> {
    const kdc = spawn(this.krb5.program('krb5kdc'), ['-n'], {
      env: this.#serverEnv,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#kdc = kdc;
    living.add(kdc);
    kdc.once('exit', () => living.delete(kdc));
    let said = '';
    await new Promise<void>((resolve, reject) => {
      const fail = (): void => {
        reject(new Error(`the KDC does not serve: ${said}`));
      };
      setTimeout(fail, 30_000).unref();
      kdc.stderr.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        // what asks it is logged as well
        if (said.length > 10_000) said = said.slice(-1000);
        if (said.includes('commencing operation')) resolve();
      });
      kdc.once('error', fail);
      kdc.once('close', fail);
    });
  }

  async #stopKdc(): Promise<void> {
    const kdc = this.#kdc;
    this.#kdc = null;
    if (kdc === null || kdc.exitCode !== null || kdc.signalCode !== null) return;
    const gone = once(kdc, 'exit');
    kdc.kill('SIGKILL');
    await gone;
  }

  /** A principal with random keys, and a keytab with them. */
  async keytab(principal: string): Promise<string> {
    await this.#admin(`addprinc -randkey ${principal}`, 'created');
    const file = join(this.#folder, `${principal.replace('/', '_')}.keytab`);
    await this.exportKeys(principal, file);
    return file;
  }

  /** Its keys of today, into a keytab that may have older ones. */
  async exportKeys(principal: string, keytab: string): Promise<void> {
    await this.#admin(`ktadd -k ${keytab} -norandkey ${principal}`, 'added to keytab');
  }

  /** New keys, which no keytab has yet. */
  async changeKeys(principal: string): Promise<void> {
    await this.#admin(`cpw -randkey ${principal}`, 'randomized');
  }

  /** The name of a cache, as KRB5CCNAME, with nothing in it. */
  emptyCache(): string {
    return `FILE:${join(this.#folder, `cache-${++this.#caches}`)}`;
  }

  /** Gets a ticket by a keytab, into a new cache unless one is named. */
  async ticket(
    principal: string,
    keytab: string,
    { cache = this.emptyCache(), lifetime = '1h' } = {},
  ): Promise<string> {
    const args = ['-c', cache, '-l', lifetime, '-k', '-t', keytab, principal];
    await runOrThrow(this.krb5.program('kinit'), args, { env: this.env, timeoutMs: 30_000 });
    return cache;
  }

  /** There are none any more. */
  dropTickets(cache: string): void {
    rmSync(cache.replace(/^FILE:/, ''), { force: true });
  }

  async dispose(): Promise<void> {
    await this.#stopKdc();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #serverEnv(): NodeJS.ProcessEnv {
    return { ...this.env, KRB5_KDC_PROFILE: join(this.#folder, 'kdc.conf') };
  }

  /** kadmin ends with 0 whatever happens. */
  async #admin(query: string, told: string): Promise<void> {
    const said = await this.#run('kadmin.local', '-q', query);
    if (!said.includes(told)) throw new Error(`${query}: ${said}`);
  }

  async #run(program: string, ...args: string[]): Promise<string> {
    return await runOrThrow(this.krb5.program(program), args, {
      env: this.#serverEnv,
      timeoutMs: 30_000,
    });
  }
}
