import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  AttachStatus,
  ContinuationCapability,
  ContinuationOp,
  Fate,
  readAttachRequest,
  readAttachResponse,
  readCatchUp,
  readFateRequest,
  readFates,
  writeAttachRequest,
  writeAttachResponse,
  writeCatchUp,
  writeFateRequest,
  writeFates,
  type WatchLists,
  type WriteFate,
} from './continuation.js';
import { isRead } from '../server/operations.js';
import { isClientWrite, OpCode } from './opcodes.js';
import { MalformedError, Reader } from './reader.js';
import { ConnectRequest, ConnectResponse } from './records.js';
import { Writer } from './writer.js';

function bytesOf(write: (out: Writer) => void): Uint8Array {
  const out = new Writer();
  write(out);
  return out.take();
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const reading = (bytes: Uint8Array): Reader => new Reader().reset(bytes, 0, bytes.length);

const asked = { capabilities: 7, generation: 0x1_0000_0002n };
const told = {
  capabilities: ContinuationCapability.fate | ContinuationCapability.global,
  status: AttachStatus.superseded,
  generation: 0x1_0000_0002n,
  zxid: 0x1_0000_0001n,
};

test('the bytes of both blocks', () => {
  assert.equal(
    hex(bytesOf((out) => writeAttachRequest(out, asked))),
    '5a425253' + '0000000c' + '00000007' + '0000000100000002',
  );
  assert.equal(
    hex(bytesOf((out) => writeAttachResponse(out, told))),
    '5a425253' + '00000018' + '00000005' + '00000001' + '0000000100000002' + '0000000100000001',
  );
});

test('the bytes of the operations', () => {
  assert.equal(ContinuationOp.fate, 0x5a420001);
  assert.equal(ContinuationOp.catchUp, 0x5a420002);
  assert.equal(
    hex(bytesOf((out) => writeFateRequest(out, 5n, [1, -2]))),
    '0000000000000005' + '00000002' + '00000001' + 'fffffffe',
  );
  const fates: WriteFate[] = [
    { cxid: 1, fate: Fate.executed, zxid: 6n, error: -101, body: Uint8Array.of(9) },
    { cxid: 2, fate: Fate.never },
    { cxid: 3, fate: Fate.unknown },
  ];
  assert.equal(
    hex(bytesOf((out) => writeFates(out, fates))),
    '00000003' +
      '00000001' +
      '00000001' +
      '0000000000000006' +
      'ffffff9b' +
      '0000000109' +
      '00000002' +
      '00000000' +
      '00000003' +
      '00000002',
  );
  const lists = { data: ['/a'], exist: [], child: ['/b', '/c'], persistent: [], recursive: ['/'] };
  assert.equal(
    hex(bytesOf((out) => writeCatchUp(out, 5n, lists, true))),
    '01' +
      '0000000000000005' +
      ('00000001' + '000000022f61') +
      '00000000' +
      ('00000002' + '000000022f62' + '000000022f63') +
      '00000000' +
      ('00000001' + '000000012f'),
  );
});

test('the operations are none of Apache’s, and neither writes nor reads to a server', () => {
  const known: readonly number[] = Object.values(OpCode);
  for (const op of Object.values(ContinuationOp)) {
    assert.equal(known.includes(op), false);
    assert.equal(isClientWrite(op) || isRead(op), false);
  }
});

test('a longer block of a later release is read as far as it is known', () => {
  const longer = (block: Uint8Array): Uint8Array => {
    const bytes = new Uint8Array(block.length + 3);
    bytes.set(block);
    bytes[7] = (bytes[7] ?? 0) + 3;
    return bytes;
  };
  const request = longer(bytesOf((out) => writeAttachRequest(out, asked)));
  assert.deepEqual(readAttachRequest(reading(request)), asked);
  const response = longer(bytesOf((out) => writeAttachResponse(out, told)));
  assert.deepEqual(readAttachResponse(reading(response)), told);
});

test('whatever else trails is no block: nothing, less, other bytes, a length that lies', () => {
  const blocks = [
    [bytesOf((out) => writeAttachRequest(out, asked)), readAttachRequest],
    [bytesOf((out) => writeAttachResponse(out, told)), readAttachResponse],
  ] as const;
  for (const [block, read] of blocks) {
    for (let end = 0; end < block.length; end++) {
      assert.equal(read(new Reader().reset(block, 0, end)), null, `cut at ${end}`);
    }
    for (const [at, value] of [
      [0, 0x5b],
      [3, 0],
      [4, 0x7f],
      [4, 0xff],
      [7, 4],
      [7, 0x60],
    ] as const) {
      const wrong = block.slice();
      wrong[at] = value;
      assert.equal(read(reading(wrong)), null, `byte ${at}`);
    }
  }
});

test('the block stands where records of Apache’s schema end', () => {
  const fields = { protocolVersion: 0, timeOut: 4000, sessionId: 7n, passwd: new Uint8Array(16) };
  const request = { ...fields, lastZxidSeen: 9n, readOnly: true };
  const bytes = bytesOf((out) => {
    ConnectRequest.write(out, request);
    writeAttachRequest(out, asked);
  });
  const reader = reading(bytes);
  assert.deepEqual(ConnectRequest.read(reader), request, 'Apache’s fields are what they were');
  assert.deepEqual(readAttachRequest(reader), asked);
  const response = { ...fields, readOnly: false };
  const answer = reading(
    bytesOf((out) => {
      ConnectResponse.write(out, response);
      writeAttachResponse(out, told);
    }),
  );
  assert.deepEqual(ConnectResponse.read(answer), response);
  assert.deepEqual(readAttachResponse(answer), told);
});

const long = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n });
const plain = { noNullPrototype: true } as const;
const int = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

test('what is written is read', () => {
  fc.assert(
    fc.property(int, int, long, long, (capabilities, status, generation, zxid) => {
      const request = bytesOf((out) => writeAttachRequest(out, { capabilities, generation }));
      assert.deepEqual(readAttachRequest(reading(request)), { capabilities, generation });
      const response = { capabilities, status, generation, zxid };
      const answer = bytesOf((out) => writeAttachResponse(out, response));
      assert.deepEqual(readAttachResponse(reading(answer)), response);
    }),
  );
  fc.assert(
    fc.property(long, fc.array(int), (since, cxids) => {
      const bytes = bytesOf((out) => writeFateRequest(out, since, cxids));
      assert.deepEqual(readFateRequest(reading(bytes)), { since, cxids });
    }),
  );
  const fate: fc.Arbitrary<WriteFate> = fc.oneof(
    fc.record({ cxid: int, fate: fc.constantFrom(Fate.never, Fate.unknown) }, plain),
    fc.record(
      {
        cxid: int,
        fate: fc.constant(Fate.executed),
        zxid: long,
        error: int,
        body: fc.uint8Array(),
      },
      plain,
    ),
  );
  fc.assert(
    fc.property(fc.array(fate), (fates) => {
      assert.deepEqual(readFates(reading(bytesOf((out) => writeFates(out, fates)))), fates);
    }),
  );
  const paths = fc.array(fc.string());
  const anyLists: fc.Arbitrary<WatchLists> = fc.record(
    { data: paths, exist: paths, child: paths, persistent: paths, recursive: paths },
    plain,
  );
  fc.assert(
    fc.property(long, anyLists, fc.boolean(), (since, lists, hasMore) => {
      const bytes = bytesOf((out) => writeCatchUp(out, since, lists, hasMore));
      assert.deepEqual(readCatchUp(reading(bytes)), { hasMore, since, lists });
    }),
  );
});

test('what cannot be read is malformed: a count that lies, a fate that is none, a watch of nothing', () => {
  const many = bytesOf((out) => {
    out.writeLong(0n);
    out.writeInt(1 << 20);
  });
  assert.throws(() => readFateRequest(reading(many)), MalformedError);
  const strange = bytesOf((out) => {
    out.writeInt(1);
    out.writeInt(7);
    out.writeInt(3);
  });
  assert.throws(() => readFates(reading(strange)), MalformedError);
  const nothing = bytesOf((out) => {
    out.writeBool(false);
    out.writeLong(0n);
    out.writeInt(1);
    out.writeString(null);
    for (let i = 0; i < 4; i++) out.writeInt(0);
  });
  assert.throws(() => readCatchUp(reading(nothing)), MalformedError);
});
