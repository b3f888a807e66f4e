import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OpCode } from '../../protocol/opcodes.js';
import { BalancerMetrics, metricsDefaults, type MetricsOptions } from './metrics.js';
import { metricIndexOf, metricNames, opOfName } from './op-names.js';
import { PrometheusText } from './prometheus.js';

function metricsWith(options: Partial<MetricsOptions> = {}): BalancerMetrics {
  return new BalancerMetrics({ ...metricsDefaults, ...options });
}

function textOf(metrics: BalancerMetrics): string {
  const out = new PrometheusText();
  metrics.writeTraffic(out);
  metrics.writeBalancing(out);
  return out.toString();
}

function valueOf(text: string, series: string): number | undefined {
  const line = text.split('\n').find((one) => one.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

test("what passes has the names of Envoy's filter", () => {
  const metrics = metricsWith({ prefix: 'envoy_zk', latencyThresholdsMs: { setdata: 5 } });
  metrics.onConnect(false, 45);
  metrics.onConnect(true, 45);
  metrics.onRequest(OpCode.getData, 20);
  metrics.onReply(OpCode.getData, 99, 30);
  metrics.onRequest(OpCode.setData, 20);
  metrics.onReply(OpCode.setData, 6, 30);
  metrics.onEvent(12);
  metrics.onAuth('digest');
  const text = textOf(metrics);
  const values = {
    connect_rq: 1,
    connect_readonly_rq: 1,
    connect_rq_bytes: 90,
    getdata_rq: 1,
    getdata_rq_bytes: 20,
    getdata_resp: 1,
    getdata_resp_bytes: 30,
    getdata_resp_fast: 1,
    getdata_resp_slow: 0,
    setdata_resp_fast: 0,
    setdata_resp_slow: 1,
    watch_event: 1,
    auth_digest_rq: 1,
    request_bytes: 130,
    response_bytes: 72,
    decoder_error: 0,
    getdata_resp_latency_count: 1,
    getdata_resp_latency_sum: 99,
    'getdata_resp_latency_bucket{le="50"}': 0,
    'getdata_resp_latency_bucket{le="100"}': 1,
    'getdata_resp_latency_bucket{le="+Inf"}': 1,
  };
  for (const [name, value] of Object.entries(values)) {
    assert.equal(valueOf(text, `envoy_zk_zookeeper_${name}`), value, name);
  }
  assert.equal(valueOf(text, 'envoy_zk_zookeeper_create_rq'), undefined, 'nobody has asked for it');
});

test('every operation of a client has a name of its own, and all else is unknown', () => {
  const ops = Object.values(OpCode).filter((op) => metricNames[metricIndexOf(op)] !== 'unknown');
  assert.equal(new Set(ops.map(metricIndexOf)).size, ops.length);
  const unnamed = [OpCode.notification, OpCode.deleteContainer, OpCode.error, 77, -99, 1 << 30];
  for (const op of unnamed) assert.equal(metricNames[metricIndexOf(op)], 'unknown', String(op));
  assert.equal(opOfName('getData'), OpCode.getData);
  assert.equal(opOfName('close'), OpCode.closeSession);
  assert.equal(opOfName('constructor'), undefined);
});

test('clients do not make up metrics without end', () => {
  const metrics = metricsWith();
  for (let i = 0; i < 100; i++) metrics.onAuth(`type\n${i}`);
  const lines = textOf(metrics).match(/^zabra_zookeeper_auth_.*_rq \d+$/gm) ?? [];
  assert.equal(lines.length, 17);
  const counted = lines.reduce((sum, line) => sum + Number(line.split(' ')[1]), 0);
  assert.equal(counted, 100);
});

test('masked failovers show how much of the safe time they took', () => {
  const metrics = metricsWith();
  metrics.onMasked(2000, 30_000);
  metrics.onMove('drain', 'moved', 4);
  metrics.onMove('drain', 'stayed', 1000);
  const text = textOf(metrics);
  assert.equal(valueOf(text, 'zabra_balancer_masked_failovers_total'), 1);
  assert.equal(valueOf(text, 'zabra_balancer_budget_used_ratio_sum'), 0.1);
  assert.equal(valueOf(text, 'zabra_balancer_budget_used_ratio_bucket{le="0.05"}'), 0);
  assert.equal(valueOf(text, 'zabra_balancer_budget_used_ratio_bucket{le="0.1"}'), 1);
  const moves = 'zabra_balancer_moves_total{reason="drain",outcome="stayed"}';
  assert.equal(valueOf(text, moves), 1);
  assert.equal(valueOf(text, 'zabra_balancer_moved_ms_count'), 1);
});

test('every family is told once, and its labels cannot break a line', () => {
  const out = new PrometheusText();
  out.family('a', 'gauge', 'help', [[{ of: 'x"\n\\' }, 1]]);
  out.family('empty', 'gauge', 'help', []);
  assert.equal(out.toString(), '# HELP a help\n# TYPE a gauge\na{of="x\\"\\n\\\\"} 1\n');
});
