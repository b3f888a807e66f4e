/** `zabra/client` by SASL and by TLS: the checks that Java's client and kazoo are put to, and our errors. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AuthFailedError,
  Client,
  InvalidAclError,
  NoAuthError,
  type Acl,
  type ClientOptions,
} from 'zabra/client';
import type { Tally } from '../ensemble/tally.js';
import { certificates, type SecureServer } from './servers.js';

const alice = 'CN=alice,OU=clients,O=Zabra tests,C=DE';

const only = (scheme: string, id: string): Acl[] => [{ perms: 31, scheme, id }];

export class OurClient {
  readonly #server: SecureServer;
  readonly #tally: Tally;

  constructor(server: SecureServer, tally: Tally) {
    this.#server = server;
    this.#tally = tally;
  }

  async run(): Promise<void> {
    const { plain } = this.#server;
    await this.#check('bob logs in and creates what is his alone', async () => {
      await this.#as({ sasl: { username: 'bob', password: 'secret' } }, async (zk) => {
        await zk.create('/our-bob', 'b', { acl: only('sasl', 'bob') });
        equal(await text(zk, '/our-bob'), 'b');
        equal(await identities(zk), 'ip:127.0.0.1 sasl:bob');
        await zk.create('/our-own', '', { acl: only('auth', '') });
        const { acl } = await zk.getACL('/our-own');
        equal(acl.map(({ scheme, id }) => `${scheme}:${id}`).join(), 'sasl:bob');
      });
    });
    await this.#check('nobody and others may not read it, the super user may', async () => {
      await this.#as({}, (zk) => rejects(zk.getData('/our-bob'), NoAuthError));
      await this.#as({ sasl: { username: 'eve', password: 'apple' } }, (zk) =>
        rejects(zk.getData('/our-bob'), NoAuthError),
      );
      await this.#as({ sasl: { username: 'admin', password: 'root' } }, async (zk) => {
        equal(await text(zk, '/our-bob'), 'b');
        equal(await identities(zk), 'ip:127.0.0.1 sasl:admin super:');
      });
    });
    await this.#check('a name beyond ASCII and a password with quotes', async () => {
      const sasl = { username: 'müller', password: 'grün"er,=\\' };
      await this.#as({ sasl }, async (zk) => {
        equal(await identities(zk), 'ip:127.0.0.1 sasl:müller');
      });
    });
    await this.#check('a wrong password is an AuthFailedError, once', async () => {
      for (const sasl of [
        { username: 'bob', password: 'wrong' },
        { username: 'nobody', password: 'secret' },
      ]) {
        const zk = new Client(plain, { sasl });
        let failures = 0;
        zk.on('auth', () => failures++);
        await rejects(zk.connect(), AuthFailedError);
        await sleep(1500);
        equal(failures, 1);
        await zk.close();
      }
    });
    await this.#check('a login is made again on the next connection', () => this.#restart());
    await this.#tls();
  }

  /** Watches and sessions outlive the server's death, and so does who we are. */
  async #restart(): Promise<void> {
    const { process } = this.#server;
    await this.#as({ sasl: { username: 'bob', password: 'secret' } }, async (zk) => {
      const id = zk.sessionId;
      const back = new Promise<void>((resolve) => {
        zk.on('state', (state) => {
          if (state === 'suspended') zk.on('state', (next) => next === 'connected' && resolve());
        });
      });
      await process.kill('SIGKILL');
      const again = await process.startAgain();
      await back;
      equal(zk.sessionId, id);
      equal(await text(zk, '/our-bob'), 'b');
      equal(await identities(zk), 'ip:127.0.0.1 sasl:bob');
      this.#disposeLater(again);
    });
  }

  async #tls(): Promise<void> {
    const { plain, secure } = this.#server;
    const caFile = join(certificates, 'ca.pem');
    const file = (name: string): string => join(certificates, `${name}.pem`);
    const shown = (name: string): ClientOptions => ({
      tls: { caFile, certFile: file(name), keyFile: file(name) },
    });
    await this.#check('a certificate is an identity', async () => {
      await this.#as(shown('alice'), async (zk) => {
        await zk.create('/our-alice', 'a', { acl: only('x509', alice) });
        equal(await text(zk, '/our-alice'), 'a');
        equal(await identities(zk), `ip:127.0.0.1 x509:${alice}`);
        await rejects(zk.create('/our-no', '', { acl: only('x509', 'alice') }), InvalidAclError);
      });
      const pfx = { caFile, pfxFile: join(certificates, 'alice.p12'), passphrase: 'secret' };
      await this.#as({ tls: pfx }, async (zk) => equal(await text(zk, '/our-alice'), 'a'));
    });
    await this.#check('others may not; the super user may', async () => {
      await this.#as(shown('odd'), (zk) => rejects(zk.getData('/our-alice'), NoAuthError));
      await this.#as({}, (zk) => rejects(zk.getData('/our-alice'), NoAuthError));
      await this.#as(shown('server'), async (zk) => equal(await text(zk, '/our-alice'), 'a'));
    });
    await this.#check('both: who logs in by SASL over TLS is two', async () => {
      const sasl = { username: 'bob', password: 'secret' };
      await this.#as({ ...shown('alice'), sasl }, async (zk) => {
        equal(await identities(zk), `ip:127.0.0.1 sasl:bob x509:${alice}`);
      });
    });
    await this.#check('much data, and many calls at once', async () => {
      await this.#as(shown('alice'), async (zk) => {
        const large = Buffer.alloc(900_000, 7);
        await zk.create('/our-large', large);
        equal((await zk.getData('/our-large')).data.equals(large), true);
        const calls = Array.from({ length: 2000 }, (_, i) => zk.setData('/our-alice', `a${i}`));
        const stats = await Promise.all(calls);
        equal(stats.at(-1)?.version, 2000);
      });
    });
    await this.#check('who does not come in is told why', async () => {
      const why = async (hosts: string, options: ClientOptions): Promise<string> => {
        const zk = new Client(hosts, { ...options, sessionTimeoutMs: 4000 });
        try {
          await zk.connect({ timeoutMs: 3000 });
          return 'it came in';
        } catch (error) {
          return error instanceof Error && error.cause instanceof Error
            ? error.cause.message
            : String(error);
        } finally {
          await zk.close();
        }
      };
      matches(await why(secure, { tls: { caFile } }), /certificate|TLS handshake/);
      matches(await why(secure, shown('mallory')), /trust|closed/);
      matches(await why(secure, { tls: true }), /signed by nobody that tls\.ca names/);
      matches(await why(plain, { tls: { caFile } }), /TLS/);
      const elsewhere = { caFile, serverName: 'elsewhere.example' };
      matches(await why(secure, { tls: elsewhere }), /is for another host/);
    });
  }

  async #as(options: ClientOptions, use: (zk: Client) => Promise<unknown>): Promise<void> {
    const { plain, secure } = this.#server;
    const zk = new Client(options.tls === undefined ? plain : secure, options);
    try {
      await zk.connect();
      await use(zk);
    } finally {
      await zk.close();
    }
  }

  readonly #later: (() => Promise<void>)[] = [];

  #disposeLater(process: { dispose(): Promise<void> }): void {
    this.#later.push(() => process.dispose());
  }

  async dispose(): Promise<void> {
    for (const dispose of this.#later) await dispose();
  }

  async #check(what: string, run: () => Promise<unknown>): Promise<void> {
    try {
      await run();
      this.#tally.none(what, []);
    } catch (error) {
      this.#tally.none(what, [error instanceof Error ? (error.stack ?? error.message) : 'thrown']);
    }
  }
}

async function text(zk: Client, path: string): Promise<string> {
  return (await zk.getData(path)).data.toString();
}

async function identities(zk: Client): Promise<string> {
  const all = (await zk.whoAmI()).map(({ scheme, id }) => `${scheme}:${id}`);
  // Apache's are in no order
  return all.sort().join(' ');
}

function equal(found: unknown, wanted: unknown): void {
  if (found !== wanted) throw new Error(`${String(found)} instead of ${String(wanted)}`);
}

function matches(found: string, wanted: RegExp): void {
  if (!wanted.test(found)) throw new Error(`'${found}' does not say ${wanted.source}`);
}

async function rejects(
  call: Promise<unknown>,
  kind: abstract new (...given: never[]) => Error,
): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (error instanceof kind) return;
    throw error;
  }
  throw new Error(`no ${kind.name}`);
}
