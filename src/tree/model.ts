/**
 * A slow and obvious model of the tree, for its tests: Maps of paths, and the rules of each operation as
 * short as they can be said, from the checks that prepare a transaction to what it does.
 */
import { present } from '../base/assert.js';
import { ErrorCode } from '../protocol/errors.js';
import { parentOf } from '../protocol/paths.js';
import * as kit from './kit.js';

export interface ModelZnode {
  data: string | null;
  acl: string;
  czxid: bigint;
  mzxid: bigint;
  pzxid: bigint;
  ctime: bigint;
  mtime: bigint;
  version: number;
  cversion: number;
  aversion: number;
  owner: bigint;
  readonly children: string[];
}

const CONTAINER = -(1n << 63n);
const TTL_MARK = -(1n << 56n);

type Create =
  | {
      readonly op: 'create';
      readonly path: string;
      readonly data: string | null;
      readonly acl: string;
    }
  | { readonly op: 'ephemeral'; readonly path: string; readonly session: number }
  | { readonly op: 'container'; readonly path: string }
  | { readonly op: 'ttl'; readonly path: string; readonly ttlMs: number };

export type Op =
  | Create
  | { readonly op: 'delete'; readonly path: string }
  | { readonly op: 'setData'; readonly path: string; readonly data: string | null }
  | { readonly op: 'setAcl'; readonly path: string; readonly acl: string }
  | { readonly op: 'close'; readonly session: number }
  | { readonly op: 'multi'; readonly parts: readonly Op[]; readonly fails: boolean };

/** What Apache's tree does, as short as it can be said. */
export class Model {
  readonly znodes = new Map<string, ModelZnode>();

  constructor() {
    const names = ['zookeeper', 'zookeeper/quota', 'zookeeper/config'];
    this.#put('/', { acl: 'open' });
    for (const name of names) this.#put(`/${name}`, { acl: 'open' });
    Object.assign(this.#at('/zookeeper/config'), { acl: 'read', aversion: -1 });
  }

  /** Why the operation cannot be done, as preparing a transaction finds out. */
  refusal(op: Op): number {
    if (!('path' in op)) return ErrorCode.ok;
    const znode = this.znodes.get(op.path);
    if (op.op === 'delete' || op.op === 'setData' || op.op === 'setAcl') {
      if (znode === undefined) return ErrorCode.noNode;
      return op.op === 'delete' && znode.children.length > 0 ? ErrorCode.notEmpty : ErrorCode.ok;
    }
    const parent = this.znodes.get(parentOf(op.path));
    if (parent === undefined) return ErrorCode.noNode;
    if (parent.owner > 0n) return ErrorCode.noChildrenForEphemerals;
    return znode === undefined ? ErrorCode.ok : ErrorCode.nodeExists;
  }

  copy(): Map<string, ModelZnode> {
    const copies = new Map<string, ModelZnode>();
    for (const [path, znode] of this.znodes) {
      copies.set(path, { ...znode, children: [...znode.children] });
    }
    return copies;
  }

  restore(znodes: ReadonlyMap<string, ModelZnode>): void {
    this.znodes.clear();
    for (const [path, znode] of znodes) this.znodes.set(path, znode);
  }

  /** Of the children that a session has, in the order of their creation. */
  ephemeralsOf(session: bigint): string[] {
    return this.#owned((owner) => owner === session);
  }

  get containers(): string[] {
    return this.#owned((owner) => owner === CONTAINER);
  }

  get ttls(): string[] {
    return this.#owned((owner) => owner < 0n && owner !== CONTAINER);
  }

  /** One that is not refused; a multi goes part by part. */
  run(op: Op, zxid: bigint): void {
    const time = zxid * 10n;
    switch (op.op) {
      case 'create':
        this.#create(op.path, op.data, op.acl, 0n, zxid, time);
        return;
      case 'ephemeral':
        this.#create(op.path, '', 'world', BigInt(op.session), zxid, time);
        return;
      case 'container':
        this.#create(op.path, 'c', 'world', CONTAINER, zxid, time);
        return;
      case 'ttl':
        this.#create(op.path, null, 'world', TTL_MARK | BigInt(op.ttlMs), zxid, time);
        return;
      case 'delete':
        this.#delete(op.path, zxid);
        return;
      case 'setData':
        this.#at(op.path).version++;
        Object.assign(this.#at(op.path), { data: op.data, mzxid: zxid, mtime: time });
        return;
      case 'setAcl':
        this.#at(op.path).aversion++;
        this.#at(op.path).acl = op.acl;
        return;
      case 'close':
        for (const path of this.ephemeralsOf(BigInt(op.session))) this.#delete(path, zxid);
        return;
      case 'multi':
        for (const part of op.parts) this.run(part, zxid);
    }
  }

  #create(
    path: string,
    data: string | null,
    acl: string,
    owner: bigint,
    zxid: bigint,
    time: bigint,
  ): void {
    const parent = this.#at(parentOf(path));
    parent.cversion++;
    parent.pzxid = zxid;
    const born = { czxid: zxid, mzxid: zxid, pzxid: zxid, ctime: time, mtime: time };
    this.#put(path, { data, acl, owner, ...born });
  }

  #delete(path: string, zxid: bigint): void {
    const parent = this.#at(parentOf(path));
    parent.pzxid = zxid;
    this.znodes.delete(path);
    parent.children.splice(parent.children.indexOf(path.slice(path.lastIndexOf('/') + 1)), 1);
  }

  #put(path: string, given: Partial<ModelZnode>): void {
    const none = { czxid: 0n, mzxid: 0n, pzxid: 0n, ctime: 0n, mtime: 0n, owner: 0n };
    const counts = { version: 0, cversion: 0, aversion: 0 };
    this.znodes.set(path, { data: '', acl: 'open', children: [], ...none, ...counts, ...given });
    if (path !== '/') this.#at(parentOf(path)).children.push(path.slice(path.lastIndexOf('/') + 1));
  }

  #at(path: string): ModelZnode {
    return present(this.znodes.get(path), 'only what is not refused is run');
  }

  #owned(isOwned: (owner: bigint) => boolean): string[] {
    return [...this.znodes].filter(([, { owner }]) => isOwned(owner)).map(([path]) => path);
  }
}

export const acls: Readonly<Record<string, ReturnType<typeof kit.digestAcl> | null>> = {
  open: null,
  world: kit.openAcl,
  read: [{ perms: 1, id: { scheme: 'world', id: 'anyone' } }],
  bob: kit.digestAcl('bob:x'),
  eve: kit.digestAcl('eve:x'),
};

/** The operation as the body of a transaction, and what becomes of it. The model follows suit. */
export function prepare(
  op: Op,
  model: Model,
  zxid: bigint,
): readonly [body: kit.Body, error: number] {
  if (op.op !== 'multi') {
    const error = model.refusal(op);
    if (error !== ErrorCode.ok) return [kit.failure(error), error];
    const body = bodyOf(op, model);
    model.run(op, zxid);
    return [body, error];
  }
  const before = model.copy();
  const bodies: kit.Body[] = [];
  let failure: number = op.fails ? ErrorCode.badVersion : ErrorCode.ok;
  for (const part of op.parts) {
    const refusal = model.refusal(part);
    if (refusal !== ErrorCode.ok) failure = refusal;
    if (refusal !== ErrorCode.ok) break;
    bodies.push(bodyOf(part, model));
    model.run(part, zxid);
  }
  if (failure === ErrorCode.ok) return [kit.multi(...bodies), failure];
  model.restore(before);
  return [kit.multi(...bodies, kit.failure(failure)), failure];
}

function bodyOf(op: Op, model: Model): kit.Body {
  const znode = 'path' in op ? model.znodes.get(op.path) : undefined;
  const parent = 'path' in op ? model.znodes.get(parentOf(op.path)) : undefined;
  const cversion = (parent?.cversion ?? 0) + 1;
  switch (op.op) {
    case 'create':
      return kit.create(op.path, { data: op.data, acl: acls[op.acl] ?? null, cversion });
    case 'ephemeral':
      return kit.create(op.path, { data: '', ephemeral: true, cversion });
    case 'container':
      return kit.createContainer(op.path, cversion);
    case 'ttl':
      return kit.createTtl(op.path, BigInt(op.ttlMs), cversion);
    case 'delete':
      return kit.remove(op.path);
    case 'setData':
      return kit.setData(op.path, op.data, (znode?.version ?? 0) + 1);
    case 'setAcl':
      return kit.setAcl(op.path, acls[op.acl] ?? null, (znode?.aversion ?? 0) + 1);
    case 'close':
      // without the paths, a replay could not know what to raise the parents' pzxid for
      return kit.closeSession(model.ephemeralsOf(BigInt(op.session)));
    case 'multi':
      throw new Error('a multi has no parts of its kind');
  }
}

export function sessionOf(op: Op): bigint {
  if (op.op === 'multi') return 1n;
  return 'session' in op ? BigInt(op.session) : 0n;
}
