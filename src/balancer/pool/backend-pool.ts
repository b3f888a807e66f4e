/**
 * Which servers are used, and which of them a session gets. Puts together what is asked of the servers
 * (checkups.ts), what the data path sees of them (`Backends`), which of them are awake (subset.ts), and
 * how one is chosen (src/balance): what is not possible is ruled out here, what is preferred follows
 * from levels (zone, then role) and the policy.
 *
 * *Fit* are those that are well and not ejected (in panic all that serve; read-only ones only when there
 * is no other), *awake* those of the fit that the subset has in use; among these the levels and the
 * policy choose (choice.ts).
 */
import { AutoPolicy } from '../../balance/auto-policy.js';
import type { LevelSpread } from '../../balance/level-set.js';
import { isPanic } from '../../balance/priority-load.js';
import type { SubsetChange } from '../../balance/subset.js';
import type { Target } from '../../balance/target.js';
import { TargetPool } from '../../balance/target-pool.js';
import type { Timer } from '../../ports/clock.js';
import { idOf, PooledBackend, type BackendAddress, type BackendSet } from './backend.js';
import {
  circuitDefaults,
  PANIC_THRESHOLD_PERCENT,
  SLOW_START_MS,
  spillDefaults,
  type BackendPoolHooks,
  type BackendPoolOptions,
  type BalancerPolicyName,
  type CircuitLimits,
} from './backend-options.js';
import { Checkups } from './checkups.js';
import { Choice } from './choice.js';
import { BackendHealth, type HealthState } from './health.js';
import type { AttachAnswer, Backend, BackendNeed, Backends } from '../keeping/keeping-types.js';
import { preferredRanks, ROLE_RANKS } from './roles.js';
import { statusOf } from './pool-status.js';
import type { PoolView } from './pool-status.js';
import { ServingSet } from './subset.js';
import type { BalancerWorld } from '../world.js';
import { zoneDistance } from './zones.js';

/** How often it is looked whether anything is due. */
const TICK_MS = 200;
/** Connections that die together are one failure. */
const LOSS_BURST_MS = 200;
/** The operator's own tools and this balancer's checks connect too. */
const SPARE_CONNECTIONS = 3;

export class BackendPool implements Backends {
  readonly #world: BalancerWorld;
  readonly #options: BackendPoolOptions;
  readonly #hooks: BackendPoolHooks;
  readonly #circuit: CircuitLimits;
  readonly #pool: TargetPool;
  readonly #choice: Choice;
  readonly #checkups: Checkups;
  readonly #serving: ServingSet;
  readonly #auto: AutoPolicy | null;
  readonly #policyName: BalancerPolicyName;
  readonly #byId = new Map<string, PooledBackend>();
  /** No longer among the servers, with sessions still. */
  readonly #leaving = new Set<PooledBackend>();
  /** By id; the lower, the sooner within a zone. */
  #ranks = new Map<string, number>();
  #isPanicking = false;
  #policyReason: string | null = null;
  #timer: Timer | null = null;
  #isRefreshing = false;
  #isSoon = false;
  #isStarted = false;
  #isStopped = false;

  constructor(world: BalancerWorld, options: BackendPoolOptions = {}) {
    this.#world = world;
    this.#options = options;
    this.#hooks = options.hooks ?? {};
    this.#circuit = { ...circuitDefaults, ...options.circuit };
    this.#policyName = options.policy ?? 'auto';
    this.#auto = this.#policyName === 'auto' ? new AutoPolicy(options.autoPolicy) : null;
    const { slowStart = { windowMs: SLOW_START_MS }, outliers } = options;
    this.#pool = new TargetPool({
      policy: this.#policyName === 'auto' ? 'least-connections' : this.#policyName,
      random: world.random,
      ...(outliers === undefined ? {} : { outliers }),
      ...(slowStart === false ? {} : { slowStart }),
      priorityIn: (target, zone) => this.#priorityOf(target, zone),
      spill: {
        factor: options.spillFactor ?? spillDefaults.factor,
        floor: options.spillFloor ?? spillDefaults.floor,
        distanceOf: (priority) => Math.floor(priority / ROLE_RANKS),
      },
      onEjection: (id, reason) => {
        const backend = this.#byId.get(id);
        if (backend !== undefined) backend.reason = reason;
        this.#refreshSoon();
      },
    });
    this.#pool.setPanicking(false);
    this.#choice = new Choice({
      pool: this.#pool,
      random: world.random,
      hasRoom: (backend) => this.#hasRoom(backend),
      hasPlace: ({ host }) => options.addresses?.of(host) !== null,
      priorityOf: (backend, zone) => this.#priorityOf(backend.target, zone),
    });
    this.#checkups = new Checkups(world, options.health ?? {}, (backend, before) => {
      this.#onVerdict(backend, before);
    });
    if (options.addresses !== undefined) {
      // it may be another server now
      options.addresses.onChange = (host) => {
        for (const one of this.#byId.values()) if (one.host === host) this.#checkups.hurry(one);
      };
    }
    this.#serving = new ServingSet({
      name: options.subset ?? 'all',
      rules: options.subsetOptions ?? {},
      scope: options.scope ?? null,
      registry: options.registry ?? null,
      by: options.name ?? '',
      random: world.random,
      onChange: () => {
        this.#refreshSoon();
      },
    });
  }

  /** Begins to ask the servers how they are. Until they have answered they are taken to be well. */
  start(): void {
    this.#isStarted = true;
    this.#checkups.start();
    this.#serving.start();
    this.#refresh();
    this.#tick();
  }

  /** For good; resolves when no check is under way any more. */
  async stop(): Promise<void> {
    this.#isStarted = false;
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#options.addresses?.stop();
    await Promise.all([this.#checkups.stop(), this.#serving.stop()]);
  }

  /** All servers that there are from now on. What is known of those that stay is kept. */
  update(addresses: readonly BackendAddress[]): void {
    if (this.#isStopped) return;
    const nowMs = this.#nowMs();
    const wanted = new Map(addresses.map((address) => [idOf(address), address]));
    for (const [id, backend] of this.#byId) {
      if (wanted.has(id)) continue;
      this.#byId.delete(id);
      this.#checkups.remove(backend);
      backend.isLeaving = true;
      if (backend.sessions > 0) this.#leaving.add(backend);
    }
    const weights = new Map([...wanted].map(([id, { weight }]) => [id, weight ?? null]));
    for (const [id, backend] of this.#byId) backend.weight = weights.get(id) ?? backend.weight;
    this.#pool.update(this.#specs(wanted.values()), nowMs);
    this.#options.registry?.follow?.(addresses);
    this.#options.addresses?.keep([...wanted.values()].map(({ host }) => host));
    for (const [id, address] of wanted) {
      let backend = this.#byId.get(id);
      if (backend === undefined) {
        const target = this.#pool.target(id);
        if (target === null) continue;
        backend = new PooledBackend(
          address,
          target,
          new BackendHealth(this.#checkups.healthOptions),
        );
        backend.weight = address.weight ?? 1;
        this.#byId.set(id, backend);
        this.#checkups.add(backend);
      }
      backend.zone = address.zone ?? null;
    }
    this.#pool.layOut();
    this.#refreshSoon();
  }

  /** False: there is no such server. Also for the others. */
  setWeight(id: string, weight: number): boolean {
    if (!(weight >= 0)) throw new RangeError('a weight is not negative');
    return this.#change(id, (backend) => {
      backend.weight = weight;
    });
  }

  /** It gets nothing new, and its sessions go elsewhere. */
  drain(id: string): boolean {
    return this.#change(id, (backend) => {
      backend.isDraining = true;
    });
  }

  undrain(id: string): boolean {
    return this.#change(id, (backend) => {
      backend.isDraining = false;
    });
  }

  /** False: it is awake or not fit, or the subset is not this balancer's to change. */
  wake(id: string): boolean {
    const isDone = this.#serving.wake(id, this.#nowMs());
    this.#refresh();
    return isDone;
  }

  /** False: it is not awake, or it has to be, or the subset is not this balancer's to change. */
  sleep(id: string): boolean {
    const isDone = this.#serving.sleep(id, this.#nowMs());
    this.#refresh();
    return isDone;
  }

  /** In the order of their ids; those that are leaving last. */
  backends(): readonly PooledBackend[] {
    const all = [...this.#byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    return [...all, ...this.#leaving];
  }

  status(): PoolView {
    const { rule, name, scope } = this.#serving;
    return {
      servers: this.backends().map((backend) => statusOf(backend, this.#checkups.progress)),
      subset: { name, rule, scope, isPanicking: this.#isPanicking },
      policy: { name: this.#policyName, rule: this.#pool.policy, reason: this.#policyReason },
    };
  }

  choose(need: BackendNeed): Backend | null {
    const nowMs = this.#nowMs();
    const chosen = this.#choice.choose([...this.#byId.values()], need, nowMs);
    if (chosen?.set === 'waiting' && this.#serving.wake(chosen.id, nowMs)) this.#refreshSoon();
    return chosen;
  }

  onAttaching(backend: Backend): void {
    if (!(backend instanceof PooledBackend)) return;
    backend.attaching++;
    this.#pool.load(backend.target, 1);
  }

  onAttached(backend: Backend, answer: AttachAnswer): void {
    if (!(backend instanceof PooledBackend)) return;
    backend.attaching--;
    backend.sessions++;
    backend.foundReadOnly = answer.isReadOnly;
    if (answer.isZabra) backend.kind = 'zabra';
    if (backend.isLeaving) this.#leaving.add(backend); // it came too late
    this.#pool.record(backend.target, this.#nowMs(), null, 'success');
  }

  onAttachFailed(backend: Backend): void {
    if (!(backend instanceof PooledBackend)) return;
    this.onAttachAbandoned(backend);
    this.#pool.record(backend.target, this.#nowMs(), null, 'failure');
    this.#checkups.hurry(backend);
  }

  onAttachAbandoned(backend: Backend): void {
    if (!(backend instanceof PooledBackend)) return;
    backend.attaching--;
    this.#pool.load(backend.target, -1);
  }

  onDetached(backend: Backend): void {
    if (!(backend instanceof PooledBackend)) return;
    backend.sessions--;
    this.#pool.load(backend.target, -1);
    if (backend.isLeaving && backend.sessions === 0) this.#leaving.delete(backend);
  }

  onLost(backend: Backend): void {
    if (!(backend instanceof PooledBackend)) return;
    const nowMs = this.#nowMs();
    if (nowMs < backend.lostMs + LOSS_BURST_MS) return;
    backend.lostMs = nowMs;
    this.#pool.record(backend.target, nowMs, null, 'failure');
    this.#checkups.hurry(backend);
  }

  onReply(backend: Backend, latencyMs: number, zxidHigh: number, zxidLow: number): void {
    if (!(backend instanceof PooledBackend)) return;
    backend.sawZxid(zxidHigh, zxidLow);
    backend.sawLatency(latencyMs, this.#nowMs());
  }

  onWrite(): void {
    if (this.#serving.onWrite(this.#nowMs())) this.#refreshSoon();
  }

  /** How sessions of clients there would be spread if many came now. */
  spread(zone: string): LevelSpread[] {
    return this.#pool.spread(this.#nowMs(), zone);
  }

  #nowMs(): number {
    return this.#world.clock.monotonicMs();
  }

  #change(id: string, change: (backend: PooledBackend) => void): boolean {
    const backend = this.#byId.get(id);
    if (backend === undefined) return false;
    change(backend);
    this.#pool.update(this.#specs(this.#byId.values()), this.#nowMs());
    this.#refresh();
    return true;
  }

  #specs(addresses: Iterable<BackendAddress>): { id: string; weight: number }[] {
    return [...addresses].map((address) => {
      const id = idOf(address);
      const known = this.#byId.get(id);
      const weight = known?.weight ?? address.weight ?? 1;
      return { id, weight: known?.isDraining === true ? 0 : weight };
    });
  }

  #priorityOf({ id }: Target, zone: string): number {
    const distance = zoneDistance(zone, this.#byId.get(id)?.zone ?? null);
    return distance * ROLE_RANKS + (this.#ranks.get(id) ?? 0);
  }

  #hasRoom(backend: PooledBackend): boolean {
    const { isTransparent = false } = this.#options;
    const most = isTransparent ? null : this.#checkups.connectionsMax(backend);
    const sessionsMax = Math.min(
      this.#circuit.sessionsMax,
      most === null ? Infinity : Math.max(1, most - SPARE_CONNECTIONS),
    );
    return (
      backend.attaching < this.#circuit.attachesMax &&
      backend.sessions + backend.attaching < sessionsMax
    );
  }

  #onVerdict(backend: PooledBackend, before: HealthState): void {
    const isBack = before === 'down' && backend.health.state === 'healthy';
    // what it was ejected for is over; of one that seemed well all the time nobody knows
    if (isBack) this.#pool.pardon(backend.id, this.#nowMs());
    this.#refresh();
  }

  #tick(): void {
    if (this.#isStopped) return;
    this.#timer = this.#world.clock.after(TICK_MS, () => {
      this.#refresh();
      this.#tick();
    });
  }

  /** Not now: whoever called is in the middle of something. */
  #refreshSoon(): void {
    if (this.#isSoon || !this.#isStarted) return;
    this.#isSoon = true;
    this.#world.clock.soon(() => {
      this.#isSoon = false;
      if (this.#isStarted) this.#refresh();
    });
  }

  #refresh(): void {
    if (this.#isRefreshing) {
      this.#refreshSoon();
      return;
    }
    this.#isRefreshing = true;
    try {
      this.#decide(this.#nowMs());
    } finally {
      this.#isRefreshing = false;
    }
  }

  #decide(nowMs: number): void {
    this.#pool.advance(nowMs);
    const all = this.backends().filter(({ isLeaving }) => !isLeaving);
    const members = all.filter(({ isDraining, weight }) => !isDraining && weight > 0);
    const fit = this.#fitOf(members);
    this.#rank(fit);
    for (const { id } of all) this.#pool.setHealth(id, fit.has(id), nowMs);
    const isPreferred = ({ id }: PooledBackend): boolean => this.#ranks.get(id) === 0;
    const eligible = this.#serving.name === 'all' ? members : members.filter(isPreferred);
    const eligibleFit = new Set(eligible.map(({ id }) => id).filter((id) => fit.has(id)));
    const pending = this.#pendingAt(this.#serving.awake.keys());
    const changes = this.#serving.look(nowMs, eligible, eligibleFit, pending);
    this.#pool.setParts(this.#parts());
    this.#choosePolicy(nowMs);
    this.#tell(all, changes);
    this.#vacate();
  }

  /** Those that may be used. In panic also those that do badly, but none that does not serve. */
  #fitOf(members: readonly PooledBackend[]): Set<string> {
    const writable = members.filter(({ isReadOnly }) => !isReadOnly);
    const well = writable.filter(({ isWell }) => isWell);
    const readers = members.filter(({ isReadOnly, isWell }) => isReadOnly && isWell);
    const threshold = this.#options.panicThresholdPercent ?? PANIC_THRESHOLD_PERCENT;
    this.#isPanicking = isPanic(well.length, members.length, threshold);
    this.#pool.setPanicking(this.#isPanicking);
    const standing = writable.filter(({ health }) => health.state !== 'down');
    const used = this.#isPanicking ? standing : well;
    return new Set((used.length > 0 ? used : readers).map(({ id }) => id));
  }

  #rank(fit: ReadonlySet<string>): void {
    const before = this.#ranks;
    const servers = [...this.#byId.values()].map(({ id, health }) => ({ id, mode: health.mode }));
    this.#ranks = preferredRanks(servers, fit, this.#options.roles ?? 'spare-leader');
    const isSame = [...this.#ranks].every(([id, rank]) => before.get(id) === rank);
    if (!isSame || before.size !== this.#ranks.size) this.#pool.layOut();
  }

  #pendingAt(ids: Iterable<string>): number {
    const { outstandingOf } = this.#options;
    let pending = 0;
    for (const id of ids) {
      const backend = this.#byId.get(id);
      if (backend === undefined) continue;
      pending += outstandingOf?.(backend) ?? backend.health.figures?.outstanding ?? 0;
    }
    return pending;
  }

  /** How much of each one's weight is used. */
  #parts(): ReadonlyMap<string, number> {
    const { awake } = this.#serving;
    if (this.#options.weights !== 'load') return awake;
    const ids = [...awake.keys()];
    const { reported } = this.#checkups;
    return new Map([...awake].map(([id, part]) => [id, part * reported.factor(id, ids)]));
  }

  #choosePolicy(nowMs: number): void {
    if (this.#auto === null) return;
    const latencies: number[] = [];
    for (const backend of this.#byId.values()) {
      const latencyMs = backend.freshLatencyMs(nowMs);
      if (latencyMs !== null) latencies.push(latencyMs);
    }
    const decision = this.#auto.look(latencies, nowMs);
    if (decision === null) return;
    const { policy, reason } = decision;
    this.#policyReason = reason;
    this.#pool.setPolicy(policy);
    this.#world.logger.info('another policy', { policy, reason });
    this.#hooks.onDecision?.('policy', policy, reason);
  }

  #tell(all: readonly PooledBackend[], changes: readonly SubsetChange[]): void {
    const reasons = new Map<string, string>();
    for (const change of changes) {
      if (change.kind !== 'rule') {
        reasons.set(change.id, change.reason);
        continue;
      }
      const { rule, reason } = change;
      this.#world.logger.info('another rule for the subset', { rule, reason });
      this.#hooks.onDecision?.('subset', rule, reason);
    }
    for (const backend of all) {
      const before = backend.set;
      const set = this.#setOf(backend);
      if (set === before) continue;
      backend.set = set;
      const reason = this.#reasonOf(backend, set) ?? reasons.get(backend.id) ?? 'well again';
      this.#world.logger.info(`a server is ${set}`, { server: backend.id, before, reason });
      this.#hooks.onSet?.(backend, set, before, reason);
    }
  }

  #setOf(backend: PooledBackend): BackendSet {
    if (backend.isDraining) return 'draining';
    if (this.#serving.awake.has(backend.id)) return 'awake';
    return backend.isWell ? 'waiting' : 'ejected';
  }

  #reasonOf(backend: PooledBackend, set: BackendSet): string | null {
    if (set === 'draining') return 'operator';
    if (set === 'ejected') return backend.health.reason ?? backend.reason ?? 'not well';
    return null;
  }

  /** Said again at each look, until the last session has gone: some stay where they are for a while. */
  #vacate(): void {
    for (const backend of this.#leaving) this.#hooks.onVacate?.(backend, 'drain');
    const hasAwake = [...this.#byId.values()].some(
      (one) => one.set === 'awake' && this.#hasRoom(one),
    );
    for (const backend of this.#byId.values()) {
      if (backend.sessions === 0) continue;
      if (backend.set === 'draining') this.#hooks.onVacate?.(backend, 'drain');
      if (!hasAwake) continue;
      if (backend.set === 'waiting' && backend.weight > 0) this.#hooks.onVacate?.(backend, 'sleep');
      if (backend.health.state === 'down') this.#hooks.onVacate?.(backend, 'failure');
    }
  }
}
