/**
 * What one server has of the ensemble's history, from its start to its stop: the log and the epochs on
 * the disk, the state in memory, and the transactions that it can still pass on. Roles come and go;
 * this outlives them.
 *
 * Between two roles memory follows the disk: everything logged is applied, whether or not anybody
 * said that it is committed. The next leader's history decides about it.
 */
import { TxnBatch } from '../../protocol/txn-batch.js';
import { zxidOfParts, type Zxid } from '../../protocol/zxid.js';
import type { EpochFiles } from '../../storage/epoch-files.js';
import type { Restore } from '../../storage/restore.js';
import type { Storage } from '../../storage/storage.js';
import type { Tree } from '../../tree/tree.js';
import { CommittedLog } from '../../zab/committed-log.js';
import type { OwnHistory } from '../../zab/election-options.js';
import type { Persist, Ready } from '../../zab/ready.js';
import type { Applier } from '../applier.js';
import type { ServerConfig } from '../config/config.js';
import { RecentHistory } from '../recent/recent-history.js';
import { applierOf, openStorage } from '../server-state.js';
import type { ServerWorld } from '../server-world.js';
import type { Server } from '../server.js';
import type { ConfigKeeper } from './config-keeper.js';
import { RoleStorage, type RoleStorageParts } from './role-storage.js';
import type { Role } from './role.js';

/** What a data directory holds. */
export interface Recovered {
  readonly storage: Storage;
  readonly epochs: EpochFiles;
  readonly applier: Applier;
  /** There is nothing here, and an operator vouches for it that there never was. */
  readonly isBeginning: boolean;
  readonly lastSnapshot: Server['lastSnapshot'];
  readonly tookMs: number;
  /** Transactions that no snapshot had. */
  readonly replayed: number;
}

/** Opens the data directory; it is let go when that fails. Throws StartError. */
export async function recoverHistory(
  config: ServerConfig,
  world: ServerWorld,
  sid: number,
): Promise<Recovered> {
  const { clock } = world;
  const recent = new RecentHistory(config.recentHistoryBytes);
  const storage = openStorage(config, world, recent);
  try {
    const startMs = clock.monotonicMs();
    const { tree, sessions, lastZxid, replayed, isInitialized, snapshotZxid } =
      await storage.recover();
    const tookMs = clock.monotonicMs() - startMs;
    const epochs = storage.openEpochFiles();
    await epochs.recover(lastZxid);
    const applier = applierOf(config, world, sid, tree, sessions, recent);
    const lastSnapshot =
      snapshotZxid === null ? null : { zxid: snapshotZxid, timeMs: clock.wallMs() };
    const isBeginning = isInitialized && !epochs.hasHistory;
    return { storage, epochs, applier, isBeginning, lastSnapshot, tookMs, replayed };
  } catch (problem) {
    storage.close();
    throw problem;
  }
}

/** What the disk asks of those who use it, see there. */
type Told = Pick<RoleStorageParts, 'log' | 'onConfig' | 'onUncuttable' | 'onMisfit'>;

export class History {
  readonly storage: Storage;
  readonly committedLog: CommittedLog;
  readonly #world: ServerWorld;
  readonly #sid: number;
  readonly #config: () => ServerConfig;
  readonly #epochs: EpochFiles;
  readonly #roleStorage: RoleStorage;
  readonly #spare: TxnBatch[] = [];
  readonly #isBeginning: boolean;
  #applier: Applier;

  constructor(
    recovered: Recovered,
    parts: {
      readonly world: ServerWorld;
      readonly sid: number;
      /** As it is now. */
      config(): ServerConfig;
      readonly configs: ConfigKeeper;
      readonly told: Told;
    },
  ) {
    const { storage, epochs, applier, isBeginning } = recovered;
    const { world, configs, told } = parts;
    this.storage = storage;
    this.#world = world;
    this.#sid = parts.sid;
    this.#config = () => parts.config();
    this.#epochs = epochs;
    this.#isBeginning = isBeginning;
    this.#applier = applier;
    this.committedLog = new CommittedLog(parts.config().commitLogCount, (batch) => {
      batch.reset();
      this.#spare.push(batch);
    });
    this.#roleStorage = new RoleStorage({
      ...{ storage, epochs, configs, ...told },
      onRebase: (tree, sessions) => {
        this.#replace(tree, sessions);
      },
      onFatal: (error) => {
        world.onFatal(error);
      },
    });
  }

  /** The state now; another one after a rebase, and for each role that serves. */
  get applier(): Applier {
    return this.#applier;
  }

  get tree(): Tree {
    return this.#applier.tree;
  }

  /** Of the last transaction in memory. */
  get zxid(): Zxid {
    const { tree } = this.#applier;
    return zxidOfParts(tree.lastZxidHigh, tree.lastZxidLow);
  }

  get acceptedEpoch(): number {
    return this.#epochs.acceptedEpoch ?? 0;
  }

  get currentEpoch(): number {
    return this.#epochs.currentEpoch ?? 0;
  }

  /** It has been in an ensemble's history: nothing that it acknowledged then is missing. */
  get hasHistory(): boolean {
    return this.#epochs.hasHistory;
  }

  /** There is nothing here, and an operator vouches for it that there never was. */
  get isBeginning(): boolean {
    return this.#isBeginning && !this.hasHistory;
  }

  /** As elections compare it. */
  get own(): OwnHistory {
    const isBlank = !this.hasHistory && !this.#isBeginning;
    return { zxid: this.zxid, peerEpoch: this.currentEpoch, isBlank };
  }

  /** An empty batch. */
  takeBatch(): TxnBatch {
    return this.#spare.pop() ?? new TxnBatch();
  }

  /** Makes it durable, memory following; never calls `done` when the disk fails. */
  persist(persist: Persist, rebase: Ready['rebase'], done: () => void): void {
    this.#roleStorage.persist(persist, rebase, done);
  }

  /** What a snapshot brought: `persist` with `install` takes it over. */
  received(tree: Tree, sessions: Map<bigint, number>): void {
    this.#roleStorage.received(tree, sessions);
  }

  /**
   * A role is about to serve. Timeouts begin anew, and what was asked of an earlier leader and never
   * came is forgotten.
   */
  beginServing(): Applier {
    const { tree, sessions } = this.#applier;
    const living = new Map<bigint, number>();
    for (const session of sessions.all()) {
      if (session.isEstablished) living.set(session.id, session.timeoutMs);
    }
    this.#replace(tree, living);
    this.#applier.recent.settle();
    return this.#applier;
  }

  /** The role is over, and the disk has answered it: memory is what the disk holds. */
  endRole(role: Pick<Role, 'takeRest'>): void {
    const rest = role.takeRest();
    if (this.#roleStorage.endRole()) this.committedLog.clear();
    else for (const range of rest) this.#applier.apply(range, () => undefined);
    this.committedLog.trim();
  }

  /** What was prepared is all there is, from now on; an error is fatal. No role is entered. */
  async restore(restore: Restore): Promise<void> {
    const { tree, sessions } = restore.prepared;
    await this.storage.installRestore(restore);
    this.committedLog.clear();
    this.#replace(tree, sessions);
  }

  /** Lets go of the disk. */
  close(): void {
    this.storage.close();
  }

  #replace(tree: Tree, sessions: ReadonlyMap<bigint, number>): void {
    const { recent } = this.#applier;
    this.#applier = applierOf(this.#config(), this.#world, this.#sid, tree, sessions, recent);
  }
}
