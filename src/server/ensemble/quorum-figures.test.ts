import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Socket } from '../../ports/network.js';
import { PacketType, type PacketView } from '../../protocol/peer/quorum-packet.js';
import { ServerMetrics } from '../metrics.js';
import { QuorumFigures } from './quorum-figures.js';
import { QuorumLink, type LinkEvents } from './quorum-link.js';

function setUp() {
  let nowMs = 100;
  const metrics = new ServerMetrics();
  const acks: [number, number][] = [];
  const clock = {
    wallMs: () => 0,
    monotonicMs: () => nowMs,
    after: () => ({ cancel: () => undefined }),
    soon: () => undefined,
  };
  const figures = new QuorumFigures(metrics, clock, (sid, low) => acks.push([sid, low]));
  const told: string[] = [];
  const events: LinkEvents = {
    onPacket: () => {
      told.push('packet');
      return 'packets';
    },
    onRaw: () => told.push('raw'),
    onTurn: () => told.push('turn'),
    onDrain: () => told.push('drain'),
    onClose: (_link, reason) => told.push(reason),
  };
  const socket = { pendingBytes: 0, end: () => undefined } as unknown as Socket;
  const link = (id: number, sid: number): QuorumLink => {
    const made = new QuorumLink(id, socket, events);
    made.sid = sid;
    return made;
  };
  const wait = (ms: number): void => {
    nowMs += ms;
  };
  return { figures, metrics, acks, told, watched: figures.watching(events), link, wait };
}

function packet(type: number, zxidHigh = 1, zxidLow = 0): PacketView {
  const nothing = { bytes: new Uint8Array(0), dataStart: -1, dataEnd: -1, authinfo: null };
  return { type, zxidHigh, zxidLow, ...nothing };
}

test('all that a link tells is told on, and counted on its way', () => {
  const { figures, metrics, acks, told, watched, link, wait } = setUp();
  const one = link(1, 7);
  watched.onPacket(one, packet(PacketType.request));
  wait(5);
  watched.onPacket(one, packet(PacketType.ack, 2, 9));
  watched.onPacket(one, packet(PacketType.revalidate));
  watched.onTurn(one);
  assert.deepEqual(told, ['packet', 'packet', 'packet', 'turn']);
  assert.deepEqual(acks, [[7, 9]]);
  assert.equal(metrics.revalidateCount.value, 1);
  const seen = figures.withServer(7);
  assert.ok(seen !== null);
  assert.deepEqual([seen.establishedMs, seen.heardMs], [100, 105]);
  assert.deepEqual([seen.packetsReceived, seen.requests, seen.lastZxid], [3, 1, (2n << 32n) | 9n]);
  seen.reset();
  assert.deepEqual([seen.packetsReceived, seen.lastZxid], [0, -1n]);
  watched.onClose(one, 'gone');
  assert.equal(figures.withServer(7), null);
  assert.equal(told.at(-1), 'gone');
});

test('what is written waits until it is handed to the network', () => {
  const { figures, metrics, link, wait } = setUp();
  const one = link(1, 7);
  figures.wrote(one, 3);
  wait(4);
  figures.wrote(one, 1);
  figures.left(one);
  figures.left(one);
  const entries = new Map(metrics.learnerHandlerQpSize.entries());
  assert.deepEqual(
    [entries.get('cnt_7_learner_handler_qp_size'), entries.get('sum_7_learner_handler_qp_size')],
    [1, 4],
  );
  const times = new Map(metrics.learnerHandlerQpTimeMs.entries());
  assert.equal(times.get('sum_7_learner_handler_qp_time_ms'), 4);
  assert.equal(figures.withServer(7)?.packetsSent, 4);
});

test('synchronisations under way are counted by their kind', () => {
  const { figures, metrics, link } = setUp();
  const [one, two] = [link(1, 7), link(2, 8)];
  figures.syncBegan(one, 'snap');
  figures.syncBegan(two, 'snap');
  figures.syncEnded(one);
  figures.syncEnded(one);
  two.close();
  figures.syncBegan(link(3, 9), 'diff');
  assert.deepEqual([metrics.snapCount.value, metrics.diffCount.value], [2, 1]);
  assert.deepEqual(
    [metrics.inflightSnapCount.count, metrics.inflightSnapCount.sum],
    [3, 1 + 2 + 1],
  );
  assert.equal(metrics.inflightDiffCount.sum, 1);
});
