import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Reader } from '../reader.js';
import { QuorumPacket } from '../records/quorum.js';
import { Writer } from '../writer.js';
import { zxidOfParts } from '../zxid.js';
import {
  PacketType,
  QuorumPacketDecoder,
  writePacket,
  writePacketWithData,
  type AfterPacket,
  type PacketView,
} from './quorum-packet.js';

type Packet = QuorumPacket;

/** A copy of what was lent. */
function copyOf(view: PacketView): Packet {
  const { type, bytes, dataStart, dataEnd } = view;
  return {
    type,
    zxid: zxidOfParts(view.zxidHigh, view.zxidLow),
    data: dataStart < 0 ? null : bytes.slice(dataStart, dataEnd),
    authinfo: view.authinfo,
  };
}

function encode(packets: readonly Packet[]): Uint8Array {
  const out = new Writer();
  for (const packet of packets) QuorumPacket.write(out, packet);
  return out.take();
}

function encodeAgain(packets: readonly Packet[]): Uint8Array {
  const out = new Writer();
  for (const { type, zxid, data, authinfo } of packets) {
    const [high, low] = [Number(zxid >> 32n), Number(zxid & 0xffffffffn)];
    if (data === null) writePacket(out, type as PacketType, high, low);
    else {
      writePacketWithData(out, type as PacketType, high, low, data, 0, data.length, authinfo);
    }
  }
  return out.take();
}

/** Pushes the bytes cut at these places. */
function decode(
  bytes: Uint8Array,
  cuts: readonly number[],
  decoder = new QuorumPacketDecoder({ dataBytesMax: 5000 }),
): Packet[] {
  const packets: Packet[] = [];
  let start = 0;
  for (const end of [...cuts, bytes.length]) {
    // a chunk of its own, overwritten afterwards: nobody may keep what was lent
    const chunk = bytes.slice(start, end);
    const status = decoder.push(chunk, 0, chunk.length, (packet) => {
      packets.push(copyOf(packet));
      return 'packets';
    });
    assert.equal(status, 'ok');
    assert.equal(decoder.consumed, chunk.length);
    chunk.fill(0xdb);
    start = end;
  }
  return packets;
}

const everyByte = (bytes: Uint8Array): number[] => Array.from(bytes, (_, i) => i).slice(1);

const anyText = fc.option(fc.string({ unit: 'grapheme', maxLength: 20 }));
const plain = { noNullPrototype: true };
const anyId = fc.record({ scheme: anyText, id: anyText }, plain);
const anyPacket: fc.Arbitrary<Packet> = fc.oneof(
  fc.record(
    {
      type: fc.integer({ min: 1, max: 19 }),
      zxid: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      data: fc.constant(null),
      authinfo: fc.constant(null),
    },
    plain,
  ),
  fc.record(
    {
      type: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      zxid: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      data: fc.uint8Array({ maxLength: 300 }),
      authinfo: fc.option(fc.array(anyId, { maxLength: 4 })),
    },
    plain,
  ),
);

test('packets come out as they went in, however they are cut', () => {
  fc.assert(
    fc.property(
      fc.array(anyPacket, { maxLength: 6 }),
      fc.array(fc.nat(2000), { maxLength: 8 }),
      (packets, places) => {
        const bytes = encode(packets);
        const cuts = places.map((at) => at % (bytes.length + 1)).sort((a, b) => a - b);
        assert.deepEqual(decode(bytes, cuts), packets);
        assert.deepEqual(decode(bytes, everyByte(bytes)), packets);
        assert.deepEqual(encodeAgain(packets), bytes);
      },
    ),
  );
});

const sample: Packet[] = [
  { type: PacketType.diff, zxid: 0x100000003n, data: null, authinfo: null },
  {
    type: PacketType.request,
    zxid: -1n,
    data: Uint8Array.of(1, 2, 3),
    authinfo: [
      { scheme: 'ip', id: '127.0.0.1' },
      { scheme: 'digest', id: null },
    ],
  },
  { type: PacketType.ping, zxid: 0x1_ffff_ffffn, data: new Uint8Array(0), authinfo: [] },
];

test('a stream that ends early yields its whole packets and knows of the rest', () => {
  const bytes = encode(sample);
  const ends = sample.map((_, i) => encode(sample.slice(0, i + 1)).length);
  for (let length = 0; length <= bytes.length; length++) {
    const decoder = new QuorumPacketDecoder({ dataBytesMax: 100 });
    const packets = decode(bytes.slice(0, length), [], decoder);
    assert.equal(packets.length, ends.filter((end) => end <= length).length);
    assert.equal(decoder.hasPartial, length > 0 && !ends.includes(length));
    // the rest arrives later, and nothing is lost
    assert.deepEqual([...packets, ...decode(bytes.slice(length), [], decoder)], sample);
  }
});

test('a packet that lies whole in its chunk is lent from it', () => {
  const bytes = encode(sample);
  const decoder = new QuorumPacketDecoder({ dataBytesMax: 100 });
  const lent = new Set<PacketView>();
  decoder.push(bytes, 0, bytes.length, (packet) => {
    assert.equal(packet.bytes, bytes);
    lent.add(packet);
    return 'packets';
  });
  assert.equal(lent.size, 1);
});

test('zxids are lent in unsigned halves and written from either', () => {
  const out = new Writer();
  writePacket(out, PacketType.upToDate, -1, -1);
  writePacket(out, PacketType.upToDate, 0xffff_ffff, 0xffff_ffff);
  const halves: number[] = [];
  new QuorumPacketDecoder({ dataBytesMax: 0 }).push(out.bytes, 0, out.pos, (packet) => {
    halves.push(packet.zxidHigh, packet.zxidLow);
    return 'packets';
  });
  assert.deepEqual(halves, [0xffff_ffff, 0xffff_ffff, 0xffff_ffff, 0xffff_ffff]);
});

const hexOfInt = (value: number): string => (value >>> 0).toString(16).padStart(8, '0');
const head = `${hexOfInt(6)}0000000100000002`;
const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));

for (const [what, hex] of [
  ['data of a negative length', head + hexOfInt(-2)],
  ['more data than allowed', head + hexOfInt(101)],
  ['as much data as a peer can claim', head + hexOfInt(0x7fffffff)],
  ['more identities than allowed', head + hexOfInt(-1) + hexOfInt(65)],
  ['an identity of a negative length', head + hexOfInt(-1) + hexOfInt(1) + hexOfInt(-2)],
  ['an identity longer than allowed', head + hexOfInt(-1) + hexOfInt(1) + hexOfInt(101)],
  [
    'identities that are too long together',
    head + hexOfInt(-1) + hexOfInt(2) + hexOfInt(60) + '61'.repeat(60) + hexOfInt(60),
  ],
] as const) {
  test(`refused at once: ${what}`, () => {
    const bytes = bytesOf(hex);
    const never = (): AfterPacket => assert.fail('there is no packet');
    const whole = new QuorumPacketDecoder({ dataBytesMax: 100 });
    assert.equal(whole.push(bytes, 0, bytes.length, never), 'malformed');
    const decoder = new QuorumPacketDecoder({ dataBytesMax: 100 });
    const last = bytes.length - 1;
    for (let i = 0; i < last; i++) assert.equal(decoder.push(bytes, i, i + 1, never), 'ok');
    assert.equal(decoder.push(bytes, last, last + 1, never), 'malformed');
  });
}

test('a negative count of identities but -1 is none, as in Java', () => {
  const bytes = bytesOf(head + hexOfInt(-1) + hexOfInt(-7));
  assert.deepEqual(decode(bytes, []), [{ type: 6, zxid: 0x100000002n, data: null, authinfo: [] }]);
});

test('after SNAP come bytes that are no packets, to where their receiver finds the end', () => {
  const before = encode([{ type: PacketType.snap, zxid: 7n, data: null, authinfo: null }]);
  const raw = Uint8Array.of(9, 9, 9, 9, 9, 0);
  const after = encode(sample);
  const bytes = Uint8Array.from([...before, ...raw, ...after]);
  for (let cut = 1; cut < bytes.length; cut++) {
    for (const cuts of [[cut], everyByte(bytes)]) {
      const got: number[] = [];
      let hasEnded = false;
      const decoder = new QuorumPacketDecoder({ dataBytesMax: 100 }, (chunk, start, end) => {
        for (let i = start; i < end; i++) {
          if (hasEnded) return i - start;
          got.push(chunk[i]!);
          hasEnded = chunk[i] === 0;
        }
        return end - start;
      });
      const packets: Packet[] = [];
      let start = 0;
      for (const end of [...cuts, bytes.length]) {
        decoder.push(bytes, start, end, (packet) => {
          packets.push(copyOf(packet));
          return packet.type === PacketType.snap ? 'raw' : 'packets';
        });
        start = end;
      }
      assert.deepEqual(got, [...raw]);
      assert.deepEqual(packets.slice(1), sample);
    }
  }
});

test('a raw stream that its receiver refuses, or nobody receives, is malformed', () => {
  const bytes = Uint8Array.from([
    ...encode([{ type: PacketType.snap, zxid: 7n, data: null, authinfo: null }]),
    1,
  ]);
  const refusing = new QuorumPacketDecoder({ dataBytesMax: 0 }, () => -1);
  const deaf = new QuorumPacketDecoder({ dataBytesMax: 0 });
  assert.equal(
    refusing.push(bytes, 0, bytes.length, () => 'raw'),
    'malformed',
  );
  assert.equal(
    deaf.push(bytes, 0, bytes.length, () => 'raw'),
    'malformed',
  );
});

test('a receiver that has enough stops, and goes on later where it stopped', () => {
  const bytes = encode(sample);
  for (const cut of [0, 1, 20, 21, 30]) {
    const decoder = new QuorumPacketDecoder({ dataBytesMax: 100 });
    const packets: Packet[] = [];
    const one = (packet: PacketView): AfterPacket => {
      packets.push(copyOf(packet));
      return 'stop';
    };
    let pos = 0;
    for (const end of [cut, bytes.length]) {
      while (pos < end) {
        const count = packets.length;
        decoder.push(bytes, pos, end, one);
        assert.ok(packets.length <= count + 1);
        pos = decoder.consumed;
      }
    }
    assert.deepEqual(packets, sample);
  }
});

test('what is written reads back with the record of the same name', () => {
  const reader = new Reader(encodeAgain(sample));
  assert.deepEqual(
    sample.map(() => QuorumPacket.read(reader)),
    sample,
  );
  assert.equal(reader.remaining, 0);
});
