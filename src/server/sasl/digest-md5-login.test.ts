import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { DigestMd5 } from '../../client/sasl-digest.js';
import { logIn, SaslError, type SaslMechanism } from '../../client/sasl.js';
import type { Crypto } from '../../ports/crypto.js';
import { DigestMd5Login, type LoginStep } from './digest-md5-login.js';

const crypto: Crypto = {
  digest: (algorithm, bytes) => createHash(algorithm.toLowerCase()).update(bytes).digest(),
  randomBytes: (length) => randomBytes(length),
  equal: (a, b) => Buffer.compare(a, b) === 0,
};
const users = new Map([
  ['bob', 'secret'],
  ['müller', 'grün"\\€'],
  ['empty', ''],
]);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (token: Uint8Array): string => new TextDecoder().decode(token);

function tokenOf(step: LoginStep): Uint8Array {
  assert.ok(step.kind !== 'failed', step.kind === 'failed' ? step.reason : '');
  return step.token;
}

/** What the server says to the answer, after somebody on the way has changed it. */
function judged(username: string, password: string, change: (answer: string) => string): LoginStep {
  const server = new DigestMd5Login(users, crypto);
  const client = new DigestMd5({ username, password }, crypto);
  const challenge = tokenOf(server.step(client.start()));
  const answer = client.respond(challenge);
  assert.ok(answer !== null);
  return server.step(bytes(change(text(answer))));
}

test('client and server agree on each user, and each proves itself', async () => {
  for (const [username, password] of users) {
    const server = new DigestMd5Login(users, crypto);
    const steps: LoginStep[] = [];
    await logIn(new DigestMd5({ username, password }, crypto), 'h', (token) => {
      const step = server.step(token);
      steps.push(step);
      return Promise.resolve(tokenOf(step));
    });
    const last = steps.at(-1);
    assert.equal(last?.kind === 'done' ? last.user : null, username);
  }
});

test('what is wrong fails, and says why in the log alone', () => {
  const same = (answer: string): string => answer;
  const reasonOf = (step: LoginStep): string => (step.kind === 'failed' ? step.reason : step.kind);
  assert.equal(judged('bob', 'secret', same).kind, 'done');
  assert.match(reasonOf(judged('bob', 'wrong', same)), /wrong password/);
  assert.match(reasonOf(judged('eve', 'secret', same)), /no such user/);
  assert.match(reasonOf(judged('nobody', '', same)), /no such user/);
  const changed = (from: RegExp, to: string): string =>
    reasonOf(judged('bob', 'secret', (answer) => answer.replace(from, to)));
  assert.match(changed(/username="bob"/, 'username="müller"'), /wrong password/);
  assert.match(changed(/nonce="\w+"/, 'nonce="x"'), /nonce/);
  assert.match(changed(/nc=00000001/, 'nc=00000002'), /nc/);
  assert.match(changed(/qop=auth/, 'qop=auth-conf'), /qop/);
  assert.match(changed(/realm="[^"]*"/, 'realm="x"'), /realm/);
  assert.match(changed(/digest-uri="[^"]*"/, 'digest-uri="x/y"'), /digest-uri/);
  assert.match(changed(/,response=\w+/, ''), /response is missing/);
  assert.match(changed(/$/, ',nc=00000001'), /more than once/);
  assert.match(changed(/$/, ',authzid="admin"'), /wrong password/);
  assert.match(changed(/^/, 'x '), /no directive/);
});

test('a connection has one login', () => {
  const first = new DigestMd5Login(users, crypto);
  assert.equal(first.step(bytes('username="bob"')).kind, 'challenge');
  assert.equal(first.step(bytes('username="bob"')).kind, 'failed');
  assert.equal(first.step(bytes('')).kind, 'failed');
  const server = new DigestMd5Login(users, crypto);
  const client = new DigestMd5({ username: 'bob', password: 'secret' }, crypto);
  const answer = client.respond(tokenOf(server.step(client.start())));
  assert.ok(answer !== null);
  assert.equal(server.step(answer).kind, 'done');
  assert.equal(server.step(answer).kind, 'failed');
  assert.equal(server.step(new Uint8Array(0)).kind, 'failed');
});

test('a client believes no server that does not know the password', async () => {
  const challenge = 'realm="zk-sasl-md5",nonce="n",algorithm=md5-sess,charset=utf-8';
  const against = async (...answers: (string | null)[]): Promise<string> => {
    const left = [...answers];
    const mechanism = new DigestMd5({ username: 'bob', password: 'secret' }, crypto);
    try {
      await logIn(mechanism, 'h', () => {
        const next = left.shift() ?? null;
        return Promise.resolve(next === null ? null : bytes(next));
      });
    } catch (error) {
      assert.ok(error instanceof SaslError);
      return error.message;
    }
    return 'believed';
  };
  assert.match(await against(null), /no SASL login/);
  assert.match(await against(challenge, 'rspauth=00'), /did not prove/);
  assert.match(await against(challenge, ''), /did not prove/);
  assert.match(await against(challenge, null), /no SASL login/);
  assert.match(await against('nonce="x"'), /algorithm none/);
  assert.match(await against('algorithm=md5-sess'), /no nonce/);
  assert.match(await against(`${challenge},qop="auth-conf"`), /qop auth-conf/);
  assert.match(await against('garbage'), /cannot be read/);
});

test('a server that asks forever is left', async () => {
  const endless: SaslMechanism = {
    name: 'X',
    start: () => new Uint8Array(0),
    respond: () => new Uint8Array(1),
  };
  await assert.rejects(
    logIn(endless, 'h', () => Promise.resolve(new Uint8Array(1))),
    /still asks after 16 rounds/,
  );
});
