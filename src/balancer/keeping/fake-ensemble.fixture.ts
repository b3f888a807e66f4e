/**
 * An ensemble made up for tests of the data path: one order of transactions, servers that apply them
 * with delays of their own, forwarded writes that may still be under way when their server dies, and
 * the extension as protocol/continuation.ts describes it. It decides at once and loses nothing: what
 * an ensemble itself can do wrong is tested elsewhere.
 */
import type { SeededRandom } from '../../base/random.js';
import { ErrorCode } from '../../protocol/errors.js';
import type { Timeline } from '../../sim/clock.js';
import type { SimNetwork } from '../../sim/network.js';
import type { FakeConnection } from './fake-connection.fixture.js';
import { FakeServer } from './fake-server.fixture.js';
import { FakeTree, type Change } from './fake-tree.fixture.js';

export interface FakeTxn {
  readonly zxid: bigint;
  readonly sessionId: bigint;
  readonly cxid: number;
  readonly error: number;
  readonly body: Uint8Array;
  readonly changes: readonly Change[];
  /** Whose connection waits for it. */
  readonly origin: FakeConnection | null;
}

export interface FakeSession {
  readonly id: bigint;
  readonly password: Uint8Array;
  timeoutMs: number;
  generation: bigint;
  owner: FakeConnection | null;
  isOpen: boolean;
}

const EPOCH = 1n << 32n;
const NO_BODY = new Uint8Array(0);

export class FakeEnsemble {
  readonly timeline: Timeline;
  readonly random: SeededRandom;
  readonly network: SimNetwork;
  readonly servers: FakeServer[] = [];
  readonly log: FakeTxn[] = [];
  readonly sessions = new Map<bigint, FakeSession>();
  readonly tree = new FakeTree();
  /** The longest that a server takes to forward, or to apply. */
  delayMs = 2;
  #nextId = 0x1000n;
  #generation = 0n;

  constructor(timeline: Timeline, random: SeededRandom, network: SimNetwork) {
    this.timeline = timeline;
    this.random = random;
    this.network = network;
  }

  get zxid(): bigint {
    return EPOCH + BigInt(this.log.length);
  }

  async start(name: string): Promise<FakeServer> {
    const server = new FakeServer(name, this);
    this.servers.push(server);
    await server.start();
    return server;
  }

  delay(): number {
    return this.random.fraction() * this.delayMs;
  }

  createSession(timeoutMs: number, owner: FakeConnection): FakeSession {
    const id = this.#nextId++;
    const password = Uint8Array.from({ length: 16 }, (_, i) => Number(id & 0xffn) + i);
    const session = { id, password, timeoutMs, generation: 0n, owner, isOpen: true };
    this.sessions.set(id, session);
    this.#commit({ sessionId: id, cxid: 0, error: 0, body: NO_BODY, changes: [], origin: null });
    session.generation = this.#generation = this.zxid;
    return session;
  }

  /** Null: a later client has it. */
  attach(session: FakeSession, generation: bigint, owner: FakeConnection): FakeSession | null {
    if (generation !== 0n && generation < session.generation) return null;
    this.#generation = this.#generation + 1n > this.zxid ? this.#generation + 1n : this.zxid;
    session.generation = generation === 0n ? this.#generation : generation;
    session.owner = owner;
    return session;
  }

  /** A write reaches the leader. */
  propose(origin: FakeConnection, cxid: number, op: number, body: Uint8Array): void {
    const session = origin.session;
    if (session === null) return;
    const by = { sessionId: session.id, cxid, origin };
    if (session.owner !== origin || !session.isOpen) {
      this.#commit({ ...by, error: ErrorCode.sessionMoved, body: NO_BODY, changes: [] });
      return;
    }
    this.#commit({ ...by, ...this.tree.judge(op, body, this.zxid + 1n) });
  }

  closeSession(origin: FakeConnection, cxid: number): void {
    const { session } = origin;
    if (session === null) return;
    const by = { sessionId: session.id, cxid, body: NO_BODY, changes: [], origin };
    const isMoved = session.owner !== origin;
    if (!isMoved) session.isOpen = false;
    this.#commit({ ...by, error: isMoved ? ErrorCode.sessionMoved : 0 });
  }

  /** The tree changes by somebody else's doing. */
  change(...changes: Change[]): bigint {
    const by = { sessionId: 0n, cxid: 0, origin: null };
    this.#commit({ ...by, error: 0, body: NO_BODY, changes });
    return this.zxid;
  }

  expire(sessionId: bigint): void {
    const session = this.sessions.get(sessionId);
    if (session !== undefined) session.isOpen = false;
  }

  #commit(txn: Omit<FakeTxn, 'zxid'>): void {
    const zxid = this.zxid + 1n;
    this.tree.apply(txn.changes, zxid);
    this.log.push({ ...txn, zxid });
    for (const server of this.servers) server.onCommitted();
  }
}
