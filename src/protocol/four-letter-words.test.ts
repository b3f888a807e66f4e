import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { runFourLetterWord } from '../server/commands/four-letter-answers.js';
import type { FourLetterWord } from '../server/commands/four-letter-words.js';
import { FixtureView } from '../server/commands/view.fixture.js';
import {
  figureOf,
  membershipIn,
  readConf,
  readIsro,
  readMntr,
  readSrvr,
  refusalIn,
  serverModes,
  type ServerFigures,
} from './four-letter-words.js';

const fixtures = new URL('../../test/fixtures/four-letter/', import.meta.url);

/** What Apache 3.9.5 said. */
function captured(name: string): string {
  return readFileSync(new URL(name, fixtures), 'utf8');
}

function ours(word: FourLetterWord, view: FixtureView): string {
  const text = runFourLetterWord(word, view);
  return typeof text === 'string' ? text : [...text].join('');
}

const everything: ServerFigures = {
  version: '3.9.5',
  mode: 'leader',
  zxid: 0x200000007n,
  latencyMs: { min: 0, avg: 1.5, max: 61 },
  received: 300,
  sent: 424,
  connections: 2,
  outstanding: 1,
  nodeCount: 25,
};

function srvrOf(figures: ServerFigures): string {
  const { version, mode, zxid, latencyMs, received, sent, connections } = figures;
  return `Zookeeper version: ${version}-${'0a'.repeat(20)}, built on 2026-01-01 00:00 UTC
Latency min/avg/max: ${latencyMs?.min}/${latencyMs?.avg}/${latencyMs?.max}
Received: ${received}
Sent: ${sent}
Connections: ${connections}
Outstanding: ${figures.outstanding}
Zxid: 0x${BigInt.asUintN(64, zxid).toString(16)}
Mode: ${mode}
Node count: ${figures.nodeCount}
Proposal sizes last/min/max: 48/36/92
`;
}

test("srvr: Apache's answer, and ours", () => {
  assert.deepEqual(readSrvr(captured('busy/srvr.txt')), {
    version: '3.9.5',
    mode: 'standalone',
    zxid: 0x89n,
    latencyMs: { min: 0, avg: 1.0071, max: 6 },
    received: 152,
    sent: 153,
    connections: 3,
    outstanding: 0,
    nodeCount: 11,
  });
  const view = new FixtureView('busy');
  view.isReadOnly = true;
  view.serverState = 'read-only';
  const read = readSrvr(ours('srvr', view));
  assert.match(read?.version ?? '', /^3\.9\.5-zabra-\d+\.\d+\.\d+$/);
  assert.deepEqual(
    [read?.mode, read?.zxid, read?.latencyMs, read?.nodeCount],
    ['read-only', 4n, { min: 0, avg: 1.875, max: 6 }, 8],
  );
});

test('srvr: whatever the figures are, they are read', () => {
  const count = fc.nat();
  const plain = { noNullPrototype: true };
  const figures = fc.record<ServerFigures>(
    {
      version: fc.constantFrom('3.5.10', '3.8.0', '3.9.5', '3.10.0-SNAPSHOT'),
      mode: fc.constantFrom(...serverModes),
      zxid: fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
      latencyMs: fc.record({ min: count, avg: fc.nat().map((n) => n / 8), max: count }, plain),
      received: count,
      sent: count,
      connections: count,
      outstanding: count,
      nodeCount: count,
    },
    plain,
  );
  fc.assert(
    fc.property(figures, fc.constantFrom('\n', '\r\n'), (one, newline) => {
      assert.deepEqual(readSrvr(srvrOf(one).replaceAll('\n', newline)), one);
    }),
  );
});

test('srvr: a figure that is missing or none is null, and no answer without mode and zxid', () => {
  const whole = srvrOf(everything);
  assert.deepEqual(readSrvr(whole), everything);
  assert.equal(readSrvr(whole.replace('Sent: 424\n', ''))?.sent, null);
  assert.equal(readSrvr(whole.replace('Sent: 424', 'Sent: many'))?.sent, null);
  assert.equal(readSrvr(whole.replace('Sent: 424', 'Sent:'))?.sent, null);
  assert.equal(readSrvr(whole.replace('0/1.5/61', '0/1.5'))?.latencyMs, null);
  assert.equal(readSrvr(whole.replace('0/1.5/61', '0/x/61'))?.latencyMs, null);
  assert.equal(readSrvr(whole.replace(/^.*\n/, ''))?.version, null);
  assert.equal(readSrvr(whole.replace('0/1.5/61', '0/1.0E-4/61'))?.latencyMs?.avg, 0.0001);
  for (const [found, instead] of [
    ['Mode: leader', 'Mode: king'],
    ['Mode: leader', 'Mode:'],
    ['Zxid: 0x200000007', 'Zxid: 200000007'],
    ['Zxid: 0x200000007', 'Zxid: 0x'],
    ['Zxid: 0x200000007', `Zxid: 0x${'1'.repeat(17)}`],
  ] as const) {
    assert.equal(readSrvr(whole.replace(found, instead)), null, instead);
  }
  assert.equal(readSrvr(whole.slice(0, whole.indexOf('Mode'))), null);
  assert.equal(readSrvr(''), null);
});

test('mntr: every line that Apache and we write has its name and value', () => {
  const apache = captured('busy/mntr.txt');
  const lines = apache.trimEnd().split('\n');
  const figures = readMntr(apache);
  assert.equal(figures.size, lines.length);
  for (const line of lines) {
    const [name = '', value] = line.split('\t');
    assert.equal(figures.get(name.replace('zk_', '')), value);
  }
  assert.equal(figures.get('server_state'), 'standalone');
  assert.equal(figureOf(figures, 'znode_count'), 11);
  assert.equal(figureOf(figures, 'avg_latency'), 1.0071);
  assert.equal(figureOf(figures, 'server_state'), null);
  assert.equal(figureOf(figures, 'nothing'), null);
  assert.deepEqual(
    [...readMntr(ours('mntr', new FixtureView('busy'))).keys()],
    [...figures.keys()],
  );
});

test('mntr: the first of a name counts, and what is no figure is passed over', () => {
  const text = 'zk_a\t1\nzk_a\t2\nb\t3\nzk_c 4\n\nzk_d\t\nzk_e\t5 6\r\n';
  assert.deepEqual(
    [...readMntr(text)],
    [
      ['a', '1'],
      ['d', ''],
      ['e', '5 6'],
    ],
  );
  assert.equal(figureOf(readMntr(text), 'd'), null);
  assert.equal(readMntr(captured('whitelist.txt')).size, 0);
});

test('isro: ro, rw, or nothing', () => {
  const view = new FixtureView('idle');
  assert.equal(readIsro(captured('busy/isro.txt')), 'rw');
  assert.equal(readIsro(ours('isro', view)), 'rw');
  view.isReadOnly = true;
  assert.equal(readIsro(ours('isro', view)), 'ro');
  view.isServing = false;
  assert.equal(readIsro(ours('isro', view)), null);
  for (const text of ['', 'null', 'r', 'rwx', 'imok']) assert.equal(readIsro(text), null, text);
});

test('conf: settings, and the members behind them', () => {
  const standalone = captured('busy/conf.txt');
  const settings = readConf(standalone);
  assert.deepEqual(
    [settings.get('clientPort'), settings.get('tickTime'), settings.get('serverId')],
    ['2181', '2000', '0'],
  );
  assert.equal(membershipIn(standalone), null);
  const member = `${standalone}peerType=0\nmembership: \nserver.1=a:1:2:participant\nversion=0`;
  assert.deepEqual([...readConf(member)], [...settings, ['peerType', '0']]);
  assert.equal(membershipIn(member), 'server.1=a:1:2:participant\nversion=0');
  assert.equal(membershipIn('membership: '), '');
  assert.equal(readConf(captured('whitelist.txt')).size, 0);
});

test('a refusal is told from an answer', () => {
  assert.equal(refusalIn(captured('whitelist.txt')), 'not-whitelisted');
  const view = new FixtureView('idle');
  assert.equal(refusalIn(ours('srvr', view)), null);
  view.isServing = false;
  for (const word of ['srvr', 'mntr', 'hash'] as const) {
    assert.equal(refusalIn(ours(word, view)), 'not-serving', word);
  }
  for (const text of ['', 'imok', srvrOf(everything), captured('busy/mntr.txt')]) {
    assert.equal(refusalIn(text), null);
  }
});

test('no text makes a reader fail', () => {
  const pieces = fc.constantFrom('Mode: ', 'leader', 'Zxid: ', '0x1', '\n', ' ', '/', '\t', 'zk_');
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(pieces, { maxLength: 40 }).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, (garbage) => {
      const mode = readSrvr(garbage)?.mode ?? 'leader';
      assert.ok(serverModes.includes(mode));
      for (const name of readMntr(garbage).keys()) assert.ok(garbage.includes(`zk_${name}`));
      readIsro(garbage);
      readConf(garbage);
      membershipIn(garbage);
      refusalIn(garbage);
    }),
  );
});
