/**
 * What the tests of the tree share: transactions as bytes, and a tree through a snapshot and back. The
 * production code never sees it.
 */
import { assert } from '../base/assert.js';
import { statPersistedBytes } from '../protocol/limits.js';
import { OpCode } from '../protocol/opcodes.js';
import { Reader } from '../protocol/reader.js';
import {
  ACLs,
  CheckVersionTxn,
  CloseSessionTxn,
  CreateContainerTxn,
  CreateSessionTxn,
  CreateTTLTxn,
  CreateTxn,
  DeleteTxn,
  ErrorTxn,
  MultiTxn,
  SetACLTxn,
  SetDataTxn,
  TxnHeader,
  type ACL,
  type Codec,
} from '../protocol/records.js';
import { parentOf } from '../protocol/paths.js';
import { encodeUtf8 } from '../protocol/utf8.js';
import { Writer } from '../protocol/writer.js';
import { NO_NODE, Tree, type NodeId, type TreeOptions, type TreeWalk } from './tree.js';

export const openAcl: readonly ACL[] = [{ perms: 31, id: { scheme: 'world', id: 'anyone' } }];

export function digestAcl(user: string): readonly ACL[] {
  return [{ perms: 31, id: { scheme: 'digest', id: user } }];
}

/** The body of a transaction: everything but session, zxid and time. */
export interface Body {
  readonly type: number;
  readonly bytes: Uint8Array;
  /** Of a create that leaves the parent's cversion open: the path, and the body that says it. */
  readonly open?: { readonly path: string; readonly close: (cversion: number) => Body };
}

function body<T>(type: number, codec: Codec<T>, value: T): Body {
  const writer = new Writer();
  codec.write(writer, value);
  return { type, bytes: writer.take() };
}

export interface CreateOptions {
  readonly data?: Uint8Array | string | null;
  readonly acl?: readonly ACL[] | null;
  readonly ephemeral?: boolean;
  readonly cversion?: number;
  readonly type?: typeof OpCode.create | typeof OpCode.create2;
}

function dataOf(data: Uint8Array | string | null | undefined): Uint8Array | null {
  return typeof data === 'string' ? encodeUtf8(data) : (data ?? null);
}

/** Without a cversion, a Log says what the parent will have, as preparing a transaction does. */
function creating(path: string, cversion: number | undefined, close: (of: number) => Body): Body {
  return cversion === undefined ? { ...close(-1), open: { path, close } } : close(cversion);
}

export function create(path: string, options: CreateOptions = {}): Body {
  return creating(path, options.cversion, (parentCVersion) =>
    body(options.type ?? OpCode.create, CreateTxn, {
      path,
      data: dataOf(options.data),
      acl: options.acl === undefined ? openAcl : options.acl,
      ephemeral: options.ephemeral ?? false,
      parentCVersion,
    }),
  );
}

export function createContainer(path: string, cversion?: number): Body {
  const value = { path, data: encodeUtf8('c'), acl: openAcl };
  return creating(path, cversion, (parentCVersion) =>
    body(OpCode.createContainer, CreateContainerTxn, { ...value, parentCVersion }),
  );
}

export function createTtl(path: string, ttlMs: bigint, cversion?: number): Body {
  const value = { path, data: null, acl: openAcl, ttl: ttlMs };
  return creating(path, cversion, (parentCVersion) =>
    body(OpCode.createTTL, CreateTTLTxn, { ...value, parentCVersion }),
  );
}

export function remove(path: string): Body {
  return body(OpCode.delete, DeleteTxn, { path });
}

export function setData(path: string, data: Uint8Array | string | null, version: number): Body {
  return body(OpCode.setData, SetDataTxn, { path, data: dataOf(data), version });
}

export function setAcl(path: string, acl: readonly ACL[] | null, version: number): Body {
  return body(OpCode.setACL, SetACLTxn, { path, acl, version });
}

export function check(path: string, version: number): Body {
  return body(OpCode.check, CheckVersionTxn, { path, version });
}

export function failure(code: number): Body {
  return body(OpCode.error, ErrorTxn, { err: code });
}

export function createSession(timeOut: number): Body {
  return body(OpCode.createSession, CreateSessionTxn, { timeOut });
}

/** Without paths as logs of before 3.6 have it. */
export function closeSession(paths?: readonly string[]): Body {
  if (paths === undefined) return { type: OpCode.closeSession, bytes: new Uint8Array(0) };
  return body(OpCode.closeSession, CloseSessionTxn, { paths2Delete: paths });
}

export function multi(...parts: Body[]): Body {
  const txns = parts.map(({ type, bytes }) => ({ type, data: bytes }));
  return body(OpCode.multi, MultiTxn, { txns });
}

export interface Txn {
  readonly zxid: bigint;
  readonly bytes: Uint8Array;
}

export function txnOf(zxid: bigint, content: Body, session = 0n, timeMs = zxid * 10n): Txn {
  const writer = new Writer();
  TxnHeader.write(writer, { clientId: session, cxid: 1, zxid, time: timeMs, type: content.type });
  writer.writeBytes(content.bytes, 0, content.bytes.length);
  return { zxid, bytes: writer.take() };
}

/** Applies bodies to a tree under zxids that count up, and remembers the transactions. */
export class Log {
  readonly txns: Txn[] = [];
  readonly tree: Tree;
  #zxid: bigint;

  constructor(tree: Tree, zxid = 0n) {
    this.tree = tree;
    this.#zxid = zxid;
  }

  apply(content: Body, session = 0n): number {
    const txn = txnOf(++this.#zxid, this.#closed(content), session);
    this.txns.push(txn);
    return replay(this.tree, txn);
  }

  #closed(content: Body): Body {
    if (content.open === undefined) return content;
    const parent = this.tree.findPath(parentOf(content.open.path));
    return content.open.close(parent === NO_NODE ? 1 : this.tree.cversion(parent) + 1);
  }
}

export function replay(tree: Tree, txn: Txn): number {
  return tree.apply(txn.bytes, 0, txn.bytes.length);
}

/** What a snapshot holds, kept as a list. Takes a few of its ACLs, then of its znodes, at a time. */
export class Snapshot {
  readonly walk: TreeWalk;
  readonly paths: string[] = [];
  readonly #tree: Tree;
  readonly #aclEntries: Iterator<readonly [id: number, encoded: Uint8Array]>;
  readonly #acls: (readonly [id: number, encoded: Uint8Array])[] = [];
  readonly #load: ((tree: Tree) => void)[] = [];
  #hasAcls = false;
  #isFinished = false;

  constructor(tree: Tree) {
    this.#tree = tree;
    this.walk = tree.walk();
    this.#aclEntries = this.walk.aclEntries();
  }

  /** True: there is more. */
  step(budgetNodes: number): boolean {
    for (let left = budgetNodes; left > 0 && !this.#hasAcls; left--) {
      const entry = this.#aclEntries.next();
      if (entry.done === true) this.#hasAcls = true;
      else this.#acls.push([entry.value[0], entry.value[1].slice()]);
    }
    return !this.#hasAcls || this.walk.step((id) => this.#take(id), budgetNodes);
  }

  /** May be called twice. */
  finish(): this {
    if (this.#isFinished) return this;
    this.#isFinished = true;
    while (this.step(1000));
    this.walk.close();
    return this;
  }

  load(options: TreeOptions = {}): Tree {
    assert(this.#acls.length === this.walk.aclCount, 'the walk said how many ACLs there are');
    const tree = Tree.forLoading(options);
    for (const [id, encoded] of this.#acls) {
      tree.loadAcl(id, ACLs.read(new Reader(encoded)) ?? []);
    }
    for (const load of this.#load) load(tree);
    tree.finishLoading();
    tree.setLastZxid(this.walk.zxidHigh, this.walk.zxidLow);
    return tree;
  }

  #take(id: NodeId): void {
    const tree = this.#tree;
    const path = tree.pathOf(id);
    const bytes = path === '/' ? new Uint8Array(0) : encodeUtf8(path);
    const data = tree.data(id);
    const acl = this.walk.aclId(id);
    const stat = new Uint8Array(statPersistedBytes);
    tree.persistedStatInto(id, stat, 0);
    this.paths.push(path);
    this.#load.push((loaded) => {
      loaded.loadNode(bytes, 0, bytes.length, data, 0, data?.length ?? 0, acl, stat, 0);
    });
  }
}

export function reloaded(tree: Tree, options: TreeOptions = {}): Tree {
  return new Snapshot(tree).finish().load(options);
}
