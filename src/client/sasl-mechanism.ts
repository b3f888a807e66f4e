/**
 * What a way of logging in by SASL has to be able to do. A mechanism lives for one connection; the
 * next connection begins anew.
 */
export interface SaslMechanism {
  /** As registered: DIGEST-MD5, GSSAPI. */
  readonly name: string;
  /** What to look at when the server refuses, which it does without a word. */
  readonly whenRefused?: string;
  /** The first token, maybe empty. `host`: of the server, as it was connected to. */
  start(host: string): Uint8Array | Promise<Uint8Array>;
  /**
   * What to answer to a token of the server (null: it sent none); null: nothing is left to say, and
   * the server has proven itself where the mechanism asks for that. Throws a SaslError.
   */
  respond(token: Uint8Array | null): Uint8Array | null | Promise<Uint8Array | null>;
  /**
   * Nobody waits any longer for what it was asked for `waitedMs` ago, and nothing more will be asked
   * of it. Why it did not come; a SaslError that names no reason unless this is here to tell one.
   */
  giveUp?(waitedMs: number): SaslError;
}

export interface SaslUser {
  readonly username: string;
  /** A secret: it is never sent, logged or put into a message. */
  readonly password: string;
}

/** Why a login failed; the `cause` of an AuthFailedError. */
export class SaslError extends Error {
  override readonly name = 'SaslError';
  /** It may be another time: nobody was refused. */
  readonly isTemporary: boolean;

  constructor(message: string, options: ErrorOptions & { readonly isTemporary?: boolean } = {}) {
    super(message, options);
    this.isTemporary = options.isTemporary ?? false;
  }
}
