/** How a client is to be sure of its server, and the server of it: the options of TLS, as data. */
export interface TlsOptions {
  /** PEM: who may sign a server's certificate; the system's authorities unless given. */
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[];
  /** PEM: what to show to a server that asks, the client's own certificate first. */
  readonly cert?: string | Uint8Array;
  /** PEM: the private key that belongs to it. */
  readonly key?: string | Uint8Array;
  /** PKCS12: certificate and key in one. */
  readonly pfx?: Uint8Array;
  /** Each of those as a file, read once, when the client is made. */
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly pfxFile?: string;
  /** Of `key` or `pfx`. A secret. */
  readonly passphrase?: string;
  /** The name to look for in the server's certificate; the host as it was written unless given. */
  readonly serverName?: string;
  /** False: a certificate that `ca` has signed will do, whatever server it names. */
  readonly verifyHostname?: boolean;
  /** False: any server will do, and anybody on the way. Only for trying things out. */
  readonly rejectUnauthorized?: boolean;
  /** 'TLSv1.2' unless given. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3';
  /** As OpenSSL lists them. */
  readonly ciphers?: string;
}
