import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { UsageError } from '../arguments.js';
import { kerberosLoginOf } from './kerberos-login.js';

const folder = mkdtempSync(join(tmpdir(), 'zabra-kerberos-login-'));
const keytab = join(folder, 'alice.keytab');
writeFileSync(keytab, '');
after(() => {
  rmSync(folder, { recursive: true });
});

function environmentOf(
  module: Readonly<Record<string, string>>,
  properties: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const maps = [new Map(Object.entries(module)), new Map(Object.entries(properties))] as const;
  return kerberosLoginOf(...maps, 'the section').environment;
}

test('a ticket cache is the one that is named, else the one that the library takes anyway', () => {
  assert.deepEqual(environmentOf({ useTicketCache: 'true' }), {});
  assert.deepEqual(environmentOf({}), {});
  for (const [ticketCache, name] of [
    ['/tmp/krb5cc_0', 'FILE:/tmp/krb5cc_0'],
    ['tickets:of:mine', 'FILE:tickets:of:mine'],
    ['FILE:/tmp/krb5cc_0', 'FILE:/tmp/krb5cc_0'],
    ['KEYRING:persistent:0', 'KEYRING:persistent:0'],
  ] as const) {
    assert.deepEqual(environmentOf({ useTicketCache: 'TRUE', ticketCache }), { KRB5CCNAME: name });
  }
});

test('a keytab alone leaves the tickets of whoever is logged in alone', () => {
  const own = { KRB5_CLIENT_KTNAME: `FILE:${keytab}`, KRB5CCNAME: 'MEMORY:zabra-cli' };
  assert.deepEqual(environmentOf({ useKeyTab: 'true', keyTab: keytab }), own);
  assert.deepEqual(environmentOf({ useKeyTab: 'true', keyTab: `FILE:${keytab}` }), own);
  assert.deepEqual(environmentOf({ useKeyTab: 'true' }), { KRB5CCNAME: 'MEMORY:zabra-cli' });
});

test('both: the cache, and the keytab where it has no ticket', () => {
  const both = { useKeyTab: 'true', keyTab: join(folder, 'not yet'), useTicketCache: 'true' };
  const KRB5_CLIENT_KTNAME = `FILE:${both.keyTab}`;
  assert.deepEqual(environmentOf(both), { KRB5_CLIENT_KTNAME });
  assert.deepEqual(environmentOf({ ...both, ticketCache: 'c' }), {
    KRB5_CLIENT_KTNAME,
    KRB5CCNAME: 'FILE:c',
  });
});

test("the realm's file is Java's, where Java is told one", () => {
  assert.deepEqual(environmentOf({}, { 'java.security.krb5.conf': '/etc/other.conf' }), {
    KRB5_CONFIG: '/etc/other.conf',
  });
});

test('what Java refuses is refused, and a keytab that is not there', () => {
  for (const [module, why] of [
    [{ keyTab: keytab }, 'keyTab has no meaning without useKeyTab=true'],
    [{ keyTab: keytab, useKeyTab: 'yes' }, 'keyTab has no meaning without useKeyTab=true'],
    [{ ticketCache: 'c' }, 'ticketCache has no meaning without useTicketCache=true'],
    [
      { useKeyTab: 'true', keyTab: join(folder, 'none') },
      `keyTab cannot be read: ENOENT: no such file or directory, access '${join(folder, 'none')}'`,
    ],
  ] as const) {
    assert.throws(() => environmentOf(module), new UsageError(`the section: ${why}`));
  }
});

test('who logs in at which service', () => {
  const module = new Map([['principal', 'alice@R']]);
  const properties = new Map([['zookeeper.sasl.client.username', 'zk']]);
  const { options } = kerberosLoginOf(module, properties, '');
  assert.deepEqual(options, { principal: 'alice@R', service: 'zk' });
  assert.deepEqual(kerberosLoginOf(new Map(), new Map(), '').options, {});
});
