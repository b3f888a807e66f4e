import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc, { type Arbitrary } from 'fast-check';
import { OpCode } from './opcodes.js';
import { MalformedError, Reader } from './reader.js';
import * as records from './records.js';
import {
  bool,
  buffer,
  int,
  long,
  trailingBool,
  ustring,
  type RecordCodec,
  type VectorCodec,
} from './records/codec.js';
import { Writer } from './writer.js';

type AnyCodec = records.Codec<unknown>;

const allCodecs = Object.values(records as Readonly<Record<string, unknown>>).filter(
  (one): one is AnyCodec => typeof one === 'object' && one !== null && 'minBytes' in one,
);

const primitives = new Map<AnyCodec, Arbitrary<unknown>>([
  [int, fc.integer()],
  [long, fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n })],
  [bool, fc.boolean()],
  [buffer, fc.option(fc.uint8Array({ maxLength: 20 }))],
  [ustring, fc.option(fc.string({ unit: 'binary', maxLength: 12 }))],
  [trailingBool, fc.option(fc.boolean())],
]);

function memberOf(key: 'request' | 'result', type: number): Arbitrary<unknown> {
  const codecOf = key === 'request' ? records.requestCodecOf : records.responseCodecOf;
  const codec = type === OpCode.error ? records.ErrorResponse : codecOf(type);
  assert(codec !== undefined);
  return valueOf(codec).map((value) => ({ type, [key]: value }));
}

const { create, create2, createContainer, createTTL, setData, check, getData, getChildren } =
  OpCode;
const opTypes = [
  create,
  create2,
  createContainer,
  createTTL,
  OpCode.delete,
  setData,
  check,
  getData,
  getChildren,
];
const resultTypes = [
  create,
  create2,
  OpCode.delete,
  setData,
  check,
  getData,
  getChildren,
  OpCode.error,
];

function listOf(key: 'request' | 'result', types: readonly number[]): Arbitrary<unknown> {
  return fc.array(fc.oneof(...types.map((type) => memberOf(key, type))), { maxLength: 4 });
}

/** Any value that the codec can write, made up from its table. */
function valueOf(codec: AnyCodec): Arbitrary<unknown> {
  const primitive = primitives.get(codec);
  if (primitive !== undefined) return primitive;
  if (codec === records.MultiRequest) return fc.record({ ops: listOf('request', opTypes) });
  if (codec === records.MultiResponse) return fc.record({ results: listOf('result', resultTypes) });
  if ('item' in codec) {
    const { item } = codec as VectorCodec<unknown>;
    return fc.option(fc.array(valueOf(item), { maxLength: 3 }));
  }
  const { fields } = codec as RecordCodec<Record<string, AnyCodec>>;
  const model = Object.entries(fields).map(([key, field]) => [key, valueOf(field)]);
  return fc.record(Object.fromEntries(model) as Record<string, Arbitrary<unknown>>);
}

/** fast-check makes objects without a prototype; values are compared, not their ancestry. */
const plain = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
};

for (const codec of allCodecs) {
  test(`${codec.name}: written, read and written again, and truncated at each offset`, () => {
    const writer = new Writer(8);
    fc.assert(
      fc.property(valueOf(codec), (value) => {
        writer.reset();
        codec.write(writer, value);
        const bytes = writer.take();
        assert.ok(bytes.length >= codec.minBytes);
        const read = records.readWhole(codec, new Reader(bytes));
        assert.deepEqual(plain(read), plain(value));
        writer.reset();
        codec.write(writer, read);
        assert.deepEqual(writer.take(), bytes);
        checkTruncated(codec, bytes);
      }),
      { numRuns: 60 },
    );
  });

  test(`${codec.name}: any bytes at all are a value or malformed`, () => {
    const edgy = fc.uint8Array({ maxLength: 80 });
    const small = fc.array(fc.constantFrom(0, 0, 0, 1, 2, 0xff), { maxLength: 80 });
    fc.assert(
      fc.property(
        fc.oneof(
          edgy,
          small.map((some) => Uint8Array.from(some)),
        ),
        (bytes) => {
          try {
            codec.read(new Reader(bytes));
          } catch (error) {
            assert.ok(error instanceof MalformedError, String(error));
          }
        },
      ),
      { numRuns: 200 },
    );
  });
}

/** Any record that lost its end is malformed; but a readOnly may be missing altogether. */
function checkTruncated(codec: AnyCodec, bytes: Uint8Array): void {
  for (let end = 0; end < bytes.length; end++) {
    // the bytes beyond the end stay in place, for a reader that would look at them
    const reader = new Reader(bytes, 0, end);
    if (isConnect(codec) && end === bytes.length - 1) {
      const whole = codec.read(new Reader(bytes)) as records.ConnectRequest;
      if (whole.readOnly !== null) {
        assert.deepEqual(codec.read(reader), { ...whole, readOnly: null });
        continue;
      }
    }
    assert.throws(() => codec.read(reader), MalformedError);
  }
}

function isConnect(codec: AnyCodec): boolean {
  return codec === records.ConnectRequest || codec === records.ConnectResponse;
}

test('a connect request without readOnly is 44 bytes, and is answered without it', () => {
  const request = {
    protocolVersion: 0,
    lastZxidSeen: 5n,
    timeOut: 30_000,
    sessionId: 0n,
    passwd: new Uint8Array(16),
    readOnly: null,
  };
  const writer = new Writer();
  records.ConnectRequest.write(writer, request);
  assert.equal(writer.pos, 44);
  assert.deepEqual(records.ConnectRequest.read(new Reader(writer.take())), request);
  writer.writeBool(true);
  const read = records.ConnectRequest.read(new Reader(writer.take()));
  assert.equal(read.readOnly, true);
});

test('bytes after a record are left to the caller', () => {
  const bytes = Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 2, 9);
  const reader = new Reader(bytes);
  assert.deepEqual(records.RequestHeader.read(reader), { xid: 1, type: 2 });
  assert.equal(reader.remaining, 1);
  assert.throws(() => records.readWhole(records.RequestHeader, new Reader(bytes)), MalformedError);
});

test('an unknown member of a multi is malformed, wherever it claims to be', () => {
  const writer = new Writer();
  records.MultiHeader.write(writer, { type: OpCode.getACL, done: false, err: -1 });
  for (const codec of [records.MultiRequest, records.MultiResponse]) {
    assert.throws(() => codec.read(new Reader(writer.take())), /type 6 inside a multi/);
  }
});

test('operations and their records are found by number', () => {
  assert.equal(records.requestCodecOf(OpCode.createTTL), records.CreateTTLRequest);
  assert.equal(records.responseCodecOf(OpCode.createTTL), records.Create2Response);
  assert.equal(records.txnCodecOf(OpCode.reconfig), records.SetDataTxn);
  for (const find of [records.requestCodecOf, records.responseCodecOf, records.txnCodecOf]) {
    assert.equal(find(77), undefined);
  }
  const clientOps = Object.values(OpCode).filter((code) => code > 0 || code === -11);
  for (const op of clientOps) {
    assert.ok(records.requestCodecOf(op), String(op));
    assert.ok(records.responseCodecOf(op), String(op));
  }
});

test('a transaction of an unknown type is malformed, a broken one too', () => {
  const header = { clientId: 1n, cxid: 1, zxid: 1n, time: 1n, type: 77 };
  const writer = new Writer();
  records.TxnHeader.write(writer, header);
  assert.throws(() => records.readTxnPayload(new Reader(writer.take())), /unknown type 77/);
  writer.reset();
  records.TxnHeader.write(writer, { ...header, type: OpCode.setData });
  assert.throws(() => records.readTxnPayload(new Reader(writer.take())), MalformedError);
});
