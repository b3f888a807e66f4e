/**
 * `addWatch`: a persistent watch with a callback. Where the server knows them it is the server's own,
 * and the watcher is told a 'gap' after each reconnect, because what happened between is not made up
 * for. Where it does not (before 3.6), the path is followed by one-shot watches left again and again:
 * then differences are told, and no gaps.
 */
import { ErrorCode, type ZkError } from '../../protocol/errors.js';
import { whenAborted } from '../abort-group.js';
import type {
  ClientState,
  WatchEvent,
  WatchOptions,
  WatchRegistration,
  Watcher,
} from '../types.js';
import { Ledger } from './ledger.js';
import { RearmedFollower } from './rearmed-follower.js';
import type { WatchHost } from './watch-host.js';

/**
 * Resolves when the watch is in place, rejects with what the server said, or with the signal's reason
 * (then the watch is removed again). Paths are the host's; arguments have been checked.
 */
export function addPersistentWatch(
  host: WatchHost,
  path: string,
  { recursive = false, signal }: WatchOptions,
  watcher: Watcher,
): Promise<WatchRegistration> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const onAbort = (reason: unknown): void => {
      void watch.remove();
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- a signal's reason
      reject(reason);
    };
    const offAbort = signal === undefined ? null : whenAborted(signal, onAbort);
    const watch: PersistentWatch = new PersistentWatch(host, path, recursive, watcher, (error) => {
      offAbort?.();
      if (error === null) resolve(watch);
      else reject(error);
    });
  });
}

/** 'asked': the server has it or is asked for it; 'dropped': asked for again when connected. */
type Place = 'asked' | 'set' | 'dropped' | RearmedFollower;

class PersistentWatch implements WatchRegistration {
  readonly #host: WatchHost;
  readonly #path: string;
  readonly #isRecursive: boolean;
  readonly #watcher: Watcher;
  readonly #unsubscribe: () => void;
  readonly #onReady: (error: ZkError | null) => void;
  #place: Place = 'dropped';
  #isReady = false;
  #isRemoved = false;

  constructor(
    host: WatchHost,
    path: string,
    isRecursive: boolean,
    watcher: Watcher,
    onReady: (error: ZkError | null) => void,
  ) {
    this.#host = host;
    this.#path = path;
    this.#isRecursive = isRecursive;
    this.#watcher = watcher;
    this.#onReady = onReady;
    this.#unsubscribe = host.on('state', this.#onState);
    this.#add();
  }

  async remove(): Promise<void> {
    if (this.#isRemoved) return;
    const place = this.#place;
    this.#leave();
    if (typeof place !== 'string') await place.stop();
    else await this.#host.removeServerWatch(this.#path, this.#isRecursive, this.#onEvent);
  }

  #leave(): void {
    this.#isRemoved = true;
    this.#unsubscribe();
  }

  #add(): void {
    if (!this.#host.hasPersistentWatches) {
      this.#follow();
      return;
    }
    this.#place = 'asked';
    this.#host.addServerWatch(this.#path, this.#isRecursive, this.#onEvent, (error) => {
      if (this.#isRemoved) {
        // removed while it was on its way: only now it can be found at the server
        this.#host.removeServerWatch(this.#path, this.#isRecursive, this.#onEvent).catch(() => {
          // nobody is told of its events
        });
        return;
      }
      this.#place = error === null ? 'set' : 'dropped';
      if (error?.code === ErrorCode.unimplemented) this.#follow();
      else this.#ready(error);
    });
  }

  /** The first outcome is the call's; later ones have the next connection as another chance. */
  #ready(error: ZkError | null): void {
    if (this.#isReady) return;
    this.#isReady = true;
    if (error !== null) this.#leave();
    this.#onReady(error);
  }

  readonly #onState = (state: ClientState): void => {
    if (state !== 'connected' || !this.#isReady) return;
    if (typeof this.#place !== 'string') return;
    this.#tell({ type: 'gap', path: this.#path });
    if (this.#place === 'dropped') this.#add();
  };

  readonly #onEvent = (event: WatchEvent): void => {
    // the session had come to a server that does not know such watches
    if (event.type === 'gap') this.#place = 'dropped';
    else this.#tell(event);
  };

  #follow(): void {
    const ledger = new Ledger(this.#path, (event) => {
      // who waits until the watch is in place reads after it
      if (event.type !== 'gap' || this.#isReady) this.#tell(event);
    });
    const options = { isRecursive: this.#isRecursive, isInitialTold: false };
    const beginning = { ...options, isFirst: true, since: null };
    this.#place = new RearmedFollower(this.#host, ledger, beginning, {
      onReady: () => this.#ready(null),
    });
  }

  /** Behind the answers that came before it, as all watchers are told. */
  #tell(event: WatchEvent): void {
    queueMicrotask(() => {
      if (!this.#isRemoved) this.#watcher(event);
    });
  }
}
