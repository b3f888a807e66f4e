/**
 * Logging in by Kerberos (SASL's GSSAPI, RFC 4752), for servers of Apache's that want it. The tickets
 * are the business of the npm package `kerberos`, which is native code: it is loaded when a connection
 * needs it, and nobody else has to install it.
 */
import { SaslError, type SaslMechanism } from '../client/sasl-mechanism.js';

export interface GssapiOptions {
  /** Who logs in, `alice@EXAMPLE.COM`; whoever has the ticket in the cache unless given. */
  readonly principal?: string;
  /** The first part of the servers' principals; 'zookeeper' unless given. */
  readonly service?: string;
  /** The host in the server's principal; the one connected to unless given. */
  readonly serviceHost?: string;
}

/** What is used of `kerberos`, versions 2 to 7. Texts are base64. */
export interface KerberosModule {
  initializeClient(
    service: string,
    options: { readonly principal?: string },
  ): Promise<KerberosContext>;
}

export interface KerberosContext {
  readonly contextComplete: boolean;
  step(challenge: string): Promise<string | null>;
  unwrap(challenge: string): Promise<string | null>;
  wrap(challenge: string, options: { readonly user?: string }): Promise<string>;
}

/** For `sasl` of a client's options. */
export function gssapi(
  options: GssapiOptions = {},
  load: () => Promise<KerberosModule> = loadKerberos,
): () => SaslMechanism {
  return () => new Gssapi(options, load);
}

class Gssapi implements SaslMechanism {
  readonly name = 'GSSAPI';
  readonly #options: GssapiOptions;
  readonly #load: () => Promise<KerberosModule>;
  #context: KerberosContext | null = null;
  /** Everything has been said but for the server's last word. */
  #isOver = false;

  constructor(options: GssapiOptions, load: () => Promise<KerberosModule>) {
    this.#options = options;
    this.#load = load;
  }

  async start(host: string): Promise<Uint8Array> {
    const { principal, service = 'zookeeper', serviceHost = host } = this.#options;
    const kerberos = await this.#load();
    return await this.#doing(`no ticket for ${service}/${serviceHost}`, async () => {
      this.#context = await kerberos.initializeClient(
        `${service}@${serviceHost}`,
        principal === undefined ? {} : { principal },
      );
      return await this.#context.step('');
    });
  }

  async respond(token: Uint8Array | null): Promise<Uint8Array | null> {
    const context = this.#context;
    if (context === null) throw new SaslError('GSSAPI has not begun');
    if (this.#isOver) {
      // the server's word that it is content has no token
      if (token === null || token.length === 0) return null;
      throw new SaslError('the server sent a token where GSSAPI has ended');
    }
    if (token === null) throw new SaslError('the server has no SASL login');
    const challenge = Buffer.from(token).toString('base64');
    if (!context.contextComplete) {
      return await this.#doing('the server could not be verified', () => context.step(challenge));
    }
    this.#isOver = true;
    return await this.#doing('no agreement on protection', async () => {
      const offer = await context.unwrap(challenge);
      const { principal } = this.#options;
      return await context.wrap(offer ?? '', principal === undefined ? {} : { user: principal });
    });
  }

  async #doing(what: string, step: () => Promise<string | null>): Promise<Uint8Array> {
    try {
      return Buffer.from((await step()) ?? '', 'base64');
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      // tickets end and are renewed
      throw new SaslError(`GSSAPI: ${what}: ${reason}`, { cause: error, isTemporary: true });
    }
  }
}

async function loadKerberos(): Promise<KerberosModule> {
  // not known when this is compiled: it need not be there
  const name: string = 'kerberos';
  try {
    const loaded = (await import(name)) as { readonly default?: KerberosModule } & KerberosModule;
    return loaded.default ?? loaded;
  } catch (error) {
    throw new SaslError(
      'logging in by Kerberos needs the package kerberos, which is not installed here: npm install kerberos',
      { cause: error },
    );
  }
}
