import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  filesystemOf,
  parseFailoverFigures,
  parseFanoutFigures,
  parseFigures,
  parseLoadFigures,
  parseResidentBytes,
  parseServing,
  snapshotCounter,
} from '../../bench/figures.js';

const loadLine =
  '{"mode":"get","operations":500,"seconds":2.5,"opsPerSecond":200.0,"p50Us":8.1,"p90Us":9,' +
  '"p99Us":10,"p999Us":11,"maxUs":12.5,"serverCpuUs":40000,"clientCpuUs":1234,"errors":0,' +
  '"lastError":0,"disconnects":0}\n';

test('the figures of a load are all there or it is an error', () => {
  const figures = parseLoadFigures(loadLine);
  assert.equal(figures.opsPerSecond, 200);
  assert.equal(figures.serverCpuUs, 40000);
  assert.throws(() => parseLoadFigures(loadLine.replace('p999Us', 'p998Us')), /no p999Us/);
  assert.throws(() => parseFigures('{"a":"1"}', ['a']), /no a/);
  assert.throws(() => parseFigures('null', ['a']), /no figures/);
  assert.throws(() => parseFigures('', ['a']));
});

test('a fan-out has one time for each shot', () => {
  const line = '{"sessions":3,"openMs":5.5,"lastEventMs":[1.5,2],"serverCpuUs":0}';
  assert.deepEqual(parseFanoutFigures(line).lastEventMs, [1.5, 2]);
  assert.throws(() => parseFanoutFigures(line.replace('[1.5,2]', '[]')), /no lastEventMs/);
});

test('resident memory is what the kernel says of a living process', () => {
  assert.equal(parseResidentBytes('Name:\tx\nVmHWM:\t  900 kB\nVmRSS:\t  123 kB\n'), 125_952);
  assert.throws(() => parseResidentBytes('Name:\tx\nState:\tZ (zombie)\n'), /has ended/);
});

test('only finished snapshots count, by the counter of their zxid', () => {
  assert.equal(snapshotCounter('snapshot.1f'), 31);
  assert.equal(snapshotCounter('snapshot.20000000a.gz'), 10);
  assert.equal(snapshotCounter('.snapshot.1f.tmp'), null);
  assert.equal(snapshotCounter('snapshot.1f.tmp'), null);
  assert.equal(snapshotCounter('log.1f'), null);
});

test('a loss of the leader has all of its times or it is an error', () => {
  const line = '{"connectedMs":41.50,"newMs":38,"gapMs":42.1,"acknowledged":900,"reconnects":7}\n';
  assert.deepEqual(parseFailoverFigures(line), { connectedMs: 41.5, newMs: 38, gapMs: 42.1 });
  assert.throws(() => parseFailoverFigures(line.replace('newMs', 'news')), /no newMs/);
});

test('a server serves when it tells its role and what it knows', () => {
  const text = 'Received: 1\nZxid: 0x20000000a\nMode: follower\nNode count: 7\n';
  assert.deepEqual(parseServing(text), { role: 'follower', zxid: 0x2_0000_000an, znodes: 7 });
  assert.equal(parseServing('This ZooKeeper instance is not currently serving requests\n'), null);
  assert.equal(parseServing(text.replace('Zxid', 'Last zxid')), null);
});

test('a filesystem is that of the longest mount point above the path', () => {
  const mounts = [
    'dev / ext4 rw 0 0',
    'tmp /tmp tmpfs rw 0 0',
    'other /tmporary xfs rw 0 0',
    'data /tmp/data btrfs rw 0 0',
  ].join('\n');
  assert.equal(filesystemOf('/tmp/data/x', mounts), 'btrfs');
  assert.equal(filesystemOf('/tmp/database', mounts), 'tmpfs');
  assert.equal(filesystemOf('/home', mounts), 'ext4');
});
