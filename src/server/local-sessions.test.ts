import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CreateMode } from '../protocol/create-mode.js';
import { OpCode } from '../protocol/opcodes.js';
import { requestCodecOf } from '../protocol/records.js';
import { Writer } from '../protocol/writer.js';
import { SessionTracker } from '../session/tracker.js';
import { asksForEphemeral, LocalSessions } from './local-sessions.js';

function asks(op: number, body: object): boolean {
  const writer = new Writer();
  writer.writeInt(0x7fffffff); // what stands before the body is not read
  requestCodecOf(op)?.write(writer, body);
  return asksForEphemeral(op, writer.bytes, 4, writer.pos);
}

const create = (flags: number): object => ({ path: '/a', data: null, acl: [], flags });
const part = (type: number, flags: number): object => ({ type, request: create(flags) });
const check = { type: OpCode.check, request: { path: '/a', version: 0 } };

test('who asks for an ephemeral: a create, a create2, a multi that has one', () => {
  for (const op of [OpCode.create, OpCode.create2]) {
    assert.equal(asks(op, create(CreateMode.ephemeral)), true);
    assert.equal(asks(op, create(CreateMode.ephemeralSequential)), true);
    assert.equal(asks(op, create(CreateMode.persistent)), false);
    assert.equal(asks(op, create(CreateMode.persistentSequential)), false);
    assert.equal(asks(op, create(CreateMode.container)), false);
  }
  assert.equal(asks(OpCode.createContainer, create(CreateMode.ephemeral)), false);
  const { persistent, ephemeral } = CreateMode;
  const ops = [check, part(OpCode.create, persistent)];
  assert.equal(asks(OpCode.multi, { ops }), false);
  assert.equal(asks(OpCode.multi, { ops: [...ops, part(OpCode.create2, ephemeral)] }), true);
  assert.equal(asks(OpCode.setData, { path: '/a', data: null, version: 0 }), false);
});

test('what cannot be read asks for nothing', () => {
  const bytes = new Uint8Array(12).fill(0xff);
  assert.equal(asksForEphemeral(OpCode.create, bytes, 0, 12), false);
  assert.equal(asksForEphemeral(OpCode.multi, bytes, 0, 12), false);
  assert.equal(asksForEphemeral(OpCode.create, bytes, 0, 0), false);
});

test('a local session is resumed while it lives, and told of when it comes and goes', () => {
  const told: string[] = [];
  const tracker = new SessionTracker({ tickTimeMs: 1000, serverId: 1, wallMs: 1_700_000_000_000 });
  const local = new LocalSessions(tracker, true, {
    onSessionCreated: ({ id }) => told.push(`created ${id}`),
    onSessionClosed: (id) => told.push(`closed ${id}`),
  });
  const session = local.create(4000, 0);
  assert.equal(session.locality, 'here');
  assert.equal(local.resume(session.id, 2000), session);
  assert.equal(local.resume(session.id + 1n, 2000), null);
  local.end(session);
  local.end(session);
  assert.equal(local.resume(session.id, 2000), null);
  assert.deepEqual(told, [`created ${session.id}`, `closed ${session.id}`]);
});
