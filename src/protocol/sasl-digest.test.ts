import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import {
  digestProof,
  onlyValue,
  parseDirectives,
  quoted,
  SaslSyntaxError,
  type Md5,
} from './sasl-digest.js';

const md5: Md5 = (bytes) => createHash('md5').update(bytes).digest();
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** RFC 2831, section 4. */
const imap = {
  username: 'chris',
  realm: 'elwood.innosoft.com',
  password: 'secret',
  nonce: 'OA6MG9tEQGm2hh',
  cnonce: 'OA6MHXh6VqTrRk',
  nonceCount: '00000001',
  qop: 'auth',
  uri: 'imap/elwood.innosoft.com',
  authorizationId: null,
};
const acap = {
  ...imap,
  nonce: 'OA9BSXrbuRhWay',
  cnonce: 'OA9BSuZWMSpW8m',
  uri: 'acap/elwood.innosoft.com',
};

test('the examples of RFC 2831, section 4', () => {
  assert.equal(digestProof(imap, 'response', md5), 'd388dad90d4bbd760a152321f2143af7');
  assert.equal(digestProof(imap, 'rspauth', md5), 'ea40f60335c427b5527b84dbabcdfffd');
  assert.equal(digestProof(acap, 'response', md5), '6084c6db3fede7352c551284490fd0fc');
  assert.equal(digestProof(acap, 'rspauth', md5), '2f0b3d7c3c2e486600ef710726aa2eae');
});

test('an authorization id and names beyond ASCII change the digest', () => {
  const plain = digestProof(imap, 'response', md5);
  assert.notEqual(digestProof({ ...imap, authorizationId: 'x' }, 'response', md5), plain);
  const latin = digestProof({ ...imap, username: 'müller' }, 'response', md5);
  const wide = digestProof({ ...imap, username: 'müller€' }, 'response', md5);
  assert.notEqual(latin, wide);
  const a1 = md5(Buffer.from('müller:elwood.innosoft.com:secret', 'latin1'));
  const ha1 = md5(Buffer.concat([a1, Buffer.from(`:${imap.nonce}:${imap.cnonce}`)]));
  const ha2 = md5(Buffer.from(`AUTHENTICATE:${imap.uri}`));
  const hex = (part: Uint8Array): string => Buffer.from(part).toString('hex');
  assert.equal(
    latin,
    hex(md5(bytes(`${hex(ha1)}:${imap.nonce}:00000001:${imap.cnonce}:auth:${hex(ha2)}`))),
  );
});

test('directives: quotes, spaces, repetitions', () => {
  const directives = parseDirectives(
    bytes('realm="a, \\"b\\"",nonce="x=y" , qop="auth,auth-int",Charset=utf-8,,realm="c",empty=""'),
  );
  assert.deepEqual(directives.get('realm'), ['a, "b"', 'c']);
  assert.equal(onlyValue(directives, 'nonce'), 'x=y');
  assert.equal(onlyValue(directives, 'qop'), 'auth,auth-int');
  assert.equal(onlyValue(directives, 'charset'), 'utf-8');
  assert.equal(onlyValue(directives, 'empty'), '');
  assert.equal(onlyValue(directives, 'algorithm'), null);
  assert.throws(() => onlyValue(directives, 'realm'), SaslSyntaxError);
  assert.deepEqual([...parseDirectives(bytes(''))], []);
  assert.deepEqual([...parseDirectives(bytes(' , '))], []);
});

test('what are no directives is refused', () => {
  for (const text of ['x', 'a="b', 'a="b"c', '=x', 'a=b c', '"', 'a=b,"c"']) {
    assert.throws(() => parseDirectives(bytes(text)), SaslSyntaxError, text);
  }
  assert.throws(() => parseDirectives(new Uint8Array(4097)), SaslSyntaxError);
});

test('what is quoted is read back', () => {
  for (const value of ['', 'x', 'a"b', 'a\\b', '"\\"', 'a,b=c']) {
    assert.equal(onlyValue(parseDirectives(bytes(`k=${quoted(value)}`)), 'k'), value);
  }
});
