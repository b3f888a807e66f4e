/**
 * ZooKeeper as one would explain it: a map of paths, a set of sessions, and requests that are done one
 * after the other. The checker drives it along the transaction log and compares what every client was
 * told with what the model says. It executes requests, never transactions: how a request becomes a
 * transaction is just what is to be checked.
 */
import { isContainer, isEphemeral, isSequential, isTtl } from '../protocol/create-mode.js';
import { ErrorCode } from '../protocol/errors.js';
import { OpCode } from '../protocol/opcodes.js';
import { join, parentOf, validatePath } from '../protocol/paths.js';
import { Perms } from '../protocol/perms.js';
import type {
  ACL,
  CreateRequest,
  DeleteRequest,
  CheckVersionRequest,
  MultiOp,
  MultiResult,
  SetACLRequest,
  SetDataRequest,
} from '../protocol/records.js';
import type { Zxid } from '../protocol/zxid.js';
import type { AuthId } from './history.js';
import { allows, settled } from './model-acl.js';
import {
  CONTAINER_OWNER,
  copyNode,
  digestOfNode,
  freshNode,
  isOwnedBySession,
  statOf,
  ttlOf,
  ttlOwner,
  type ModelNode,
} from './model-node.js';
import type { RequestBody } from './requests.js';

export interface ModelOptions {
  readonly skipAcl: boolean;
  readonly extendedTypes: boolean;
  /** Of an ensemble: what every server writes into `configPath` by itself. */
  readonly configText?: string;
  /** And changes: what a server shows of it depends on when. */
  readonly isReconfigured?: boolean;
}

/** Under which a transaction happens. */
export interface Circumstances {
  readonly zxid: Zxid;
  readonly timeMs: bigint;
  readonly session: bigint;
  readonly caller: readonly AuthId[];
}

/** What watchers may hear of, with the ACLs that decide who. */
export interface Change {
  readonly kind: 'created' | 'deleted' | 'dataChanged';
  readonly path: string;
  readonly acl: readonly ACL[];
  readonly parentAcl: readonly ACL[];
}

export interface WriteOutcome {
  readonly error: number;
  /** The record of the reply; null where there is none. */
  readonly value: unknown;
}

const TTL_MAX_MS = 0xff_ffff_ffffn;
export const configPath = '/zookeeper/config';
const SPECIAL = ['/', '/zookeeper', '/zookeeper/quota', configPath];
const OPEN: readonly ACL[] = [{ perms: Perms.all, id: { scheme: 'world', id: 'anyone' } }];
const READABLE: readonly ACL[] = [{ perms: Perms.read, id: { scheme: 'world', id: 'anyone' } }];
const U64 = (1n << 64n) - 1n;

export class Model {
  readonly options: ModelOptions;
  readonly nodes = new Map<string, ModelNode>();
  /** Living sessions and their timeouts. */
  readonly sessions = new Map<bigint, number>();
  digest = 0n;
  /** What the last transaction changed, in order. */
  changes: Change[] = [];
  #undo: Map<string, ModelNode | null> | null = null;

  constructor(options: ModelOptions) {
    this.options = options;
    for (const path of SPECIAL) {
      const node = freshNode(path, new Uint8Array(0), OPEN);
      this.nodes.set(path, node);
      if (path !== '/') this.#node(parentOf(path)).children.add(path);
    }
    const config = this.#node(configPath);
    config.acl = READABLE;
    config.aversion = -1;
    if (options.configText !== undefined) {
      config.data = new TextEncoder().encode(options.configText);
      config.version = -1;
    }
    for (const node of this.nodes.values()) this.digest += digestOfNode(node);
  }

  /** The empty path is the root, as it is to Apache's server. */
  find(path: string): ModelNode | undefined {
    return this.nodes.get(path === '' ? '/' : path);
  }

  mayDo(acl: readonly ACL[], perms: number, caller: readonly AuthId[]): boolean {
    return this.options.skipAcl || allows(acl, perms, caller);
  }

  ephemeralsOf(session: bigint): string[] {
    const paths: string[] = [];
    for (const node of this.nodes.values()) {
      if (node.owner === session && isOwnedBySession(node, this.options.extendedTypes)) {
        paths.push(node.path);
      }
    }
    return paths;
  }

  // ------------------------------------------------------------------ transactions

  createSession(session: bigint, timeoutMs: number): void {
    this.changes = [];
    this.sessions.set(session, timeoutMs);
  }

  /** Ends a session; `paths` are its ephemerals in the order in which the log says they went. */
  closeSession(session: bigint, paths: readonly string[], zxid: Zxid): void {
    this.changes = [];
    this.sessions.delete(session);
    for (const path of paths) this.#remove(path, zxid);
  }

  /** The server's own deletion of a container or a TTL znode. Null: it may; else why it may not. */
  collect(path: string, zxid: Zxid, timeMs: bigint): string | null {
    this.changes = [];
    const node = this.nodes.get(path);
    if (node === undefined) return 'it does not exist';
    if (node.children.size > 0) return 'it has children';
    const ttlMs = ttlOf(node, this.options.extendedTypes);
    if (ttlMs === null && node.owner !== CONTAINER_OWNER)
      return 'it is neither a container nor a TTL znode';
    if (ttlMs !== null && timeMs - node.mtime <= ttlMs) return 'its time to live has not passed';
    this.#remove(path, zxid);
    return null;
  }

  /** Its operator's: nobody waits for an answer that is checked here. */
  reconfigure(data: Uint8Array | null, zxid: Zxid, timeMs: bigint): void {
    this.changes = [];
    const node = this.#node(configPath);
    this.#touch(configPath, () => {
      node.data = data;
      node.mzxid = zxid;
      node.mtime = timeMs;
    });
    this.#changed('dataChanged', node);
  }

  write(body: RequestBody, at: Circumstances): WriteOutcome {
    this.changes = [];
    switch (body.op) {
      case OpCode.create:
      case OpCode.create2:
      case OpCode.createContainer:
        return this.#create(body.op, body.value, -1n, at);
      case OpCode.createTTL:
        return this.#create(body.op, body.value, body.value.ttl, at);
      case OpCode.delete:
        return this.#delete(body.value, at);
      case OpCode.setData:
        return this.#setData(body.value, at);
      case OpCode.setACL:
        return this.#setAcl(body.value, at);
      case OpCode.multi:
        return this.#multi(body.value.ops, at);
      default:
        return failed(ErrorCode.unimplemented);
    }
  }

  #create(op: number, asked: CreateRequest, ttl: bigint, at: Circumstances): WriteOutcome {
    const { extendedTypes } = this.options;
    const { flags } = asked;
    if (flags < 0 || flags > 6) return failed(ErrorCode.badArguments);
    if (isTtl(flags) && !extendedTypes) return failed(ErrorCode.unimplemented);
    const isTtlWrong = isTtl(flags) ? ttl <= 0n || ttl > TTL_MAX_MS : ttl >= 0n;
    if (isTtlWrong) return failed(ErrorCode.badArguments);
    if (!this.sessions.has(at.session)) return failed(ErrorCode.sessionExpired);
    const wanted = asked.path ?? '';
    if (!wanted.includes('/')) return failed(ErrorCode.badArguments);
    const acl = settled(asked.acl, at.caller);
    if (acl === null) return failed(ErrorCode.invalidACL);
    const parent = this.find(wanted.slice(0, wanted.lastIndexOf('/')) || '/');
    if (parent === undefined) return failed(ErrorCode.noNode);
    if (!this.mayDo(parent.acl, Perms.create, at.caller)) return failed(ErrorCode.noAuth);
    const suffix = isSequential(flags) ? String(parent.cversion).padStart(10, '0') : '';
    const path = wanted + suffix;
    if (validatePath(path) !== null) return failed(ErrorCode.badArguments);
    if (this.nodes.has(path)) return failed(ErrorCode.nodeExists);
    if (isOwnedBySession(parent, extendedTypes)) return failed(ErrorCode.noChildrenForEphemerals);

    this.#touch(parent.path, () => {
      parent.cversion = (parent.cversion + 1) | 0;
      parent.pzxid = at.zxid;
      parent.children.add(path);
    });
    const node = freshNode(path, asked.data, acl);
    node.czxid = node.mzxid = node.pzxid = at.zxid;
    node.ctime = node.mtime = at.timeMs;
    if (isEphemeral(flags)) node.owner = at.session;
    else if (isContainer(flags)) node.owner = CONTAINER_OWNER;
    else if (isTtl(flags)) node.owner = ttlOwner(ttl);
    this.#touch(path, () => this.nodes.set(path, node));
    this.#changed('created', node);
    return done(op === OpCode.create ? { path } : { path, stat: statOf(node, extendedTypes) });
  }

  #delete(asked: DeleteRequest, at: Circumstances): WriteOutcome {
    if (!this.sessions.has(at.session)) return failed(ErrorCode.sessionExpired);
    const path = asked.path ?? '';
    if (!path.includes('/') || SPECIAL.includes(path)) return failed(ErrorCode.badArguments);
    const parent = this.find(parentOf(path));
    if (parent === undefined) return failed(ErrorCode.noNode);
    if (!this.mayDo(parent.acl, Perms.delete, at.caller)) return failed(ErrorCode.noAuth);
    const node = this.nodes.get(path);
    if (node === undefined) return failed(ErrorCode.noNode);
    if (!fits(node.version, asked.version)) return failed(ErrorCode.badVersion);
    if (node.children.size > 0) return failed(ErrorCode.notEmpty);
    this.#remove(path, at.zxid);
    return done(null);
  }

  #setData(asked: SetDataRequest, at: Circumstances): WriteOutcome {
    if (!this.sessions.has(at.session)) return failed(ErrorCode.sessionExpired);
    const path = asked.path ?? '';
    if (validatePath(path) !== null) return failed(ErrorCode.badArguments);
    const node = this.nodes.get(path);
    if (node === undefined) return failed(ErrorCode.noNode);
    if (!this.mayDo(node.acl, Perms.write, at.caller)) return failed(ErrorCode.noAuth);
    if (!fits(node.version, asked.version)) return failed(ErrorCode.badVersion);
    this.#touch(path, () => {
      node.data = asked.data;
      node.version = (node.version + 1) | 0;
      node.mzxid = at.zxid;
      node.mtime = at.timeMs;
    });
    this.#changed('dataChanged', node);
    return done({ stat: statOf(node, this.options.extendedTypes) });
  }

  #setAcl(asked: SetACLRequest, at: Circumstances): WriteOutcome {
    if (!this.sessions.has(at.session)) return failed(ErrorCode.sessionExpired);
    const path = asked.path ?? '';
    if (validatePath(path) !== null) return failed(ErrorCode.badArguments);
    const acl = settled(asked.acl, at.caller);
    if (acl === null) return failed(ErrorCode.invalidACL);
    const node = this.nodes.get(path);
    if (node === undefined) return failed(ErrorCode.noNode);
    if (!this.mayDo(node.acl, Perms.admin, at.caller)) return failed(ErrorCode.noAuth);
    if (!fits(node.aversion, asked.version)) return failed(ErrorCode.badVersion);
    this.#touch(path, () => {
      node.acl = acl;
      node.aversion = (node.aversion + 1) | 0;
    });
    return done({ stat: statOf(node, this.options.extendedTypes) });
  }

  #check(asked: CheckVersionRequest, at: Circumstances): WriteOutcome {
    if (!this.sessions.has(at.session)) return failed(ErrorCode.sessionExpired);
    const path = asked.path ?? '';
    if (validatePath(path) !== null) return failed(ErrorCode.badArguments);
    const node = this.nodes.get(path);
    if (node === undefined) return failed(ErrorCode.noNode);
    if (!this.mayDo(node.acl, Perms.read, at.caller)) return failed(ErrorCode.noAuth);
    return fits(node.version, asked.version) ? done(null) : failed(ErrorCode.badVersion);
  }

  /** All or nothing; a failure is told in the results, not in the header. */
  #multi(ops: readonly MultiOp[], at: Circumstances): WriteOutcome {
    const undo = new Map<string, ModelNode | null>();
    const digest = this.digest;
    this.#undo = undo;
    const results: MultiResult[] = [];
    let failedAt = -1;
    let error: number = ErrorCode.ok;
    for (const [i, op] of ops.entries()) {
      const outcome = this.#part(op, at);
      if (outcome.error !== ErrorCode.ok) {
        failedAt = i;
        error = outcome.error;
        break;
      }
      results.push({ type: op.type, result: outcome.value ?? {} } as MultiResult);
    }
    this.#undo = null;
    if (failedAt === -1) return done({ results });
    for (const [path, before] of undo) {
      if (before === null) this.nodes.delete(path);
      else this.nodes.set(path, before);
    }
    this.digest = digest;
    this.changes = [];
    const errors = ops.map((_, i): MultiResult => {
      const err = i < failedAt ? ErrorCode.ok : ErrorCode.runtimeInconsistency;
      return { type: OpCode.error, result: { err: i === failedAt ? error : err } };
    });
    return done({ results: errors });
  }

  #part(op: MultiOp, at: Circumstances): WriteOutcome {
    switch (op.type) {
      case OpCode.create:
      case OpCode.create2:
        return this.#create(op.type, op.request, -1n, at);
      case OpCode.delete:
        return this.#delete(op.request, at);
      case OpCode.setData:
        return this.#setData(op.request, at);
      case OpCode.check:
        return this.#check(op.request, at);
      default:
        return failed(ErrorCode.unimplemented);
    }
  }

  #remove(path: string, zxid: Zxid): void {
    const node = this.#node(path);
    const parent = this.#node(parentOf(path));
    this.#changed('deleted', node);
    this.#touch(parent.path, () => {
      parent.pzxid = zxid;
      parent.children.delete(path);
    });
    this.#touch(path, () => this.nodes.delete(path));
  }

  #changed(kind: Change['kind'], node: ModelNode): void {
    const { path, acl } = node;
    this.changes.push({ kind, path, acl, parentAcl: this.#node(parentOf(path)).acl });
  }

  /** Changes a znode, remembering it for a multi that fails, and moves the digest along. */
  #touch(path: string, change: () => void): void {
    const before = this.nodes.get(path);
    if (this.#undo !== null && !this.#undo.has(path)) {
      this.#undo.set(path, before === undefined ? null : copyNode(before));
    }
    const minus = before === undefined ? 0n : digestOfNode(before);
    change();
    const after = this.nodes.get(path);
    const plus = after === undefined ? 0n : digestOfNode(after);
    this.digest = (this.digest + plus - minus) & U64;
  }

  #node(path: string): ModelNode {
    const node = this.nodes.get(path);
    if (node === undefined) throw new RangeError(`the model has no ${path}`);
    return node;
  }

  childNames(node: ModelNode): string[] {
    return [...node.children].map((path) => path.slice(join(node.path, '').length));
  }
}

function failed(error: number): WriteOutcome {
  return { error, value: null };
}

function done(value: unknown): WriteOutcome {
  return { error: ErrorCode.ok, value };
}

function fits(current: number, wanted: number): boolean {
  return wanted === -1 || wanted === current;
}
