import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OpCode } from '../protocol/opcodes.js';
import { KnownOps } from './known-ops.js';

const here = { host: 'a', port: 2181 };
const there = { host: 'b', port: 2181 };

test('a server that hangs up on an operation twice does not know it; another one may', () => {
  const known = new KnownOps();
  known.onServer(here);
  known.onClosed(OpCode.getEphemerals);
  assert.equal(known.isMissing(OpCode.getEphemerals), false);
  known.onClosed(OpCode.getEphemerals);
  assert.equal(known.isMissing(OpCode.getEphemerals), true);
  known.onServer(there);
  assert.equal(known.isMissing(OpCode.getEphemerals), false);
});

test('connections that end are not held against an operation that was answered there', () => {
  const known = new KnownOps();
  known.onServer(here);
  known.onClosed(OpCode.getEphemerals);
  known.onAnswered(OpCode.getEphemerals);
  for (let i = 0; i < 5; i++) known.onClosed(OpCode.getEphemerals);
  assert.equal(known.isMissing(OpCode.getEphemerals), false);
  assert.equal(known.isInQuestion(OpCode.getEphemerals), false);
});

test('with another session everything is open again', () => {
  const known = new KnownOps();
  known.onServer(here);
  known.refuse(OpCode.addWatch);
  known.onAnswered(OpCode.whoAmI);
  known.forget();
  assert.equal(known.isMissing(OpCode.addWatch), false);
  assert.equal(known.isInQuestion(OpCode.whoAmI), true);
});

test('what every server knows is never in question', () => {
  const known = new KnownOps();
  known.onServer(here);
  for (let i = 0; i < 3; i++) known.onClosed(OpCode.setData);
  assert.equal(known.isMissing(OpCode.setData), false);
  assert.equal(known.isInQuestion(OpCode.setData), false);
});
