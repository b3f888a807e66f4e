/**
 * Whether a session can go on elsewhere with the requests that its client waits for, as if nothing had
 * happened. With W1, R2, W3 in flight and W1 and W3 executed, no server can answer R2 any more: what it
 * would read now is W3's doing. So the writes that were executed must be the first of what is
 * unanswered; then their answers are given, and all the rest is asked again, in order.
 *
 * A sync between them is no obstacle: it reads nothing, and what it promises has come true by then. The
 * server that is asked for fates was brought up to date by a sync of the balancer's own, later than the
 * client's.
 */
import { Fate, type WriteFate } from '../../protocol/continuation.js';
import { OpCode } from '../../protocol/opcodes.js';
import { RequestFlag, type InFlight } from './in-flight.js';
import { pathOfRequest } from './request-facts.js';

/** Of a frame: its length. */
const LENGTH_BYTES = 4;

export type ExecutedWrite = Extract<WriteFate, { readonly fate: typeof Fate.executed }> & {
  /** Of the request, among those in flight. */
  readonly seq: number;
  /** Syncs in front of it that have no answer, in order. */
  readonly syncs: readonly number[];
};

export type MaskingPlan =
  | { readonly executed: readonly ExecutedWrite[] }
  /** Why it cannot be hidden. `isForgotten`: here; another server may remember more. */
  | { readonly obstacle: string; readonly isForgotten?: true };

/** The numbers of the writes that were sent and have no answer. */
export function unansweredWrites(inFlight: InFlight): number[] {
  const cxids: number[] = [];
  for (let seq = inFlight.head; seq < inFlight.sentEnd; seq++) {
    const flags = inFlight.flagsOf(seq);
    if ((flags & RequestFlag.answered) !== 0 || (flags & RequestFlag.write) === 0) continue;
    cxids.push(inFlight.xidOf(seq));
  }
  return cxids;
}

/** True: one of them at least. */
export function hasUnansweredWrite(inFlight: InFlight): boolean {
  for (let seq = inFlight.head; seq < inFlight.sentEnd; seq++) {
    const flags = inFlight.flagsOf(seq);
    if ((flags & (RequestFlag.answered | RequestFlag.write)) === RequestFlag.write) return true;
  }
  return false;
}

export function planMasking(inFlight: InFlight, fates: readonly WriteFate[]): MaskingPlan {
  const byCxid = new Map<number, WriteFate>();
  for (const fate of fates) {
    if (byCxid.has(fate.cxid)) return { obstacle: 'two unanswered writes have the same number' };
    byCxid.set(fate.cxid, fate);
  }
  const executed: ExecutedWrite[] = [];
  let syncs: number[] = [];
  let mustAskAgain = false;
  for (let seq = inFlight.head; seq < inFlight.sentEnd; seq++) {
    const flags = inFlight.flagsOf(seq);
    if ((flags & (RequestFlag.answered | RequestFlag.local)) !== 0) continue;
    if ((flags & RequestFlag.write) === 0) {
      if (isSync(inFlight, seq)) syncs.push(seq);
      // credentials are shown again, and their answers stand outside of the order
      else if (inFlight.opOf(seq) !== OpCode.auth) mustAskAgain = true;
      continue;
    }
    const fate = byCxid.get(inFlight.xidOf(seq));
    if (fate?.fate === Fate.never) {
      mustAskAgain = true;
      continue;
    }
    if (fate?.fate !== Fate.executed) {
      return { obstacle: 'what became of a write is not known', isForgotten: true };
    }
    if (mustAskAgain) {
      return { obstacle: 'a request before an executed write has no answer any more' };
    }
    const last = executed.at(-1);
    if (last !== undefined && fate.zxid <= last.zxid) {
      return { obstacle: 'writes were executed in another order' };
    }
    executed.push({ ...fate, seq, syncs });
    syncs = [];
  }
  return { executed };
}

/** One that can be read, so that its answer is known: the path that it names. */
function isSync(inFlight: InFlight, seq: number): boolean {
  if (inFlight.opOf(seq) !== OpCode.sync) return false;
  const start = inFlight.startOf(seq) + LENGTH_BYTES;
  return pathOfRequest(OpCode.sync, inFlight.bytes, start, inFlight.endOf(seq)) !== null;
}
