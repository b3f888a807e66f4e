/**
 * Which of the healthy servers are used at all. A server in use costs: connections, warm caches, clients
 * that move when it dies. One that is *awake* gets sessions; one that *waits* is healthy and watched and
 * gets none. A rule decides which are which, and how it does is what the rules differ in (subsets/).
 *
 * A rule is told what is fit and what time it is, and says what it changed and why. It never chooses
 * one that is not fit, and it never leaves fewer awake than its `least` while so many are fit.
 */
import type { PeerPosition } from './aperture.js';

export const subsetNames = ['all', 'deterministic', 'rw', 'rw-p', 'auto'] as const;

export type SubsetName = (typeof subsetNames)[number];

export interface SubsetMember {
  readonly id: string;
  readonly weight: number;
}

export interface SubsetView {
  readonly nowMs: number;
  /** All that are to get something when they can, in the order of their ids: none that drains. */
  readonly members: readonly SubsetMember[];
  /** Those of them that are healthy and not ejected. */
  readonly fit: ReadonlySet<string>;
  /** Requests that are pending at those in use. */
  readonly pending: number;
  /** Where this balancer stands among all; null: it does not know. */
  readonly position: PeerPosition | null;
}

export type WakeReason =
  | 'start'
  | 'round'
  /** None was awake any more. */
  | 'empty'
  | 'write'
  /** Fewer were awake than the rule wants at least. */
  | 'least'
  /** It became healthy, and all are used. */
  | 'healthy'
  | 'load'
  | 'operator'
  /** All balancers agreed on it. */
  | 'agreed';

export type SleepReason =
  | 'round'
  /** No client has written for a while. */
  | 'quiet'
  | 'load'
  | 'operator'
  | 'agreed'
  /** It is sick, ejected, draining or gone. */
  | 'unfit';

export type SubsetChange =
  | { readonly kind: 'wake'; readonly id: string; readonly reason: WakeReason }
  | { readonly kind: 'sleep'; readonly id: string; readonly reason: SleepReason }
  /** `auto` goes on by another rule. */
  | { readonly kind: 'rule'; readonly rule: SubsetName; readonly reason: string };

export interface Subset {
  /** Whose rule is at work: for `auto`, the one that it follows now. */
  readonly rule: SubsetName;
  /** So many are awake whenever so many are fit. */
  readonly least: number;
  /** How much of each one's weight is used, in (0, 1]. Who is not in it waits. */
  readonly awake: ReadonlyMap<string, number>;
  /** When it wants to look again, if nothing happens before. */
  readonly nextMs: number;
  /** To be called whenever the view changes and at `nextMs`. */
  look(view: SubsetView): readonly SubsetChange[];
  /** A client has written. True: `look` is to follow. */
  onWrite(nowMs: number): boolean;
  /** Goes on from what others have had awake. */
  takeOver(awake: Iterable<string>, nowMs: number): void;
  /** By the operator. False: it is awake, or not fit, or the rule alone decides. */
  wake(id: string, nowMs: number): boolean;
  /** By the operator. False: it does not sleep now, because too few would be awake. */
  sleep(id: string, nowMs: number): boolean;
}

export interface SubsetOptions {
  /** Of `rw` the time between rounds, of `rw-p` the least time between two that writes wake. */
  readonly wakeIntervalMs: number;
  /** `rw-p`: without a write for so long, the longest awake falls asleep. */
  readonly sleepAfterMs: number;
  /** `auto`: so long after a failure it is calm again. */
  readonly calmAfterMs: number;
  /** `auto`: so many write events a second are a load; half as many are calm again. */
  readonly writesPerSecond: number;
  /** `auto`: fewer fit than this, and all are used. */
  readonly panicThresholdPercent: number;
  /** `deterministic`: between so many pending requests at each. */
  readonly lowLoad: number;
  readonly highLoad: number;
  readonly smoothMs: number;
}

export const subsetDefaults: SubsetOptions = {
  wakeIntervalMs: 10_000,
  sleepAfterMs: 30_000,
  calmAfterMs: 60_000,
  writesPerSecond: 20,
  panicThresholdPercent: 50,
  lowLoad: 0.5,
  highLoad: 2,
  smoothMs: 5_000,
};
