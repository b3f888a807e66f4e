/**
 * Following a znode or a subtree through everything that happens to connections and sessions, told as
 * one history without gaps. Two ways lead there: a persistent watch and listing again after each
 * reconnect, or, where servers are too old for that, one-shot watches left again by every read. This
 * chooses, and changes over when a session ends up at an older server.
 */
import type { ZkError } from '../../protocol/errors.js';
import type { WatchEvent } from '../types.js';
import { Ledger } from './ledger.js';
import { PersistentFollower } from './persistent-follower.js';
import { RearmedFollower } from './rearmed-follower.js';
import type { WatchHost } from './watch-host.js';

export interface FollowOptions {
  readonly isRecursive: boolean;
  /** Begin with a 'created' for everything that is there. */
  readonly isInitialTold: boolean;
}

/** Who follows. Nothing is told from inside the constructor, nor after `stop`. */
export interface FollowSink {
  onEvent(event: WatchEvent): void;
  /** Once: the watch is in place and the first listing is done. */
  onReady(): void;
  /** It cannot be followed; nothing comes any more. */
  onFailed(error: ZkError): void;
}

/** What both ways have in common. */
export interface WayToFollow {
  stop(): Promise<void>;
}

export class Follower {
  readonly #host: WatchHost;
  readonly #options: FollowOptions;
  readonly #ledger: Ledger;
  readonly #sink: FollowSink;
  #way: WayToFollow;
  #isReady = false;
  #isStopped = false;

  /** Sends its first requests at once, before anything that is called for later. */
  constructor(host: WatchHost, path: string, options: FollowOptions, sink: FollowSink) {
    this.#host = host;
    this.#options = options;
    this.#sink = sink;
    this.#ledger = new Ledger(path, (event) => {
      if (!this.#isStopped) sink.onEvent(event);
    });
    this.#way = host.hasPersistentWatches ? this.#persistent() : this.#rearmed(null);
  }

  /** Resolves when nothing is left at the server, or when there is no way to ask for that. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    await this.#way.stop();
  }

  #persistent(): WayToFollow {
    return new PersistentFollower(this.#host, this.#ledger, this.#options, {
      onReady: this.#onReady,
      onFailed: this.#onFailed,
      onUnsupported: (since) => {
        if (!this.#isStopped) this.#way = this.#rearmed(since);
      },
    });
  }

  #rearmed(since: bigint | null): WayToFollow {
    const options = { ...this.#options, isFirst: !this.#isReady, since };
    return new RearmedFollower(this.#host, this.#ledger, options, { onReady: this.#onReady });
  }

  readonly #onReady = (): void => {
    if (this.#isReady || this.#isStopped) return;
    this.#isReady = true;
    this.#sink.onReady();
  };

  readonly #onFailed = (error: ZkError): void => {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#sink.onFailed(error);
  };
}
