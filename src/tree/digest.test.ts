import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { znodesOf } from './describe.js';
import { digestOfStat, DigestSum } from './digest.js';
import * as kit from './kit.js';
import { Tree } from './tree.js';

test('the sum wraps at 2^64, both ways', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -0xffff_ffff, max: 0xffff_ffff })), (values) => {
      const sum = new DigestSum();
      let expected = 0n;
      for (const value of values) {
        expected += BigInt(value);
        if (value < 0) sum.subtract(-value);
        else sum.add(value);
      }
      assert.equal((BigInt(sum.high) << 32n) | BigInt(sum.low), BigInt.asUintN(64, expected));
    }),
  );
});

test('a znode has the digest that whoever prepares its transaction computes', () => {
  const log = new kit.Log(new Tree());
  log.apply(kit.create('/a', { data: 'x' }), 7n);
  log.apply(kit.create('/a/b', { data: null, ephemeral: true }), -3n);
  log.apply(kit.setData('/a', 'y'.repeat(200), 1));
  const { tree } = log;
  let sum = 0n;
  for (const id of znodesOf(tree)) {
    const stat = new Uint8Array(61);
    tree.persistedStatInto(id, stat, 1);
    const digest = tree.isInDigest(id) ? digestOfStat(tree.crcAfterData(id), stat, 1) : 0;
    assert.equal(tree.digestOf(id), digest);
    sum += BigInt(digest);
  }
  assert.equal((BigInt(tree.digestHigh) << 32n) | BigInt(tree.digestLow), sum);
});

test('only what lies below /zookeeper is left out', () => {
  const log = new kit.Log(new Tree());
  log.apply(kit.create('/zookeepers'));
  log.apply(kit.create('/zookeepers/a'));
  log.apply(kit.create('/zookeeper/a'));
  log.apply(kit.create('/zookeeper/a/b'));
  const { tree } = log;
  const left = [...znodesOf(tree)]
    .filter((id) => !tree.isInDigest(id))
    .map((id) => tree.pathOf(id));
  assert.deepEqual(left.sort(), [
    '/zookeeper/a',
    '/zookeeper/a/b',
    '/zookeeper/config',
    '/zookeeper/quota',
  ]);
});

test('a native checksum makes the same digest, and none is made when it is disabled', () => {
  const script = (tree: Tree): Tree => {
    const log = new kit.Log(tree);
    log.apply(kit.create('/big', { data: 'z'.repeat(5000) }));
    log.apply(kit.setData('/big', 'y'.repeat(100_000), 1));
    return tree;
  };
  const own = script(new Tree());
  let calls = 0;
  const native = script(
    new Tree({
      bigCrc32: (bytes, seed) => {
        calls++;
        return crc32(bytes, seed);
      },
    }),
  );
  assert.equal(calls, 2);
  assert.deepEqual([native.digestHigh, native.digestLow], [own.digestHigh, own.digestLow]);
  const without = script(new Tree({ digestEnabled: false }));
  assert.deepEqual([without.digestHigh, without.digestLow], [0, 0]);
  assert.equal(without.digestOf(without.findPath('/big')), 0);
});
