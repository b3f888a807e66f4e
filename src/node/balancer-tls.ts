/** TLS towards a balancer's clients: the server's ports, by the balancer's options. */
import { readFileSync } from 'node:fs';
import { OptionError, type ReadOptions } from '../balancer/options.js';
import type { Logger } from '../ports/logger.js';
import type { StoreFile, TlsConfig } from '../server/config/tls-config.js';
import { StartError } from '../storage/start-error.js';
import { tlsNetworks } from './tls-port.js';

export type ListenerNetworks = ReturnType<typeof tlsNetworks>;

const HANDSHAKE_TIMEOUT_MS = 5000;
/** PEM begins so; PKCS12 is binary. */
const PEM_BEGIN = '-----BEGIN';

/** Throws OptionError: what is wrong with which file. */
export function listenerNetworks(tls: ReadOptions['tls'], logger: Logger): ListenerNetworks {
  if (tls === undefined) throw new OptionError(['a listener with TLS needs tls.keyStore']);
  const config: TlsConfig = {
    keyStore: storeOf('ssl.keyStore', tls.keyStore, tls.keyPassword, tls.keyPasswordFile),
    trustStore:
      tls.trustStore === undefined
        ? null
        : storeOf('ssl.trustStore', tls.trustStore, tls.trustPassword, tls.trustPasswordFile),
    clientAuth: tls.clientAuth ?? 'none',
    minVersion: tls.minVersion ?? 'TLSv1.2',
    maxVersion: 'TLSv1.3',
    ciphers: null,
    handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS,
    handshakesMax: 0,
  };
  try {
    return tlsNetworks(config, logger);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    // a server has keys of zoo.cfg for these
    const message = error.message
      .replaceAll('ssl.keyStore.location', 'tls.keyStore')
      .replaceAll('ssl.trustStore.location', 'tls.trustStore')
      .replaceAll('ssl.keyStore.password', 'tls.keyPassword')
      .replaceAll('ssl.trustStore.password', 'tls.trustPassword');
    throw new OptionError([message]);
  }
}

function storeOf(
  key: StoreFile['key'],
  path: string,
  password: string | undefined,
  passwordPath: string | undefined,
): StoreFile {
  let begin: string;
  try {
    begin = readFileSync(path, 'latin1').slice(0, 4096);
  } catch (error) {
    const name = key === 'ssl.keyStore' ? 'tls.keyStore' : 'tls.trustStore';
    const reason = error instanceof Error ? error.message : String(error);
    throw new OptionError([`${name}: ${path} cannot be read: ${reason}`]);
  }
  return {
    key,
    path,
    type: begin.includes(PEM_BEGIN) ? 'PEM' : 'PKCS12',
    password: password ?? null,
    passwordPath: passwordPath ?? null,
  };
}
