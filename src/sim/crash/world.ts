/**
 * One server's disk for a crash scenario: a Storage on a simulated disk, driven by a history. What the
 * outside world was told is noted between the disk's changes, so that for any moment it is known what
 * must still be there after a crash at that moment, and what may be.
 */
import { assert, present } from '../../base/assert.js';
import type { SeededRandom } from '../../base/random.js';
import type { Clock } from '../../ports/clock.js';
import type { Disk } from '../../ports/disk.js';
import { silentLogger } from '../../ports/logger.js';
import { TxnBatch } from '../../protocol/txn-batch.js';
import type { Zxid } from '../../protocol/zxid.js';
import { listSnapshots, logName, versionDirectory } from '../../storage/names.js';
import type { EpochFiles } from '../../storage/epoch-files.js';
import { SnapReceiver } from '../../storage/snap-receiver.js';
import { SnapStream } from '../../storage/snap-stream.js';
import { readTailMark } from '../../storage/tail-mark.js';
import { Storage, type StorageOptions } from '../../storage/storage.js';
import type { Tree } from '../../tree/tree.js';
import { simCompression } from '../compression.js';
import type { SimDisk } from '../disk.js';
import type { History } from './history.js';

/** Told or done at a moment between two changes of the disk. */
export type CrashMark =
  | {
      /**
       * Appended: may be there after a crash from now on. Acknowledged: must be there. Cutting: what
       * comes after it may go; cut: must not be there any more. Installing: the state may be this one;
       * installed: it must be.
       */
      readonly kind: 'appended' | 'acknowledged' | 'cutting' | 'cut' | 'installing' | 'installed';
      readonly zxid: Zxid;
    }
  | { readonly kind: 'acceptedEpoch' | 'currentEpoch'; readonly epoch: number };

const soon = (run: () => void): void => {
  void Promise.resolve().then(run);
};

/** Time does not matter here, only order: every wait is over at once. */
export const stillClock: Clock = {
  wallMs: () => 0,
  monotonicMs: () => 0,
  after(_delayMs, run) {
    soon(run);
    return { cancel: () => undefined };
  },
  soon,
};

export const dataDir = '/data';

/** Small numbers, so that rare paths are common. */
export function storageOptions(disk: Disk, given: Partial<StorageOptions> = {}): StorageOptions {
  return {
    disk,
    compression: simCompression,
    clock: stillClock,
    logger: silentLogger,
    snapDir: dataDir,
    logDir: dataDir,
    preAllocBytes: 8192,
    txnLogSizeLimitBytes: -1,
    forceSync: true,
    fsyncWarningMs: 1000,
    snapshotCompression: '',
    snapRetainCount: 3,
    trustEmptySnapshot: false,
    autoCreateDb: true,
    treeOptions: {},
    serializeLastProcessedZxid: true,
    onFatal(error) {
      throw error;
    },
    ...given,
  };
}

export class CrashWorld {
  readonly history: History;
  readonly sim: SimDisk;
  readonly random: SeededRandom;
  readonly #disk: Disk;
  readonly #options: Partial<StorageOptions>;
  readonly #mark: (mark: CrashMark) => void;
  #storage: Storage | null = null;
  #tree: Tree | null = null;
  #sessions = new Map<bigint, number>();
  /** Appended and not yet durable, with the sessions after each. */
  #pending: { readonly batch: TxnBatch; readonly sessions: Map<bigint, number> }[] = [];

  constructor(parts: {
    /** As the storage sees it. */
    readonly disk: Disk;
    /** The simulated disk under it. */
    readonly sim: SimDisk;
    readonly history: History;
    readonly random: SeededRandom;
    readonly options?: Partial<StorageOptions>;
    readonly mark: (mark: CrashMark) => void;
  }) {
    this.#disk = parts.disk;
    this.sim = parts.sim;
    this.history = parts.history;
    this.random = parts.random;
    this.#options = parts.options ?? {};
    this.#mark = parts.mark;
  }

  get storage(): Storage {
    assert(this.#storage !== null, 'the server runs');
    return this.#storage;
  }

  async start(): Promise<void> {
    this.#storage = Storage.open(storageOptions(this.#disk, this.#options));
    const { tree, sessions, lastZxid } = await this.#storage.recover();
    assert(
      lastZxid === this.history.zxid || this.history.zxid % 0x1_0000_0000n === 0n,
      'all is there',
    );
    this.#tree = tree;
    this.#sessions = sessions;
    // from here on clients see it
    this.#mark({ kind: 'acknowledged', zxid: lastZxid });
  }

  stop(): void {
    this.storage.close();
    this.#storage = null;
  }

  /** kill -9: what was appended stays in the page cache, and nobody was told about it. */
  kill(): void {
    this.#storage = null;
    this.#pending = [];
    this.sim.restart();
  }

  /**
   * What a power failure does to a write that was not flushed: a hole in its first record, the others
   * as they should be. After `kill`; durable when it returns.
   */
  tear(): void {
    const directory = `${dataDir}/${versionDirectory}`;
    const mark = present(readTailMark(this.sim, directory), 'the log was flushed once');
    const file = this.sim.openNow(`${directory}/${logName(mark.logZxid)}`, 'write');
    file.writeNow(new Uint8Array(16), 0, 16, mark.offset + 20);
    file.syncNow();
    file.closeNow();
  }

  /** As a learner does it that is told where its history parts from the leader's. */
  async truncate(zxid: Zxid): Promise<void> {
    this.#mark({ kind: 'cutting', zxid });
    await this.storage.truncateLog(zxid);
    this.#mark({ kind: 'cut', zxid });
    this.history.rewind(zxid);
    const { tree, sessions, lastZxid } = await this.storage.reload();
    assert(lastZxid === zxid, 'the history ends where it was cut');
    this.#tree = tree;
    this.#sessions = sessions;
    this.#mark({ kind: 'acknowledged', zxid });
  }

  /** As a learner does it that is sent the leader's state, which is what history has come to by now. */
  async install(): Promise<void> {
    const receiver = new SnapReceiver({ treeOptions: {}, itemBytesMax: 1 << 20 });
    const blocks = {
      put(bytes: Uint8Array, length: number): Promise<void> {
        for (let at = 0; at < length; at += 1000) {
          const taken = receiver.push(bytes, at, Math.min(length, at + 1000));
          assert(taken !== 'malformed', 'what one end sends the other understands');
        }
        return Promise.resolve();
      },
      end: () => Promise.resolve(),
    };
    const stream = new SnapStream(stillClock, this.history.tree, this.history.sessions, blocks);
    await stream.run();
    stream.close();
    const { zxid } = this.history;
    const { tree, sessions } = receiver.finish(zxid);
    this.#mark({ kind: 'installing', zxid });
    await this.storage.installSnapshot(tree, sessions);
    this.#mark({ kind: 'installed', zxid });
    this.#tree = tree;
    this.#sessions = sessions;
  }

  /** Newest first. */
  snapshotZxids(): Zxid[] {
    const { snapshots } = this.storage.directories;
    return listSnapshots(this.#disk, snapshots).map(({ zxid }) => zxid);
  }

  /** After `start`. */
  async recoverEpochs(): Promise<EpochFiles> {
    const epochs = this.storage.openEpochFiles();
    await epochs.recover(this.history.zxid);
    this.#markEpochs(epochs);
    return epochs;
  }

  /** As a learner does it: what it has of the new epoch becomes durable between the two steps. */
  async followInto(epoch: number, synchronise: () => Promise<void>): Promise<void> {
    const epochs = this.storage.openEpochFiles();
    await epochs.writeAcceptedEpoch(epoch);
    this.#markEpochs(epochs);
    await epochs.beginCurrentEpoch(epoch);
    await synchronise();
    await epochs.finishCurrentEpoch();
    this.#markEpochs(epochs);
  }

  #markEpochs({ acceptedEpoch, currentEpoch }: EpochFiles): void {
    this.#mark({ kind: 'acceptedEpoch', epoch: acceptedEpoch ?? 0 });
    this.#mark({ kind: 'currentEpoch', epoch: currentEpoch ?? 0 });
  }

  /** Appends without flushing. */
  append(count: number): void {
    const batch = this.history.next(count, new TxnBatch());
    this.#mark({ kind: 'appended', zxid: this.history.zxid });
    this.storage.append(batch);
    this.#pending.push({ batch, sessions: new Map(this.history.sessions) });
  }

  /** Resolves when the server would have answered its clients. */
  async flush(): Promise<void> {
    const { zxid } = this.history;
    const { length } = this.#pending;
    await new Promise<void>((resolve) => {
      this.storage.flush(() => {
        this.#mark({ kind: 'acknowledged', zxid });
        this.#apply(length);
        resolve();
      });
    });
  }

  async write(batches: number): Promise<void> {
    for (let i = 0; i < batches; i++) {
      this.append(this.random.between(1, 4));
      await this.flush();
    }
  }

  /** As the server does it: a new log, and the snapshot beside it. */
  snapshot(): Promise<unknown> {
    this.storage.rollLog();
    return this.storage.takeSnapshot(present(this.#tree, 'the server runs'), this.#sessions);
  }

  /** What is durable is applied, and nothing else: no snapshot may hold what no log does. */
  #apply(count: number): void {
    const tree = present(this.#tree, 'the server runs');
    for (const { batch, sessions } of this.#pending.splice(0, count)) {
      for (let i = 0; i < batch.count; i++) {
        tree.apply(batch.bytes, batch.payloadStart(i), batch.payloadEnd(i));
      }
      this.#sessions = sessions;
    }
  }
}
