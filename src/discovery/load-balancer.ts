/**
 * Requests to a service, whoever of its instances is there to take them. It follows the registry,
 * chooses (src/balance), sends, and sends again where that helps.
 *
 * Guarantee: as long as one instance answers, a repeatable request within the budget succeeds, whichever
 * of the others die. On SUSPENDED and on LOST: nothing changes for requests; the last list serves, and
 * who fails is ejected. After trouble, members that are missing stay in limbo for about a session
 * timeout; a list that becomes empty is not believed.
 */
import type { PeerPosition } from '../balance/aperture.js';
import { LatencyHistogram } from '../balance/latency-histogram.js';
import { RetryBudget } from '../balance/retry-budget.js';
import { TargetPool, type Outcome, type PoolStatus } from '../balance/target-pool.js';
import type { Target, TargetSpec } from '../balance/target.js';
import { Emitter } from '../client/emitter.js';
import { onAbort, orAborted, reasonOf } from '../recipes/patience.js';
import { Attempts, type AttemptHost, type AttemptRules, type SendFunction } from './attempts.js';
import { FanOutError, NoInstanceError } from './errors.js';
import { balancedFetch, type FetchFunction } from './fetch.js';
import type { ServiceInstance } from './instance.js';
import {
  hedgeDefaults,
  type HedgeOptions,
  type LoadBalancerEvents,
  type LoadBalancerOptions,
  type RequestOptions,
} from './load-balancer-options.js';
import type { Subscription } from './registry.js';
import { StableList } from './stable-list.js';
import { judgeByCode } from './verdict.js';

export interface FanOutOptions extends RequestOptions {
  /** So many of them; all unless given. */
  readonly count?: number;
  /** Enough when so many have answered well; the others are called off. All of them unless given. */
  readonly needed?: number;
}

export interface Answer<T> {
  readonly instance: ServiceInstance;
  readonly value: T;
}

/** An instance that was chosen for a request that is made elsewhere. Ended exactly once. */
export interface Picked {
  readonly instance: ServiceInstance;
  end(outcome: Outcome): void;
}

export interface LoadBalancerStatus extends PoolStatus {
  readonly isReachable: boolean;
  /** No longer listed, but not given up. */
  readonly limboSize: number;
  readonly position: PeerPosition | null;
}

const ATTEMPTS_MAX = 3;
const REGISTRY_WAIT_MS = 3_000;
/** Fewer measured latencies than this say nothing about the slowest twentieth. */
const HEDGE_SAMPLES_MIN = 20;

export class LoadBalancer {
  readonly service: string;
  readonly #options: LoadBalancerOptions;
  readonly #pool: TargetPool;
  readonly #list: StableList;
  readonly #budget: RetryBudget;
  readonly #hedge: HedgeOptions;
  readonly #hedgeBudget: RetryBudget;
  readonly #latencies = new LatencyHistogram();
  readonly #listeners = new Emitter<LoadBalancerEvents>();
  readonly #instances = new Map<string, ServiceInstance>();
  readonly #host: AttemptHost;
  #starting: Promise<void> | null = null;
  #subscriptions: readonly Subscription[] = [];
  #position: PeerPosition | null = null;
  #isReachable = false;
  #isClosed = false;
  #saving: Promise<void> = Promise.resolve();
  #stopWaiting: () => void = () => undefined;

  constructor(options: LoadBalancerOptions) {
    const { registry, service, subset = 'all', policy = 'p2c-ewma' } = options;
    if (subset !== 'all' && policy === 'consistent-hash') {
      throw new TypeError('keys have one place for all: consistent-hash goes with subset all');
    }
    const { clock } = registry.world;
    const random = (): number => registry.world.random();
    this.service = service;
    this.#options = options;
    const { policyOptions, outliers, panicThresholdPercent, slowStart } = options;
    this.#pool = new TargetPool({
      policy,
      random,
      ...(policyOptions === undefined ? {} : { policyOptions }),
      ...(outliers === undefined ? {} : { outliers }),
      ...(panicThresholdPercent === undefined ? {} : { panicThresholdPercent }),
      ...(slowStart === undefined ? {} : { slowStart }),
      ...(subset === 'all' ? {} : { subset: subset === 'deterministic' ? {} : subset }),
      onEjection: (id, reason) => {
        this.#listeners.emit('ejection', { id, reason });
      },
    });
    this.#list = new StableList({
      clock,
      limboMs: () => registry.settleMs,
      keepsLast: options.emptyList !== 'accept',
      onChange: (instances) => {
        this.#take(instances);
      },
    });
    this.#budget = new RetryBudget(options.retryBudget);
    this.#hedge = { ...hedgeDefaults, ...options.hedge };
    this.#hedgeBudget = new RetryBudget({ ratio: this.#hedge.ratio, minPerSecond: 0 });
    this.#host = {
      service,
      clock,
      random,
      pick: (key, excluded) =>
        this.#pool.pick(clock.monotonicMs(), { excluded, ...(key === undefined ? {} : { key }) }),
      instanceOf: (target) => this.#instanceOf(target),
      begin: (target) => {
        this.#pool.start(target);
      },
      end: (target, latencyMs, outcome) => {
        const nowMs = clock.monotonicMs();
        if (outcome === 'success') this.#latencies.observe(latencyMs, nowMs);
        this.#pool.finish(target, nowMs, latencyMs, outcome);
      },
      noInstance: () => this.#noInstance(),
      mayRetry: () => this.#budget.withdraw(clock.monotonicMs()),
      mayHedge: () => this.#hedgeBudget.withdraw(clock.monotonicMs()),
    };
  }

  on<E extends keyof LoadBalancerEvents>(
    name: E,
    listener: (...args: LoadBalancerEvents[E]) => void,
  ): () => void {
    return this.#listeners.on(name, listener);
  }

  /** Resolves when there is a first list; requests wait for it by themselves. */
  async start(options: { readonly signal?: AbortSignal } = {}): Promise<this> {
    if (this.#isClosed) throw new NoInstanceError(this.service, 'the load balancer is closed');
    this.#starting ??= this.#open();
    const { signal } = options;
    signal?.throwIfAborted();
    await (signal === undefined ? this.#starting : orAborted(this.#starting, signal));
    return this;
  }

  /** Requests that are under way end as they would. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#list.close();
    this.#stopWaiting();
    await Promise.all(this.#subscriptions.map((subscription) => subscription.close()));
    await this.#saving;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Those that requests may go to, those in limbo included. */
  get instances(): readonly ServiceInstance[] {
    return [...this.#instances.values()];
  }

  status(): LoadBalancerStatus {
    return {
      ...this.#pool.status(this.#host.clock.monotonicMs()),
      isReachable: this.#isReachable,
      limboSize: this.#list.limboSize,
      position: this.#position,
    };
  }

  /**
   * Calls `fn` with an instance, and with another one when it fails, until one succeeds, the attempts
   * are used up or the retry budget is. Rejects with the error of the last attempt, with
   * `NoInstanceError` where there is none, or with the signal's reason.
   */
  async send<T>(request: RequestOptions, fn: SendFunction<T>): Promise<T> {
    return await this.#run(request, fn, null);
  }

  /**
   * As `send`; and while the first attempt takes longer than 95 of 100 do, a second one goes to another
   * instance, at most for one request in ten. For requests that may be carried out twice.
   */
  async hedge<T>(request: RequestOptions, fn: SendFunction<T>): Promise<T> {
    const { quantile, delayMinMs, delayMs } = this.#hedge;
    const usual =
      this.#latencies.weight < HEDGE_SAMPLES_MIN ? null : this.#latencies.quantileMs(quantile);
    return await this.#run(request, fn, Math.max(delayMinMs, usual ?? delayMs));
  }

  /**
   * Sends to several instances at once, each another one. Resolves with the answers in the order in
   * which they came, as soon as enough are there; rejects with `FanOutError` when they cannot be any
   * more. Nothing is retried.
   */
  async fanOut<T>(request: FanOutOptions, fn: SendFunction<T>): Promise<readonly Answer<T>[]> {
    await this.#ready(request.signal);
    const targets = this.#pickSome(request.count ?? Infinity);
    if (targets.length === 0) throw this.#noInstance();
    const needed = Math.min(request.needed ?? targets.length, targets.length);
    const end = new AbortController();
    const { signal } = request;
    const off =
      signal === undefined
        ? null
        : onAbort(signal, () => {
            end.abort(signal.reason);
          });
    const answers: Answer<T>[] = [];
    const errors: unknown[] = [];
    const rules = { ...this.#rules(request, null), signal: end.signal, attemptsMax: 1 };
    return await new Promise<readonly Answer<T>[]>((resolve, reject) => {
      for (const target of targets) {
        const instance = this.#instanceOf(target);
        const host = { ...this.#host, pick: () => target };
        new Attempts(host, rules, fn).run().then(
          (value) => {
            if (answers.length >= needed) return;
            answers.push({ instance, value });
            if (answers.length === needed) resolve(answers);
          },
          (error: unknown) => {
            errors.push(error);
            if (signal?.aborted === true) reject(reasonOf(signal));
            else if (errors.length > targets.length - needed) {
              reject(new FanOutError(this.service, answers.length, needed, errors));
            }
          },
        );
      }
    }).finally(() => {
      off?.();
      end.abort(new Error('the answer is not wanted any more'));
    });
  }

  /** For a request that somebody else makes (an HTTP client, say); null: there is no instance now. */
  pick(request: Pick<RequestOptions, 'key'> = {}, excluded?: readonly string[]): Picked | null {
    const out = new Set<Target>();
    for (const id of excluded ?? []) {
      const target = this.#pool.target(id);
      if (target !== null) out.add(target);
    }
    const target = this.#host.pick(request.key, out);
    if (target === null) return null;
    const startedMs = this.#host.clock.monotonicMs();
    const instance = this.#instanceOf(target);
    let isEnded = false;
    this.#host.begin(target);
    return {
      instance,
      end: (outcome) => {
        if (isEnded) return;
        isEnded = true;
        this.#host.end(target, this.#host.clock.monotonicMs() - startedMs, outcome);
      },
    };
  }

  /** A request of which a `pick` is to come has begun: it pays into the budget of retries. */
  countRequest(): void {
    this.#budget.deposit(this.#host.clock.monotonicMs());
  }

  /** Whether the budget lets a request made by `pick` be made again. */
  mayRetry(): boolean {
    return this.#host.mayRetry();
  }

  /** As the global `fetch`, with an instance in the place of the URL's host. See fetch.ts. */
  get fetch(): FetchFunction {
    return balancedFetch(this);
  }

  async #run<T>(
    request: RequestOptions,
    fn: SendFunction<T>,
    hedgeDelayMs: number | null,
  ): Promise<T> {
    await this.#ready(request.signal);
    const nowMs = this.#host.clock.monotonicMs();
    this.#budget.deposit(nowMs);
    if (hedgeDelayMs !== null) this.#hedgeBudget.deposit(nowMs);
    return await new Attempts(this.#host, this.#rules(request, hedgeDelayMs), fn).run();
  }

  #rules(request: RequestOptions, hedgeDelayMs: number | null): AttemptRules {
    const { key, signal, isRepeatable = true } = request;
    return {
      ...(key === undefined ? {} : { key }),
      ...(signal === undefined ? {} : { signal }),
      attemptsMax: request.attemptsMax ?? this.#options.attemptsMax ?? ATTEMPTS_MAX,
      attemptTimeoutMs: request.attemptTimeoutMs ?? this.#options.attemptTimeoutMs ?? null,
      judge: request.judge ?? this.#options.judge ?? judgeByCode,
      isRepeatable,
      hedgeDelayMs,
    };
  }

  async #ready(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.#isClosed || this.#instances.size === 0 || this.#starting === null) {
      await this.start(signal === undefined ? {} : { signal });
    }
  }

  /** Resolves with the first list, the stored one or, in the end, with none. */
  async #open(): Promise<void> {
    const { registry, service, store, registryWaitMs, subset = 'all' } = this.#options;
    const warn = (text: string): void => {
      this.#listeners.emit('warning', text);
    };
    const { promise: first, resolve: spoken } = promiseWithResolver();
    this.#stopWaiting = spoken;
    const waiting = registry.world.clock.after(registryWaitMs ?? REGISTRY_WAIT_MS, spoken);
    const instances = registry.subscribe(service, {
      onInstances: (listed) => {
        if (this.#isClosed) return;
        const { filter } = this.#options;
        this.#list.update(filter === undefined ? listed : listed.filter(filter));
        spoken();
      },
      onReachable: (isReachable) => {
        this.#isReachable = isReachable;
        this.#list.setTrouble(!isReachable);
        this.#listeners.emit('registry', { isReachable });
      },
      onWarning: warn,
    });
    const peers =
      subset === 'all'
        ? null
        : registry.joinPeers(service, (position) => {
            this.#position = position;
            this.#pool.setPosition(position);
          });
    this.#subscriptions = peers === null ? [instances] : [instances, peers];
    await first;
    waiting.cancel();
    if (this.#instances.size > 0 || store === undefined || this.#isClosed) return;
    if (this.#isReachable && this.#options.emptyList === 'accept') return;
    try {
      const stored = await store.load(service);
      // the registry may have spoken meanwhile: then what it said counts
      if (stored !== null && this.#instances.size === 0) this.#list.seed(stored);
    } catch (error) {
      warn(`the last good list of ${service} cannot be read: ${String(error)}`);
    }
  }

  #take(instances: readonly ServiceInstance[]): void {
    this.#instances.clear();
    const specs: TargetSpec[] = [];
    for (const instance of instances) {
      this.#instances.set(instance.id, instance);
      const { id, priority, health } = instance;
      const takesNew = health === 'up' || health === 'down';
      specs.push({ id, priority, weight: takesNew ? instance.weight : 0 });
    }
    const nowMs = this.#host.clock.monotonicMs();
    this.#pool.update(specs, nowMs);
    for (const { id, health } of instances) this.#pool.setHealth(id, health !== 'down', nowMs);
    this.#save();
    this.#listeners.emit('instances', instances);
  }

  /** One at a time, the latest list last. A list that the registry has not confirmed is not saved. */
  #save(): void {
    const { store } = this.#options;
    if (store === undefined || this.#list.limboSize > 0 || this.#instances.size === 0) return;
    const list = this.instances;
    this.#saving = this.#saving
      .then(() => store.save(this.service, list))
      .catch((error: unknown) => {
        this.#listeners.emit(
          'warning',
          `the list of ${this.service} was not kept: ${String(error)}`,
        );
      });
  }

  #pickSome(count: number): Target[] {
    const chosen = new Set<Target>();
    const nowMs = this.#host.clock.monotonicMs();
    while (chosen.size < count) {
      const target = this.#pool.pick(nowMs, { excluded: chosen });
      if (target === null) break;
      chosen.add(target);
    }
    return [...chosen];
  }

  #instanceOf(target: Target): ServiceInstance {
    const instance = this.#instances.get(target.id);
    if (instance === undefined) throw this.#noInstance();
    return instance;
  }

  #noInstance(): NoInstanceError {
    const why = this.#isReachable ? 'no instance is registered' : 'the registry is away';
    return new NoInstanceError(
      this.service,
      this.#instances.size === 0 ? why : 'no instance takes requests now',
    );
  }
}

function promiseWithResolver(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
