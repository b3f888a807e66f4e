import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OpCode } from '../../protocol/opcodes.js';
import { PacketType, type PacketView } from '../../protocol/peer/quorum-packet.js';
import { Writer } from '../../protocol/writer.js';
import type { ProposingReplica } from '../proposing-replica.js';
import { LearnerRequests } from './learner-requests.js';
import type { QuorumLink } from './quorum-link.js';
import type { Surroundings } from './role.js';

/** What a leader does with a request of a session that it does not know (any more). */
function asked(op: number): string[] {
  const done: string[] = [];
  const replica = {
    request: {},
    submit: () => {
      done.push('prepared');
      return true;
    },
    submitFailure: (_pending: unknown, error: number) => done.push(`refused ${error}`),
  } as unknown as ProposingReplica;
  const around = {
    config: { ensemble: { localSessionsEnabled: false } },
    applier: () => ({ sessions: { get: () => undefined } }),
  } as unknown as Surroundings;
  const requests = new LearnerRequests(around, {
    replica: () => replica,
    requestSync: () => done.push('sync'),
    begin: () => new Writer(),
  });
  const data = new Writer();
  data.writeLong(0x100000001n);
  data.writeInt(7);
  data.writeInt(op);
  const packet: PacketView = {
    ...{ type: PacketType.request, zxidHigh: 0, zxidLow: 0, authinfo: null },
    ...{ bytes: data.bytes, dataStart: 0, dataEnd: data.pos },
  };
  const link = { id: 1 } as unknown as QuorumLink;
  requests.onRequest(link, packet, 0);
  return done;
}

test('of a session that has ended a write is refused, and a multi is left to its parts', () => {
  assert.deepEqual(asked(OpCode.setData), ['refused -112']);
  assert.deepEqual(
    asked(OpCode.multi),
    ['prepared'],
    'one without parts goes through, as on Apache',
  );
});
