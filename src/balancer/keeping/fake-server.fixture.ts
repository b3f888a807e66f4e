/** One server of a made-up ensemble, with the faults that a test gives it. */
import type { Host } from '../../sim/network.js';
import { FakeConnection } from './fake-connection.fixture.js';
import type { FakeEnsemble, FakeTxn } from './fake-ensemble.fixture.js';
import { FakeTree, happeningsOf } from './fake-tree.fixture.js';
import type { Backend } from './keeping-types.js';

export class FakeServer {
  readonly backend: Backend;
  readonly ensemble: FakeEnsemble;
  readonly connections: FakeConnection[] = [];
  readonly tree = new FakeTree();
  /** So many transactions are applied here. */
  applied = 0;
  isAlive = false;
  /** It grants nothing, and knows no operation of the extension. */
  isApache = false;
  isGlobal = true;
  isReadOnly = false;
  /** What it grants instead of what was asked for. */
  timeoutMs: number | null = null;
  /** It answers with a session that nobody asked for, as some servers do instead of saying it is over. */
  givesAnother = false;
  coversFrom = 0n;
  /** Each part of a catchUp is refused by itself. */
  refusesParts = false;
  /** It applies nothing until this is false again. */
  isLagging = false;
  /** What it forwards never arrives. */
  isCutOff = false;
  /** What it forwards takes so much longer. */
  extraForwardMs = 0;
  /** It takes connections, and says nothing. */
  isSilent = false;
  /** Operations upon which it hangs up. */
  readonly poison = new Set<number>();
  readonly refusedSchemes = new Set<string>();
  /** Nobody may read these, nor hears of them. */
  readonly hidden = new Set<string>();
  #host: Host | null = null;
  /** A turn of this server is planned. */
  #isApplying = false;
  #forwardedMs = 0;

  constructor(name: string, ensemble: FakeEnsemble) {
    this.backend = { id: `${name}:2181`, host: name, port: 2181 };
    this.ensemble = ensemble;
  }

  get connection(): FakeConnection {
    const last = this.connections.at(-1);
    if (last === undefined) throw new Error(`nobody came to ${this.backend.id}`);
    return last;
  }

  get zxid(): bigint {
    return this.ensemble.log[this.applied - 1]?.zxid ?? 0n;
  }

  async start(): Promise<void> {
    const { timeline, network } = this.ensemble;
    const host: Host = {
      name: this.backend.host,
      isDead: false,
      post: (task) =>
        timeline.at(timeline.nowMs, () => {
          timeline.mustDrain = true;
          task();
        }),
    };
    this.#host = host;
    this.isAlive = true;
    const { host: at, port } = this.backend;
    await network.portOf(host, at, null).listen({ host: at, port }, (socket) => {
      const connection = new FakeConnection(this, socket);
      this.connections.push(connection);
      return connection;
    });
    this.onCommitted();
  }

  /** Its process ends: what its kernel has still leaves. */
  kill(): void {
    this.isAlive = false;
    if (this.#host !== null) this.ensemble.network.closeHost(this.#host);
    for (const connection of this.connections) connection.isOpen = false;
    this.connections.length = 0;
  }

  /** Its machine is gone, and nobody is told. */
  vanish(): void {
    this.isAlive = false;
    if (this.#host !== null) this.ensemble.network.vanishHost(this.#host);
    this.connections.length = 0;
  }

  onCommitted(): void {
    const { ensemble } = this;
    if (this.#isApplying || !this.isAlive || this.isLagging) return;
    if (this.applied >= ensemble.log.length) return;
    this.#isApplying = true;
    ensemble.timeline.after(ensemble.delay(), () => {
      this.#isApplying = false;
      if (!this.isAlive || this.isLagging) return;
      const txn = ensemble.log[this.applied];
      if (txn !== undefined) this.#apply(txn);
      this.onCommitted();
    });
  }

  /** To the leader, in order: it arrives even if this server dies meanwhile. */
  forward(arrive: () => void): void {
    if (this.isCutOff) return;
    const { timeline } = this.ensemble;
    const takesMs = this.ensemble.delay() + this.extraForwardMs;
    this.#forwardedMs = Math.max(this.#forwardedMs, timeline.nowMs + takesMs);
    timeline.at(this.#forwardedMs, arrive);
  }

  catchUpNow(): void {
    for (;;) {
      const txn = this.ensemble.log[this.applied];
      if (txn === undefined) return;
      this.#apply(txn);
    }
  }

  #apply(txn: FakeTxn): void {
    this.applied++;
    this.tree.apply(txn.changes, txn.zxid);
    for (const happening of happeningsOf(txn.changes)) {
      if (this.hidden.has(happening.path)) continue;
      for (const connection of this.connections) {
        if (connection.watches.fire(happening)) {
          connection.sendEvent(txn.zxid, happening.type, happening.path);
        }
      }
    }
    if (txn.origin?.server === this) txn.origin.onApplied(txn);
    for (const connection of this.connections) connection.drain();
  }
}
