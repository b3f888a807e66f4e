import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { DerError, DerReader, oidText, smallInteger } from './der.js';
import { isDistinguishedName } from './distinguished-name.js';
import { subjectOf } from './subject-name.js';

const fixtures = new URL('../../../test/fixtures/tls/', import.meta.url);
const java = JSON.parse(readFileSync(new URL('names.json', fixtures), 'utf8')) as {
  readonly subjects: Readonly<Record<string, string>>;
  readonly texts: readonly (readonly [text: string, isName: boolean])[];
};

function certificate(name: string): Uint8Array {
  return new X509Certificate(readFileSync(new URL(`${name}.pem`, fixtures))).raw;
}

test('subjects are called what Java calls them', () => {
  const names = Object.entries(java.subjects);
  assert.ok(names.length >= 5);
  for (const [name, expected] of names) assert.equal(subjectOf(certificate(name)), expected);
});

test('a text is a name where it is one for Java', () => {
  for (const [text, isName] of java.texts) {
    assert.equal(isDistinguishedName(text), isName, JSON.stringify(text));
  }
});

test('the name of every subject can stand in an ACL', () => {
  for (const expected of Object.values(java.subjects)) {
    assert.equal(isDistinguishedName(expected), true, expected);
  }
});

test('a certificate that is cut or damaged has no name, and nothing worse happens', () => {
  const whole = certificate('odd');
  const subjectEnd = 350;
  for (let length = 0; length < subjectEnd; length++) {
    assert.throws(() => subjectOf(whole.subarray(0, length)), DerError);
  }
  for (let at = 0; at < whole.length; at++) {
    for (const bit of [1, 0x80]) {
      const damaged = Uint8Array.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ bit;
      try {
        assert.equal(typeof subjectOf(damaged), 'string');
      } catch (error) {
        assert.ok(error instanceof DerError, String(error));
      }
    }
  }
});

test('DER: lengths, tags and numbers', () => {
  const long = new DerReader(Uint8Array.of(0x04, 0x81, 0x02, 7, 8, 0x05, 0x00));
  assert.deepEqual([...long.expect(0x04).content], [7, 8]);
  assert.equal(long.nextTag, 0x05);
  assert.throws(() => long.expect(0x04), /tag 5 where 4 belongs/);
  assert.equal(long.next().content.length, 0);
  assert.ok(long.isAtEnd);
  for (const bad of [
    [0x1f, 0],
    [4],
    [4, 2, 0],
    [4, 0x80],
    [4, 0x85, 0, 0, 0, 0, 0],
    [4, 0x82, 1],
  ]) {
    assert.throws(() => new DerReader(Uint8Array.from(bad)).next(), DerError, String(bad));
  }
  assert.equal(oidText(Uint8Array.of(0x55, 4, 3)), '2.5.4.3');
  assert.equal(
    oidText(Uint8Array.of(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1)),
    '1.2.840.113549.1.9.1',
  );
  assert.equal(oidText(Uint8Array.of(0x88, 0x37)), '2.999');
  assert.equal(smallInteger(Uint8Array.of(0x27, 0x10)), 10_000);
  assert.throws(() => smallInteger(new Uint8Array(6)), DerError);
});
