import assert from 'node:assert/strict';
import { test } from 'node:test';
import { figureOf, readMntr } from '../../protocol/four-letter-words.js';
import type { SessionView } from '../keeping/keeping-types.js';
import { statusWith } from './status.fixture.js';
import { writeStatusMetrics, type BalancerStatus } from './status.js';
import { PrometheusText } from './prometheus.js';
import { answerWord, balancerWordOf, balancerWords, type WordView } from './words.js';

const all = new Set<string>(balancerWords);

function viewOf(status: BalancerStatus, sessions: readonly Partial<SessionView>[] = []): WordView {
  return {
    status: () => status,
    sessions: () => sessions as readonly SessionView[],
    settings: () => ['policy=random', 'mask=strict'],
    figures: { received: 7, sent: 9, latencyAvgMs: 1.5, latencyMaxMs: 12.7 },
    resetFigures: () => undefined,
  };
}

const sessions: readonly Partial<SessionView>[] = [
  {
    id: 0x100000000000001n,
    origin: {
      address: '10.0.0.5',
      port: 4711,
      zone: null,
      class: 'default',
      isTls: false,
      certificateSubject: null,
    },
    backend: { id: 'a:2181', host: 'a', port: 2181 },
    outstanding: 2,
    requestCount: 40,
    timeoutMs: 30_000,
    watches: 3,
    state: 'open',
  },
];

test('srvr is about the balancer, and shows the set', () => {
  const text = answerWord('srvr', viewOf(statusWith({})), all);
  assert.match(text, /^Zookeeper version: 3\.9\.5-test\nLatency min\/avg\/max: 0\/1\.5\/12\n/);
  assert.match(text, /^Mode: balancer$/m);
  assert.match(text, /^Zxid: 0x300000007$/m);
  assert.match(text, /^Connections: 4$/m);
  assert.match(text, /^Subset: rw \(rw, ensemble\): 1 awake, 1 waiting, 1 ejected, 0 draining$/m);
  assert.match(text, /^Server c:2181: ejected, unknown, sessions 0, no answer$/m);
});

test('mntr can be read as a server’s', () => {
  const figures = readMntr(answerWord('mntr', viewOf(statusWith({})), all));
  assert.equal(figures.get('server_state'), 'balancer');
  assert.equal(figureOf(figures, 'num_alive_connections'), 4);
  assert.equal(figureOf(figures, 'balancer_servers_awake'), 1);
  assert.equal(figureOf(figures, 'balancer_masked_failovers'), 5);
});

test('isro says whether there is anybody to write to', () => {
  const { servers } = statusWith({});
  const answer = (changed: BalancerStatus['servers']): string =>
    answerWord('isro', viewOf(statusWith({ servers: changed })), all);
  assert.equal(answer(servers), 'rw');
  const readOnly = servers.map((server) => ({ ...server, role: 'read-only' }));
  assert.equal(answer(readOnly), 'ro');
  assert.equal(answer(servers.map((server) => ({ ...server, isHealthy: false }))), 'null');
});

test('connections, sessions and watches are told of', () => {
  const view = viewOf(statusWith({}), sessions);
  assert.equal(
    answerWord('cons', view, all),
    ' /10.0.0.5:4711[1](queued=2,recved=40,sid=0x100000000000001,to=30000,watches=3,' +
      'state=open,server=a:2181)\n\n',
  );
  assert.match(answerWord('stat', view, all), /Clients:\n \/10\.0\.0\.5:4711\[1\]\(queued=2/);
  assert.match(answerWord('dump', view, all), /1 sessions at a:2181:\n\t0x100000000000001\n/);
  assert.match(answerWord('wchs', view, all), /^1 connections .*\nTotal watches:3\n$/);
  assert.equal(answerWord('conf', view, all), 'policy=random\nmask=strict\n');
});

test('a word that is not open is refused in the words that tools know', () => {
  const text = answerWord('cons', viewOf(statusWith({}), sessions), new Set(['ruok']));
  assert.equal(text, 'cons is not executed because it is not in the whitelist.\n');
});

test('words are known by their number, lengths are not words', () => {
  const number = (text: string): number => Buffer.from(text, 'latin1').readUInt32BE(0);
  assert.equal(balancerWordOf(number('srvr')), 'srvr');
  assert.equal(balancerWordOf(45), null);
  for (const word of balancerWords) {
    assert.ok(answerWord(word, viewOf(statusWith({}), sessions), all).length > 0, word);
  }
});

test('the metrics show every server in exactly one set', () => {
  const out = new PrometheusText();
  writeStatusMetrics(out, 'zabra', statusWith({}));
  const text = out.toString();
  for (const [set, value] of Object.entries({ awake: 1, waiting: 1, ejected: 1, draining: 0 })) {
    assert.match(text, new RegExp(`^zabra_balancer_servers\\{set="${set}"\\} ${value}$`, 'm'));
  }
  assert.match(text, /^zabra_balancer_server_awake\{server="a:2181"\} 1$/m);
  assert.match(text, /^zabra_balancer_server_ejected\{server="a:2181"\} 0$/m);
  assert.match(text, /^zabra_balancer_server_sessions\{server="a:2181"\} 4$/m);
  assert.doesNotMatch(text, /server_lag\{server="c:2181"\}/, 'what is not known is not shown');
});
