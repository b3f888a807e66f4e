/** A small tree of znodes with what reads and writes answer, for ensembles that tests make up. */
import { ErrorCode } from '../../protocol/errors.js';
import { EventType } from '../../protocol/events.js';
import { OpCode } from '../../protocol/opcodes.js';
import { Reader } from '../../protocol/reader.js';
import {
  MultiRequest,
  MultiResponse,
  type MultiOp,
  type MultiResult,
} from '../../protocol/records.js';
import { Writer } from '../../protocol/writer.js';
import { parentOf, type Happening } from './fake-watches.fixture.js';

export type Change =
  | { readonly kind: 'create' | 'set'; readonly path: string; readonly data: string }
  | { readonly kind: 'delete'; readonly path: string };

export interface Answer {
  readonly error: number;
  readonly body: Uint8Array;
}

export interface Outcome extends Answer {
  readonly changes: readonly Change[];
}

interface FakeNode {
  data: string;
  czxid: bigint;
  mzxid: bigint;
  pzxid: bigint;
  version: number;
}

const NO_BODY = new Uint8Array(0);

export class FakeTree {
  readonly #nodes = new Map<string, FakeNode>([['/', nodeOf('', 0n)]]);

  has(path: string): boolean {
    return this.#nodes.has(path);
  }

  mzxidOf(path: string): bigint | null {
    return this.#nodes.get(path)?.mzxid ?? null;
  }

  pzxidOf(path: string): bigint | null {
    return this.#nodes.get(path)?.pzxid ?? null;
  }

  childrenOf(path: string): string[] {
    const prefix = path === '/' ? '/' : `${path}/`;
    return [...this.#nodes.keys()]
      .filter((one) => one !== '/' && one.startsWith(prefix) && parentOf(one) === path)
      .map((one) => one.slice(prefix.length))
      .sort();
  }

  apply(changes: readonly Change[], zxid: bigint): void {
    for (const change of changes) {
      const parent = this.#nodes.get(parentOf(change.path));
      switch (change.kind) {
        case 'create':
          this.#nodes.set(change.path, nodeOf(change.data, zxid));
          if (parent !== undefined) parent.pzxid = zxid;
          break;
        case 'delete':
          this.#nodes.delete(change.path);
          if (parent !== undefined) parent.pzxid = zxid;
          break;
        case 'set': {
          const node = this.#nodes.get(change.path);
          if (node === undefined) break;
          node.data = change.data;
          node.mzxid = zxid;
          node.version++;
        }
      }
    }
  }

  /** What a write would come to at `zxid`; nothing is changed. */
  judge(op: number, body: Uint8Array, zxid: bigint): Outcome {
    const reader = new Reader(body);
    if (op === OpCode.multi) return this.#judgeMulti(MultiRequest.read(reader).ops, zxid);
    const path = reader.readString() ?? '';
    switch (op) {
      case OpCode.create:
        return this.#create(path, reader.readString() ?? '');
      case OpCode.delete:
        return this.#delete(path);
      case OpCode.setData:
        return this.#set(path, reader.readString() ?? '', zxid);
      default:
        return { error: ErrorCode.unimplemented, body: NO_BODY, changes: [] };
    }
  }

  read(op: number, path: string): Answer {
    const node = this.#nodes.get(path);
    if (op === OpCode.sync) return answer((out) => out.writeString(path));
    if (node === undefined) return { error: ErrorCode.noNode, body: NO_BODY };
    return answer((out) => {
      if (op === OpCode.getData) out.writeString(node.data);
      if (op === OpCode.getChildren || op === OpCode.getChildren2) {
        const children = this.childrenOf(path);
        out.writeInt(children.length);
        for (const child of children) out.writeString(child);
        if (op === OpCode.getChildren) return;
      }
      this.#writeStat(out, path, node);
    });
  }

  #create(path: string, data: string): Outcome {
    if (this.has(path)) return failed(ErrorCode.nodeExists);
    if (!this.has(parentOf(path))) return failed(ErrorCode.noNode);
    const { body } = answer((out) => out.writeString(path));
    return { error: 0, body, changes: [{ kind: 'create', path, data }] };
  }

  #delete(path: string): Outcome {
    if (!this.has(path) || path === '/') return failed(ErrorCode.noNode);
    if (this.childrenOf(path).length > 0) return failed(ErrorCode.notEmpty);
    return { error: 0, body: NO_BODY, changes: [{ kind: 'delete', path }] };
  }

  #set(path: string, data: string, zxid: bigint): Outcome {
    const node = this.#nodes.get(path);
    if (node === undefined) return failed(ErrorCode.noNode);
    const after = { ...node, data, mzxid: zxid, version: node.version + 1 };
    const { body } = answer((out) => this.#writeStat(out, path, after));
    return { error: 0, body, changes: [{ kind: 'set', path, data }] };
  }

  /** Creates and deletes alone. */
  #judgeMulti(ops: readonly MultiOp[], zxid: bigint): Outcome {
    const copy = new FakeTree();
    for (const [path, node] of this.#nodes) copy.#nodes.set(path, { ...node });
    const changes: Change[] = [];
    const results: MultiResult[] = [];
    for (const op of ops) {
      let outcome = failed(ErrorCode.unimplemented);
      if (op.type === OpCode.create) outcome = copy.#create(op.request.path ?? '', '');
      else if (op.type === OpCode.delete) outcome = copy.#delete(op.request.path ?? '');
      if (outcome.error !== 0) {
        const errors = ops.map((): MultiResult => ({
          type: OpCode.error,
          result: { err: outcome.error },
        }));
        const { body } = answer((out) => MultiResponse.write(out, { results: errors }));
        return { error: 0, body, changes: [] };
      }
      copy.apply(outcome.changes, zxid);
      changes.push(...outcome.changes);
      if (op.type === OpCode.create)
        results.push({ type: op.type, result: { path: op.request.path } });
      else results.push({ type: OpCode.delete, result: {} });
    }
    const { body } = answer((out) => MultiResponse.write(out, { results }));
    return { error: 0, body, changes };
  }

  #writeStat(out: Writer, path: string, node: FakeNode): void {
    out.writeLong(node.czxid);
    out.writeLong(node.mzxid);
    out.writeLong(0n);
    out.writeLong(0n);
    out.writeInt(node.version);
    out.writeInt(0);
    out.writeInt(0);
    out.writeLong(0n);
    out.writeInt(node.data.length);
    out.writeInt(this.childrenOf(path).length);
    out.writeLong(node.pzxid);
  }
}

/** In the order in which a server tells them. */
export function happeningsOf(changes: readonly Change[]): Happening[] {
  return changes.flatMap(({ kind, path }): Happening[] => {
    const parent = { type: EventType.nodeChildrenChanged, path: parentOf(path) };
    switch (kind) {
      case 'create':
        return [{ type: EventType.nodeCreated, path }, parent];
      case 'delete':
        return [{ type: EventType.nodeDeleted, path }, parent];
      case 'set':
        return [{ type: EventType.nodeDataChanged, path }];
    }
  });
}

function nodeOf(data: string, zxid: bigint): FakeNode {
  return { data, czxid: zxid, mzxid: zxid, pzxid: zxid, version: 0 };
}

function answer(write: (out: Writer) => void): Answer {
  const out = new Writer();
  write(out);
  return { error: 0, body: out.take() };
}

function failed(error: number): Outcome {
  return { error, body: NO_BODY, changes: [] };
}
