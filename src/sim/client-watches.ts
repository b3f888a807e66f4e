/**
 * What a client believes it watches, as client libraries keep it: needed to set the watches again
 * after a reconnect. Only beliefs; what the server ought to hold is the checker's affair.
 */
import { AddWatchMode, EventType, WatcherType } from '../protocol/events.js';
import { OpCode } from '../protocol/opcodes.js';
import { ErrorCode } from '../protocol/errors.js';
import type { RequestBody } from './requests.js';

export class ClientWatches {
  readonly #data = new Set<string>();
  readonly #exist = new Set<string>();
  readonly #child = new Set<string>();
  readonly #persistent = new Set<string>();
  readonly #recursive = new Set<string>();

  clear(): void {
    for (const set of this.#all()) set.clear();
  }

  get isEmpty(): boolean {
    return this.#all().every((set) => set.size === 0);
  }

  /** The request that sets all of them again: its older form where that says it all. */
  again(relativeZxid: bigint): RequestBody {
    const oneShot = {
      relativeZxid,
      dataWatches: [...this.#data],
      existWatches: [...this.#exist],
      childWatches: [...this.#child],
    };
    if (this.#persistent.size + this.#recursive.size === 0) {
      return { op: OpCode.setWatches, value: oneShot };
    }
    const persistentWatches = [...this.#persistent];
    const persistentRecursiveWatches = [...this.#recursive];
    return {
      op: OpCode.setWatches2,
      value: { ...oneShot, persistentWatches, persistentRecursiveWatches },
    };
  }

  onReply(body: RequestBody, error: number): void {
    switch (body.op) {
      case OpCode.getData:
        if (body.value.watch && error === ErrorCode.ok) this.#data.add(body.value.path ?? '');
        break;
      case OpCode.exists:
        if (!body.value.watch) break;
        if (error === ErrorCode.ok) this.#data.add(body.value.path ?? '');
        if (error === ErrorCode.noNode) this.#exist.add(body.value.path ?? '');
        break;
      case OpCode.getChildren:
      case OpCode.getChildren2:
        if (body.value.watch && error === ErrorCode.ok) this.#child.add(body.value.path ?? '');
        break;
      case OpCode.addWatch: {
        if (error !== ErrorCode.ok) break;
        const isRecursive = body.value.mode === AddWatchMode.persistentRecursive;
        (isRecursive ? this.#recursive : this.#persistent).add(body.value.path ?? '');
        break;
      }
      case OpCode.removeWatches:
        if (error === ErrorCode.ok) this.#remove(body.value.path ?? '', body.value.type);
        break;
      default:
    }
  }

  onEvent(type: number, path: string): void {
    switch (type) {
      case EventType.nodeCreated:
      case EventType.nodeDataChanged:
        this.#data.delete(path);
        this.#exist.delete(path);
        break;
      case EventType.nodeChildrenChanged:
        this.#child.delete(path);
        break;
      case EventType.nodeDeleted:
        this.#data.delete(path);
        this.#exist.delete(path);
        this.#child.delete(path);
        break;
      default:
    }
  }

  #remove(path: string, type: number): void {
    const isAny = type === WatcherType.any;
    if (isAny || type === WatcherType.children) this.#child.delete(path);
    if (isAny || type === WatcherType.data) {
      this.#data.delete(path);
      this.#exist.delete(path);
    }
    if (isAny || type === WatcherType.persistent) this.#persistent.delete(path);
    if (isAny || type === WatcherType.persistentRecursive) this.#recursive.delete(path);
  }

  #all(): Set<string>[] {
    return [this.#data, this.#exist, this.#child, this.#persistent, this.#recursive];
  }
}
