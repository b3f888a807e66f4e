/**
 * A lock for many readers or one writer.
 *
 * Guarantee: at any time either one writer holds it or any number of readers do, and everyone gets it
 * in the order of arrival: a writer waits for all who came before, a reader for the writers who did, so
 * neither starves. Tokens, guard, signal, giving up and releasing are those of Lock.
 * By one `owner` (through one object): whoever holds the write lock gets the read lock at once and
 * keeps it when the write lock is released (downgrade). The other way is refused with an error instead
 * of waiting for oneself forever (upgrade): release the read lock first.
 * On SUSPENDED, on LOST: as Lock.
 * Znode layout: `<path>/_c_<uuid>-__READ__<sequence>` and `…-__WRIT__<sequence>`, ephemeral sequential;
 * a downgraded reader's znode is not sequential and carries its writer's number. 'kazoo':
 * `<path>/<uuid in hex>__rlock__<sequence>` and `…__lock__…`.
 * Interoperates with: Curator's InterProcessReadWriteLock; kazoo's ReadLock and WriteLock
 * (`layout: 'kazoo'`). A reader wakes with the last writer before it: a writer's release wakes all the
 * readers behind it, because all of them may go on.
 */
import type { Acl, Data, ZkClient } from '../client/types.js';
import { prefixOf, type Claim } from './contender-names.js';
import {
  afterAll,
  Contender,
  enter,
  readLine,
  takeTurn,
  takeTurnNow,
  type Blocker,
  type Entry,
} from './contenders.js';
import { NotHeldError } from './errors.js';
import { Owners } from './owners.js';
import { join } from './parents.js';
import { inBackground, within, type WaitOptions } from './patience.js';
import { Tenure, type ErrorPolicy, type Hold } from './tenure.js';

export interface ReadWriteLockOptions {
  /** Whose names to write; 'curator' unless given. All are read. */
  readonly layout?: 'curator' | 'kazoo';
  readonly errorPolicy?: ErrorPolicy;
  readonly data?: Data;
  readonly acl?: readonly Acl[];
}

export interface ShareAcquireOptions extends WaitOptions {
  /** Whoever holds it as this owner, through this object, gets it again. */
  readonly owner?: unknown;
}

/** One side of it. */
export interface LockSide {
  acquire(options?: ShareAcquireOptions): Promise<Hold>;
  /** Null: it is not free. */
  tryAcquire(options?: ShareAcquireOptions): Promise<Hold | null>;
}

/** A read lock was held, and the write lock asked for, by one owner. */
export class UpgradeError extends Error {
  override readonly name = 'UpgradeError';

  constructor(path: string) {
    super(`${path}: the owner of a read lock cannot wait for the write lock: it waits for itself`);
  }
}

const claims: ReadonlySet<Claim> = new Set<Claim>(['exclusive', 'shared']);

/** Of those before it, the nearest writer. */
const afterWriters: Blocker = (line, index) => {
  const { sequence } = line[index] ?? {};
  for (let i = index - 1; i >= 0; i--) {
    const one = line[i];
    // the same number: the writer whom this reader has succeeded
    if (one?.claim === 'exclusive' && one.sequence !== sequence) return one;
  }
  return null;
};

interface Side {
  readonly entry: Entry;
  readonly blocker: Blocker;
  readonly owners: Owners;
}

export class ReadWriteLock {
  readonly path: string;
  readonly read: LockSide;
  readonly write: LockSide;
  readonly #client: ZkClient;
  readonly #errorPolicy: ErrorPolicy;
  readonly #reading: Side;
  readonly #writing: Side;

  constructor(client: ZkClient, path: string, options: ReadWriteLockOptions = {}) {
    const { layout = 'curator', errorPolicy = 'standard', data = '', acl } = options;
    this.path = path;
    this.#client = client;
    this.#errorPolicy = errorPolicy;
    const entryOf = (kind: 'read' | 'write'): Entry => ({
      directory: path,
      prefix: (id) => prefixOf(layout, kind, id),
      claims,
      data,
      acl,
      parents: layout === 'curator' ? 'container' : 'persistent',
    });
    this.#reading = { entry: entryOf('read'), blocker: afterWriters, owners: new Owners() };
    this.#writing = { entry: entryOf('write'), blocker: afterAll, owners: new Owners() };
    this.read = this.#sideOf(this.#reading);
    this.write = this.#sideOf(this.#writing);
  }

  /** Paths of all contenders' znodes, readers and writers, in order. */
  async contenders(): Promise<string[]> {
    const line = await readLine(this.#client, this.#reading.entry);
    return line.map(({ name }) => join(this.path, name));
  }

  #sideOf(side: Side): LockSide {
    return {
      acquire: async (options = {}) => {
        const hold = await this.#acquire(side, options, true);
        if (hold === null) throw new Error('unreachable: waited for a lock and did not get it');
        return hold;
      },
      tryAcquire: (options = {}) => this.#acquire(side, options, false),
    };
  }

  async #acquire(
    side: Side,
    options: ShareAcquireOptions,
    isPatient: boolean,
  ): Promise<Hold | null> {
    const { owner } = options;
    const acquire = async (signal: AbortSignal): Promise<Hold | null> => {
      const start = (): Promise<Tenure | null> => this.#start(side, owner, isPatient, signal);
      if (owner !== undefined) return await side.owners.acquire(owner, signal, start);
      return (await start())?.share() ?? null;
    };
    const what = `the ${side === this.#reading ? 'read' : 'write'} lock ${this.path}`;
    return await within(this.#client, options, what, acquire, (late) => {
      if (late !== null) inBackground(late.release());
    });
  }

  async #start(
    side: Side,
    owner: unknown,
    isPatient: boolean,
    signal: AbortSignal,
  ): Promise<Tenure | null> {
    const isReading = side === this.#reading;
    if (owner !== undefined && !isReading && this.#reading.owners.get(owner) !== null) {
      throw new UpgradeError(this.path);
    }
    const written = owner !== undefined && isReading ? this.#writing.owners.get(owner) : null;
    const take = isPatient ? takeTurn : takeTurnNow;
    const contender =
      written === null
        ? await take(this.#client, side.entry, side.blocker, signal)
        : await this.#downgrade(written, signal);
    if (contender === null) return null;
    return new Tenure(this.#client, contender, { errorPolicy: this.#errorPolicy });
  }

  /** Beside the writer, so that whoever waits for the one waits for the other. */
  async #downgrade(written: Tenure, signal: AbortSignal): Promise<Contender> {
    const { place } = written;
    if (!(place instanceof Contender)) throw new NotHeldError(written.path, 'released');
    const entry: Entry = { ...this.#reading.entry, sequence: place.sequence };
    const contender = await enter(this.#client, entry, signal);
    // the writer's place was lost before the reader had its own: somebody may have been between
    if (written.isHeld) return contender;
    inBackground(contender.leave());
    const reason: unknown = written.signal.reason;
    throw reason instanceof NotHeldError ? reason : new NotHeldError(written.path, 'session');
  }
}
