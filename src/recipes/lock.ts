/**
 * A mutual exclusion lock.
 *
 * Guarantee: at any time at most one contender's znode is the first in line, and `acquire` resolves
 * only while one's own is; locks are given in the order in which the servers received the requests.
 * Fencing tokens grow from holder to holder, and writes made by `guard` happen only while the lock is
 * held, whatever this process, its clock or the network did meanwhile. The signal is as good as this
 * process's timers (tenure.ts says when it is late). Each release wakes one contender. A wait that was
 * given up leaves nothing in line, and neither does a release without a connection.
 * On SUSPENDED: a held lock's signal aborts (`errorPolicy: 'session'`: not yet); its znode stays until
 * `release` or the end of the session, so nobody else gets it meanwhile. Waiting goes on.
 * On LOST: a held lock is gone. A waiting contender enters again at the end of the line, in the new
 * session.
 * Znode layout: `<path>/_c_<uuid>-lock-<sequence>`, ephemeral sequential, in a container; 'kazoo':
 * `<path>/<uuid in hex>__lock__<sequence>`; 'go': `<path>/_c_<uuid in hex>-lock-<sequence>`.
 * Interoperates with: Curator's InterProcessMutex and LeaderSelector, kazoo's Lock (`layout: 'kazoo'`,
 * or kazoo's `extra_lock_patterns=['-lock-']`), go-zookeeper's Lock. Contenders of all three are seen
 * whatever is written; but Curator sees only names with `lock-`. Revocation as Curator's Revoker.
 */
import { NoNodeError } from '../client/errors.js';
import type { Acl, Data, ZkClient } from '../client/types.js';
import { prefixOf, type Claim, type Layout } from './contender-names.js';
import { afterAll, readLine, takeTurn, takeTurnNow, type Entry } from './contenders.js';
import { Owners } from './owners.js';
import { join } from './parents.js';
import { inBackground, patiently, within, type WaitOptions } from './patience.js';
import { Tenure, type ErrorPolicy, type Hold } from './tenure.js';

export interface LockOptions {
  /** Whose names to write; 'curator' unless given. All are read. */
  readonly layout?: Layout;
  readonly errorPolicy?: ErrorPolicy;
  /** Of this one's znodes, for people who look who holds it. */
  readonly data?: Data;
  readonly acl?: readonly Acl[];
}

export interface AcquireOptions extends WaitOptions {
  /** Whoever holds the lock as this owner, through this object, gets it again. */
  readonly owner?: unknown;
  /** Called when somebody asks for the lock back; to release it is up to the holder. */
  readonly onRevoke?: () => void;
}

/** What Curator's Revoker writes into a holder's znode. */
const revokeText = '__REVOKE__';
/** A lock has no readers; where it shares its directory with a read-write lock, it waits for them. */
const claims: ReadonlySet<Claim> = new Set<Claim>(['exclusive', 'shared']);

export class Lock {
  readonly path: string;
  readonly #client: ZkClient;
  readonly #entry: Entry;
  readonly #errorPolicy: ErrorPolicy;
  readonly #owners = new Owners();

  constructor(client: ZkClient, path: string, options: LockOptions = {}) {
    const { layout = 'curator', errorPolicy = 'standard', data = '', acl } = options;
    this.path = path;
    this.#client = client;
    this.#errorPolicy = errorPolicy;
    this.#entry = {
      directory: path,
      prefix: (id) => prefixOf(layout, 'lock', id),
      claims,
      data,
      acl,
      parents: layout === 'curator' ? 'container' : 'persistent',
    };
  }

  /** Resolves when it is held; rejects when the wait was given up, and never else while it can wait. */
  async acquire(options: AcquireOptions = {}): Promise<Hold> {
    const hold = await this.#acquire(options, true);
    // to wait means to get it
    if (hold === null) throw new Error('unreachable: waited for a lock and did not get it');
    return hold;
  }

  /** Null: it is not free. */
  tryAcquire(options: AcquireOptions = {}): Promise<Hold | null> {
    return this.#acquire(options, false);
  }

  /** Paths of all contenders' znodes, the holder's first. */
  async contenders(): Promise<string[]> {
    const line = await readLine(this.#client, this.#entry);
    return line.map(({ name }) => join(this.path, name));
  }

  /** Asks the holder to give it back, as Curator does. False: nobody holds it. */
  async revoke(): Promise<boolean> {
    for (;;) {
      const [holder] = await this.contenders();
      if (holder === undefined) return false;
      try {
        await patiently(this.#client, undefined, () => this.#client.setData(holder, revokeText));
        return true;
      } catch (problem) {
        // it has just left; then the next one is meant
        if (!(problem instanceof NoNodeError)) throw problem;
      }
    }
  }

  async #acquire(options: AcquireOptions, isPatient: boolean): Promise<Hold | null> {
    const start = (signal: AbortSignal): Promise<Tenure | null> =>
      this.#start(signal, isPatient, options.onRevoke);
    const acquire = async (signal: AbortSignal): Promise<Hold | null> => {
      if (options.owner !== undefined)
        return await this.#owners.acquire(options.owner, signal, () => start(signal));
      return (await start(signal))?.share() ?? null;
    };
    return await within(this.#client, options, `the lock ${this.path}`, acquire, (late) => {
      if (late !== null) inBackground(late.release());
    });
  }

  async #start(
    signal: AbortSignal,
    isPatient: boolean,
    onRevoke: (() => void) | undefined,
  ): Promise<Tenure | null> {
    const take = isPatient ? takeTurn : takeTurnNow;
    const contender = await take(this.#client, this.#entry, afterAll, signal);
    if (contender === null) return null;
    return new Tenure(this.#client, contender, {
      errorPolicy: this.#errorPolicy,
      onData: (data) => {
        if (isRevocation(data)) onRevoke?.();
      },
    });
  }
}

function isRevocation(data: Uint8Array): boolean {
  return data.length === revokeText.length && new TextDecoder().decode(data) === revokeText;
}
