/**
 * A made-up past: transactions as a server would log them, and what the state is after each of them.
 * Deterministic from a seed. A tree that came back from a crash is compared with the one that history
 * says there was at that zxid: every znode with its data, stat and ACL, every session.
 */
import { present } from '../../base/assert.js';
import type { SeededRandom } from '../../base/random.js';
import { OpCode } from '../../protocol/opcodes.js';
import {
  CloseSessionTxn,
  CreateSessionTxn,
  CreateTxn,
  DeleteTxn,
  ErrorTxn,
  MultiTxn,
  SetACLTxn,
  SetDataTxn,
  TxnDigest,
  TxnHeader,
  type ACL,
  type Codec,
} from '../../protocol/records.js';
import { TxnBatch } from '../../protocol/txn-batch.js';
import { Writer } from '../../protocol/writer.js';
import { zxidOfParts, type Zxid } from '../../protocol/zxid.js';
import { NO_NODE, Tree, type NodeId } from '../../tree/tree.js';

const open: ACL[] = [{ perms: 31, id: { scheme: 'world', id: 'anyone' } }];
const acls: ACL[][] = [
  open,
  [{ perms: 1, id: { scheme: 'world', id: 'anyone' } }],
  [{ perms: 31, id: { scheme: 'ip', id: '10.0.0.1' } }],
];
const startMs = 1_700_000_000_000n;

/** One transaction in the making. */
interface Draft {
  readonly type: number;
  readonly session: bigint;
  readonly body: Uint8Array;
}

function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  const writer = new Writer();
  codec.write(writer, value);
  return writer.take();
}

/** All there is to compare, as text. */
export function describeState(tree: Tree, sessions: ReadonlyMap<bigint, number>): string {
  const lines: string[] = [];
  const stat = new Uint8Array(68);
  const visit = (id: NodeId): void => {
    tree.statInto(id, stat, 0);
    const data = tree.data(id);
    const rights = tree
      .aclOf(id)
      .map((acl) => `${acl.perms}${acl.id.scheme ?? ''}${acl.id.id ?? ''}`);
    lines.push(
      `${tree.pathOf(id)} ${data === null ? 'null' : hex(data)} ${hex(stat)} ${rights.join()}`,
    );
    const children: NodeId[] = [];
    for (let child = tree.firstChild(id); child !== NO_NODE; child = tree.nextSibling(child)) {
      children.push(child);
    }
    children.sort((a, b) => (tree.nameOf(a) < tree.nameOf(b) ? -1 : 1));
    for (const child of children) visit(child);
  };
  visit(tree.findPath('/'));
  for (const [id, timeoutMs] of [...sessions].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const owned = [
      ...tree.ephemeralsOf(Number(BigInt.asIntN(32, id >> 32n)), Number(BigInt.asIntN(32, id))),
    ];
    lines.push(
      `session ${id} ${timeoutMs} ${owned
        .map((node) => tree.pathOf(node))
        .sort()
        .join()}`,
    );
  }
  lines.push(`digest ${tree.digestHigh} ${tree.digestLow}`);
  return lines.join('\n');
}

function hex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}

interface Past {
  readonly zxid: Zxid;
  readonly payload: Uint8Array;
  /** After it. */
  readonly sessions: ReadonlyMap<bigint, number>;
}

export class History {
  /** What a server has that lost nothing. */
  tree = new Tree();
  sessions = new Map<bigint, number>();
  readonly #random: SeededRandom;
  readonly #initial: string;
  readonly #past = new Map<Zxid, Past>();
  /** Of what was taken back, too: until that is over, it may still be found. */
  readonly #states = new Map<Zxid, string>();
  /** Of znodes that are not ephemeral. */
  #paths = ['/'];
  #zxid: Zxid;
  #nextSession = 0x100000000000000n;

  constructor(random: SeededRandom) {
    this.#random = random;
    this.#zxid = 0n;
    this.#initial = describeState(this.tree, this.sessions);
  }

  /** Of the last transaction. */
  get zxid(): Zxid {
    return this.#zxid;
  }

  /** What there was right after that transaction. */
  stateAt(zxid: Zxid): string {
    if (zxid === 0n) return this.#initial;
    return present(this.#states.get(zxid), `history knows the state at ${zxid}`);
  }

  /** The next few transactions; they have happened then. */
  next(count: number, batch = new TxnBatch()): TxnBatch {
    for (let i = 0; i < count; i++) this.#add(batch, this.#draft());
    return batch;
  }

  /** The next transactions begin a new epoch. */
  nextEpoch(): void {
    this.#zxid = ((this.#zxid >> 32n) + 1n) << 32n;
  }

  /** What came after that transaction was lost, legally, and did not happen. */
  rewind(zxid: Zxid): void {
    const kept = [...this.#past.values()].filter((past) => past.zxid <= zxid);
    this.#past.clear();
    this.tree = new Tree();
    for (const past of kept) {
      this.tree.apply(past.payload, 0, past.payload.length);
      this.#past.set(past.zxid, past);
    }
    this.sessions = new Map(kept.at(-1)?.sessions ?? []);
    this.#zxid = zxid;
    this.#paths = this.#paths.filter((path) => this.tree.findPath(path) !== NO_NODE);
  }

  #add(batch: TxnBatch, draft: Draft): void {
    this.#zxid++;
    const zxid = this.#zxid;
    const payload = (digest: bigint | null): Uint8Array => {
      const writer = new Writer();
      const time = startMs + zxid;
      TxnHeader.write(writer, { clientId: draft.session, cxid: 7, zxid, time, type: draft.type });
      writer.writeBytes(draft.body, 0, draft.body.length);
      if (digest !== null) TxnDigest.write(writer, { version: 2, treeDigest: digest });
      return writer.take();
    };
    const bare = payload(null);
    this.tree.apply(bare, 0, bare.length);
    const whole = payload(zxidOfParts(this.tree.digestHigh, this.tree.digestLow));
    batch.begin().writeBytes(whole, 0, whole.length);
    batch.finish();
    this.#states.set(zxid, describeState(this.tree, this.sessions));
    this.#past.set(zxid, { zxid, payload: whole, sessions: new Map(this.sessions) });
  }

  #draft(): Draft {
    const random = this.#random;
    const session = [...this.sessions.keys()].at(0);
    if (session === undefined || random.chance(0.05)) return this.#openSession();
    const dice = random.below(100);
    if (dice < 5 && this.sessions.size > 1) return this.#closeSession(session);
    if (dice < 45 || this.#paths.length < 4) return this.#create(session, random.chance(0.3));
    if (dice < 75) return this.#setData(session, random.pick(this.#paths));
    if (dice < 80) return this.#setAcl(session, random.pick(this.#paths));
    if (dice < 90) return this.#delete(session);
    if (dice < 95) return this.#multi(session);
    return { type: OpCode.error, session, body: encode(ErrorTxn, { err: -110 }) };
  }

  #openSession(): Draft {
    const session = this.#nextSession++;
    this.sessions.set(session, 4000);
    const body = encode(CreateSessionTxn, { timeOut: 4000 });
    return { type: OpCode.createSession, session, body };
  }

  #closeSession(session: bigint): Draft {
    this.sessions.delete(session);
    const high = Number(BigInt.asIntN(32, session >> 32n));
    const owned = [...this.tree.ephemeralsOf(high, Number(BigInt.asIntN(32, session)))];
    const paths2Delete = owned.map((id) => this.tree.pathOf(id));
    for (const path of paths2Delete) this.#forget(path);
    return { type: OpCode.closeSession, session, body: encode(CloseSessionTxn, { paths2Delete }) };
  }

  #create(session: bigint, ephemeral: boolean): Draft {
    const parent = this.#random.pick(this.#paths.filter((path) => path.length < 20));
    const path = `${parent === '/' ? '' : parent}/${ephemeral ? 'e' : 'n'}${this.#zxid}`;
    if (!ephemeral) this.#paths.push(path);
    const parentCVersion = this.tree.cversion(this.tree.findPath(parent)) + 1;
    const acl = this.#random.pick(acls);
    const body = encode(CreateTxn, { path, data: this.#data(), acl, ephemeral, parentCVersion });
    return { type: OpCode.create, session, body };
  }

  #setData(session: bigint, path: string): Draft {
    const version = this.tree.version(this.tree.findPath(path)) + 1;
    const body = encode(SetDataTxn, { path, data: this.#data(), version });
    return { type: OpCode.setData, session, body };
  }

  #setAcl(session: bigint, path: string): Draft {
    const version = this.tree.aversion(this.tree.findPath(path)) + 1;
    const body = encode(SetACLTxn, { path, acl: this.#random.pick(acls), version });
    return { type: OpCode.setACL, session, body };
  }

  #delete(session: bigint): Draft {
    const leaf = this.#paths.find(
      (path) => path !== '/' && this.tree.numChildren(this.tree.findPath(path)) === 0,
    );
    if (leaf === undefined) return this.#create(session, false);
    this.#forget(leaf);
    return { type: OpCode.delete, session, body: encode(DeleteTxn, { path: leaf }) };
  }

  #multi(session: bigint): Draft {
    const create = this.#create(session, false);
    const set = this.#setData(session, '/');
    const txns = [create, set].map(({ type, body }) => ({ type, data: body }));
    return { type: OpCode.multi, session, body: encode(MultiTxn, { txns }) };
  }

  #forget(path: string): void {
    const at = this.#paths.indexOf(path);
    if (at >= 0) this.#paths.splice(at, 1);
  }

  #data(): Uint8Array | null {
    const random = this.#random;
    if (random.chance(0.1)) return null;
    const length = random.chance(0.1) ? random.below(1500) : random.below(200);
    // zeros in data look like the end of a log, and checksums of checksums like records
    const fill = random.chance(0.3) ? 0 : random.below(256);
    return new Uint8Array(length).fill(fill);
  }
}
