import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OpCode } from '../../protocol/opcodes.js';
import {
  PacketType,
  QuorumPacketDecoder,
  type PacketView,
} from '../../protocol/peer/quorum-packet.js';
import { Writer } from '../../protocol/writer.js';
import { Session } from '../../session/session.js';
import type { Attached, Verdict } from '../attach.js';
import type { ProposingReplica } from '../proposing-replica.js';
import { LearnerRequests } from './learner-requests.js';
import { readRevalidated, writeRevalidate } from './packets.js';
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

const id = 0x100000001n;
const [here, there] = [1, 2];

/** What a learner is told of the session, and whether its time was extended. */
function revalidated(
  session: Session | undefined,
  over: number,
  shown: bigint | null,
  isServing = true,
): { readonly verdict: Verdict | undefined; readonly isTouched: boolean } {
  let isTouched = false;
  const sessions = {
    get: () => session,
    touch: () => {
      isTouched = true;
      return true;
    },
  };
  const attach = (one: Session, generation: bigint): Attached | null =>
    one.attach(generation, 100n) ? { generation: one.generation, zxid: 100n } : null;
  const out = new Writer();
  const requests = new LearnerRequests(
    { applier: () => ({ sessions }) } as unknown as Surroundings,
    {
      replica: () => (isServing ? ({ attach } as unknown as ProposingReplica) : null),
      requestSync: () => assert.fail('nobody asks for that'),
      begin: () => out,
    },
  );
  const asked = new Writer();
  writeRevalidate(asked, id, 4000, shown);
  eachIn(asked, (packet) => {
    requests.revalidate({ id: over } as unknown as QuorumLink, packet, 0);
  });
  let verdict: Verdict | undefined;
  eachIn(out, (packet) => {
    verdict = readRevalidated(packet)?.verdict;
  });
  return { verdict, isTouched };
}

function eachIn(packets: Writer, tell: (packet: PacketView) => void): void {
  const decoder = new QuorumPacketDecoder({ dataBytesMax: 4096 }, () => -1);
  decoder.push(packets.bytes, 0, packets.pos, (packet) => {
    tell(packet);
    return 'packets';
  });
}

test('a session that a later client has stays where it is, and its time is not extended', () => {
  const session = new Session(id, 4000);
  const first = revalidated(session, here, 0n);
  assert.ok(first.verdict?.kind === 'valid' && first.isTouched);
  const old = first.verdict.attached?.generation ?? 0n;
  assert.equal(revalidated(session, here, 0n).verdict?.kind, 'valid');
  const late = revalidated(session, there, old);
  assert.deepEqual(late, { verdict: { kind: 'superseded' }, isTouched: false });
  assert.equal(session.isServedBy(here), true);
  const on = revalidated(session, there, session.generation);
  assert.equal(on.verdict?.kind, 'valid');
  assert.equal(session.isServedBy(there), true);
});

test('over a server that knows no generations comes a later client', () => {
  const session = new Session(id, 4000);
  revalidated(session, here, 7n);
  const { verdict } = revalidated(session, there, null);
  assert.deepEqual(verdict, { kind: 'valid', attached: null }, 'and it is told as Apache would');
  assert.equal(revalidated(session, here, 7n).verdict?.kind, 'superseded');
});

test('a session that is gone or going is invalid, whatever is shown', () => {
  const going = new Session(id, 4000);
  going.learnGeneration(9n);
  going.isClosing = true;
  for (const session of [undefined, going]) {
    for (const shown of [null, 0n, 3n, 12n]) {
      const invalid = { verdict: { kind: 'invalid' }, isTouched: false };
      assert.deepEqual(revalidated(session, here, shown), invalid);
    }
  }
});

test('a leader that serves nobody yet says that it lives, and nothing of generations', () => {
  const session = new Session(id, 4000);
  const { verdict } = revalidated(session, here, 3n, false);
  assert.deepEqual(verdict, { kind: 'valid', attached: null });
});
