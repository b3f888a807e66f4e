/**
 * Divides a set of items among all who take part, and divides it anew when somebody comes or goes.
 *
 * Guarantee: at any time each item is worked on by at most one share whose signal has not aborted: an
 * item belongs to whoever holds its lock. When members come and go no more for `settleMs`, each item is
 * in somebody's share. All must use the same set, and the same way to divide it.
 * On SUSPENDED: the share's signal aborts (`errorPolicy: 'session'`: not yet).
 * On LOST: the share is gone; the next `acquire` takes part again.
 * Znode layout: `<path>/party/<uuid in hex>-<identifier>`, ephemeral; `<path>/locks/<item>`, each a Lock
 * in kazoo's layout.
 * Interoperates with: kazoo's SetPartitioner with the same set. (Curator has none.)
 */
import type { Acl, ZkClient } from '../client/types.js';
import type { Transaction, TransactionResult } from '../client/transaction.js';
import { newUuid } from './contender-names.js';
import { NotHeldError, WaitTimeoutError } from './errors.js';
import { GroupMembership } from './group-membership.js';
import { Lock } from './lock.js';
import { join } from './parents.js';
import { asError, inBackground, orAborted, pause, within, type WaitOptions } from './patience.js';
import { guarded, type ErrorPolicy, type Hold } from './tenure.js';

/** Which of the items are this member's. The same arguments must give everybody a fitting answer. */
export type Divide = (
  identifier: string,
  members: readonly string[],
  items: readonly string[],
) => string[];

export interface SetPartitionerOptions {
  /** Of this member; nobody else may have the same. */
  readonly identifier?: string;
  /** How long membership must have been the same; 30 seconds unless given, as kazoo has it. */
  readonly settleMs?: number;
  /** How long to wait for one item's lock before looking again who is there; 1 second unless given. */
  readonly reactionMs?: number;
  readonly divide?: Divide;
  readonly errorPolicy?: ErrorPolicy;
  readonly acl?: readonly Acl[];
}

/** Items in sorted order go round the members in sorted order. */
export const divideInTurn: Divide = (identifier, members, items) => {
  const workers = [...members].sort(byCodeUnits);
  const index = workers.indexOf(identifier);
  return [...items].sort(byCodeUnits).filter((_, i) => i % workers.length === index);
};

/** What this member works on until `signal` aborts. */
export class Share implements AsyncDisposable {
  readonly items: readonly string[];
  readonly #client: ZkClient;
  readonly #holds: ReadonlyMap<string, Hold>;
  readonly #end = new AbortController();
  readonly #stopWatching: () => void;

  /** @internal */
  constructor(
    client: ZkClient,
    holds: ReadonlyMap<string, Hold>,
    changed: AbortSignal,
    stop: () => void,
  ) {
    this.#client = client;
    this.#holds = holds;
    this.#stopWatching = stop;
    this.items = [...holds.keys()];
    for (const signal of [changed, ...[...holds.values()].map((hold) => hold.signal)]) {
      const onAbort = (): void => {
        this.#end.abort(signal.reason);
      };
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
    }
  }

  /** Aborts when an item is lost, or when the set is to be divided anew: then release it soon. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  /** The lock of one item; its token and guard are for that item. */
  hold(item: string): Hold | undefined {
    return this.#holds.get(item);
  }

  /** Commits the writes that `fill` adds, if all items are still this one's. */
  async guard(fill: (transaction: Transaction) => void): Promise<readonly TransactionResult[]> {
    const paths = [...this.#holds.values()].map(({ path }) => path);
    return await guarded(this.#client, paths, fill);
  }

  /** Resolves when others can have the items. */
  async release(): Promise<void> {
    this.#stopWatching();
    await Promise.all([...this.#holds.values()].map((hold) => hold.release()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}

export class SetPartitioner {
  readonly path: string;
  readonly items: readonly string[];
  readonly identifier: string;
  readonly #client: ZkClient;
  readonly #options: SetPartitionerOptions;
  readonly #party: GroupMembership;

  constructor(
    client: ZkClient,
    path: string,
    items: readonly string[],
    options: SetPartitionerOptions = {},
  ) {
    this.path = path;
    this.items = items;
    this.identifier = options.identifier ?? newUuid(client.world.crypto);
    this.#client = client;
    this.#options = options;
    this.#party = new GroupMembership(client, join(path, 'party'), {
      id: this.identifier,
      layout: 'kazoo-shallow',
      ...this.#access,
    });
  }

  /**
   * Takes part, and resolves with this member's share once membership has settled and its items are
   * free. Call it again after a share was released.
   */
  async acquire(options: WaitOptions = {}): Promise<Share> {
    const what = `a share of ${this.path}`;
    const acquire = async (signal: AbortSignal): Promise<Share> => {
      await this.#party.join({ signal });
      for (;;) {
        const share = await this.#try(signal);
        if (share !== null) return share;
      }
    };
    return await within(this.#client, options, what, acquire, (late) => {
      inBackground(late.release());
    });
  }

  /** Takes part no more; shares are to be released before. */
  async close(): Promise<void> {
    await this.#party.leave();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #access(): { acl?: readonly Acl[] } {
    const { acl } = this.#options;
    return acl === undefined ? {} : { acl };
  }

  /** Null: members have come or gone meanwhile. */
  async #try(signal: AbortSignal): Promise<Share | null> {
    const changed = new AbortController();
    const stop = (): void => {
      changed.abort(new NotHeldError(this.path, 'released'));
    };
    signal.addEventListener('abort', stop, { once: true });
    const holds = new Map<string, Hold>();
    try {
      const members = await this.#settled(changed, signal);
      const divide = this.#options.divide ?? divideInTurn;
      const mine = members === null ? null : divide(this.identifier, members, this.items);
      const isMine = mine !== null && (await this.#lock(mine, holds, changed.signal, signal));
      signal.throwIfAborted();
      signal.removeEventListener('abort', stop);
      if (isMine) return new Share(this.#client, holds, changed.signal, stop);
      stop();
      await Promise.all([...holds.values()].map((hold) => hold.release()));
      return null;
    } catch (problem) {
      stop();
      for (const hold of holds.values()) inBackground(hold.release());
      throw asError(problem);
    }
  }

  /** The members, once they have been the same for `settleMs`. From then on a change aborts. */
  async #settled(changed: AbortController, signal: AbortSignal): Promise<string[] | null> {
    const { settleMs = 30_000 } = this.#options;
    const changes = this.#party.changes({ signal: changed.signal })[Symbol.asyncIterator]();
    let next = changes.next();
    let members: string[] | null = null;
    for (;;) {
      const quiet = new AbortController();
      const isQuiet = pause(this.#client, members === null ? 2 ** 30 : settleMs, quiet.signal);
      const first = await orAborted(
        Promise.race([isQuiet.then(() => null), next]).finally(() => quiet.abort()),
        signal,
      );
      inBackground(isQuiet);
      if (first === null) break;
      if (first.done === true) return null;
      members = first.value.map(({ id }) => id);
      next = changes.next();
    }
    inBackground(
      next.then(() => {
        changed.abort(new NotHeldError(this.path, 'released'));
      }),
    );
    return members?.includes(this.identifier) === true ? members : null;
  }

  async #lock(
    items: readonly string[],
    holds: Map<string, Hold>,
    changed: AbortSignal,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { errorPolicy = 'standard', reactionMs: timeoutMs = 1000 } = this.#options;
    for (const item of items) {
      const lock = new Lock(this.#client, join(join(this.path, 'locks'), item), {
        layout: 'kazoo',
        errorPolicy,
        ...this.#access,
      });
      while (!holds.has(item)) {
        if (changed.aborted) return false;
        try {
          holds.set(item, await lock.acquire({ signal, timeoutMs }));
        } catch (problem) {
          if (!(problem instanceof WaitTimeoutError)) throw problem;
        }
      }
    }
    return !changed.aborted;
  }
}

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
