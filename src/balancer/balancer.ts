/**
 * The balancer: ports that clients come by, sessions that are kept (SessionKeeper), servers that are
 * known (BackendPool), and whoever counts, guards and tells in between. It decides nothing by itself
 * about where a session goes; it carries what the pool decides to the sessions, and what happens to the
 * sessions to everybody who wants to know.
 */
import type { Listener, Socket, SocketHandler } from '../ports/network.js';
import { AttachTicket } from './guards/attach-ticket.js';
import type { BackendSet, PooledBackend } from './pool/backend.js';
import type { BackendPoolHooks, BackendPoolOptions } from './pool/backend-options.js';
import { BackendPool } from './pool/backend-pool.js';
import type { BalancerSettings, ListenerSettings } from './balancer-settings.js';
import { ClientClasses } from './guards/classes.js';
import { ControlError } from './control-error.js';
import { DownstreamOrigin, placeOf } from './downstream-origin.js';
import {
  BalancerEmitter,
  type BalancerEventName,
  type BalancerListener,
} from './telling/events.js';
import { FirstBytes, type Arrival, type FirstBytesHost } from './first-bytes.js';
import { Guards } from './guards/guards.js';
import type { SessionState, SessionView } from './keeping/keeping-types.js';
import { KnownAddresses } from './pool/known-addresses.js';
import { ResolvedNetwork } from './pool/resolved-network.js';
import { LossReport } from './telling/loss-report.js';
import { BalancerMetrics } from './telling/metrics.js';
import { Rebalancing } from './pool/rebalancing.js';
import { PrometheusText } from './telling/prometheus.js';
import { SessionKeeper } from './keeping/session-keeper.js';
import { SessionWatch } from './telling/session-watch.js';
import { writeStatusMetrics, type BalancerStatus, type ListenerStatus } from './telling/status.js';
import { answerWord, type BalancerWord } from './telling/words.js';
import type { BalancerWorld } from './world.js';

export class Balancer {
  readonly #settings: BalancerSettings;
  readonly #world: BalancerWorld;
  readonly #pool: BackendPool;
  readonly #keeper: SessionKeeper;
  readonly #guards: Guards;
  readonly #metrics: BalancerMetrics;
  readonly #rebalancing: Rebalancing;
  readonly #classes: ClientClasses;
  readonly #losses: LossReport;
  readonly #emitter = new BalancerEmitter();
  readonly #listeners: { readonly listener: Listener; readonly settings: ListenerSettings }[] = [];
  /** Nobody knows yet whose they are. */
  readonly #arriving = new Set<Socket>();
  /** To be emptied by force, and since when. */
  readonly #forced = new Map<string, number>();
  readonly #firstBytes: FirstBytesHost;
  #startedMs = 0;
  #isStopped = false;

  constructor(settings: BalancerSettings, world: BalancerWorld) {
    const { clock, logger } = world;
    this.#settings = settings;
    this.#world = world;
    this.#guards = new Guards(settings.guards, () => clock.monotonicMs());
    this.#metrics = new BalancerMetrics(settings.metrics);
    const { reached, addresses } = withAddresses(world, settings);
    const hooks = this.#poolHooks();
    this.#pool = new BackendPool(reached, { ...settings.pool, ...addresses, hooks });
    this.#losses = new LossReport(clock, logger);
    const watch = new SessionWatch({
      ...{ clock, logger, guards: this.#guards, metrics: this.#metrics },
      ...{ accessLog: settings.accessLog, emitter: this.#emitter, losses: this.#losses },
    });
    this.#classes = new ClientClasses(settings.classes);
    const { requests } = this.#classes;
    this.#keeper = new SessionKeeper(reached, settings.keeping, this.#pool, watch, requests);
    this.#rebalancing = new Rebalancing(
      world,
      this.#pool,
      () => this.#keeper.sessions(),
      settings.rebalancing,
    );
    this.#firstBytes = {
      clock,
      timeoutMs: settings.keeping.handshakeTimeoutMs,
      answer: (word) => this.#answer(word),
      open: (socket, arrival) => {
        this.#arriving.delete(socket);
        return this.#open(socket, arrival);
      },
      onConnect: (takesReadOnly, bytes) => this.#metrics.onConnect(takesReadOnly, bytes),
      closed: (socket, { guarded, ticket }) => {
        this.#arriving.delete(socket);
        ticket.settle();
        this.#guards.release(guarded);
      },
    };
  }

  // ------------------------------------------------------------------ life

  /** Resolves when clients can come. Rejects with the system's error where a port cannot be had. */
  async start(): Promise<void> {
    this.#startedMs = this.#world.clock.monotonicMs();
    const { membership } = this.#settings;
    membership.start({
      onServers: (servers) => this.#pool.update(servers),
      onProblem: (text) => this.#world.logger.warn(`the list of servers: ${text}`),
    });
    this.#pool.start();
    this.#rebalancing.start();
    try {
      for (const settings of this.#settings.listeners) {
        const { network, host, port } = settings;
        const accept = (socket: Socket): SocketHandler => this.#accept(socket, settings);
        const listener = await network.listen({ host, port }, accept);
        this.#listeners.push({ listener, settings });
        if (this.#isStopped) throw new Error('the balancer was stopped while it started');
      }
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /**
   * For good. Clients' connections end; their sessions live on at the servers, for another balancer to
   * keep. When it resolves there is no socket left, and nothing that would come back by itself.
   */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#rebalancing.stop();
    const closed = this.#listeners.splice(0).map(({ listener }) => listener.close());
    for (const socket of [...this.#arriving]) socket.destroy();
    await this.#keeper.stop();
    this.#losses.stop();
    await Promise.all([...closed, this.#pool.stop(), this.#settings.membership.stop()]);
  }

  /** Where clients come by. */
  get listeners(): readonly ListenerStatus[] {
    return this.#listeners.map(({ listener: { host, port }, settings }) => ({
      address: `${host.includes(':') ? `[${host}]` : host}:${port}`,
      isTls: settings.isTls,
      isReadOnly: settings.isReadOnly,
    }));
  }

  /** What it returns takes the listener off again. */
  on<E extends BalancerEventName>(name: E, listener: BalancerListener<E>): () => void {
    return this.#emitter.on(name, listener);
  }

  // ------------------------------------------------------------------ what operators want

  /**
   * The server gets nothing new, and its sessions move elsewhere. `force`: connections of those that
   * cannot be moved are ended; their sessions go on.
   */
  drain(server: string, { force = false }: { readonly force?: boolean } = {}): void {
    const backend = this.#backend(server);
    if (force) this.#forced.set(server, this.#world.clock.monotonicMs());
    this.#pool.drain(server);
    this.#dropForced(backend);
  }

  undrain(server: string): void {
    this.#backend(server);
    this.#forced.delete(server);
    this.#pool.undrain(server);
  }

  wake(server: string): void {
    this.#backend(server);
    if (this.#pool.wake(server)) return;
    throw new ControlError(
      `${server} cannot be woken: it is awake or not well, or the subset is not decided here`,
    );
  }

  sleep(server: string): void {
    this.#backend(server);
    if (this.#pool.sleep(server)) return;
    throw new ControlError(
      `${server} cannot sleep: it is not awake or has to be, or the subset is not decided here`,
    );
  }

  /** Relative to the others'. 0: it gets nothing new. */
  setWeight(server: string, weight: number): void {
    this.#backend(server);
    this.#pool.setWeight(server, weight);
  }

  #backend(server: string): PooledBackend {
    const all = this.#pool.backends();
    const found = all.find(({ id }) => id === server);
    if (found !== undefined) return found;
    const known = all.map(({ id }) => id).join(', ');
    throw new ControlError(`there is no server ${server}; there are ${known}`);
  }

  // ------------------------------------------------------------------ what is to be seen

  sessions(): Iterable<SessionView> {
    return this.#keeper.sessions();
  }

  status(): BalancerStatus {
    const sessions: Record<SessionState, number> = {
      ...{ attaching: 0, open: 0, quiescing: 0, moving: 0, closed: 0 },
    };
    let watches = 0;
    let outstanding = 0;
    for (const session of this.#keeper.sessions()) {
      sessions[session.state]++;
      watches += session.watches;
      outstanding += session.outstanding;
    }
    const metrics = this.#metrics;
    return {
      version: this.#settings.version,
      uptimeMs: this.#world.clock.monotonicMs() - this.#startedMs,
      mask: this.#settings.keeping.mask,
      ...this.#pool.status(),
      listeners: this.listeners,
      connections: this.#guards.connectionCount,
      ...{ sessions, watches, outstanding },
      totals: {
        requests: metrics.requestCount,
        masked: metrics.maskedMs.count,
        moves: metrics.movedMs.count,
        dropped: metrics.dropped.total,
        refusedRequests: metrics.refusedRequests.total,
        refusedConnections: metrics.refusedConnections.total,
        ejections: metrics.ejections.total,
      },
    };
  }

  /** For Prometheus. */
  metricsText(): string {
    const out = new PrometheusText();
    this.#metrics.writeTraffic(out);
    this.#metrics.writeBalancing(out);
    writeStatusMetrics(out, this.#metrics.prefix, this.status());
    return out.toString();
  }

  #answer(word: BalancerWord): string {
    const metrics = this.#metrics;
    const { latencyCount, latencySumMs, latencyMaxMs } = metrics;
    const view = {
      status: () => this.status(),
      sessions: () => this.#keeper.sessions(),
      settings: () => this.#settings.shown,
      figures: {
        received: metrics.requestCount,
        sent: metrics.responseCount,
        latencyAvgMs: latencyCount === 0 ? 0 : latencySumMs / latencyCount,
        latencyMaxMs,
      },
      resetFigures: () => metrics.resetLatency(),
    };
    return answerWord(word, view, this.#settings.words);
  }

  // ------------------------------------------------------------------ between clients and servers

  #accept(socket: Socket, { isReadOnly }: ListenerSettings): SocketHandler {
    const { logger } = this.#world;
    const address = socket.remoteAddress;
    const place = placeOf(address, this.#settings.origins, this.#settings.zone);
    const guarded = this.#isStopped
      ? 'the balancer stops'
      : this.#guards.admit(address, isReadOnly, place.class);
    if (typeof guarded === 'string') {
      this.#metrics.refusedConnections.add({ reason: guarded });
      logger.warn(`refused a connection: ${guarded}`, { client: address });
      const fields = { client: `${address}:${socket.remotePort}`, reason: guarded };
      this.#settings.accessLog?.write('refused-connection', fields);
      socket.destroy();
      return nobody;
    }
    const ticket = new AttachTicket(this.#classes.attaches, place.class);
    this.#arriving.add(socket);
    return new FirstBytes(socket, this.#firstBytes, { guarded, ticket, place });
  }

  #open(socket: Socket, arrival: Arrival): SocketHandler {
    const origin = new DownstreamOrigin(socket, arrival);
    const between = this.#guards.stand(socket, arrival.guarded, this.#world.clock);
    if (between === null) return this.#keeper.accept(socket, origin);
    return between.serve(this.#keeper.accept(between, origin));
  }

  #poolHooks(): BackendPoolHooks {
    return {
      onVacate: (backend, reason) => {
        this.#rebalancing.vacate(backend, reason);
        this.#dropForced(backend);
      },
      onSet: (backend, set, before, reason) => this.#onSet(backend, set, before, reason),
      onDecision: (what, rule, reason) => this.#emitter.emit('rule', { what, rule, reason }),
    };
  }

  #onSet(backend: PooledBackend, set: BackendSet, before: BackendSet, reason: string): void {
    const server = backend.id;
    if (set === 'ejected') {
      this.#metrics.ejections.add({ server });
      this.#emitter.emit('eject', { server, reason });
    } else if (before === 'ejected') this.#emitter.emit('restore', { server });
    if (set === 'awake' || before === 'awake') {
      const change = set === 'awake' ? 'wake' : 'sleep';
      this.#metrics.wakes.add({ server, change });
      this.#emitter.emit(change, { server, reason });
    }
  }

  /** Who can never be moved at once, the others when they have had time to move. */
  #dropForced(backend: PooledBackend): void {
    const sinceMs = this.#forced.get(backend.id);
    if (sinceMs === undefined) return;
    const isLate = this.#world.clock.monotonicMs() - sinceMs > FORCED_AFTER_MS;
    for (const session of [...this.#keeper.sessions()]) {
      if (session.backend !== backend || (session.obstacle === null && !isLate)) continue;
      session.drop('its server is emptied by force');
    }
  }
}

const FORCED_AFTER_MS = 5000;

/** Servers are reached by addresses that are known before, where the world can look them up. */
function withAddresses(
  world: BalancerWorld,
  { lookUps }: BalancerSettings,
): {
  readonly reached: BalancerWorld;
  readonly addresses: Pick<BackendPoolOptions, 'addresses'>;
} {
  const { clock, names, logger } = world;
  if (names === undefined) return { reached: world, addresses: {} };
  const known = new KnownAddresses({ clock, names, logger }, lookUps);
  const network = new ResolvedNetwork(world.network, known, clock);
  return { reached: { ...world, network }, addresses: { addresses: known } };
}

const nobody: SocketHandler = {
  onData: () => undefined,
  onDrain: () => undefined,
  onClose: () => undefined,
};
