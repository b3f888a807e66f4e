/** The small tables: what is not compared with Apache's in golden.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCreateMode } from './create-mode.js';
import {
  ErrorCode,
  ZkError,
  errorCodeOf,
  errorName,
  errorSentence,
  errorShortText,
} from './errors.js';
import { isAddWatchMode, isWatcherType } from './events.js';
import { OpCode, isOpCode, opName } from './opcodes.js';
import { formatPerms, parsePerms } from './perms.js';
import { nextXid } from './xid.js';

test('an error carries its number, its name and a sentence with the path', () => {
  const error = new ZkError(ErrorCode.noNode, '/a');
  assert.equal(error.code, -101);
  assert.equal(error.codeName, 'NONODE');
  assert.equal(error.path, '/a');
  assert.equal(error.message, 'NONODE: the znode does not exist: /a');
  assert.equal(new ZkError(ErrorCode.noAuth).message, 'NOAUTH: not permitted by the ACL');
});

test('every code has a name that leads back to it, and a sentence', () => {
  for (const code of Object.values(ErrorCode)) {
    assert.equal(errorCodeOf(errorName(code)), code);
    assert.ok(errorSentence(code).length > 0);
  }
  assert.equal(errorCodeOf('NOSUCHERROR'), undefined);
});

test('an unknown code still makes a readable error', () => {
  assert.equal(errorName(77), 'UNKNOWN77');
  assert.equal(errorShortText(77), 'Unknown error 77');
  assert.match(new ZkError(77).message, /unknown error 77/);
});

test('operations have names', () => {
  assert.equal(opName(OpCode.getChildren2), 'getChildren2');
  assert.equal(opName(77), 'unknown 77');
  assert.equal(isOpCode(-11), true);
  assert.equal(isOpCode(10), false);
});

test('numbers outside of their tables are refused', () => {
  assert.deepEqual([-1, 0, 6, 7].map(isCreateMode), [false, true, true, false]);
  assert.deepEqual([0, 1, 5, 6].map(isWatcherType), [false, true, true, false]);
  assert.deepEqual([-1, 0, 1, 2].map(isAddWatchMode), [false, true, true, false]);
});

test('permissions are written and read as letters', () => {
  assert.equal(formatPerms(31), 'cdrwa');
  assert.equal(formatPerms(0), '');
  for (let perms = 0; perms <= 31; perms++) assert.equal(parsePerms(formatPerms(perms)), perms);
  assert.equal(parsePerms('awrdc'), 31);
  assert.equal(parsePerms('rx'), null);
});

test('after the last xid comes the first', () => {
  assert.equal(nextXid(1), 2);
  assert.equal(nextXid(0x7fffffff), 1);
});
