import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QuorumPacketDecoder, type PacketView } from '../../protocol/peer/quorum-packet.js';
import { Writer } from '../../protocol/writer.js';
import type { Verdict } from '../attach.js';
import { readRevalidate, readRevalidated, writeRevalidate, writeRevalidated } from './packets.js';

/** Its packet's data in hexadecimal, and what `read` makes of the packet. */
function sent<T>(write: (out: Writer) => void, read: (packet: PacketView) => T): [string, T] {
  const out = new Writer();
  write(out);
  const results: [string, T][] = [];
  const decoder = new QuorumPacketDecoder({ dataBytesMax: 4096 }, () => -1);
  decoder.push(out.bytes, 0, out.pos, (packet) => {
    const data = packet.bytes.subarray(packet.dataStart, packet.dataEnd);
    results.push([Buffer.from(data).toString('hex'), read(packet)]);
    return 'packets';
  });
  const [result] = results;
  assert.ok(result !== undefined && results.length === 1);
  return result;
}

const session = 0x1_0000_0000_0001n;

test('REVALIDATE to a leader that knows no generations is Apache’s to the byte', () => {
  const [data, read] = sent((out) => writeRevalidate(out, session, 4000, null), readRevalidate);
  assert.equal(data, '0001000000000001' + '00000fa0');
  assert.deepEqual(read, { session, timeoutMs: 4000, shown: null });
});

test('REVALIDATE with a generation', () => {
  const [data, read] = sent((out) => writeRevalidate(out, session, 4000, 9n), readRevalidate);
  const block = '5a425253' + '0000000c' + '00000000' + '0000000000000009';
  assert.equal(data, '0001000000000001' + '00000fa0' + block);
  assert.deepEqual(read, { session, timeoutMs: 4000, shown: 9n });
  const [, fresh] = sent((out) => writeRevalidate(out, session, 4000, 0n), readRevalidate);
  assert.equal(fresh?.shown, 0n, 'none is shown, and the answer may tell one');
});

const answers: readonly (readonly [Verdict, string])[] = [
  [{ kind: 'valid', attached: null }, '01'],
  [{ kind: 'invalid' }, '00'],
  [
    { kind: 'valid', attached: { generation: 9n, zxid: 8n } },
    '01' + '5a425253000000180000000000000000' + '0000000000000009' + '0000000000000008',
  ],
  [
    { kind: 'superseded' },
    '00' + '5a425253000000180000000000000001' + '0000000000000000' + '0000000000000000',
  ],
];

for (const [verdict, expected] of answers) {
  const isTold = expected.length > 2;
  test(`the answer: ${verdict.kind}${isTold ? ', with a block' : ' to the byte as Apache’s'}`, () => {
    const [data, read] = sent((out) => writeRevalidated(out, session, verdict), readRevalidated);
    assert.equal(data, `0001000000000001${expected}`);
    assert.equal(read?.session, session);
    assert.equal(read.verdict.kind, verdict.kind);
    if (verdict.kind !== 'valid' || read.verdict.kind !== 'valid') return;
    assert.equal(read.verdict.attached?.generation, verdict.attached?.generation);
    assert.equal(read.verdict.attached?.zxid, verdict.attached?.zxid);
  });
}

test('what is too short is none', () => {
  for (const [write, read] of [
    [(out: Writer) => writeRevalidate(out, session, 4000, null), readRevalidate],
    [(out: Writer) => writeRevalidated(out, session, { kind: 'invalid' }), readRevalidated],
  ] as const) {
    const [, none] = sent(write, (packet) => read({ ...packet, dataEnd: packet.dataEnd - 1 }));
    assert.equal(none, null);
    const [, nothing] = sent(write, (packet) => read({ ...packet, dataStart: -1 }));
    assert.equal(nothing, null);
  }
});
