/**
 * A peer that behaves as Apache's servers do, as far as another server can tell: made of this project's
 * own cores, with an election of its own (apache-election.ts), without anything that Apache's protocol
 * does not have, and, where a seed or a scenario says so, with known bugs of theirs (reliability.md,
 * section 4, Z12-Z20). What it is like inside, its memory and its files, is Zabra's.
 *
 * Two of the bugs are lies: it acknowledges, or says of itself, what a power failure takes away again.
 * No other server can know that, so what was committed by its word may be lost with it. Each such word
 * is a debt until its disk has made it good. A run ends where a debt can no longer be paid and the
 * others do not hold enough to do without: when such a server loses its power while fewer of the other
 * voters have all that is committed than every quorum needs one of, and when it is elected by what it
 * owes. Nothing that follows could be promised; everything before it was, and in any other case is.
 */
import type { DiskError, DiskFile, OpenMode } from '../../ports/disk.js';
import type { ServerWorld } from '../../server/server-world.js';
import type { Zxid } from '../../protocol/zxid.js';
import { ForwardingDisk, ForwardingFile } from '../forwarding.js';
import { ApacheElection } from './apache-election.js';
import { apacheNetwork } from './apache-wire.js';

export const apacheFlaws = [
  /** Acknowledges proposals of the synchronisation before NEWLEADER, of older epochs, too (Z15). */
  'acksBeforeNewLeader',
  /** Falls over a COMMIT between its ACK of NEWLEADER and UPTODATE (Z16). */
  'failsOnCommit',
  /** History of a synchronisation counts as logged when the disk has only been asked (Z12, Z13, Z17, Z19, Z20). */
  'historyBeforeDisk',
  /** currentEpoch is written before the history that belongs to it (Z14). */
  'epochBeforeHistory',
] as const;
export type ApacheFlaw = (typeof apacheFlaws)[number];

export interface ApacheConduct {
  readonly flaws: readonly ApacheFlaw[];
}

/** It says more than its disk holds. */
export function mayLie({ flaws }: ApacheConduct): boolean {
  return flaws.includes('historyBeforeDisk') || flaws.includes('epochBeforeHistory');
}

/** What a server of that make is given in place of what one of ours is. */
export function apacheWorld(world: ServerWorld, conduct: ApacheConduct): ServerWorld {
  return {
    ...world,
    network: apacheNetwork(world.network, conduct.flaws),
    disk: mayLie(conduct) ? new LyingDisk(world.disk, conduct.flaws) : world.disk,
    makeElection: (options) => new ApacheElection(options),
  };
}

class FlushTooEarly extends ForwardingFile {
  readonly #isWithin: () => boolean;

  constructor(inner: DiskFile, isWithin: () => boolean) {
    super(inner);
    this.#isWithin = isWithin;
  }

  override flush(done: (error: DiskError | null) => void): void {
    if (!this.#isWithin()) {
      this.inner.flush(done);
      return;
    }
    done(null);
    this.inner.flush(() => undefined);
  }
}

/** Of our own files: how far a log is durable. Apache has none, and would not notice. */
class MarkOfNothing extends ForwardingFile {
  override writeNow(bytes: Uint8Array, start: number, end: number, position: number): void {
    this.inner.writeNow(new Uint8Array(bytes.length), start, end, position);
  }
}

/** The two steps of currentEpoch are the beginning and the end of a synchronisation. */
class LyingDisk extends ForwardingDisk {
  readonly #flaws: readonly ApacheFlaw[];
  #isSynchronising = false;

  constructor(inner: ForwardingDisk['inner'], flaws: readonly ApacheFlaw[]) {
    super(inner);
    this.#flaws = flaws;
  }

  override openNow(path: string, mode: OpenMode): DiskFile {
    const file = this.inner.openNow(path, mode);
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (!this.#flaws.includes('historyBeforeDisk')) return file;
    if (name === '.tail') return mode === 'read' ? file : new MarkOfNothing(file);
    if (!name.startsWith('log.')) return file;
    return new FlushTooEarly(file, () => this.#isSynchronising);
  }

  override async rename(from: string, to: string): Promise<void> {
    await this.inner.rename(from, to);
    if (to.endsWith('/currentEpoch')) this.#isSynchronising = false;
    if (!to.endsWith('/currentEpoch.tmp')) return;
    this.#isSynchronising = true;
    if (this.#flaws.includes('epochBeforeHistory')) await this.#copy(to, to.slice(0, -4));
  }

  async #copy(from: string, to: string): Promise<void> {
    const bytes = new Uint8Array(this.inner.sizeNow(from));
    const source = this.inner.openNow(from, 'read');
    source.readNow(bytes, 0, bytes.length, 0);
    source.closeNow();
    const file = this.inner.openNow(`${to}.early`, 'create');
    file.writeNow(bytes, 0, bytes.length, 0);
    await file.sync();
    file.closeNow();
    await this.inner.rename(`${to}.early`, to);
  }
}

// ------------------------------------------------------------------ what was said and is not so

export interface Debt {
  readonly what: string;
  /** The end of the history that was said to be there. */
  readonly upTo: Zxid;
  isPaid(): boolean;
}

/** By server. */
export class Debts {
  readonly #open = new Map<number, Debt[]>();

  owe(sid: number, debt: Debt): void {
    this.#open.set(sid, [...this.of(sid), debt]);
  }

  /** Those that its disk has not made good. */
  of(sid: number): readonly Debt[] {
    const open = (this.#open.get(sid) ?? []).filter((debt) => !debt.isPaid());
    this.#open.set(sid, open);
    return open;
  }

  /** It has said that it has this. */
  covers(sid: number, zxid: Zxid): boolean {
    return this.of(sid).some(({ upTo }) => zxid <= upTo);
  }

  /** It holds the history of a later epoch: whatever it said before is no matter any more. */
  settle(sid: number): void {
    this.#open.delete(sid);
  }
}
