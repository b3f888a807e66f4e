/**
 * A network that reaches servers by TLS. The options are looked at once, when the client is made, so
 * that a file that is not there or a key that does not fit is told to who wrote them; what goes wrong
 * with a server later is an error that says with which one, what, and where to look.
 */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import tls from 'node:tls';
import { ArgumentError } from '../client/argument-error.js';
import type { TlsOptions } from '../client/tls.js';
import type { ClientNetwork } from '../client/world.js';
import type { Socket, SocketHandler } from '../ports/network.js';
import { EncryptedSocket } from './tls-socket.js';

type Target = Parameters<ClientNetwork['connect']>[0];

/** Throws ArgumentError. */
export function tlsClientNetwork(given: TlsOptions | true): ClientNetwork {
  const options = given === true ? {} : given;
  const secureContext = contextOf(options);
  return {
    connect: (target, accept) => connect(target, options, secureContext, accept),
  };
}

function contextOf(options: TlsOptions): tls.SecureContext {
  const { passphrase, ciphers, minVersion = 'TLSv1.2' } = options;
  const ca = options.ca ?? fileOf(options, 'caFile');
  const given = {
    ca: isList(ca) ? ca.map(pemOf) : pemOf(ca),
    cert: pemOf(options.cert ?? fileOf(options, 'certFile')),
    key: pemOf(options.key ?? fileOf(options, 'keyFile')),
    pfx: pemOf(options.pfx ?? fileOf(options, 'pfxFile')),
    ...{ passphrase, ciphers },
  };
  if ((given.cert === undefined) !== (given.key === undefined)) {
    throw new ArgumentError('tls', '', 0, 'cert and key belong together: one of them is missing');
  }
  const present = Object.entries(given).filter(([, value]) => value !== undefined);
  try {
    return tls.createSecureContext({ ...Object.fromEntries(present), minVersion });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const hint = /mac verify|bad decrypt|bad password|interrupted or cancelled/iu.test(reason)
      ? ' (is passphrase right?)'
      : '';
    const message = `ca, cert, key or pfx cannot be used: ${reason}${hint}`;
    throw new ArgumentError('tls', '', 0, message);
  }
}

type FileOption = 'caFile' | 'certFile' | 'keyFile' | 'pfxFile';

function fileOf(options: TlsOptions, name: FileOption): Buffer | undefined {
  const path = options[name];
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ArgumentError(`tls.${name}`, path, 0, `the file cannot be read: ${reason}`);
  }
}

function isList<T>(given: T | readonly T[] | undefined): given is readonly T[] {
  return Array.isArray(given);
}

/** Bytes may be what is not Node's own kind of them. */
function pemOf(given: string | Uint8Array | undefined): string | Buffer | undefined {
  return given === undefined || typeof given === 'string' ? given : Buffer.from(given);
}

function connect(
  { host, port, timeoutMs, serverName }: Target,
  options: TlsOptions,
  secureContext: tls.SecureContext,
  accept: (socket: Socket) => SocketHandler,
): Promise<Socket> {
  const name = options.serverName ?? serverName;
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      ...{ host, port, secureContext },
      rejectUnauthorized: options.rejectUnauthorized ?? true,
      // addresses are not told to the server, and looked for in its certificate all the same
      ...(isIP(name) === 0 ? { servername: name } : {}),
      checkServerIdentity: (_, certificate) =>
        options.verifyHostname === false ? undefined : tls.checkServerIdentity(name, certificate),
    });
    const place = `${name}:${port}`;
    let isConnected = false;
    const fail = (error: Error): void => {
      clearTimeout(timer);
      reject(error);
    };
    const timer = setTimeout(() => {
      socket.destroy();
      const what = isConnected ? 'no TLS handshake with' : 'no connection to';
      fail(new Error(`${what} ${place} in ${timeoutMs} ms`));
    }, timeoutMs);
    socket.once('connect', () => {
      isConnected = true;
    });
    socket.once('error', (error: Error) => fail(isConnected ? described(error, place) : error));
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      const adopted = new EncryptedSocket(socket, null, (error) => described(error, place));
      adopted.serve(accept(adopted));
      resolve(adopted);
    });
  });
}

/** What codes of OpenSSL and of Node mean to who has to do something about them. */
const meanings: readonly (readonly [code: RegExp, meaning: string])[] = [
  [
    /UNABLE_TO_VERIFY_LEAF|UNABLE_TO_GET_ISSUER|SELF_SIGNED|UNKNOWN_CA$/u,
    "the server's certificate is signed by nobody that tls.ca names",
  ],
  [/^CERT_HAS_EXPIRED/u, "the server's certificate has ended"],
  [
    /^CERT_NOT_YET_VALID/u,
    "the server's certificate is not valid yet (or this machine's clock is wrong)",
  ],
  [/ALTNAME_INVALID/u, "the server's certificate is for another host"],
  [
    /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG/u,
    'what answers there does not speak TLS: is this secureClientPort?',
  ],
  [
    /ALERT_CERTIFICATE_REQUIRED|ALERT_HANDSHAKE_FAILURE/u,
    'the server wants a client certificate that it trusts (tls.cert, tls.key), or no version or cipher that this client has',
  ],
  [
    /ALERT_UNKNOWN_CA|ALERT_BAD_CERTIFICATE|ALERT_CERTIFICATE_UNKNOWN/u,
    "the server does not trust this client's certificate, or wants one (tls.cert)",
  ],
  [
    /ALERT_PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/u,
    'client and server have no version of TLS in common',
  ],
  [
    /^ECONNRESET/u,
    'the connection was closed within the TLS handshake: is this secureClientPort, and does the server trust this client (tls.cert)?',
  ],
];

function described(error: Error, place: string): Error {
  const code = 'code' in error ? String(error.code) : '';
  const meaning = meanings.find(([known]) => known.test(code))?.[1];
  if (meaning === undefined) return error;
  return Object.assign(
    new Error(`${place}: ${meaning} (${code}: ${error.message.trim()})`, { cause: error }),
    { code },
  );
}
