/**
 * All sessions of one balancer. Whoever listens hands each connection over with what is known of the
 * client; from then on the keeper answers for it.
 */
import type { Timer } from '../../ports/clock.js';
import type { Socket, SocketHandler } from '../../ports/network.js';
import { AttachGate } from './attach-gate.js';
import { InFlightPool } from './in-flight.js';
import type { Keeping } from './keeping.js';
import type {
  Backends,
  ClientOrigin,
  KeepingHooks,
  KeepingSettings,
  SessionView,
} from './keeping-types.js';
import { KeptSession } from './kept-session.js';
import { WriterPool } from './outlet.js';
import { PictureBudget } from './picture.js';
import type { RequestGate } from './request-share.js';
import type { BalancerWorld } from '../world.js';

const SWEEP_INTERVAL_MS = 100;
/** A sweep that comes so late finds others silent who are not. */
const LATE_MS = 150;
/** For a client that takes nothing to take the last that it is sent. */
const LINGER_MS = 5000;

export class SessionKeeper implements Keeping {
  readonly world: BalancerWorld;
  readonly settings: KeepingSettings;
  readonly backends: Backends;
  readonly hooks: KeepingHooks;
  readonly writers = new WriterPool();
  readonly inFlights = new InFlightPool();
  readonly gate: AttachGate;
  readonly pictures: PictureBudget;
  readonly requestGate: RequestGate | null;
  readonly #sessions = new Set<KeptSession>();
  readonly #byId = new Map<bigint, KeptSession>();
  /** Sockets that have still something to send, and until when they may. */
  readonly #lingering = new Map<Socket, number>();
  #timer: Timer | null = null;
  #isStopped = false;
  #sweptMs = 0;

  constructor(
    world: BalancerWorld,
    settings: KeepingSettings,
    backends: Backends,
    hooks: KeepingHooks = {},
    requestGate: RequestGate | null = null,
  ) {
    this.world = world;
    this.settings = settings;
    this.gate = new AttachGate(settings.attachesAtOnceMax);
    this.pictures = new PictureBudget(settings.relistNodesInAllMax);
    this.backends = backends;
    this.hooks = hooks;
    this.requestGate = requestGate;
  }

  /** A client's connection, of which no byte has been read that is not handed to the handler. */
  accept(socket: Socket, origin: ClientOrigin): SocketHandler {
    if (this.#isStopped) {
      // it was here before, and has said only now what it is
      socket.destroy();
      return nobody;
    }
    const session = new KeptSession(this, socket, origin);
    this.#sessions.add(session);
    if (this.#timer === null) this.#planSweep();
    return session;
  }

  get size(): number {
    return this.#sessions.size;
  }

  sessions(): Iterable<SessionView> {
    return this.#sessions;
  }

  session(id: bigint): SessionView | null {
    return this.#byId.get(id) ?? null;
  }

  /** Ends all clients' connections; their sessions go on at the servers. */
  stop(): Promise<void> {
    this.#isStopped = true;
    for (const session of [...this.#sessions]) session.drop('the balancer stops');
    this.#timer?.cancel();
    this.#timer = null;
    for (const socket of this.#lingering.keys()) socket.destroy();
    this.#lingering.clear();
    return Promise.resolve();
  }

  onNamed(session: KeptSession): void {
    const before = this.#byId.get(session.id);
    if (before === session) return;
    this.#byId.set(session.id, session);
    before?.drop('its client has come again');
  }

  namesake(session: KeptSession): KeptSession | null {
    return this.#byId.get(session.id) ?? null;
  }

  onClosed(session: KeptSession): void {
    this.#sessions.delete(session);
    if (this.#byId.get(session.id) === session) this.#byId.delete(session.id);
  }

  linger(socket: Socket): void {
    this.#lingering.set(socket, this.world.clock.monotonicMs() + LINGER_MS);
  }

  #planSweep(): void {
    this.#sweptMs = this.world.clock.monotonicMs();
    this.#timer = this.world.clock.after(SWEEP_INTERVAL_MS, () => {
      this.#sweep();
    });
  }

  #sweep(): void {
    this.#timer = null;
    const nowMs = this.world.clock.monotonicMs();
    const isLate = nowMs - this.#sweptMs > LATE_MS;
    for (const session of this.#sessions) session.sweep(nowMs, isLate);
    for (const [socket, untilMs] of this.#lingering) {
      if (socket.pendingBytes > 0 && nowMs < untilMs) continue;
      socket.destroy();
      this.#lingering.delete(socket);
    }
    if (this.#sessions.size > 0 || this.#lingering.size > 0) this.#planSweep();
  }
}

const nobody: SocketHandler = {
  onData: () => undefined,
  onDrain: () => undefined,
  onClose: () => undefined,
};
