/**
 * How the shell's client is to be, from the properties that Apache's client has: those of the file
 * behind -client-configuration, and -D's.
 */
import { readFileSync } from 'node:fs';
import type { ClientOptions } from '../../client/types.js';
import { UsageError } from '../arguments.js';
import type { Launch } from './launch.js';

/** Rejects with UsageError where a file is not what it should be. */
export async function clientOptionsOf(launch: Launch): Promise<ClientOptions> {
  const { configurationFile, properties, timeoutMs, isReadOnly } = launch;
  const all = new Map(properties);
  if (configurationFile !== null) {
    for (const [key, value] of propertiesIn(configurationFile)) all.set(key, value);
  }
  const requestTimeout = Number(all.get('zookeeper.request.timeout') ?? 0);
  const maxBuffer = Number(all.get('jute.maxbuffer') ?? 0);
  return {
    name: 'zabra cli',
    sessionTimeoutMs: timeoutMs,
    readOnly: isReadOnly,
    ...(requestTimeout > 0 ? { requestTimeoutMs: requestTimeout } : {}),
    ...(maxBuffer > 0 ? { maxReplyBytes: maxBuffer } : {}),
    ...(await securityOf(all)),
  };
}

async function securityOf(
  properties: ReadonlyMap<string, string>,
): Promise<Pick<ClientOptions, 'tls' | 'sasl'>> {
  const isSecure = properties.get('zookeeper.client.secure') === 'true';
  if (!isSecure && !properties.has('java.security.auth.login.config')) return {};
  const { saslOptionsOf, tlsOptionsOf } = await import('./security-options.js');
  const sasl = saslOptionsOf(properties);
  return {
    ...(isSecure ? { tls: tlsOptionsOf(properties) } : {}),
    ...(sasl === null ? {} : { sasl }),
  };
}

/** Lines of `key=value`; what begins with # or ! is for people. */
function propertiesIn(file: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of read(file).split(/\r?\n/)) {
    const [, key, value = ''] = /^\s*([^#!\s=:][^\s=:]*)\s*[=:\s]\s*(.*)$/.exec(line) ?? [];
    if (key !== undefined) found.set(key, value.trim());
  }
  return found;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`);
  }
}
