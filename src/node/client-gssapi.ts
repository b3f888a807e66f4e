/**
 * Logging in by Kerberos (SASL's GSSAPI, RFC 4752), for servers of Apache's that want it. The tickets
 * are the business of the npm package `kerberos`, which is native code: it is loaded when a connection
 * needs it, and nobody else has to install it.
 */
import { SaslError, type SaslMechanism } from '../client/sasl-mechanism.js';
import { adviceOf, reasonOf } from './client-gssapi-advice.js';

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
    options: { readonly principal?: string; readonly mechOID: number },
  ): Promise<KerberosContext>;
}

export interface KerberosContext {
  readonly contextComplete: boolean;
  step(challenge: string): Promise<string | null>;
  unwrap(challenge: string): Promise<string | null>;
  wrap(challenge: string, options: object): Promise<string>;
}

/** Kerberos itself, `GSS_MECH_OID_KRB5`, and nothing that might be negotiated instead. */
const MECHANISM = 9;
/** The layer of protection that leaves everything after the login as it is. */
const NO_LAYER = 1;
/** A bit for each layer that the server has, and three bytes for how much it takes at a time. */
const OFFER_BYTES = 4;
const ofLibrary = "Kerberos's library has not answered";
const challengeOfDigest = /(?:^|,)nonce="/;
/** A ticket takes milliseconds, or a second for each KDC that is down. */
const PATIENCE_MS = 5_000;

/** For `sasl` of a client's options. */
export function gssapi(
  options: GssapiOptions = {},
  load: () => Promise<KerberosModule> = loadKerberos,
): () => SaslMechanism {
  return () => new Gssapi(options, load);
}

class Gssapi implements SaslMechanism {
  readonly name = 'GSSAPI';
  readonly whenRefused =
    'its log tells why; its keytab may be older than its keys, or its clock may differ';
  readonly #options: GssapiOptions;
  readonly #load: () => Promise<KerberosModule>;
  readonly #givenUp = new AbortController();
  /** What it is at, as its failure, and whom it waits for in doing so. */
  #doing = { what: 'not ready', silence: 'the package kerberos has been loading' };
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
    this.#doing = {
      what: `no ticket for ${service}/${serviceHost}`,
      silence: 'no KDC has answered',
    };
    const timer = setTimeout(() => this.giveUp(PATIENCE_MS), PATIENCE_MS);
    try {
      return await this.#tokenOf(() =>
        turns.take(this.#givenUp.signal, async () => {
          this.#context = await kerberos.initializeClient(`${service}@${serviceHost}`, {
            mechOID: MECHANISM,
            ...(principal === undefined ? {} : { principal }),
          });
          return await this.#context.step('');
        }),
      );
    } finally {
      clearTimeout(timer);
    }
  }

  async respond(token: Uint8Array | null): Promise<Uint8Array | null> {
    const context = this.#context;
    if (context === null) throw new SaslError('GSSAPI has not begun');
    if (this.#isOver) {
      // the server's word that it is content has no token
      if (token === null || token.length === 0) return null;
      throw new SaslError('the server sent a token where GSSAPI has ended');
    }
    if (token === null) {
      throw new SaslError(
        'GSSAPI: the server has no SASL login: its file java.security.auth.login.config has no Server',
      );
    }
    const challenge = Buffer.from(token).toString('base64');
    if (!context.contextComplete) {
      // such a server takes our first token for nothing, and asks
      if (challengeOfDigest.test(new TextDecoder('latin1').decode(token))) {
        throw new SaslError(
          'GSSAPI: the server asks for a user and a password (DIGEST-MD5), not for a ticket',
          { isTemporary: true },
        );
      }
      this.#doing = { what: 'the server could not be verified', silence: ofLibrary };
      return await this.#tokenOf(() => context.step(challenge));
    }
    this.#isOver = true;
    this.#doing = { what: 'no agreement on protection', silence: ofLibrary };
    const offer = await this.#tokenOf(() => context.unwrap(challenge));
    const [layers = 0] = offer;
    // the native code that answers believes whatever it is given
    if (offer.length !== OFFER_BYTES) {
      throw new SaslError(
        `GSSAPI: the server's offer has ${offer.length} bytes, not ${OFFER_BYTES}`,
      );
    }
    if ((layers & NO_LAYER) === 0) {
      throw new SaslError(
        'GSSAPI: the server wants all that follows signed, which ZooKeeper has no way for',
      );
    }
    // in nobody else's name: who logs in is who the ticket is for
    return await this.#tokenOf(() => context.wrap(Buffer.from(offer).toString('base64'), {}));
  }

  giveUp(waitedMs: number): SaslError {
    const error = new Error(`${this.#doing.silence} for ${waitedMs} ms`);
    this.#givenUp.abort(error);
    return this.#failed(error);
  }

  async #tokenOf(step: () => Promise<string | null>): Promise<Uint8Array> {
    try {
      return Buffer.from((await step()) ?? '', 'base64');
    } catch (error) {
      throw this.#failed(error);
    }
  }

  #failed(error: unknown): SaslError {
    const reason = reasonOf(error);
    const advice = adviceOf(reason, this.#options.principal);
    const text = [`GSSAPI: ${this.#doing.what}: ${reason}`, ...advice].join('; ');
    // tickets end and are renewed
    return new SaslError(text, { cause: error, isTemporary: true });
  }
}

/**
 * Kerberos's library keeps a thread while it waits for a KDC, half a minute for one that is silent, and the
 * process has few of them, for files and names as well: one waits at a time, whoever's client it is for.
 */
class Turns {
  #last: Promise<void> = Promise.resolve();

  /** Rejects when it is given up; what has begun goes on by itself, what has not never begins. */
  async take<T>(givenUp: AbortSignal, work: () => Promise<T>): Promise<T> {
    givenUp.throwIfAborted();
    const done = this.#last.then(() => {
      givenUp.throwIfAborted();
      return work();
    });
    const over = (): void => {
      // the next one's turn, however this one ended
    };
    this.#last = done.then(over, over);
    const ended = new Promise<never>((_resolve, reject) => {
      givenUp.addEventListener('abort', () => {
        reject(givenUp.reason as Error);
      });
    });
    return await Promise.race([done, ended]);
  }
}

const turns = new Turns();

async function loadKerberos(): Promise<KerberosModule> {
  // not known when this is compiled: it need not be there
  const name: string = 'kerberos';
  try {
    const loaded = (await import(name)) as { readonly default?: KerberosModule } & KerberosModule;
    return loaded.default ?? loaded;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new SaslError(
      code === 'ERR_MODULE_NOT_FOUND'
        ? 'logging in by Kerberos needs the package kerberos, which is not installed here: npm install kerberos'
        : `the package kerberos cannot be loaded: ${message.split('\n')[0] ?? ''}; it needs the system's ` +
            'library of Kerberos (Debian: libgssapi-krb5-2), and to have been compiled (npm rebuild kerberos)',
      { cause: error },
    );
  }
}
