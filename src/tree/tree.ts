/**
 * The replicated state: every znode with its data, its stat and its ACL, and what follows from them
 * (who owns ephemerals, which znodes are containers, quotas, the digest). It is changed by applying
 * transactions, in the order of their zxids, and by nothing else; two trees that applied the same
 * transactions are equal, whatever snapshots either of them began with.
 *
 * This file is the door. Behind it: `node-store` and `arena` hold the bytes, `path-index` and
 * `contents` find them, `changes` alters them, `apply` reads transactions, `walk` reads the tree in
 * slices, `graveyard` keeps what readers stand on.
 */
import { ErrorCode } from '../protocol/errors.js';
import { pathHashOf } from '../protocol/paths.js';
import { compareParts, zxidHigh, zxidLow, type Zxid } from '../protocol/zxid.js';
import { AclTable, type Acl } from './acl-table.js';
import { TxnApplier, type DigestVerdict } from './apply.js';
import { Changes, type ChangeParts, type TreeListener, type TxnRecorder } from './changes.js';
import { Contents } from './contents.js';
import { DigestSum } from './digest.js';
import type { DigestHistory } from './digest-history.js';
import { TreeLoadError } from './errors.js';
import { Graveyard, type Pin } from './graveyard.js';
import { Loading } from './loading.js';
import { ROOT, W_HASH, type NodeId } from './node-store.js';
import { OwnerLists } from './owner-lists.js';
import { Quotas } from './quotas.js';
import { Siblings } from './siblings.js';
import { TreeView } from './tree-view.js';
import { ChildListing, DescendantCount, TreeWalk, type WalkParts } from './walk.js';

export type { Acl } from './acl-table.js';
export type { DigestVerdict } from './apply.js';
export type { TreeListener, TxnRecorder } from './changes.js';
export { TreeLoadError } from './errors.js';
export type { Pin } from './graveyard.js';
export { NO_NODE, OwnerKind, ROOT, type NodeId } from './node-store.js';
export type { ChildListing, DescendantCount, TreeWalk } from './walk.js';

export interface TreeOptions {
  /** `zookeeper.digest.enabled`. Default true. */
  readonly digestEnabled?: boolean;
  /** `zookeeper.extendedTypesEnabled`: znodes with a time to live. Default false, as Apache's. */
  readonly extendedTypes?: boolean;
  /** `zookeeper.emulate353TTLNodes`. Default false. */
  readonly emulate353Ttl?: boolean;
  /** CRC-32 of all of `bytes`, carrying on from `seed`: a native one, for data of a kilobyte or more. */
  readonly bigCrc32?: (bytes: Uint8Array, seed: number) => number;
  /** For tests: which bits of a path's hash count. Few of them make many collisions. */
  readonly hashMask?: number;
}

/** What data that was set aside of the history shows. */
export interface AsideStat {
  readonly version: number;
  readonly mzxid: Zxid;
  readonly mtimeMs: bigint;
}

/** Of the dead and of ACLs out of use, freed with each transaction and when a reader has closed. */
const RECLAIMED_PER_TXN = 2;
const RECLAIMED_PER_CLOSE = 2048;

function partsOf(options: TreeOptions): ChangeParts {
  const contents = new Contents(options.hashMask ?? -1);
  const { nodes, arena } = contents;
  const siblings = new Siblings(nodes);
  const graveyard = new Graveyard(nodes, (id) => {
    siblings.bury(id);
    contents.release(id);
    nodes.free(id);
  });
  nodes.allocate();
  nodes.set(ROOT, W_HASH, pathHashOf('/') & contents.hashMask);
  return {
    contents,
    siblings,
    graveyard,
    owners: new OwnerLists(nodes, arena),
    acls: new AclTable(),
    quotas: new Quotas(contents, siblings),
    digest: new DigestSum(),
    rules: {
      extendedTypes: options.extendedTypes ?? false,
      emulate353Ttl: options.emulate353Ttl ?? false,
    },
    digestEnabled: options.digestEnabled ?? true,
    bigCrc32: options.bigCrc32 ?? null,
  };
}

export class Tree extends TreeView {
  readonly #parts: ChangeParts;
  readonly #graveyard: Graveyard;
  readonly #changes: Changes;
  readonly #applier: TxnApplier;
  readonly #loading: Loading;

  /** The tree of a new server: the root, `/zookeeper`, and in it `quota` and `config`. */
  constructor(options: TreeOptions = {}, isPopulated = true) {
    const parts = partsOf(options);
    super(parts);
    this.#parts = parts;
    this.#graveyard = parts.graveyard;
    this.#changes = new Changes(parts);
    this.#applier = new TxnApplier(this.#changes, parts.contents, parts.digest);
    this.#loading = new Loading(parts, this.#changes);
    if (isPopulated) this.#loading.loadNewTree();
  }

  // Loading: `forLoading`, every ACL, every znode, `finishLoading`; after the replay `verifyAcls`.

  static forLoading(options: TreeOptions = {}): Tree {
    return new Tree(options, false);
  }

  loadAcl(id: number | bigint, acls: readonly Acl[]): void {
    this.#loading.loadAcl(id, acls);
  }

  /** Parents first; the root's path is "". Null data is null; the stat: 60 bytes at `statPos`. */
  loadNode(
    path: Uint8Array,
    pathStart: number,
    pathEnd: number,
    data: Uint8Array | null,
    dataStart: number,
    dataEnd: number,
    aclId: number | bigint,
    stat: Uint8Array,
    statPos: number,
  ): void {
    this.#loading.loadNode(
      path,
      pathStart,
      pathEnd,
      data,
      dataStart,
      dataEnd,
      aclId,
      stat,
      statPos,
    );
  }

  finishLoading(): void {
    this.#loading.finish();
  }

  /**
   * Throws TreeLoadError when a znode has an ACL that no snapshot and no transaction told: call it when
   * everything is replayed, before anybody is served.
   */
  verifyAcls(): void {
    const ids = this.acls.missingIds();
    if (ids.length === 0) return;
    throw new TreeLoadError(`znodes refer to ACLs that are nowhere: ids ${ids.join(', ')}`);
  }

  // Changing

  get listener(): TreeListener | null {
    return this.#changes.listener;
  }

  set listener(listener: TreeListener | null) {
    this.#changes.listener = listener;
  }

  get recorder(): TxnRecorder | null {
    return this.#changes.recorder;
  }

  set recorder(recorder: TxnRecorder | null) {
    this.#changes.recorder = recorder;
  }

  /**
   * One transaction as it is in the log: header, body, perhaps a digest. Returns the error code of its
   * result, 0 for ok; a live tree meets an error only in transactions that say one, a replay also where
   * the snapshot was ahead. Throws MalformedError for what is no transaction.
   */
  apply(bytes: Uint8Array, start: number, end: number): number {
    const { recorder } = this.#changes;
    recorder?.onBegin();
    const result = this.#applier.apply(bytes, start, end);
    recorder?.onApplied(bytes, start, end, result);
    this.reclaim(RECLAIMED_PER_TXN);
    return result;
  }

  /** What the last create, setData or setACL that succeeded was about. */
  get lastChanged(): NodeId {
    return this.#changes.lastNode;
  }

  /** What the digest at the end of the last transaction said. */
  get digestVerdict(): DigestVerdict {
    return this.#applier.digestVerdict;
  }

  get digests(): DigestHistory {
    return this.#applier.digests;
  }

  /** The error code of each part of the last multi. */
  get multiResults(): readonly number[] {
    return this.#applier.multiResults;
  }

  /**
   * 68 bytes for each part of the last multi: the stat of its znode right after that part, where it is a
   * create or setData that succeeded.
   */
  get multiStats(): Uint8Array {
    return this.#applier.multiStats;
  }

  /**
   * Deletes what a session owns that nobody knows any more: what Apache does with it after loading, at
   * the zxid that the tree has reached.
   */
  endSession(sessionHigh: number, sessionLow: number): void {
    this.#changes.zxidHigh = this.#applier.lastZxidHigh;
    this.#changes.zxidLow = this.#applier.lastZxidLow;
    this.#changes.endSession(sessionHigh, sessionLow);
  }

  /**
   * Data that each server of an ensemble writes for itself: no transaction, so neither the last zxid nor
   * what is known of digests moves. Only for znodes that no digest covers. False: there is none.
   */
  setDataAside(path: Uint8Array, data: Uint8Array, stat: AsideStat): boolean {
    const bytes = new Uint8Array(path.length + data.length);
    bytes.set(path);
    bytes.set(data, path.length);
    const changes = this.#changes;
    [changes.zxidHigh, changes.zxidLow] = [zxidHigh(stat.mzxid), zxidLow(stat.mzxid)];
    [changes.timeHigh, changes.timeLow] = [zxidHigh(stat.mtimeMs), zxidLow(stat.mtimeMs)];
    const at = path.length;
    return changes.setData(bytes, 0, at, at, data.length, stat.version) === ErrorCode.ok;
  }

  /** The last transaction applied; both halves unsigned. */
  get lastZxidHigh(): number {
    return this.#applier.lastZxidHigh >>> 0;
  }

  get lastZxidLow(): number {
    return this.#applier.lastZxidLow >>> 0;
  }

  setLastZxid(high: number, low: number): void {
    this.#applier.lastZxidHigh = high;
    this.#applier.lastZxidLow = low;
  }

  /** Of `zk_approximate_data_size`: kept with each change, and as wrong as Apache's about quotas. */
  approximateDataSize(): number {
    return this.#changes.approximateDataSize;
  }

  // Reading in slices

  /** Until `unpin`, what is deleted keeps its id, its name and its place for who stands on it. */
  pin(): Pin {
    return this.#graveyard.pin();
  }

  unpin(pin: Pin): void {
    this.#graveyard.unpin(pin);
    this.reclaim(RECLAIMED_PER_CLOSE);
  }

  /** For a snapshot. To be closed. */
  walk(): TreeWalk {
    return new TreeWalk(this.#walkParts());
  }

  /** The children that the znode has now, to be read over several turns. To be closed. */
  listChildren(id: NodeId): ChildListing {
    return new ChildListing(this.#walkParts(), id);
  }

  /** How many znodes there are below it now, to be found out over several turns. To be closed. */
  countDescendants(id: NodeId): DescendantCount {
    return new DescendantCount(this.#walkParts(), id);
  }

  /** Deleted znodes that wait until nobody can stand on them. */
  get deadCount(): number {
    return this.#graveyard.size;
  }

  /** Frees up to `budget` of them, and of ACLs out of use: something to do in an idle moment. */
  reclaim(budget: number): void {
    if (this.#graveyard.size > 0) this.#graveyard.reclaim(budget);
    this.acls.reclaim(budget);
  }

  #walkParts(): WalkParts {
    const { lastZxidHigh, lastZxidLow } = this.#applier;
    const { czxidHigh, czxidLow } = this.#loading;
    const isBeyond = compareParts(czxidHigh, czxidLow, lastZxidHigh, lastZxidLow) > 0;
    return {
      nodes: this.#parts.contents.nodes,
      siblings: this.#parts.siblings,
      graveyard: this.#graveyard,
      acls: this.acls,
      aclWitnesses: this.#changes.aclWitnesses,
      afterClose: () => this.reclaim(RECLAIMED_PER_CLOSE),
      zxidHigh: lastZxidHigh >>> 0,
      zxidLow: lastZxidLow >>> 0,
      czxidHigh: isBeyond ? czxidHigh : lastZxidHigh,
      czxidLow: isBeyond ? czxidLow : lastZxidLow,
    };
  }
}
