/**
 * What may be on the disk after a crash: at least what was acknowledged, at most what was appended,
 * and nothing that was taken back. While one state is being replaced by another, either of them.
 */
import { formatZxid, type Zxid } from '../../protocol/zxid.js';
import type { CrashMark } from './world.js';

export interface Bounds {
  readonly acknowledged: Zxid;
  readonly appended: Zxid;
  /** The state that is being installed; null: none. */
  readonly incoming: Zxid | null;
  /** Taken back for good: what comes after one zxid, up to another. */
  readonly lost: readonly { readonly after: Zxid; readonly upTo: Zxid }[];
  /** Promised, and held. */
  readonly acceptedEpoch: number;
  readonly currentEpoch: number;
}

export function exactly(zxid: Zxid): Bounds {
  return {
    acknowledged: zxid,
    appended: zxid,
    incoming: null,
    lost: [],
    acceptedEpoch: 0,
    currentEpoch: 0,
  };
}

export function boundsOf(marks: readonly CrashMark[]): Bounds {
  let acknowledged = 0n;
  let appended = 0n;
  let incoming: Zxid | null = null;
  let acceptedEpoch = 0;
  let currentEpoch = 0;
  const lost: { after: Zxid; upTo: Zxid }[] = [];
  for (const mark of marks) {
    switch (mark.kind) {
      case 'acknowledged':
        if (mark.zxid > acknowledged) acknowledged = mark.zxid;
        if (mark.zxid > appended) appended = mark.zxid;
        break;
      case 'appended':
        if (mark.zxid > appended) appended = mark.zxid;
        break;
      case 'cutting':
        if (mark.zxid < acknowledged) acknowledged = mark.zxid;
        break;
      case 'installing':
        incoming = mark.zxid;
        break;
      case 'cut':
      case 'installed':
        lost.push({ after: mark.zxid, upTo: appended });
        acknowledged = appended = mark.zxid;
        incoming = null;
        break;
      case 'acceptedEpoch':
        acceptedEpoch = mark.epoch;
        break;
      case 'currentEpoch':
        currentEpoch = mark.epoch;
        break;
    }
  }
  return { acknowledged, appended, incoming, lost, acceptedEpoch, currentEpoch };
}

/** What is wrong with finding this one the last, or null. */
export function outOfBounds(bounds: Bounds, last: Zxid): string | null {
  const { acknowledged, appended, incoming, lost } = bounds;
  if (last === incoming) return null;
  if (last < acknowledged) {
    return `${formatZxid(acknowledged)} was acknowledged, ${formatZxid(last)} is the last`;
  }
  if (last > appended) return `${formatZxid(last)} was never written`;
  if (lost.some(({ after, upTo }) => last > after && last <= upTo)) {
    return `${formatZxid(last)} was taken back`;
  }
  return null;
}
