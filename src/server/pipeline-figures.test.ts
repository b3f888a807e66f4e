import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OpCode } from '../protocol/opcodes.js';
import { TxnBatch } from '../protocol/txn-batch.js';
import { ServerMetrics } from './metrics.js';
import { PipelineFigures, type PipelineRole } from './pipeline-figures.js';

const wallMs = 1_795_228_621_000;

function batchOf(
  txns: readonly { readonly low: number; readonly madeMs?: number; readonly path?: string }[],
): TxnBatch {
  const batch = new TxnBatch();
  for (const { low, madeMs = wallMs, path } of txns) {
    const out = batch.begin();
    out.writeLong(7n);
    out.writeInt(low);
    out.writeLong((1n << 32n) | BigInt(low));
    out.writeLong(BigInt(madeMs));
    out.writeInt(path === undefined ? OpCode.error : OpCode.setData);
    if (path !== undefined) {
      out.writeString(path);
      out.writeInt(5);
      out.writeBytes(new Uint8Array(5), 0, 5);
      out.writeInt(1);
    } else out.writeInt(-101);
    batch.finish();
  }
  return batch;
}

function figuresOf(role: PipelineRole): { figures: PipelineFigures; metrics: ServerMetrics } {
  const metrics = new ServerMetrics();
  let nowMs = 0;
  const clock = {
    wallMs: () => wallMs + 10,
    monotonicMs: () => nowMs++,
    after: () => ({ cancel: () => undefined }),
    soon: () => undefined,
  };
  return { figures: new PipelineFigures(metrics, clock, 3, () => role), metrics };
}

test('a leader counts what it proposes, how large that is, and what is committed', () => {
  const { figures, metrics } = figuresOf('leader');
  const batch = batchOf([
    { low: 999 },
    { low: 1000, path: '/a/b' },
    { low: 1001, madeMs: wallMs + 99 },
  ]);
  figures.appended(batch);
  figures.flushed([batch], 2);
  figures.applied({ batch, from: 0, to: 2 }, 0);
  assert.deepEqual([metrics.proposalCount.value, metrics.commitCount.value], [3, 2]);
  assert.deepEqual(
    [figures.proposalBytes.min, figures.proposalBytes.max, figures.proposalBytes.last],
    [36, 32 + 4 + 4 + 4 + 5 + 4, 36],
  );
  assert.deepEqual([metrics.quorumAckLatency.count, metrics.quorumAckLatency.sum], [2, 20]);
  // a transaction out of the future is not counted
  assert.equal(metrics.proposalAckCreationLatency.count, 2);
  assert.equal(metrics.learnerProposalReceivedCount.value, 0);
  assert.deepEqual([...metrics.writePerNamespace.entries()][4], ['sum_a_write_per_namespace', 9]);
});

test('acknowledgements of one proposal in a thousand are timed, the own among them', () => {
  const { figures, metrics } = figuresOf('leader');
  const batch = batchOf([{ low: 999 }, { low: 1000 }, { low: 1001 }]);
  figures.appended(batch);
  figures.acknowledged(1, 999);
  figures.acknowledged(1, 1000);
  figures.flushed([batch], 1);
  figures.acknowledged(2, 1001);
  const counts = [...metrics.ackLatency.entries()].filter(([name]) => name.startsWith('cnt_'));
  assert.deepEqual(counts, [
    ['cnt_1_ack_latency', 1],
    ['cnt_3_ack_latency', 1],
  ]);
});

test('a follower counts what it hears, an observer only what is committed', () => {
  for (const role of ['follower', 'observer'] as const) {
    const { figures, metrics } = figuresOf(role);
    const batch = batchOf([{ low: 1 }, { low: 2 }]);
    figures.appended(batch);
    figures.applied({ batch, from: 0, to: 2 }, 0);
    assert.equal(metrics.learnerProposalReceivedCount.value, role === 'follower' ? 2 : 0);
    assert.equal(metrics.proposalLatency.count, role === 'follower' ? 2 : 0);
    assert.equal(metrics.learnerCommitReceivedCount.value, 2);
    assert.equal(metrics.commitPropagationLatency.sum, 20);
    assert.deepEqual([metrics.proposalCount.value, metrics.commitCount.value], [0, 0]);
    assert.equal(figures.proposalBytes.last, -1);
  }
});

test('a server that stands alone has no commit processor', () => {
  const { figures, metrics } = figuresOf('standalone');
  const batch = batchOf([{ low: 1 }]);
  figures.appended(batch);
  figures.applied({ batch, from: 0, to: 1 }, 0);
  figures.answeredWrite(3);
  assert.equal(metrics.requestCommitQueued.value, 0);
  assert.equal(metrics.writeCommitprocTimeMs.count, 0);
  assert.equal(metrics.outstandingChangesRemoved.value, 1);
  assert.equal(metrics.propagationLatency.sum, 10);
});

test('the parts of a multi are written each to its namespace', () => {
  const { figures, metrics } = figuresOf('leader');
  const batch = new TxnBatch();
  const out = batch.begin();
  for (let i = 0; i < 7; i++) out.writeInt(0);
  out.writeInt(OpCode.multi);
  out.writeInt(2);
  for (const path of ['/x/1', '/y']) {
    out.writeInt(OpCode.delete);
    out.writeInt(4 + path.length);
    out.writeString(path);
  }
  batch.finish();
  figures.applied({ batch, from: 0, to: 1 }, 0);
  const sums = [...metrics.writePerNamespace.entries()].filter(([name]) => name.startsWith('sum_'));
  assert.deepEqual(sums, [
    ['sum_x_write_per_namespace', 4],
    ['sum_y_write_per_namespace', 2],
  ]);
});

test('of requests that are prepared together the first is measured, and all are counted', () => {
  const { figures, metrics } = figuresOf('leader');
  const first = figures.startOfPreparing(true);
  figures.prepared(OpCode.setData, first - 2, first);
  figures.prepared(OpCode.closeSession, first - 2, figures.startOfPreparing(false));
  assert.equal(metrics.prepProcessorRequestQueued.value, 2);
  assert.deepEqual([metrics.prepProcessTime.count, metrics.prepProcessTime.sum], [2, 2]);
  assert.deepEqual(
    [metrics.prepProcessorQueueTimeMs.count, metrics.prepProcessorQueueTimeMs.sum],
    [2, 4],
  );
  assert.equal(metrics.closeSessionPrepTime.count, 1);
});
