/**
 * Ports that clients reach by TLS: alone, or beside what is not encrypted on the same port. Until a
 * handshake is over there is no connection for anybody else: what comes instead of one, or stops in
 * the middle, is gone when its time is over.
 */
import net from 'node:net';
import tls from 'node:tls';
import type { Logger } from '../ports/logger.js';
import type { ListenOptions, Listener, Network, Socket, SocketHandler } from '../ports/network.js';
import type { TlsConfig } from '../server/config/tls-config.js';
import { exitCodes, StartError } from '../storage/start-error.js';
import { DerError } from '../server/x509/der.js';
import { subjectOf } from '../server/x509/subject-name.js';
import { loadKeyStore, loadTrustStore } from './key-store.js';
import { adoptPlain, nodeNetwork, plainAddress } from './network.js';
import { EncryptedSocket } from './tls-socket.js';

type Accept = (socket: Socket) => SocketHandler;

/** What every record of a handshake begins with; no frame that is allowed does. */
const TLS_HANDSHAKE = 0x16;

/** A certificate that ends sooner is warned of. */
const EXPIRY_WARNING_MS = 30 * 24 * 3_600_000;

/** Two kinds of ports with the same key. Throws StartError. */
export function tlsNetworks(
  config: TlsConfig,
  logger: Logger,
): { readonly secure: Network; readonly unified: Network } {
  const options = serverOptions(config, logger);
  const networkOf = (isUnified: boolean): Network => ({
    listen: (at, accept) => new TlsPort(config, options, logger, accept, isUnified).listen(at),
    connect: (at, accept) => nodeNetwork.connect(at, accept),
  });
  return { secure: networkOf(false), unified: networkOf(true) };
}

function serverOptions(config: TlsConfig, logger: Logger): tls.TlsOptions {
  const { key, certificates, validUntil } = loadKeyStore(config.keyStore);
  const leftMs = validUntil.getTime() - Date.now();
  if (leftMs < EXPIRY_WARNING_MS) {
    logger.warn(`ssl.keyStore: the certificate ${leftMs < 0 ? 'has ended' : 'ends soon'}`, {
      file: config.keyStore.path,
      validUntil: validUntil.toISOString(),
    });
  }
  const options: tls.TlsOptions = {
    ...{ key, cert: certificates },
    // no list: nobody is trusted, rather than everybody whom the system trusts
    ca: config.trustStore === null ? [] : loadTrustStore(config.trustStore),
    minVersion: config.minVersion,
    maxVersion: config.maxVersion,
    ...(config.ciphers === null ? {} : { ciphers: config.ciphers }),
    honorCipherOrder: true,
    requestCert: config.clientAuth !== 'none',
    rejectUnauthorized: config.clientAuth === 'need',
    handshakeTimeout: config.handshakeTimeoutMs,
  };
  try {
    tls.createSecureContext(options);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `TLS cannot be set up from ssl.keyStore, ssl.enabledProtocols and ssl.ciphersuites: ${reason}`;
    throw new StartError(message, exitCodes.unexpected, { cause: error });
  }
  return options;
}

class TlsPort {
  readonly #config: TlsConfig;
  readonly #logger: Logger;
  readonly #accept: Accept;
  readonly #isUnified: boolean;
  readonly #handshakes: tls.Server;
  /** Connections that are nobody's yet, by their two ends. */
  readonly #strangers = new Map<string, net.Socket>();

  constructor(
    config: TlsConfig,
    options: tls.TlsOptions,
    logger: Logger,
    accept: Accept,
    isUnified: boolean,
  ) {
    this.#config = config;
    this.#logger = logger;
    this.#accept = accept;
    this.#isUnified = isUnified;
    this.#handshakes = tls.createServer(options);
    this.#handshakes.on('secureConnection', (socket) => this.#onSecure(socket));
    this.#handshakes.on('tlsClientError', (error, socket) => this.#onFailed(error, socket));
  }

  listen(at: ListenOptions): Promise<Listener> {
    const server = net.createServer((socket) => this.#onConnection(socket));
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      const { host, port, backlog } = at;
      const place = host === undefined ? { port } : { port, host };
      server.listen(backlog === undefined ? place : { ...place, backlog }, () => {
        server.off('error', reject);
        const address = server.address() as net.AddressInfo;
        resolve({
          host: address.address,
          port: address.port,
          close: () =>
            new Promise((closed) => {
              server.close(() => closed());
              for (const stranger of this.#strangers.values()) stranger.destroy();
            }),
        });
      });
    });
  }

  #onConnection(socket: net.Socket): void {
    const { handshakesMax, handshakeTimeoutMs } = this.#config;
    if (handshakesMax > 0 && this.#strangers.size >= handshakesMax) {
      this.#logger.debug('refused a connection: too many TLS handshakes under way');
      socket.destroy();
      return;
    }
    const ends = endsOf(socket);
    this.#strangers.set(ends, socket);
    // whoever errs before it is known is simply gone
    socket.on('error', ignore);
    socket.once('close', () => this.#strangers.delete(ends));
    if (!this.#isUnified) {
      this.#handshakes.emit('connection', socket);
      return;
    }
    const timer = setTimeout(() => socket.destroy(), handshakeTimeoutMs);
    socket.once('close', () => clearTimeout(timer));
    socket.once('data', (chunk: Buffer) => {
      clearTimeout(timer);
      socket.pause();
      socket.unshift(chunk);
      if (chunk[0] === TLS_HANDSHAKE) this.#handshakes.emit('connection', socket);
      else {
        this.#strangers.delete(ends);
        adoptPlain(socket, this.#accept);
        socket.resume();
      }
    });
  }

  #onSecure(socket: tls.TLSSocket): void {
    this.#strangers.delete(endsOf(socket));
    socket.disableRenegotiation();
    const subject = this.#subjectOf(socket);
    if (subject === undefined) {
      socket.on('error', ignore);
      socket.destroy();
      return;
    }
    const adopted = new EncryptedSocket(socket, subject);
    adopted.serve(this.#accept(adopted));
  }

  /** Null: it shows none, and need not. Undefined: it must not come in. */
  #subjectOf(socket: tls.TLSSocket): string | null | undefined {
    if (this.#config.clientAuth === 'none') return null;
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) return this.#config.clientAuth === 'need' ? undefined : null;
    if (!socket.authorized) {
      const { authorizationError } = socket;
      this.#tell(socket, `its certificate is not trusted (${String(authorizationError)})`);
      return undefined;
    }
    try {
      return subjectOf(certificate.raw);
    } catch (error) {
      if (!(error instanceof DerError)) throw error;
      this.#tell(socket, `its certificate cannot be read: ${error.message}`);
      return undefined;
    }
  }

  #onFailed(error: Error, socket: tls.TLSSocket): void {
    this.#tell(socket, error.message.trim());
    socket.destroy();
  }

  #tell(socket: tls.TLSSocket, reason: string): void {
    this.#logger.warn('a TLS handshake failed', {
      client: plainAddress(socket.remoteAddress ?? ''),
      reason,
    });
  }
}

function endsOf({ remoteAddress, remotePort, localAddress }: net.Socket): string {
  return `${remoteAddress ?? ''} ${remotePort ?? 0} ${localAddress ?? ''}`;
}

function ignore(): void {
  // told by 'close'
}
