/**
 * Containers are deleted some time after their last child, TTL znodes when nothing changed them for
 * their time to live and they have no children. Looked for once per interval, a slice of the
 * candidates per turn, and deleted by ordinary transactions at a bounded rate, so that a million of
 * them neither stalls a turn nor floods the log.
 */
import type { Clock, Timer } from '../ports/clock.js';
import { OwnerKind, type NodeId, type Tree } from '../tree/tree.js';

export interface CollectorOptions {
  readonly checkIntervalMs: number;
  readonly maxPerMinute: number;
  /** A container that never had a child goes after this long; 0: never. */
  readonly maxNeverUsedIntervalMs: number;
}

const CHECKED_PER_TURN = 2000;

export class Collector {
  readonly #tree: Tree;
  readonly #clock: Clock;
  readonly #options: CollectorOptions;
  readonly #deleteNode: (path: string) => void;
  #timer: Timer | null = null;
  #isStopped = true;

  constructor(
    tree: Tree,
    clock: Clock,
    options: CollectorOptions,
    /** Proposes a deleteContainer for the path. */
    deleteNode: (path: string) => void,
  ) {
    this.#tree = tree;
    this.#clock = clock;
    this.#options = options;
    this.#deleteNode = deleteNode;
  }

  start(): void {
    this.#isStopped = false;
    this.#timer = this.#clock.after(this.#options.checkIntervalMs, () => this.#round());
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #round(): void {
    const due: string[] = [];
    const candidates = this.#candidates();
    const step = (): void => {
      if (this.#isStopped) return;
      for (let i = 0; i < CHECKED_PER_TURN; i++) {
        const next = candidates.next();
        if (next.done === true) {
          this.#deleteAll(due);
          return;
        }
        if (this.#isDue(next.value)) due.push(this.#tree.pathOf(next.value));
      }
      this.#clock.soon(step);
    };
    step();
  }

  *#candidates(): Generator<NodeId> {
    yield* this.#tree.containers();
    yield* this.#tree.ttls();
  }

  #isDue(node: NodeId): boolean {
    const tree = this.#tree;
    if (tree.numChildren(node) > 0) return false;
    const unchangedMs = this.#clock.wallMs() - tree.mtimeMs(node);
    switch (tree.ownerKind(node)) {
      case OwnerKind.ttl:
        return unchangedMs > tree.ttlMs(node);
      case OwnerKind.container: {
        // one that never had a child was perhaps made a moment ago, for children to come
        if (tree.cversion(node) > 0) return true;
        const { maxNeverUsedIntervalMs } = this.#options;
        return maxNeverUsedIntervalMs !== 0 && unchangedMs > maxNeverUsedIntervalMs;
      }
      case OwnerKind.none:
      case OwnerKind.session:
        return false;
    }
  }

  /** One deletion per interval of 60 s / maxPerMinute, the next round after the last. */
  #deleteAll(paths: string[]): void {
    const pauseMs = 60_000 / this.#options.maxPerMinute;
    let at = 0;
    let dueMs = this.#clock.monotonicMs();
    const step = (): void => {
      if (this.#isStopped) return;
      while (at < paths.length && dueMs <= this.#clock.monotonicMs()) {
        this.#deleteNode(paths[at++] ?? '');
        dueMs += pauseMs;
      }
      const waitMs =
        at < paths.length
          ? Math.max(1, dueMs - this.#clock.monotonicMs())
          : this.#options.checkIntervalMs;
      this.#timer = this.#clock.after(waitMs, at < paths.length ? step : () => this.#round());
    };
    step();
  }
}
