/**
 * The children of one znode with their data, kept up to date: listed once, then read again where a
 * recursive watch says that something changed. The watch tells changes across reconnects and sessions;
 * where it cannot, it says so, and all is read again. What could not be read stays to be read: over a
 * bad connection a long list gets there piece by piece.
 */
import { NoNodeError, SessionExpiredError } from '../client/errors.js';
import type { ZkClient } from '../client/types.js';
import { acrossSessions, isPassing, pause } from '../recipes/patience.js';

export interface ChildCacheOptions {
  /** Names are all that is wanted. */
  readonly isInNames: boolean;
  /** All children there are now. */
  readonly onChildren: (children: ReadonlyMap<string, Uint8Array>) => void;
  readonly onReachable: (isReachable: boolean) => void;
  readonly onWarning: (text: string) => void;
}

/** Reads that are under way at once. */
const READS_MAX = 256;
/** Before a watch that failed is asked for again. */
const WATCH_PAUSE_MS = 1_000;
/** After a reading that no new connection will mend: no permission, say. */
const READ_PAUSE_MS = 5_000;

const nothing = new Uint8Array(0);

export class ChildCache {
  readonly #client: ZkClient;
  readonly #path: string;
  readonly #options: ChildCacheOptions;
  readonly #end = new AbortController();
  readonly #children = new Map<string, Uint8Array>();
  /** To be read. */
  readonly #stale = new Set<string>();
  /** The names are to be listed; and then all of them to be read, not only those that are new. */
  #isListStale = true;
  #isAllStale = true;
  /** The watch is in place, and tells every change from then on. */
  #isFollowed = false;
  #isReading = false;
  #isReachable: boolean | null = null;
  readonly #watching: Promise<void>;
  readonly #offState: () => void;

  /** Begins at once; tells nothing from inside this call. */
  constructor(client: ZkClient, path: string, options: ChildCacheOptions) {
    this.#client = client;
    this.#path = path;
    this.#options = options;
    this.#offState = client.on('state', (state) => {
      if (state !== 'connected') this.#setReachable(false);
      else if (this.#isFollowed) this.#mark(null);
      // what changed before the watch was in place is told by nobody
      else this.#markAll();
    });
    this.#watching = this.#watch();
  }

  async close(): Promise<void> {
    this.#offState();
    this.#end.abort(new Error('closed'));
    await this.#watching;
  }

  async #watch(): Promise<void> {
    const { signal } = this.#end;
    const isOver = (): boolean => signal.aborted;
    while (!isOver()) {
      try {
        this.#isFollowed = false;
        const onListed = (): void => {
          this.#isFollowed = true;
        };
        const events = this.#client.watch(this.#path, { recursive: true, signal, onListed });
        this.#markAll();
        for await (const { type, path } of events) {
          if (type === 'gap') this.#markAll();
          else this.#mark(this.#childOf(path));
        }
        await pause(this.#client, WATCH_PAUSE_MS, signal);
      } catch (error) {
        if (isOver()) return;
        const mayPass = isPassing(error) || error instanceof SessionExpiredError;
        if (!mayPass) this.#options.onWarning(`${this.#path}: ${String(error)}`);
        // aborted meanwhile: the loop ends
        await pause(this.#client, WATCH_PAUSE_MS, signal).catch(() => undefined);
      }
    }
  }

  /** Null: the directory itself. Something deeper counts as its child. */
  #childOf(path: string): string | null {
    const prefix = `${this.#path}/`;
    if (!path.startsWith(prefix)) return null;
    const [child = ''] = path.slice(prefix.length).split('/', 1);
    return child === '' ? null : child;
  }

  #markAll(): void {
    this.#isAllStale = true;
    this.#mark(null);
  }

  /** Null: the list of names. */
  #mark(child: string | null): void {
    if (child === null || this.#options.isInNames) this.#isListStale = true;
    else this.#stale.add(child);
    this.#read();
  }

  #hasStale(): boolean {
    return this.#isListStale || this.#stale.size > 0;
  }

  #read(): void {
    if (this.#isReading || this.#end.signal.aborted) return;
    this.#isReading = true;
    // after this turn: the events of one change come together
    queueMicrotask(() => void this.#readAll(this.#end.signal));
  }

  /** Never rejects: what cannot be read is tried again, until the end. */
  async #readAll(signal: AbortSignal): Promise<void> {
    try {
      while (this.#hasStale()) {
        try {
          await acrossSessions(this.#client, signal, () => this.#readStale(signal));
        } catch (error) {
          signal.throwIfAborted();
          this.#options.onWarning(`${this.#path}: ${String(error)}`);
          await pause(this.#client, READ_PAUSE_MS, signal);
        }
        if (this.#end.signal.aborted) return;
        if (this.#hasStale()) continue;
        this.#setReachable(true);
        this.#options.onChildren(this.#children);
      }
    } catch {
      // closed: the signal is the only thing that throws here
    } finally {
      this.#isReading = false;
    }
  }

  /** What fails is stale again. */
  async #readStale(signal: AbortSignal): Promise<void> {
    if (this.#isListStale) await this.#list(signal);
    const names = [...this.#stale];
    for (let i = 0; i < names.length; i += READS_MAX) {
      const some = names.slice(i, i + READS_MAX);
      const read = await Promise.allSettled(some.map((name) => this.#readOne(name)));
      const failed = read.find((one) => one.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const isAll = this.#isAllStale;
    this.#isListStale = false;
    this.#isAllStale = false;
    try {
      const names = await this.#names(signal);
      const stays = new Set(names);
      for (const name of this.#children.keys()) if (!stays.has(name)) this.#children.delete(name);
      for (const name of names) {
        if (this.#options.isInNames) this.#children.set(name, nothing);
        else if (isAll || !this.#children.has(name)) this.#stale.add(name);
      }
    } catch (error) {
      this.#isListStale = true;
      this.#isAllStale ||= isAll;
      throw error;
    }
  }

  async #names(signal: AbortSignal): Promise<readonly string[]> {
    try {
      return (await this.#client.getChildren(this.#path, { signal })).children;
    } catch (error) {
      if (error instanceof NoNodeError) return [];
      throw error;
    }
  }

  async #readOne(name: string): Promise<void> {
    // what changes from here on is another reading's
    this.#stale.delete(name);
    try {
      const { data } = await this.#client.getData(`${this.#path}/${name}`);
      this.#children.set(name, data);
    } catch (error) {
      if (error instanceof NoNodeError) {
        this.#children.delete(name);
        return;
      }
      this.#stale.add(name);
      throw error;
    }
  }

  #setReachable(isReachable: boolean): void {
    if (this.#isReachable === isReachable || this.#end.signal.aborted) return;
    this.#isReachable = isReachable;
    this.#options.onReachable(isReachable);
  }
}
