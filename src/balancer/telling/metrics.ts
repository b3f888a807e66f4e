/**
 * What passes, counted under the names of Envoy's ZooKeeper filter (`<prefix>_zookeeper_getdata_rq` …),
 * and what the balancer does itself under its own (`<prefix>_balancer_…`). Counting is on the way of every
 * request: additions to arrays, nothing allocated.
 */
import { Histogram, latencyBoundsMs } from './histogram.js';
import type { MoveOutcome, MoveReason } from '../keeping/keeping-types.js';
import { CONNECT_OP, metricIndexOf, metricNames, UNKNOWN_OP } from './op-names.js';
import { metricName, PrometheusText, type Labels, type Sample } from './prometheus.js';

export interface MetricsOptions {
  /** Before each name. Envoy writes `envoy_<stat_prefix>`. */
  readonly prefix: string;
  /** Answers up to it are fast, all others slow. */
  readonly latencyThresholdMs: number;
  /** Instead of it, by operation as in the names of the metrics. */
  readonly latencyThresholdsMs: Readonly<Record<string, number>>;
}

export const metricsDefaults: MetricsOptions = {
  prefix: 'zabra',
  latencyThresholdMs: 100,
  latencyThresholdsMs: {},
};

/** Kinds of auth packets that are told apart; clients name them. */
const AUTH_TYPES_MAX = 16;
/** Parts of the time that a session may be hidden without a server. */
const budgetBounds = [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1];
const count = metricNames.length;

/** Label values may be sentences, so there is an end to how many are told apart. */
const LABELS_MAX = 100;

/** Counts by one or more labels, in the order of their first coming. */
export class LabelledCounter {
  readonly #samples = new Map<string, { readonly labels: Labels; value: number }>();

  add(labels: Labels, amount = 1): void {
    const key = Object.values(labels).join('\n');
    const known = this.#samples.get(key);
    if (known !== undefined) known.value += amount;
    else if (this.#samples.size < LABELS_MAX) this.#samples.set(key, { labels, value: amount });
    else this.#addOther(labels, amount);
  }

  #addOther(labels: Labels, amount: number): void {
    const other = this.#samples.get('other');
    if (other !== undefined) other.value += amount;
    else {
      const unnamed: Record<string, string> = {};
      for (const name of Object.keys(labels)) unnamed[name] = 'other';
      this.#samples.set('other', { labels: unnamed, value: amount });
    }
  }

  get total(): number {
    let total = 0;
    for (const { value } of this.#samples.values()) total += value;
    return total;
  }

  samples(): Sample[] {
    return [...this.#samples.values()].map(({ labels, value }) => [labels, value]);
  }
}

export class BalancerMetrics {
  readonly #options: MetricsOptions;
  readonly #rq = new Float64Array(count);
  readonly #rqBytes = new Float64Array(count);
  readonly #resp = new Float64Array(count);
  readonly #respBytes = new Float64Array(count);
  readonly #fast = new Float64Array(count);
  readonly #slow = new Float64Array(count);
  readonly #latencies: (Histogram | null)[] = new Array<Histogram | null>(count).fill(null);
  readonly #thresholds: Float64Array;
  readonly #authTypes = new Map<string, number>();
  #connectReadOnly = 0;
  #requestBytes = 0;
  #responseBytes = 0;
  #events = 0;
  decoderErrors = 0;
  latencyCount = 0;
  latencySumMs = 0;
  latencyMaxMs = 0;
  readonly moves = new LabelledCounter();
  readonly dropped = new LabelledCounter();
  readonly refusedRequests = new LabelledCounter();
  readonly refusedConnections = new LabelledCounter();
  readonly ejections = new LabelledCounter();
  readonly wakes = new LabelledCounter();
  readonly maskedMs = new Histogram(latencyBoundsMs);
  readonly movedMs = new Histogram(latencyBoundsMs);
  readonly budgetUsed = new Histogram(budgetBounds);

  constructor(options: MetricsOptions) {
    this.#options = options;
    this.#thresholds = new Float64Array(count).fill(options.latencyThresholdMs);
    for (const [name, thresholdMs] of Object.entries(options.latencyThresholdsMs)) {
      const index = metricNames.indexOf(name);
      if (index >= 0) this.#thresholds[index] = thresholdMs;
    }
  }

  // ------------------------------------------------------------------ what passes

  onRequest(op: number, bytesLength: number): void {
    const index = metricIndexOf(op);
    this.#rq[index]!++;
    this.#rqBytes[index]! += bytesLength;
    this.#requestBytes += bytesLength;
    if (index === UNKNOWN_OP) this.decoderErrors++;
  }

  onConnect(isReadOnly: boolean, bytesLength: number): void {
    if (isReadOnly) this.#connectReadOnly++;
    else this.#rq[CONNECT_OP]!++;
    this.#rqBytes[CONNECT_OP]! += bytesLength;
    this.#requestBytes += bytesLength;
  }

  onAuth(scheme: string): void {
    const known = this.#authTypes.get(scheme);
    const key = known === undefined && this.#authTypes.size >= AUTH_TYPES_MAX ? 'other' : scheme;
    this.#authTypes.set(key, (this.#authTypes.get(key) ?? 0) + 1);
  }

  onReply(op: number, latencyMs: number, bytesLength: number): void {
    const index = metricIndexOf(op);
    this.#resp[index]!++;
    this.#respBytes[index]! += bytesLength;
    this.#responseBytes += bytesLength;
    if (latencyMs <= this.#thresholds[index]!) this.#fast[index]!++;
    else this.#slow[index]!++;
    (this.#latencies[index] ??= new Histogram(latencyBoundsMs)).add(latencyMs);
    this.latencyCount++;
    this.latencySumMs += latencyMs;
    if (latencyMs > this.latencyMaxMs) this.latencyMaxMs = latencyMs;
  }

  onEvent(bytesLength: number): void {
    this.#events++;
    this.#responseBytes += bytesLength;
  }

  // ------------------------------------------------------------------ what the balancer does

  onMasked(tookMs: number, timeoutMs: number): void {
    this.maskedMs.add(tookMs);
    if (timeoutMs > 0) this.budgetUsed.add(tookMs / ((timeoutMs * 2) / 3));
  }

  onMove(reason: MoveReason, outcome: MoveOutcome, tookMs: number): void {
    this.moves.add({ reason, outcome });
    if (outcome === 'moved') this.movedMs.add(tookMs);
  }

  // ------------------------------------------------------------------ what is told

  get requestCount(): number {
    return this.#rq.reduce((sum, value) => sum + value, this.#connectReadOnly);
  }

  get responseCount(): number {
    return this.#resp.reduce((sum, value) => sum + value, this.#events);
  }

  get eventCount(): number {
    return this.#events;
  }

  /** Of the words' figures; the metrics only ever rise. */
  resetLatency(): void {
    this.latencyCount = 0;
    this.latencySumMs = 0;
    this.latencyMaxMs = 0;
  }

  writeTraffic(out: PrometheusText): void {
    const name = (text: string): string => `${this.#options.prefix}_zookeeper_${text}`;
    const total = (text: string, help: string, value: number): void =>
      out.family(name(text), 'counter', help, value);
    total('decoder_error', 'Messages that could not be decoded', this.decoderErrors);
    total('request_bytes', 'Bytes of requests', this.#requestBytes);
    total('response_bytes', 'Bytes of answers and events', this.#responseBytes);
    total('watch_event', 'Watch events sent to clients', this.#events);
    total(
      'connect_readonly_rq',
      'Connect requests that take a read-only server',
      this.#connectReadOnly,
    );
    for (const [type, value] of this.#authTypes) {
      total(`auth_${metricName(type)}_rq`, 'Auth requests of this type', value);
    }
    for (const [index, op] of metricNames.entries()) {
      const seen = this.#rq[index]! + this.#resp[index]! + this.#rqBytes[index]!;
      if (seen === 0) continue;
      total(`${op}_rq`, 'Requests', this.#rq[index]!);
      total(`${op}_rq_bytes`, 'Bytes of requests', this.#rqBytes[index]!);
      total(`${op}_resp`, 'Answers', this.#resp[index]!);
      total(`${op}_resp_bytes`, 'Bytes of answers', this.#respBytes[index]!);
      total(`${op}_resp_fast`, 'Answers within the threshold', this.#fast[index]!);
      total(`${op}_resp_slow`, 'Answers above the threshold', this.#slow[index]!);
      const latency = this.#latencies[index];
      if (latency != null) out.histogram(name(`${op}_resp_latency`), 'Milliseconds', latency);
    }
  }

  writeBalancing(out: PrometheusText): void {
    const name = (text: string): string => `${this.#options.prefix}_balancer_${text}`;
    const counted = (text: string, help: string, counter: LabelledCounter): void =>
      out.family(name(text), 'counter', help, counter.samples());
    const masked = this.maskedMs.count;
    out.family(
      name('masked_failovers_total'),
      'counter',
      'Sessions that lost their server and whose clients did not notice',
      masked,
    );
    counted('moves_total', 'Moves of sessions by plan', this.moves);
    counted('dropped_total', 'Connections of clients that were ended from here', this.dropped);
    counted('refused_requests_total', 'Requests that a guard refused', this.refusedRequests);
    counted('refused_connections_total', 'Connections refused', this.refusedConnections);
    counted('ejections_total', 'Servers ejected', this.ejections);
    counted('set_changes_total', 'Servers that woke or fell asleep', this.wakes);
    out.histogram(name('masked_ms'), 'From the loss of a server to the next', this.maskedMs);
    out.histogram(name('moved_ms'), 'A move by plan', this.movedMs);
    out.histogram(
      name('budget_used_ratio'),
      'Part of the safe time that a masked failover took',
      this.budgetUsed,
    );
  }

  get prefix(): string {
    return this.#options.prefix;
  }
}
