/**
 * One of the things to choose from: a server of an ensemble, an instance of a service. The policies,
 * the detection of outliers and the subsets know nothing else about it, which is why one implementation
 * serves them all. What is measured about it lives here, as long as its id is among those to choose
 * from; it goes when the id goes.
 */
import { OutlierRecord } from './outlier-record.js';
import { PeakEwma } from './peak-ewma.js';

export interface TargetSpec {
  /** Unique, and the same for everybody who chooses: places on rings follow from it. */
  readonly id: string;
  /** Relative to the others' of its priority. 0: it is to get nothing new (it drains). */
  readonly weight: number;
  /** 0, the default, is served first; the next level only gets what this one cannot take. */
  readonly priority?: number;
}

export class Target {
  readonly id: string;
  /** As its owner states it. */
  weight: number;
  priority: number;
  /**
   * What policies weigh it with now: its weight, less while it starts slowly, and only the part of it
   * that lies in the subset. Set by the pool before the policy is told.
   */
  share: number;
  /** How much of the weight is to be used, from 0 (it sleeps) to 1: where its owner decides the subset. */
  part = 1;
  /** Requests that were started and have not ended. */
  pending = 0;
  /** What its owner knows of its health; ejection comes on top. */
  isHealthy = true;
  /** When it was first to be had, or was so again; null: long ago. */
  startedMs: number | null = null;
  readonly latency: PeakEwma;
  readonly record = new OutlierRecord();

  constructor(spec: TargetSpec, latencyDecayMs: number) {
    this.id = spec.id;
    this.weight = spec.weight;
    this.priority = spec.priority ?? 0;
    this.share = spec.weight;
    this.latency = new PeakEwma(latencyDecayMs);
  }

  /** Healthy, not ejected and not draining. */
  get isAvailable(): boolean {
    return this.isHealthy && !this.record.isEjected && this.weight > 0;
  }
}
