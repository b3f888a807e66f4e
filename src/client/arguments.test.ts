import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CreateMode } from '../protocol/create-mode.js';
import {
  ArgumentError,
  checkAcl,
  checkCreate,
  checkData,
  checkPath,
  checkSignal,
  checkVersion,
  checkWatcher,
} from './arguments.js';
import { Acls, aclsFromWire, aclsToWire, Perms } from './acls.js';

function refusal(check: () => unknown): ArgumentError {
  try {
    check();
  } catch (error) {
    assert.ok(error instanceof ArgumentError, `not an ArgumentError: ${String(error)}`);
    return error;
  }
  return assert.fail('it was accepted');
}

test('a path is refused with the place of its fault', () => {
  const faults: readonly (readonly [unknown, number, RegExp])[] = [
    ['', 0, /length/],
    ['a/b', 0, /start with/],
    ['/a/', 2, /end with/],
    ['/a//b', 3, /empty node name/],
    ['/a/../b', 4, /relative/],
    ['/a/.', 3, /relative/],
    ['/a\u0000', 2, /null character/],
    ['/abc\u0007d', 4, /invalid character/],
    [undefined, 0, /not undefined/],
    [null, 0, /not null/],
    [7, 0, /not 7/],
    [['/a'], 0, /an array/],
  ];
  for (const [path, position, reason] of faults) {
    const error = refusal(() => checkPath(path));
    assert.equal(error.what, 'path');
    assert.equal(error.position, position, String(path));
    assert.match(error.reason, reason);
    assert.match(error.message, new RegExp(`^path: .* at ${position}$`));
    assert.ok(error instanceof TypeError);
  }
  checkPath('/');
  checkPath('/a/b');
  checkPath('/queue/', 'path', true);
  assert.equal(refusal(() => checkPath('/queue/', 'root')).what, 'root');
});

test('a long or odd argument is shown short and on one line', () => {
  const error = refusal(() => checkPath(`/\n${'x'.repeat(10_000)}`));
  assert.ok(error.message.length < 400);
  assert.ok(!error.message.includes('\n'));
});

test('data is bytes or text, and fits', () => {
  checkData('');
  checkData(new Uint8Array(5), 5);
  checkData(Buffer.from('äöü'), 6);
  assert.equal(refusal(() => checkData('äöü', 5)).position, 5);
  for (const wrong of [undefined, null, 5, {}, [1, 2], new ArrayBuffer(2)]) {
    assert.match(refusal(() => checkData(wrong)).message, /Uint8Array or a string/);
  }
});

test('an ACL is refused with the entry at fault', () => {
  const good = { perms: Perms.all, scheme: 'world', id: 'anyone' };
  for (const acl of Object.values(Acls)) checkAcl(acl);
  checkAcl([{ perms: 0, scheme: 'ip', id: '10.0.0.0/8' }]);
  checkAcl([{ perms: 1, scheme: 'digest', id: 'joe:hash=' }]);
  const faults: readonly (readonly [unknown, number, RegExp])[] = [
    ['world:anyone:r', 0, /a list/],
    [[], 0, /empty/],
    [[good, null], 1, /an object/],
    [[good, { ...good, perms: 32 }], 1, /0 to 31/],
    [[{ ...good, perms: 1.5 }], 0, /0 to 31/],
    [[{ ...good, perms: 'r' }], 0, /0 to 31/],
    [[good, good, { ...good, scheme: '' }], 2, /scheme/],
    [[{ ...good, id: 5 }], 0, /id is a string/],
    [[{ ...good, id: 'somebody' }], 0, /anyone/],
    [[{ ...good, scheme: 'digest', id: 'joe' }], 0, /user:/],
  ];
  for (const [acl, position, reason] of faults) {
    const error = refusal(() => checkAcl(acl));
    assert.equal(error.position, position);
    assert.match(error.message, reason);
  }
});

test('ACLs go to the wire and come back the same', () => {
  for (const acl of Object.values(Acls)) assert.deepEqual(aclsFromWire(aclsToWire(acl)), [...acl]);
  assert.deepEqual(aclsFromWire(null), []);
  assert.deepEqual(aclsFromWire([{ perms: 1, id: { scheme: null, id: null } }]), [
    { perms: 1, scheme: '', id: '' },
  ]);
});

test('a mode has a time to live exactly where its name says so', () => {
  assert.deepEqual(checkCreate(undefined, undefined), { flags: CreateMode.persistent, ttlMs: 0 });
  assert.equal(checkCreate('ephemeral-sequential', undefined).flags, 3);
  assert.equal(checkCreate('container', undefined).flags, 4);
  assert.deepEqual(checkCreate('persistent-ttl', 5), { flags: 5, ttlMs: 5 });
  assert.deepEqual(checkCreate('persistent-sequential-ttl', 2 ** 40 - 1).flags, 6);
  for (const mode of ['Ephemeral', 'toString', '', 3, null]) {
    if (mode !== null) assert.equal(refusal(() => checkCreate(mode, undefined)).what, 'mode');
  }
  for (const ttl of [undefined, 0, -1, 1.5, 2 ** 40, '5', 5n, NaN]) {
    assert.equal(refusal(() => checkCreate('persistent-ttl', ttl)).what, 'ttlMs');
  }
  assert.equal(refusal(() => checkCreate('ephemeral', 5)).what, 'ttlMs');
});

test('a version is a whole number of 32 bits; none means any', () => {
  assert.equal(checkVersion(undefined), -1);
  for (const version of [-1, 0, 7, 2 ** 31 - 1, -(2 ** 31)]) {
    assert.equal(checkVersion(version), version);
  }
  for (const version of [1.5, NaN, Infinity, 2 ** 31, '1', 1n, null, {}]) {
    assert.equal(refusal(() => checkVersion(version)).what, 'version');
  }
});

test('a signal that was aborted throws its reason, what is none is refused', () => {
  checkSignal(undefined);
  checkSignal(new AbortController().signal);
  assert.throws(() => checkSignal(AbortSignal.abort(new Error('mine'))), /mine/);
  assert.equal(refusal(() => checkSignal({ aborted: false })).what, 'signal');
  checkWatcher(() => undefined);
  assert.equal(refusal(() => checkWatcher('function')).what, 'watcher');
});

test('no check throws anything but ArgumentError, whatever it is given', () => {
  const checks = [checkPath, checkData, checkAcl, checkVersion, checkSignal, checkWatcher] as const;
  fc.assert(
    fc.property(
      fc.anything({ withBigInt: true, withDate: true, withNullPrototype: true }),
      fc.anything(),
      (value, other) => {
        for (const check of [...checks, (mode: unknown) => checkCreate(mode, other)]) {
          try {
            check(value);
          } catch (error) {
            assert.ok(error instanceof ArgumentError);
          }
        }
      },
    ),
  );
});
