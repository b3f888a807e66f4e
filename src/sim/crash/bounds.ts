/** What may be on the disk after a crash: at least what was acknowledged, at most what was appended. */
import type { Zxid } from '../../protocol/zxid.js';
import type { CrashMark } from './world.js';

export interface Bounds {
  readonly acknowledged: Zxid;
  readonly appended: Zxid;
}

export function boundsOf(marks: readonly CrashMark[]): Bounds {
  let acknowledged = 0n;
  let appended = 0n;
  for (const { kind, zxid } of marks) {
    if (kind === 'acknowledged' && zxid > acknowledged) acknowledged = zxid;
    if (zxid > appended) appended = zxid;
  }
  return { acknowledged, appended };
}
