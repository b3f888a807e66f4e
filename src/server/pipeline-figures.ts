/**
 * Figures of the way that a write takes: prepared, logged, committed, applied. Apache counts them in
 * the threads that hand a request on to each other; here they are counted where the same step is
 * done. Latencies from a transaction's own time, which its leader gave it by its wall clock, are as
 * good as the clocks agree; those that come out negative are not counted.
 */
import type { Clock } from '../ports/clock.js';
import { OpCode } from '../protocol/opcodes.js';
import type { TxnBatch } from '../protocol/txn-batch.js';
import type { CommittedRange } from '../zab/ready.js';
import { intAt } from './applier.js';
import type { Summary } from './metric.js';
import type { ServerMetrics } from './metrics.js';
import { NamespaceFigures } from './namespace-figures.js';
import { SizeFigures } from './size-figures.js';

/** Offsets in a transaction. */
const TIME_AT = 20;
const TYPE_AT = 28;
const RECORD_AT = 32;

/** Instead of a time. */
const AS_THE_ONE_BEFORE = -1;
/** Of so many proposals the acknowledgements of one are timed, as Apache does by default. */
const SAMPLE_INTERVAL = 1000;

/** A proposal of this leader whose acknowledgements are timed. */
interface SampledProposal {
  /** Its counter within the epoch. */
  readonly low: number;
  /** By the wall clock. */
  readonly madeMs: number;
}

export type PipelineRole = 'standalone' | 'leader' | 'follower' | 'observer' | 'read-only';

export class PipelineFigures {
  readonly #metrics: ServerMetrics;
  readonly #clock: Clock;
  readonly #written: NamespaceFigures;
  readonly #read: NamespaceFigures;
  /** Of this leader's proposals. */
  readonly proposalBytes = new SizeFigures();
  /** The last one proposed of those that are timed. */
  #sampled: SampledProposal | null = null;
  readonly #role: () => PipelineRole;
  readonly #sid: number;
  /** Of the last request that was measured: when its preparation began, and how long it took. */
  #preparedMs = 0;
  #prepareMs = 0;

  constructor(metrics: ServerMetrics, clock: Clock, sid: number, role: () => PipelineRole) {
    this.#metrics = metrics;
    this.#sid = sid;
    this.#clock = clock;
    this.#role = role;
    this.#written = new NamespaceFigures(metrics.writePerNamespace);
    this.#read = new NamespaceFigures(metrics.readPerNamespace);
  }

  /** When to tell `prepared` that a preparation began, if it is `isFirst` of its batch. */
  startOfPreparing(isFirst: boolean): number {
    return isFirst ? this.#clock.monotonicMs() : AS_THE_ONE_BEFORE;
  }

  /**
   * A request became a transaction; it was received and its preparation began at these times. Looking
   * at the clock costs about as much as preparing: of those that come together the first is measured.
   */
  prepared(op: number, receivedMs: number, startMs: number): void {
    const metrics = this.#metrics;
    if (startMs !== AS_THE_ONE_BEFORE) {
      this.#preparedMs = startMs;
      this.#prepareMs = this.#clock.monotonicMs() - startMs;
    }
    metrics.prepProcessorRequestQueued.value++;
    metrics.outstandingChangesQueued.value++;
    metrics.prepProcessorQueueTimeMs.add(Math.max(0, this.#preparedMs - receivedMs));
    metrics.prepProcessTime.add(this.#prepareMs);
    if (op === OpCode.closeSession) metrics.closeSessionPrepTime.add(this.#prepareMs);
  }

  /** A learner sends a request to the leader; so many wait for an answer. */
  forwarded(waitingCount: number): void {
    this.#metrics.learnerRequestProcessorQueueSize.add(waitingCount);
  }

  /** A batch goes to the log. */
  appended(batch: TxnBatch): void {
    const metrics = this.#metrics;
    const { count } = batch;
    metrics.syncProcessorRequestQueued.value += count;
    metrics.syncProcessorBatchSize.add(count);
    metrics.syncProcessorQueueSize.add(count);
    this.#latencies(batch, 0, count, [metrics.syncProcessorQueueTimeMs]);
    const role = this.#role();
    if (role === 'leader') {
      metrics.proposalCount.value += count;
      metrics.prepProcessorQueueSize.add(count);
      for (let i = 0; i < count; i++) {
        this.proposalBytes.add(batch.payloadEnd(i) - batch.payloadStart(i));
        const low = batch.zxidLow(i);
        if (low % SAMPLE_INTERVAL === 0) this.#sampled = { low, madeMs: madeMsOf(batch, i) };
      }
    } else if (role === 'follower') {
      metrics.learnerProposalReceivedCount.value += count;
      this.#latencies(batch, 0, count, [metrics.proposalLatency]);
    }
  }

  /** The flush of these batches took so long, and they are durable. */
  flushed(batches: readonly TxnBatch[], tookMs: number): void {
    const metrics = this.#metrics;
    metrics.fsyncTimeMs.add(tookMs);
    metrics.syncProcessorQueueFlushTimeMs.add(tookMs);
    metrics.syncProcessTime.add(tookMs);
    const summaries: Summary[] = [metrics.syncProcessorQueueAndFlushTimeMs];
    const role = this.#role();
    if (role === 'leader' || role === 'follower') {
      summaries.push(metrics.proposalAckCreationLatency);
    }
    for (const batch of batches) {
      this.#latencies(batch, 0, batch.count, summaries);
      if (role === 'leader') this.#acknowledged(batch);
    }
  }

  /** A leader's own flush is its acknowledgement. */
  #acknowledged(batch: TxnBatch): void {
    const sampled = this.#sampled;
    if (sampled === null || batch.count === 0) return;
    const [first, last] = [batch.zxidLow(0), batch.zxidLow(batch.count - 1)];
    if (sampled.low < first || sampled.low > last) return;
    this.acknowledged(this.#sid, sampled.low);
  }

  /** That server has the proposal on its disk. */
  acknowledged(sid: number, low: number): void {
    const sampled = this.#sampled;
    if (sampled?.low !== low) return;
    const latencyMs = this.#clock.wallMs() - sampled.madeMs;
    if (latencyMs >= 0) this.#metrics.ackLatency.of(String(sid))?.add(latencyMs);
  }

  /** The range has been applied, which began at `startMs`. */
  applied(range: CommittedRange, startMs: number): void {
    const metrics = this.#metrics;
    const { batch, from, to } = range;
    const count = to - from;
    const summaries: Summary[] = [metrics.propagationLatency];
    const role = this.#role();
    if (role === 'leader') {
      metrics.commitCount.value += count;
      summaries.push(metrics.quorumAckLatency);
    } else if (role === 'follower' || role === 'observer') {
      metrics.learnerCommitReceivedCount.value += count;
      summaries.push(metrics.commitPropagationLatency);
    }
    if (role === 'leader' || role === 'standalone') {
      metrics.outstandingChangesRemoved.value += count;
    }
    this.#latencies(batch, from, to, summaries);
    if (role !== 'standalone') this.#committed(count, this.#clock.monotonicMs() - startMs);
    for (let i = from; i < to; i++) {
      this.#wrote(batch.bytes, batch.payloadStart(i), batch.payloadEnd(i));
    }
  }

  /** A write of this server's own client, from its receipt to its answer. */
  answeredWrite(latencyMs: number): void {
    if (this.#role() !== 'standalone') this.#metrics.writeCommitprocTimeMs.add(latencyMs);
  }

  /** What Apache's commit processor counts: here a pass is what is applied in one go. */
  #committed(count: number, tookMs: number): void {
    const metrics = this.#metrics;
    metrics.requestCommitQueued.value += count;
    metrics.commitCommitProcReqQueued.add(count);
    metrics.writeCommitProcIssued.add(count);
    metrics.commitProcessTime.add(tookMs);
    metrics.writeBatchTimeInCommitProcessor.add(tookMs);
    metrics.writeFinalProcTimeMs.addMany(tookMs / count, count);
    metrics.serverWriteCommittedTimeMs.addMany(tookMs, count);
  }

  /** A znode was read, and so many bytes of it; its path is bytes[start, end). */
  readNode(bytes: Uint8Array, start: number, end: number, byteCount: number): void {
    this.#read.add(bytes, start, end, byteCount);
  }

  /** Of a multi the parts count, each by itself. */
  #wrote(bytes: Uint8Array, start: number, end: number): void {
    const type = intAt(bytes, start + TYPE_AT);
    const at = start + RECORD_AT;
    if (type !== OpCode.multi) {
      this.#wroteRecord(type, bytes, at, end);
      return;
    }
    let part = at + 4;
    for (let left = intAt(bytes, at); left > 0 && part + 8 <= end; left--) {
      const length = Math.max(0, intAt(bytes, part + 4));
      this.#wroteRecord(intAt(bytes, part), bytes, part + 8, part + 8 + length);
      part += 8 + length;
    }
  }

  /** Records of changes begin with the path; those that create or set go on with the data. */
  #wroteRecord(type: number, bytes: Uint8Array, at: number, end: number): void {
    if (at + 4 > end || !changesNode(type)) return;
    const pathStart = at + 4;
    const pathEnd = pathStart + Math.max(0, intAt(bytes, at));
    if (pathEnd > end) return;
    const dataBytes = carriesData(type) && pathEnd + 4 <= end ? intAt(bytes, pathEnd) : 0;
    this.#written.add(bytes, pathStart, pathEnd, Math.max(0, dataBytes));
  }

  /** Milliseconds since the transactions [from, to) of the batch were made. */
  #latencies(batch: TxnBatch, from: number, to: number, summaries: readonly Summary[]): void {
    const wallMs = this.#clock.wallMs();
    for (let i = from; i < to;) {
      const madeMs = madeMsOf(batch, i);
      // most of a batch is made in the same millisecond
      let end = i + 1;
      while (end < to && madeMsOf(batch, end) === madeMs) end++;
      if (wallMs >= madeMs) {
        for (const summary of summaries) summary.addMany(wallMs - madeMs, end - i);
      }
      i = end;
    }
  }
}

/** When its leader made the transaction, by that one's wall clock. */
function madeMsOf(batch: TxnBatch, index: number): number {
  const { bytes } = batch;
  const at = batch.payloadStart(index) + TIME_AT;
  return intAt(bytes, at) * 0x1_0000_0000 + (intAt(bytes, at + 4) >>> 0);
}

function changesNode(type: number): boolean {
  switch (type) {
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL:
    case OpCode.delete:
    case OpCode.deleteContainer:
    case OpCode.setData:
      return true;
    default:
      return false;
  }
}

function carriesData(type: number): boolean {
  return type !== OpCode.delete && type !== OpCode.deleteContainer;
}
