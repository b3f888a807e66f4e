/** The packet filters of the network tests, run here by a small machine instead of the kernel. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytecode, type Direction, type Drop } from '../cluster/network-filter.js';

interface Frame {
  readonly from: string;
  readonly to: string;
  readonly ports: readonly [from: number, to: number];
  readonly flags: number;
  readonly etherType?: number;
  readonly protocol?: number;
}

const options = 4;
const syn = 0x02;
const ack = 0x10;

/** With options in the IP header: the TCP header is where that one says. */
function bytesOf(frame: Frame): DataView {
  const view = new DataView(new ArrayBuffer(80));
  view.setUint16(12, frame.etherType ?? 0x0800);
  view.setUint8(14, 0x40 | (5 + options / 4));
  view.setUint8(23, frame.protocol ?? 6);
  for (const [at, address] of [
    [26, frame.from],
    [30, frame.to],
  ] as const) {
    for (const [index, part] of address.split('.').entries()) view.setUint8(at + index, +part);
  }
  const tcp = 34 + options;
  view.setUint16(tcp, frame.ports[0]);
  view.setUint16(tcp + 2, frame.ports[1]);
  view.setUint8(tcp + 13, frame.flags);
  return view;
}

function verdict(text: string, frame: Frame, random = 0): 'pass' | 'drop' {
  const [count, ...lines] = text.split(',');
  assert.equal(lines.length, Number(count));
  const steps = lines.map((line) => line.split(' ').map(Number));
  const view = bytesOf(frame);
  let [a, x] = [0, 0];
  for (let at = 0; ; at++) {
    const [code = 0, yes = 0, no = 0, k = 0] = steps[at] ?? [];
    if (code === 0x28) a = view.getUint16(k);
    else if (code === 0x30) a = view.getUint8(k);
    else if (code === 0x20) a = k === 0xffff_f038 ? random : view.getUint32(k);
    else if (code === 0x48) a = view.getUint16(x + k);
    else if (code === 0x50) a = view.getUint8(x + k);
    else if (code === 0xb1) x = 4 * (view.getUint8(k) & 0x0f);
    else if (code === 0x54) a &= k;
    else if (code === 0x15) at += a === k ? yes : no;
    else if (code === 0x35) at += a >= k ? yes : no;
    else if (code === 0x06) return k === 2 ? 'drop' : 'pass';
    else assert.fail(`no instruction ${code} at ${at}`);
  }
}

const all: Drop = { peer: null, port: null, onlySyn: false, chance: 1 };
const frame: Frame = {
  from: '192.168.1.1',
  to: '192.168.1.2',
  ports: [40_000, 3888],
  flags: syn,
};
const answer: Frame = { ...frame, ports: [3888, 40_000], flags: syn | ack };

function isDropped(drops: readonly Drop[], direction: Direction, of: Frame): boolean {
  return verdict(bytecode(drops, direction), of) === 'drop';
}

test('nothing is dropped without a word', () => {
  assert.equal(isDropped([], 'in', frame), false);
});

test('all of TCP, and nothing else', () => {
  assert.equal(isDropped([all], 'in', frame), true);
  assert.equal(isDropped([all], 'out', answer), true);
  assert.equal(isDropped([all], 'in', { ...frame, etherType: 0x0806 }), false);
  assert.equal(isDropped([all], 'in', { ...frame, protocol: 17 }), false);
});

test('a peer is who sends on the way in, and who is sent to on the way out', () => {
  const drops = [{ ...all, peer: '192.168.1.1' }];
  assert.equal(isDropped(drops, 'in', frame), true);
  assert.equal(isDropped(drops, 'out', frame), false);
  assert.equal(isDropped([{ ...all, peer: '192.168.1.2' }], 'out', frame), true);
});

test('a port is that of either side', () => {
  assert.equal(isDropped([{ ...all, port: 3888 }], 'in', frame), true);
  assert.equal(isDropped([{ ...all, port: 3888 }], 'in', answer), true);
  assert.equal(isDropped([{ ...all, port: 2888 }], 'in', frame), false);
});

test('only what opens a connection', () => {
  const drops = [{ ...all, onlySyn: true, port: 3888 }];
  assert.equal(isDropped(drops, 'in', frame), true);
  assert.equal(isDropped(drops, 'in', answer), false);
  assert.equal(isDropped(drops, 'in', { ...frame, flags: ack }), false);
});

test('the second rule holds where the first does not', () => {
  const drops = [
    { ...all, peer: '192.168.1.9', port: 2888, onlySyn: true, chance: 0.5 },
    { ...all, port: 3888 },
  ];
  assert.equal(isDropped(drops, 'in', frame), true);
});

test('a chance is one', () => {
  const text = bytecode([{ ...all, chance: 0.25 }], 'in');
  assert.equal(verdict(text, frame, 0x3fff_ffff), 'drop');
  assert.equal(verdict(text, frame, 0x4000_0000), 'pass');
});
