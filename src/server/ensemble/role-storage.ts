/**
 * What a role asks of the disk, in the order that keeps history: plain records go to the log in groups,
 * everything more than that (epochs, a cut, a snapshot taken over) is one step after the other, and
 * memory follows.
 */
import { assert, present } from '../../base/assert.js';
import type { TxnBatch } from '../../protocol/txn-batch.js';
import { counterOf, formatZxid, zxidOfParts, type Zxid } from '../../protocol/zxid.js';
import type { EpochFiles } from '../../storage/epoch-files.js';
import type { Storage } from '../../storage/storage.js';
import { TruncateError } from '../../storage/truncate.js';
import type { Tree } from '../../tree/tree.js';
import type { Persist, Ready } from '../../zab/ready.js';
import type { ConfigKeeper } from './config-keeper.js';

/** Where records go: to storage, or to the server that counts what it logs. */
interface Log {
  append(batch: TxnBatch): void;
  flush(done: () => void): void;
}

export interface RoleStorageParts {
  readonly storage: Storage;
  readonly epochs: EpochFiles;
  readonly configs: ConfigKeeper;
  /** A configuration that a restart begins with is in force from now on. */
  onConfig(): void;
  log(): Log;
  /** Memory is this from now on. */
  onRebase(tree: Tree, sessions: Map<bigint, number>): void;
  /** The history cannot be cut where the leader says; it is as it was. A snapshot would do. */
  onUncuttable(reason: string): void;
  /** What the leader wants done cannot be done to this history. */
  onMisfit(reason: string): void;
  onFatal(error: Error): void;
}

export class RoleStorage {
  readonly #parts: RoleStorageParts;
  #received: { readonly tree: Tree; readonly sessions: Map<bigint, number> } | null = null;
  /**
   * Records that a step brought were not logged, because the step before them failed: memory, which
   * follows the disk, must not have them either.
   */
  #isRestLost = false;

  constructor(parts: RoleStorageParts) {
    this.#parts = parts;
  }

  /** What a snapshot brought: the persist with `install` takes it over. */
  received(tree: Tree, sessions: Map<bigint, number>): void {
    this.#received = { tree, sessions };
  }

  /** The role is over. True: of what it had taken, what was not applied is not on the disk. */
  endRole(): boolean {
    const isRestLost = this.#isRestLost;
    this.#isRestLost = false;
    this.#received = null;
    return isRestLost;
  }

  /** `done` when it is durable; never when the disk fails. */
  persist(persist: Persist, rebase: Ready['rebase'], done: () => void): void {
    const { batch } = persist;
    const isPlain =
      persist.acceptedEpoch === null &&
      persist.beginEpoch === null &&
      persist.truncateTo === null &&
      !persist.install &&
      !persist.finishEpoch &&
      persist.config === null;
    if (isPlain && rebase === null) {
      assert(batch !== null, 'a persist has something to persist');
      const log = this.#parts.log();
      log.append(batch);
      log.flush(done);
      return;
    }
    this.#persistSlowly(persist, rebase).then(done, (problem: unknown) => {
      this.#parts.onFatal(problem instanceof Error ? problem : new Error(String(problem)));
    });
  }

  async #persistSlowly(persist: Persist, rebase: Ready['rebase']): Promise<void> {
    const { storage, epochs, configs } = this.#parts;
    // without a pause where there is nothing to save: records keep their order
    if (configs.mustSave) await configs.saveSeen();
    const { acceptedEpoch, beginEpoch, truncateTo, install, batch, finishEpoch } = persist;
    // before any record of the synchronisation that follows
    if (acceptedEpoch !== null) await storage.beginEmpty();
    if (acceptedEpoch !== null) await epochs.writeAcceptedEpoch(acceptedEpoch);
    if (truncateTo !== null) {
      assert(rebase === 'reload', 'memory follows what was cut off');
      if (!(await this.#truncate(zxidOfParts(truncateTo.high, truncateTo.low)))) return;
    }
    if (beginEpoch !== null) await epochs.beginCurrentEpoch(beginEpoch);
    if (install) {
      const { tree, sessions } = present(this.#received, 'a snapshot was received');
      await storage.installSnapshot(tree, sessions);
      this.#parts.onRebase(tree, sessions);
      this.#received = null;
    }
    if (batch !== null) {
      storage.append(batch);
      await new Promise<void>((resolve) => {
        storage.flush(resolve);
      });
    }
    if (finishEpoch) await epochs.finishCurrentEpoch();
    if (persist.config === 'inForce') {
      await configs.commit(configs.lastSeen);
      this.#parts.onConfig();
    }
  }

  /** False: what is left is not what the leader meant. */
  async #truncate(to: Zxid): Promise<boolean> {
    const { storage, epochs } = this.#parts;
    const refusal = await refusalOf(storage.truncateLog(to));
    const { tree, sessions, lastZxid } = await storage.reload();
    await epochs.recover(lastZxid);
    this.#parts.onRebase(tree, sessions);
    if (refusal !== null) {
      this.#isRestLost = true;
      this.#parts.onUncuttable(refusal.message);
      return false;
    }
    // the start of an epoch is in no log: what came before it is all there is
    if (lastZxid === to || (counterOf(to) === 0 && lastZxid < to)) return true;
    this.#isRestLost = true;
    this.#parts.onMisfit(`told to go back to ${formatZxid(to)}, and that is not in this history`);
    return false;
  }
}

/** Null: it was cut. */
async function refusalOf(cut: Promise<void>): Promise<TruncateError | null> {
  try {
    await cut;
    return null;
  } catch (error) {
    if (error instanceof TruncateError) return error;
    throw error;
  }
}
