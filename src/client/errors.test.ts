import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import * as client from '../client.js';
import * as discovery from '../discovery.js';
import * as recipes from '../recipes.js';
import { ErrorCode, zkErrorOf } from './errors.js';

type AnyError = new (...args: never[]) => Error;

function isErrorClass(value: unknown): value is AnyError {
  return typeof value === 'function' && value.prototype instanceof Error;
}

/** For those that need more than a text. */
const args: Readonly<Record<string, readonly unknown[]>> = {
  ZkError: [ErrorCode.noNode, '/a'],
  OutcomeUnknownError: [7, '/a'],
  TransactionError: [0, [zkErrorOf(ErrorCode.noNode, '/a')], '/a', 'check'],
  DeleteTreeError: ['/a', [zkErrorOf(ErrorCode.noAuth, '/a/b')]],
  ArgumentError: ['path', '/a/', 2, 'empty'],
  ConfigRefusedError: [1, []],
  FanOutError: ['service', 1, 2, []],
};

for (const [entry, exported] of Object.entries({ client, recipes, discovery })) {
  test(`errors of zabra/${entry} are called what their class is called, wherever they are printed`, () => {
    const classes = Object.entries(exported).filter(([, value]) => isErrorClass(value));
    assert.ok(classes.length > 0);
    for (const [name, value] of classes) {
      const error = new (value as new (...all: readonly unknown[]) => Error)(
        ...(args[name] ?? ['/a']),
      );
      assert.equal(error.name, name);
      assert.equal((value as AnyError).name, name);
      assert.equal(Object.prototype.toString.call(error), '[object Error]');
      const line = `${name}: ${error.message}`;
      assert.equal(String(error), line);
      for (const printed of [inspect(error), error.stack ?? '']) {
        assert.equal(printed.slice(0, line.length + 1), `${line}\n`);
      }
    }
  });
}

test('every code that a server answers with has a class that carries it', () => {
  for (const code of Object.values(ErrorCode)) {
    const error = zkErrorOf(code, '/a');
    assert.equal(error.code, code);
    assert.ok(error.message.endsWith(': /a'), error.message);
    assert.equal(error.name, error.constructor.name);
  }
});
