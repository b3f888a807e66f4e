/**
 * Following with one-shot watches, for servers before 3.6. Every read of a znode leaves a watch on its
 * data and one on its children; each event that spends one is answered by reading again, and what the
 * reading shows to be different is told. Several changes of one znode between two readings are told
 * as one. Nothing is missed over a reconnect: one-shot watches are made up for by the server.
 *
 * The first reading of a subtree takes a while. Who reads the beginning himself may have seen in it
 * what is gone when its turn comes, and is told that there is a gap.
 */
import type { Timer } from '../../ports/clock.js';
import { ErrorCode, type ZkError } from '../../protocol/errors.js';
import { join, parentOf } from '../../protocol/paths.js';
import type { ClientState, Stat, WatchEvent } from '../types.js';
import { FirstReading } from './first-reading.js';
import type { FollowOptions, WayToFollow } from './follower.js';
import {
  hasChangedChildren,
  hasChangedData,
  isAnother,
  knownOf,
  UNKNOWN,
  type Known,
  type Ledger,
} from './ledger.js';
import type { WatchHost } from './watch-host.js';

export interface RearmedSink {
  /** After the first reading of everything. */
  onReady(): void;
}

export interface RearmedOptions extends FollowOptions {
  /** False: the ledger holds what another way has told before. */
  readonly isFirst: boolean;
  /** Of another way that was cut off in its beginning: see there. */
  readonly since: bigint | null;
}

/** Znodes that are being read at a time. */
const READING_MAX = 256;
/** Before what failed for no visible reason is tried again. */
const RETRY_MS = 1000;

export class RearmedFollower implements WayToFollow {
  readonly #host: WatchHost;
  readonly #ledger: Ledger;
  readonly #isRecursive: boolean;
  readonly #sink: RearmedSink;
  readonly #unsubscribe: () => void;
  /** Being read; true: something happened since, read it once more. */
  readonly #reading = new Map<string, boolean>();
  /** To be read, in this order. */
  readonly #due = new Set<string>();
  /** Where a watch of ours may lie. */
  readonly #watched = new Set<string>();
  /** What is newer than this is told; what was there before is where the telling begins. */
  #silentUntil: bigint | null;
  /** What whoever reads for himself has seen at the least. */
  readonly #seenZxid: bigint;
  /** Null: all has been read, or he is told everything. */
  #firstReading: FirstReading | null = null;
  #isReady: boolean;
  #retry: Timer | null = null;
  #isStopped = false;

  constructor(
    host: WatchHost,
    ledger: Ledger,
    { isRecursive, isInitialTold, isFirst, since }: RearmedOptions,
    sink: RearmedSink,
  ) {
    this.#host = host;
    this.#ledger = ledger;
    this.#isRecursive = isRecursive;
    this.#sink = sink;
    this.#isReady = !isFirst;
    this.#silentUntil = isFirst && !isInitialTold ? null : 0n;
    this.#seenZxid = host.lastZxid;
    if (isFirst && !isInitialTold) this.#firstReading = new FirstReading(isRecursive);
    if (since !== null) this.#begunBefore(since);
    this.#unsubscribe = host.on('state', this.#onState);
    host.keepWatcher(this.#onEvent);
    this.#readAll();
  }

  stop(): Promise<void> {
    this.#halt();
    this.#forget(this.#ledger.root);
    for (const path of this.#watched) this.#forget(path);
    return Promise.resolve();
  }

  #halt(): void {
    this.#isStopped = true;
    this.#unsubscribe();
    this.#retry?.cancel();
  }

  readonly #onState = (state: ClientState): void => {
    if (this.#isStopped || state !== 'connected') return;
    this.#retry?.cancel();
    this.#retry = null;
    this.#readDue();
  };

  readonly #onEvent = ({ type, path, zxid }: WatchEvent): void => {
    if (this.#isStopped) return;
    if (type === 'gap') {
      // the session is over, and every watch of it: told once, for all paths
      this.#watched.clear();
      this.#readAll();
      return;
    }
    if (type === 'deleted') {
      this.#ledger.deleted(path, zxid);
      // below the root, the parent's children tell when it comes back
      if (path !== this.#ledger.root) {
        this.#watched.delete(path);
        return;
      }
    }
    this.#want(path);
    this.#readDue();
  };

  #readAll(): void {
    this.#want(this.#ledger.root);
    for (const path of this.#ledger.paths()) this.#want(path);
    this.#readDue();
  }

  #want(path: string): void {
    if (this.#reading.has(path)) this.#reading.set(path, true);
    else this.#due.add(path);
  }

  #readDue(): void {
    for (const path of this.#due) {
      if (this.#reading.size >= READING_MAX || this.#retry !== null) return;
      this.#due.delete(path);
      this.#read(path);
    }
  }

  /** Both are sent at once; the second answer ends the reading. */
  #read(path: string): void {
    this.#reading.set(path, false);
    let failure: ZkError | null = null;
    let wasThere = true;
    this.#host.ask('exists', path, this.#onEvent, (error, stat) => {
      if (this.#isStopped) {
        this.#forget(path);
        return;
      }
      if (error !== null) {
        failure = error;
        // who reads for himself may have done so before what is read here from now on
        if (this.#silentUntil === null) this.#begunBefore(this.#seenZxid);
        return;
      }
      this.#silentUntil ??= this.#host.lastZxid;
      this.#firstReading?.onRead(path, stat, this.#silentUntil);
      wasThere = stat !== null;
      this.#onStat(path, stat);
    });
    this.#host.ask('getChildren', path, this.#onEvent, (error, stat, children) => {
      if (this.#isStopped) {
        this.#forget(path);
        return;
      }
      if (error === null) {
        // made between the two: nothing watches its data yet
        if (!wasThere) this.#want(path);
        // its children may have changed between the two: that is before the watch on them
        const isTold = this.#onStat(path, stat);
        if (isTold && this.#isRecursive) {
          if (stat !== null) this.#firstReading?.onListed(path, stat, this.#silentUntil ?? 0n);
          this.#onChildren(path, children);
        }
      }
      // without a znode there are no children: the first answer has said so, or an event will
      if (error?.code !== ErrorCode.noNode) failure ??= error;
      this.#onReadingEnd(path, failure);
    });
  }

  #onReadingEnd(path: string, failure: ZkError | null): void {
    const isWantedAgain = this.#reading.get(path) === true;
    this.#reading.delete(path);
    if (failure?.code === ErrorCode.noAuth) {
      this.#onForbidden(path);
    } else if (failure !== null) {
      this.#due.add(path);
      this.#tryLater();
      return;
    } else if (isWantedAgain) {
      this.#due.add(path);
    }
    this.#readDue();
    if (this.#isReady || this.#reading.size > 0 || this.#due.size > 0) return;
    this.#isReady = true;
    const isUnsure = this.#firstReading?.isUnsure === true;
    this.#firstReading = null;
    if (isUnsure) this.#ledger.gap();
    this.#sink.onReady();
  }

  /** What is newer than this is news; 0n: it is not known what is. */
  #begunBefore(zxid: bigint): void {
    if (this.#firstReading === null) return;
    if (zxid === 0n) {
      this.#firstReading.isUnsure = true;
    } else {
      this.#silentUntil = zxid;
      this.#firstReading.name(this.#ledger.root, zxid);
    }
  }

  #onForbidden(path: string): void {
    // it is there, or the answer would be another one; more cannot be known
    if (!this.#ledger.has(path)) this.#enter(path, UNKNOWN);
  }

  /** False: this is not the time to tell of it, it will be read again. */
  #onStat(path: string, stat: Stat | null): boolean {
    const ledger = this.#ledger;
    if (stat === null) {
      ledger.deleted(path, undefined);
      // the watch for its creation is only wanted where there is no parent to tell
      if (path !== ledger.root) this.#forget(path);
      return true;
    }
    this.#watched.add(path);
    const now = knownOf(stat);
    const before = ledger.get(path);
    if (before === undefined || isAnother(before, now)) {
      if (this.#isAheadOfParent(path, now)) {
        this.#want(path);
        return false;
      }
      if (before === undefined) {
        this.#enter(path, now);
      } else {
        ledger.created(path, now, now.czxid);
        this.#tellChildren(path, now, now.cversion > 0);
      }
      return true;
    }
    if (hasChangedData(before, now)) {
      ledger.changed(path, now, before.mzxid === 0n ? undefined : now.mzxid);
    }
    if (!this.#isRecursive && hasChangedChildren(before, now)) {
      ledger.childrenChanged(path, now, before.pzxid === 0n ? undefined : now.pzxid);
    }
    ledger.note(path, now);
    return true;
  }

  /**
   * It is newer than what is known of its parent, which is being read: that may turn out to be another
   * one too, and then this belongs to it and not to the one that was told.
   */
  #isAheadOfParent(path: string, { czxid }: Known): boolean {
    if (path === this.#ledger.root) return false;
    const parent = parentOf(path);
    const known = this.#ledger.get(parent);
    if (known === undefined || known.pzxid === 0n || czxid <= known.pzxid) return false;
    return this.#reading.has(parent) || this.#due.has(parent);
  }

  /** Seen for the first time. What is older than the beginning is not news, but its changes are. */
  #enter(path: string, now: Known): void {
    const ledger = this.#ledger;
    const since = this.#silentUntil ?? 0n;
    if (now.czxid > since) {
      ledger.created(path, now, now.czxid);
      this.#tellChildren(path, now, now.cversion > 0);
      return;
    }
    ledger.isSilent = since > 0n;
    ledger.created(path, now, now.czxid);
    ledger.isSilent = false;
    if (since === 0n) return;
    if (now.mzxid > since) ledger.changed(path, now, now.mzxid);
    this.#tellChildren(path, now, now.pzxid > since);
  }

  #tellChildren(path: string, now: Known, isNews: boolean): void {
    if (isNews && !this.#isRecursive) this.#ledger.childrenChanged(path, now, now.pzxid);
  }

  #onChildren(path: string, children: readonly string[]): void {
    // it may be gone by now: then an event has said so, or will
    if (!this.#ledger.has(path)) return;
    const listed = new Set(children.map((name) => join(path, name)));
    for (const child of [...this.#ledger.childrenOf(path)]) {
      if (!listed.has(child)) this.#ledger.deleted(child, undefined);
    }
    for (const child of listed) {
      if (this.#ledger.has(child)) continue;
      this.#firstReading?.name(child, this.#host.lastZxid);
      this.#want(child);
    }
  }

  #forget(path: string): void {
    this.#host.forgetWatcher(path, this.#onEvent);
    this.#watched.delete(path);
  }

  /** The next connection tries it too; this is for what fails without one being lost. */
  #tryLater(): void {
    this.#retry ??= this.#host.clock.after(RETRY_MS, () => {
      this.#retry = null;
      if (!this.#isStopped && this.#host.state === 'connected') this.#readDue();
    });
  }
}
