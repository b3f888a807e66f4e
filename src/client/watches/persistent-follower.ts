/**
 * Following with a persistent watch. While the connection lasts, events are the history. Persistent
 * watches are not made up for after a reconnect: the server sets them again and says nothing of what
 * happened between, so everything is listed again (see `listing.ts`).
 *
 * A listing and its events belong to one connection. One in doubt may come back, and then everything
 * that it brought counts; with another one everything begins anew.
 */
import type { Timer } from '../../ports/clock.js';
import { ErrorCode, type ZkError } from '../../protocol/errors.js';
import type { ClientState, Stat, WatchEvent } from '../types.js';
import type { FollowOptions, WayToFollow } from './follower.js';
import { knownOf, type Ledger } from './ledger.js';
import { Listing } from './listing.js';
import type { WatchHost } from './watch-host.js';

export interface PersistentSink {
  /** After the first listing. */
  onReady(): void;
  onFailed(error: ZkError): void;
  /**
   * The server knows no persistent watches; this one has stopped, and the ledger stands. `since`: what
   * is newer is news, though nothing was told yet (0n: it is not known what is); null: nothing is.
   */
  onUnsupported(since: bigint | null): void;
}

/** Reads of one listing that are asked at a time. */
const ASKED_MAX = 256;
/** Reads after events without a zxid; beyond it the zxid stays unknown until the next listing. */
const LOOKED_UP_MAX = 1024;
/** Before what failed for no visible reason is tried again. */
const RETRY_MS = 1000;

export class PersistentFollower implements WayToFollow {
  readonly #host: WatchHost;
  readonly #ledger: Ledger;
  readonly #isRecursive: boolean;
  readonly #sink: PersistentSink;
  readonly #unsubscribe: () => void;
  #watch: 'none' | 'asked' | 'set' = 'none';
  /** Null: events are told as they come. */
  #listing: Listing | null;
  #isFirst: boolean;
  /** What whoever reads for himself, later than the watch was asked for, has seen at the least. */
  #seenZxid: bigint;
  /**
   * Null: what was asked for first stands as it was. Else it was cut off before all was listed, and who
   * reads for himself may have done that before what is asked for now.
   */
  #since: bigint | null = null;
  /** Counts listings; answers to those of another one are dropped. */
  #run = 0;
  #isRunning = false;
  /** Of this connection are the listing and its events. */
  #connection: number;
  #toRead: string[] = [];
  #asked = 0;
  #lookedUp = 0;
  #retry: Timer | null = null;
  #isStopped = false;

  constructor(
    host: WatchHost,
    ledger: Ledger,
    { isRecursive, isInitialTold }: FollowOptions,
    sink: PersistentSink,
  ) {
    this.#host = host;
    this.#ledger = ledger;
    this.#isRecursive = isRecursive;
    this.#sink = sink;
    this.#isFirst = !isInitialTold;
    this.#seenZxid = host.lastZxid;
    this.#connection = host.connectionCount;
    this.#listing = new Listing(ledger, isRecursive);
    this.#unsubscribe = host.on('state', this.#onState);
    host.keepWatcher(this.#onEvent);
    this.#setWatch();
    if (host.state === 'connected') this.#list();
  }

  async stop(): Promise<void> {
    this.#halt();
    await this.#remove();
  }

  #remove(): Promise<void> {
    return this.#host.removeServerWatch(this.#ledger.root, this.#isRecursive, this.#onEvent);
  }

  #halt(): void {
    this.#isStopped = true;
    this.#unsubscribe();
    this.#retry?.cancel();
    this.#run++;
  }

  readonly #onState = (state: ClientState): void => {
    if (this.#isStopped || state !== 'connected') return;
    this.#retry?.cancel();
    this.#retry = null;
    const { connectionCount } = this.#host;
    if (connectionCount !== this.#connection) {
      this.#connection = connectionCount;
      if (this.#watch === 'set') this.#interrupt();
      this.#begin();
    }
    this.#proceed();
    if (this.#isRunning) this.#read();
  };

  /** What an unfinished listing has read and heard counts no more. */
  #begin(): void {
    this.#listing = new Listing(this.#ledger, this.#isRecursive);
    this.#isRunning = false;
    this.#run++;
  }

  /** Goes on with whatever is not under way. */
  #proceed(): void {
    if (!this.#host.hasPersistentWatches) {
      this.#giveUp();
      return;
    }
    if (this.#watch === 'none') {
      this.#setWatch();
      // what was read before the watch is in place says nothing
      this.#begin();
    }
    if (this.#listing !== null && !this.#isRunning) this.#list();
  }

  #giveUp(): void {
    this.#halt();
    this.#sink.onUnsupported(this.#since);
  }

  #interrupt(): void {
    if (this.#isFirst) this.#since ??= this.#seenZxid;
  }

  #setWatch(): void {
    this.#watch = 'asked';
    this.#host.addServerWatch(this.#ledger.root, this.#isRecursive, this.#onEvent, (error) => {
      if (this.#isStopped) {
        // only now it can be found at the server; nobody is told of its events
        if (error === null) this.#remove().catch(() => undefined);
        return;
      }
      if (error === null) {
        this.#watch = 'set';
        this.#seenZxid = this.#host.lastZxid;
        return;
      }
      this.#watch = 'none';
      if (error.code === ErrorCode.unimplemented) {
        this.#giveUp();
      } else if (isPassing(error)) {
        this.#interrupt();
        this.#tryLater();
      } else {
        this.#halt();
        this.#sink.onFailed(error);
      }
    });
  }

  readonly #onEvent = (event: WatchEvent): void => {
    if (this.#isStopped) return;
    if (event.type === 'gap') {
      // the watch was dropped: the session had come to a server that does not know it
      this.#watch = 'none';
      this.#interrupt();
      this.#tryLater();
      return;
    }
    if (this.#listing !== null) {
      this.#listing.onEvent(event);
      return;
    }
    this.#ledger.apply(event);
    if (event.zxid === undefined && event.type !== 'deleted') this.#lookUp(event.path);
  };

  /** Servers before 3.9 do not say which change it was: without that, a gap hides a new znode. */
  #lookUp(path: string): void {
    if (this.#lookedUp >= LOOKED_UP_MAX) return;
    this.#lookedUp++;
    const run = this.#run;
    this.#host.ask('exists', path, null, (error, stat) => {
      this.#lookedUp--;
      // in the order of the wire: every event before this answer has been entered
      if (run === this.#run && error === null && stat !== null) {
        this.#ledger.note(path, knownOf(stat));
      }
    });
  }

  #list(): void {
    this.#isRunning = true;
    this.#run++;
    this.#asked = 0;
    this.#toRead = [this.#ledger.root];
    this.#read();
  }

  #read(): void {
    while (this.#asked < ASKED_MAX && this.#retry === null) {
      const path = this.#toRead.pop();
      if (path === undefined) break;
      this.#asked++;
      const run = this.#run;
      this.#host.ask(this.#isRecursive ? 'getChildren' : 'exists', path, null, (...answer) => {
        if (run === this.#run) this.#onAnswer(path, ...answer);
      });
    }
  }

  #onAnswer(
    path: string,
    error: ZkError | null,
    stat: Stat | null,
    children: readonly string[],
  ): void {
    this.#asked--;
    const listing = this.#listing;
    if (listing === null) return;
    if (error === null || error.code === ErrorCode.noNode) {
      this.#toRead.push(...listing.onRead(path, error === null ? stat : null, children));
    } else if (error.code === ErrorCode.noAuth) {
      this.#toRead.push(...listing.onForbidden(path));
    } else {
      this.#toRead.push(path);
      this.#tryLater();
      return;
    }
    this.#read();
    if (this.#asked === 0 && this.#toRead.length === 0 && this.#watch === 'set') this.#finish();
  }

  #finish(): void {
    const listing = this.#listing;
    this.#listing = null;
    this.#isRunning = false;
    const since = this.#since;
    const told = this.#isFirst ? (since === null ? 'nothing' : { since }) : 'differences';
    this.#isFirst = false;
    listing?.finish(told);
    this.#sink.onReady();
  }

  /** For what does not go away with the connection, or whose end nobody tells. */
  #tryLater(): void {
    this.#retry ??= this.#host.clock.after(RETRY_MS, () => {
      this.#retry = null;
      if (this.#isStopped || this.#host.state !== 'connected') return;
      this.#proceed();
      if (this.#isRunning) this.#read();
    });
  }
}

/** Whether it may go well another time: all but what the server says of this request itself. */
function isPassing({ code }: ZkError): boolean {
  return (
    code === ErrorCode.connectionLoss ||
    code === ErrorCode.sessionExpired ||
    code === ErrorCode.requestTimeout ||
    code === ErrorCode.throttledOp ||
    code === ErrorCode.sessionMoved
  );
}
