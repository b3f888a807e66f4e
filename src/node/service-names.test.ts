import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { test } from 'node:test';
import { EnsembleError, placesAt } from './ensemble-session.js';
import { dnsServiceNames, inOrderOfPreference } from './service-names.js';

const labels = (name: string): Buffer =>
  Buffer.concat([
    ...name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)])),
    Buffer.from([0]),
  ]);

/** A name server that knows one service; for every other name there is none (NXDOMAIN). */
async function nameServer(
  service: string,
  records: readonly (readonly [priority: number, weight: number, port: number, target: string])[],
): Promise<{ readonly address: string; close(): void }> {
  const socket = createSocket('udp4', (query, from) => {
    const isKnown = query.subarray(12).indexOf(labels(service)) === 0;
    const head = Buffer.from(query.subarray(0, 12));
    head.writeUInt16BE(isKnown ? 0x8580 : 0x8583, 2);
    head.writeUInt16BE(isKnown ? records.length : 0, 6);
    head.fill(0, 8, 12);
    let end = 12;
    while ((query[end] ?? 0) !== 0) end += (query[end] ?? 0) + 1;
    const question = query.subarray(12, end + 5);
    const answers = records.map(([priority, weight, port, target]) => {
      const data = Buffer.concat([Buffer.alloc(6), labels(target)]);
      data.writeUInt16BE(priority, 0);
      data.writeUInt16BE(weight, 2);
      data.writeUInt16BE(port, 4);
      const fixed = Buffer.from([0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 60, 0, data.length]);
      return Buffer.concat([fixed, data]);
    });
    const reply = Buffer.concat([head, question, ...(isKnown ? answers : [])]);
    socket.send(reply, from.port, from.address);
  });
  await new Promise<void>((listening) => socket.bind(0, '127.0.0.1', listening));
  return { address: `127.0.0.1:${socket.address().port}`, close: () => socket.close() };
}

test('an ensemble is found by DNS SRV, the preferred servers first', async () => {
  const server = await nameServer('_zookeeper._tcp.example.org', [
    [20, 0, 2181, 'c.example.org'],
    [10, 1, 2182, 'a.example.org'],
    [10, 9, 2183, 'b.example.org'],
  ]);
  try {
    const names = dnsServiceNames([server.address]);
    assert.deepEqual(await placesAt('_zookeeper._tcp.example.org', names), [
      { host: 'b.example.org', port: 2183 },
      { host: 'a.example.org', port: 2182 },
      { host: 'c.example.org', port: 2181 },
    ]);
    await assert.rejects(placesAt('_nothing._tcp.example.org', names), (problem: unknown) => {
      assert.ok(problem instanceof EnsembleError);
      assert.equal(problem.message, '_nothing._tcp.example.org has no SRV record');
      return true;
    });
  } finally {
    server.close();
  }
});

test('a target that is the root says that there is no such service', () => {
  assert.deepEqual(inOrderOfPreference([{ name: 'a.', port: 1, priority: 0, weight: 0 }]), [
    { host: 'a', port: 1 },
  ]);
});

test('addresses are host, host:port, several, and IPv6 in brackets', async () => {
  const names = { lookUp: () => Promise.reject(new Error('nobody is to ask')) };
  assert.deepEqual(await placesAt('a:1, b,[::1]:3', names), [
    { host: 'a', port: 1 },
    { host: 'b', port: 2181 },
    { host: '::1', port: 3 },
  ]);
  await assert.rejects(placesAt('a b', names), /is no host:port/);
});
