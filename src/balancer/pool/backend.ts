/**
 * One server as the pool knows it: where it is, how it is, what is going on there, and in which set it
 * is. The data path knows it as the `Backend` of keeping-types.ts, and compares by identity.
 */
import type { Target } from '../../balance/target.js';
import type { BackendHealth } from './health.js';
import type { Backend } from '../keeping/keeping-types.js';

export interface BackendAddress {
  readonly host: string;
  readonly port: number;
  readonly zone?: string | null;
  /** Relative to the others'; 1 unless given. */
  readonly weight?: number;
}

export type BackendKind = 'unknown' | 'zabra' | 'apache';

/** `ejected`: not well, or not doing well. Only who is awake gets sessions. */
export type BackendSet = 'awake' | 'waiting' | 'ejected' | 'draining';

/** One answer weighs so much in the mean latency. */
const LATENCY_WEIGHT = 0.05;
/** A latency that was measured longer ago says nothing about now. */
const LATENCY_FRESH_MS = 30_000;
/** Fewer answers make no mean. */
const LATENCY_SAMPLES_MIN = 20;

export class PooledBackend implements Backend {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly health: BackendHealth;
  readonly target: Target;
  zone: string | null = null;
  weight = 1;
  kind: BackendKind = 'unknown';
  set: BackendSet = 'waiting';
  /** Why it gets nothing, where that is not for its health. */
  reason: string | null = null;
  /** The operator is emptying it. */
  isDraining = false;
  /** Is no longer among the servers; it goes when its last session has gone. */
  isLeaving = false;
  /** The last session that came there found no quorum. */
  foundReadOnly = false;
  sessions = 0;
  attaching = 0;
  /** The limit of connections that people were told of; undefined: nothing yet. */
  connectionsMaxTold: number | null | undefined = undefined;
  /** When its connections died last; -Infinity: never. */
  lostMs = -Infinity;
  #zxidHigh = 0;
  #zxidLow = 0;
  #latencyMs: number | null = null;
  /** When it was measured last, and how often since it was not measured for a while. */
  #latencyAtMs = -Infinity;
  #latencySamples = 0;

  constructor(address: BackendAddress, target: Target, health: BackendHealth) {
    this.id = idOf(address);
    this.host = address.host;
    this.port = address.port;
    this.target = target;
    this.health = health;
  }

  /** It serves, but has no quorum. */
  get isReadOnly(): boolean {
    return this.health.isReadOnly || this.foundReadOnly;
  }

  /** Who has not been asked yet is taken to be well. */
  get isWell(): boolean {
    const { state } = this.health;
    return (state === 'healthy' || state === 'unknown') && !this.target.record.isEjected;
  }

  /** The newest zxid that it is known to have. */
  get knownZxid(): bigint {
    return (BigInt(this.#zxidHigh >>> 0) << 32n) | BigInt(this.#zxidLow >>> 0);
  }

  /** True: newer than all before. */
  sawZxid(high: number, low: number): boolean {
    const isNewer =
      high >>> 0 > this.#zxidHigh || (high >>> 0 === this.#zxidHigh && low >>> 0 > this.#zxidLow);
    if (!isNewer) return false;
    this.#zxidHigh = high >>> 0;
    this.#zxidLow = low >>> 0;
    return true;
  }

  /** Of its answers to clients; null: none was measured. */
  get latencyMs(): number | null {
    return this.#latencyMs;
  }

  /** Of many answers lately; null: there were not many. */
  freshLatencyMs(nowMs: number): number | null {
    const isFresh = nowMs < this.#latencyAtMs + LATENCY_FRESH_MS;
    return isFresh && this.#latencySamples >= LATENCY_SAMPLES_MIN ? this.#latencyMs : null;
  }

  sawLatency(latencyMs: number, nowMs: number): void {
    if (nowMs >= this.#latencyAtMs + LATENCY_FRESH_MS) this.#latencySamples = 0;
    // the first ones are averaged evenly, or one slow answer would last for twenty
    const weight = Math.max(LATENCY_WEIGHT, 1 / ++this.#latencySamples);
    const before = this.#latencyMs ?? latencyMs;
    this.#latencyMs = before + (latencyMs - before) * weight;
    this.#latencyAtMs = nowMs;
    this.target.latency.observe(latencyMs, nowMs);
  }
}

/** host:port, with brackets where the host is an IPv6 address. */
export function idOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
