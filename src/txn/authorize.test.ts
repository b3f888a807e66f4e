import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAllowed, isAuthenticated, isKnownId, type Caller } from './authorize.js';
import { addressMatches, isAddressExpression } from '../protocol/ip-address.js';

const acl = (perms: number, scheme: string, id: string) => ({ perms, id: { scheme, id } });

test('an empty list allows everything; super passes every list', () => {
  assert.equal(isAllowed([], 31, { authIds: [] }), true);
  const closed = [acl(1, 'digest', 'bob:x')];
  assert.equal(isAllowed(closed, 16, { authIds: [{ scheme: 'super', id: '' }] }), true);
  assert.equal(isAllowed(closed, 1, { authIds: [] }), false);
});

test('a digest id must be the same, and only for the permissions it was given', () => {
  const acls = [acl(1 | 2, 'digest', 'bob:hash')];
  const bob = { authIds: [{ scheme: 'digest', id: 'bob:hash' }] };
  assert.equal(isAllowed(acls, 2, bob), true);
  assert.equal(isAllowed(acls, 8, bob), false);
  assert.equal(isAllowed(acls, 1 | 16, bob), true, 'one of the asked permissions is enough');
  assert.equal(isAllowed(acls, 1, { authIds: [{ scheme: 'digest', id: 'eve:hash' }] }), false);
  assert.equal(isAllowed(acls, 1, { authIds: [{ scheme: 'ip', id: 'bob:hash' }] }), false);
});

test('ip expressions match by leading bits, within one family', () => {
  assert.equal(addressMatches('10.1.2.3', '10.0.0.0/8'), true);
  assert.equal(addressMatches('11.1.2.3', '10.0.0.0/8'), false);
  assert.equal(addressMatches('10.1.2.3', '10.1.2.3'), true);
  assert.equal(addressMatches('10.1.2.130', '10.1.2.128/25'), true);
  assert.equal(addressMatches('10.1.2.3', '10.1.2.128/25'), false);
  assert.equal(addressMatches('1.2.3.4', '0.0.0.0/0'), true);
  assert.equal(addressMatches('2001:db8::1', '2001:db8::/32'), true);
  assert.equal(addressMatches('2001:db9::1', '2001:db8::/32'), false);
  assert.equal(addressMatches('10.1.2.3', '::/0'), false);
});

test('what is no address is no expression', () => {
  for (const bad of [
    '',
    '10.0.0',
    '10.0.0.256',
    '10.0.0.1/33',
    '10.0.0.1/-1',
    '10.0.0.1/',
    'a.b.c.d',
    '::1::',
    '1:2:3:4:5:6:7',
    '12345::',
    '::/129',
  ]) {
    assert.equal(isAddressExpression(bad), false, bad);
  }
  for (const good of ['10.0.0.1', '10.0.0.1/0', '::', '::1/128', '1:2:3:4:5:6:7:8']) {
    assert.equal(isAddressExpression(good), true, good);
  }
});

test('an ACL may name digest ids of two parts and addresses, nothing else', () => {
  assert.equal(isKnownId({ scheme: 'digest', id: 'user:hash' }), true);
  assert.equal(isKnownId({ scheme: 'digest', id: 'user:' }), false);
  assert.equal(isKnownId({ scheme: 'digest', id: 'a:b:c' }), false);
  assert.equal(isKnownId({ scheme: 'super', id: '' }), false);
  assert.equal(isKnownId({ scheme: 'sasl', id: 'bob' }), false);
  assert.equal(isKnownId({ scheme: null, id: 'bob' }), false);
});

test('schemes that a server has besides are known by its rules, and belong to `auth`', () => {
  const more = new Map([['sasl', (id: string) => id !== 'x@y@z']]);
  assert.equal(isKnownId({ scheme: 'sasl', id: 'bob' }, more), true);
  assert.equal(isKnownId({ scheme: 'sasl', id: 'x@y@z' }, more), false);
  assert.equal(isKnownId({ scheme: 'sasl', id: null }, more), false);
  assert.equal(isKnownId({ scheme: 'x509', id: 'CN=bob' }, more), false);
  assert.equal(isAuthenticated({ scheme: 'sasl', id: 'bob' }, more), true);
  assert.equal(isAuthenticated({ scheme: 'sasl', id: 'bob' }), false);
  const all = (scheme: string, id: string) => [acl(31, scheme, id)];
  const as = (scheme: string, id: string): Caller => ({ authIds: [{ scheme, id }] });
  assert.equal(isAllowed(all('sasl', 'bob'), 1, as('sasl', 'bob')), true);
  assert.equal(isAllowed(all('sasl', 'bob'), 1, as('sasl', 'super')), true);
  assert.equal(isAllowed(all('sasl', 'bob'), 1, as('sasl', 'eve')), false);
  assert.equal(isAllowed(all('sasl', 'bob'), 1, as('x509', 'bob')), false);
  assert.equal(isAllowed(all('x509', 'CN=bob'), 1, as('x509', 'CN=bob')), true);
  assert.equal(isAllowed(all('x509', 'CN=bob'), 1, as('x509', 'super')), false);
});
