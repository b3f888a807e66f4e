/** A reader of what a follower tells, who notices whatever cannot be true. */
import assert from 'node:assert/strict';
import { parentOf } from '../../protocol/paths.js';
import type { WatchEvent } from '../types.js';
import type { FakeTree } from './watch-host.fixture.js';

/** Somebody who folds events, looks at each znode when told to, and objects to what cannot be true. */
export class Reader {
  readonly events: WatchEvent[] = [];
  /** By path: what was seen when it was looked at last. */
  readonly seen = new Map<string, { czxid: bigint; mzxid: bigint; pzxid: bigint }>();
  readonly #tree: FakeTree;
  readonly #root: string;
  isReady = false;

  constructor(tree: FakeTree, root: string) {
    this.#tree = tree;
    this.#root = root;
  }

  /** What it begins with, when the events do not begin with everything. */
  list(isRecursive: boolean): void {
    for (const path of this.#tree.nodes.keys()) {
      if (path === this.#root || (isRecursive && path.startsWith(`${this.#root}/`))) {
        this.#look(path);
      }
    }
  }

  #look(path: string): void {
    const node = this.#tree.nodes.get(path);
    const { czxid, mzxid, pzxid } = node ?? { czxid: 0n, mzxid: 0n, pzxid: 0n };
    this.seen.set(path, { czxid, mzxid, pzxid });
  }

  readonly sink = {
    onReady: (): void => {
      this.isReady = true;
    },
    onFailed: (error: Error): void => {
      throw error;
    },
    onEvent: (event: WatchEvent): void => {
      this.events.push(event);
      const { type, path } = event;
      const line = `${type} ${path}`;
      if (type === 'created') {
        assert.ok(!this.seen.has(path), `${line}: it was there`);
        const isTop = path === this.#root;
        assert.ok(isTop || this.seen.has(parentOf(path)), `${line}: its parent is not there`);
        this.#look(path);
      } else {
        assert.ok(this.seen.has(path), `${line}: it is not there`);
        if (type !== 'deleted') this.#look(path);
        else {
          const child = [...this.seen.keys()].find((one) => one !== path && parentOf(one) === path);
          assert.equal(child, undefined, `${line}: it has children`);
          this.seen.delete(path);
        }
      }
    },
  };

  /** It has in the end what there is. */
  check(isRecursive: boolean): void {
    const wanted = new Reader(this.#tree, this.#root);
    wanted.list(isRecursive);
    const plain = (reader: Reader): unknown[] =>
      [...reader.seen]
        .map(([path, { czxid, mzxid, pzxid }]) => [path, czxid, mzxid, isRecursive ? 0n : pzxid])
        .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
    assert.deepEqual(plain(this), plain(wanted));
  }

  /** What is told with a zxid has happened, and is told once. */
  checkTruth(): void {
    const history = new Set(this.#tree.history);
    const told = new Set<string>();
    for (const { type, path, zxid } of this.events) {
      if (zxid === undefined) continue;
      const line = `${type} ${path} ${zxid}`;
      assert.ok(history.has(line), `${line} has not happened`);
      assert.ok(!told.has(line), `${line} is told twice`);
      told.add(line);
    }
  }

  /** Where events carry zxids: in their order, and none more often than it has happened. */
  checkExactness(): void {
    const count = (lines: readonly string[]): Map<string, number> => {
      const counts = new Map<string, number>();
      for (const line of lines) {
        const key = line.split(' ').slice(0, 2).join(' ');
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
      return counts;
    };
    const happened = count(this.#tree.history);
    for (const [key, times] of count(this.events.map(({ type, path }) => `${type} ${path}`))) {
      assert.ok(times <= (happened.get(key) ?? 0), `${key} is told ${times} times`);
    }
    let last = 0n;
    for (const { type, path, zxid = last } of this.events) {
      assert.ok(zxid >= last, `${type} ${path} ${zxid} is told after ${last}`);
      last = zxid;
    }
  }
}
