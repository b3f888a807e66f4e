/**
 * What a login file says to Java's Krb5LoginModule, said to the library of Kerberos that the package
 * `kerberos` loads (MIT's). That one takes no such options: it is told by variables of the process's
 * environment which cache has the tickets and which keytab gets new ones.
 */
import { accessSync, constants } from 'node:fs';
import type { GssapiOptions } from '../../node/client-gssapi.js';
import { UsageError } from '../arguments.js';

export interface KerberosLogin {
  readonly options: GssapiOptions;
  /** To be set before the library is asked for a ticket. */
  readonly environment: Readonly<Record<string, string>>;
}

/** What Java takes a name without a kind for, and MIT where there is no colon in it. */
const fileKind = 'FILE:';
const cacheKind = /^(?:FILE|DIR|KEYRING|KCM|MEMORY|API):/;
/** Nobody's tickets: those that a keytab gets are kept in it, and end with the process. */
const ownCache = 'MEMORY:zabra-cli';

/** `where`: the section, for errors. Throws UsageError where Java does, and for a keytab that is not there. */
export function kerberosLoginOf(
  module: ReadonlyMap<string, string>,
  properties: ReadonlyMap<string, string>,
  where: string,
): KerberosLogin {
  const isTrue = (option: string): boolean => module.get(option)?.toLowerCase() === 'true';
  const [usesCache, usesKeytab] = [isTrue('useTicketCache'), isTrue('useKeyTab')];
  const [cache, keytab] = [module.get('ticketCache'), module.get('keyTab')];
  if (cache !== undefined && !usesCache) {
    throw new UsageError(`${where}: ticketCache has no meaning without useTicketCache=true`);
  }
  if (keytab !== undefined && !usesKeytab) {
    throw new UsageError(`${where}: keyTab has no meaning without useKeyTab=true`);
  }
  const environment: Record<string, string> = {};
  const config = properties.get('java.security.krb5.conf');
  if (config !== undefined) environment['KRB5_CONFIG'] = config;
  if (cache !== undefined) environment['KRB5CCNAME'] = cacheOf(cache);
  if (keytab !== undefined) {
    const path = keytab.replace(/^FILE:/i, '');
    // the library would only say that there is no ticket
    if (!usesCache) checkReadable(path, where);
    environment['KRB5_CLIENT_KTNAME'] = `${fileKind}${path}`;
  }
  // neither the ticket of whoever is at the keyboard, nor another one in its place
  if (usesKeytab && !usesCache) environment['KRB5CCNAME'] = ownCache;
  const principal = module.get('principal');
  const service = properties.get('zookeeper.sasl.client.username');
  return {
    options: {
      ...(principal === undefined ? {} : { principal }),
      ...(service === undefined ? {} : { service }),
    },
    environment,
  };
}

function cacheOf(name: string): string {
  return cacheKind.test(name) ? name : `${fileKind}${name}`;
}

function checkReadable(keytab: string, where: string): void {
  try {
    accessSync(keytab, constants.R_OK);
  } catch (error) {
    throw new UsageError(`${where}: keyTab cannot be read: ${(error as Error).message}`);
  }
}
