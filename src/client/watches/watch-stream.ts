/**
 * `for await (const event of zk.watch('/a', { recursive: true }))`: what happens to a znode or a
 * subtree, for as long as somebody wants to know. Connections and sessions come and go underneath;
 * after each gap what is watched is read again and the differences are told as events, so that who
 * folds the events over what it read after `watch` was called always has what is there.
 *
 * What came and went within a gap is not told, several changes within a gap are told as one, and so
 * are those that a slow reader lets pile up.
 */
import { ErrorCode, ZkError } from '../../protocol/errors.js';
import { whenAborted } from '../abort-group.js';
import type { ClientState, StreamOptions, WatchEvent } from '../types.js';
import { EventBuffer } from './event-buffer.js';
import { Follower } from './follower.js';
import type { WatchHost } from './watch-host.js';

type Next = IteratorResult<WatchEvent, undefined>;

interface Waiter {
  readonly resolve: (next: Next) => void;
  readonly reject: (reason: unknown) => void;
}

const BUFFERED_MAX = 4096;
const DONE: Next = { done: true, value: undefined };

export class WatchStream implements AsyncIterableIterator<WatchEvent, undefined> {
  readonly #buffer: EventBuffer;
  readonly #waiters: Waiter[] = [];
  readonly #follower: Follower;
  readonly #unsubscribe: () => void;
  #offAbort: (() => void) | null = null;
  /** Null: more may come. Events before a failure are taken first. */
  #end: { readonly error: unknown } | 'done' | null = null;

  /**
   * The watch is asked for at once, in the order of the calls: what changes after a later call was
   * answered is told. Arguments have been checked; with an aborted signal the first `next` rejects.
   */
  constructor(host: WatchHost, path: string, options: StreamOptions = {}) {
    const { recursive = false, initial = false, signal, bufferedMax = BUFFERED_MAX } = options;
    this.#buffer = new EventBuffer(bufferedMax);
    this.#unsubscribe = host.on('state', this.#onState);
    const following = { isRecursive: recursive, isInitialTold: initial };
    this.#follower = new Follower(host, path, following, {
      onEvent: this.#onEvent,
      onReady: () => options.onListed?.(),
      onFailed: (error) => this.#finish({ error }),
    });
    if (signal?.aborted === true) this.#onAbort(signal.reason);
    else if (signal !== undefined) this.#offAbort = whenAborted(signal, this.#onAbort);
    if (host.state === 'closed') this.#onState('closed', 'closed');
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** May be called again before the last one is settled: events are given out in order. */
  next(): Promise<Next> {
    const value = this.#buffer.shift();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    const end = this.#end;
    if (end === null) {
      return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
    }
    // a failure is told once
    this.#end = 'done';
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- a signal's reason
    return end === 'done' ? Promise.resolve(DONE) : Promise.reject(end.error);
  }

  /** Ends it: nothing more is told, and the watch is taken off the server. */
  return(): Promise<Next> {
    this.#buffer.clear();
    this.#finish('done');
    this.#end = 'done';
    return Promise.resolve(DONE);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  readonly #onEvent = (value: WatchEvent): void => {
    if (this.#end !== null) return;
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#buffer.push(value);
    else waiter.resolve({ done: false, value });
  };

  readonly #onAbort = (reason: unknown): void => {
    this.#buffer.clear();
    this.#finish({ error: reason });
  };

  readonly #onState = (state: ClientState, previous: ClientState): void => {
    if (state !== 'closed') return;
    // closed by its owner, or because its session is over and it may not have another one
    this.#finish(previous === 'lost' ? { error: new ZkError(ErrorCode.sessionExpired) } : 'done');
  };

  #finish(end: { readonly error: unknown } | 'done'): void {
    if (this.#end !== null) return;
    this.#end = end;
    this.#unsubscribe();
    this.#offAbort?.();
    this.#offAbort = null;
    // not waited for: without a connection it would be waited for as long as there is none, and
    // what the server still sends for this watch is dropped
    this.#follower.stop().catch(() => undefined);
    const [first, ...others] = this.#waiters.splice(0);
    if (first === undefined) return;
    if (end === 'done') {
      first.resolve(DONE);
    } else {
      this.#end = 'done';
      first.reject(end.error);
    }
    for (const waiter of others) waiter.resolve(DONE);
  }
}
