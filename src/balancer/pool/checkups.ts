/**
 * The health of all servers: asks each of them (health-check.ts, when health-watch.ts says), judges the
 * answers beside each other's (zxid-progress.ts) and tells when the verdict on one has changed.
 */
import { ReportedLoad } from '../../balance/reported-load.js';
import type { PooledBackend } from './backend.js';
import { HEALTH_TIMEOUT_MS, type BackendPoolOptions } from './backend-options.js';
import { HealthCheck } from './health-check.js';
import { healthDefaults, type Checkup, type HealthOptions, type HealthState } from './health.js';
import { HealthWatch, healthWatchDefaults } from './health-watch.js';
import type { BalancerWorld } from '../world.js';
import { ZxidProgress } from './zxid-progress.js';

interface Patient {
  readonly check: HealthCheck;
  readonly watch: HealthWatch;
}

export class Checkups {
  readonly progress = new ZxidProgress();
  readonly reported = new ReportedLoad();
  readonly #world: BalancerWorld;
  readonly #options: NonNullable<BackendPoolOptions['health']>;
  readonly #onVerdict: (backend: PooledBackend, before: HealthState) => void;
  readonly #patients = new Map<PooledBackend, Patient>();
  /** Of servers that have left, whose last check is under way. */
  readonly #ending = new Set<Promise<void>>();
  #isStarted = false;
  #isStopped = false;

  /** `onVerdict` comes after each answer that changed what is known, in a turn of its own. */
  constructor(
    world: BalancerWorld,
    options: NonNullable<BackendPoolOptions['health']>,
    onVerdict: (backend: PooledBackend, before: HealthState) => void,
  ) {
    this.#world = world;
    this.#options = options;
    this.#onVerdict = onVerdict;
  }

  get healthOptions(): HealthOptions {
    return { ...healthDefaults, ...this.#options };
  }

  start(): void {
    this.#isStarted = true;
    for (const { watch } of this.#patients.values()) watch.start();
  }

  /** For good; resolves when nothing is left of the checks that were under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const backend of [...this.#patients.keys()]) this.remove(backend);
    await Promise.all(this.#ending);
  }

  add(backend: PooledBackend): void {
    const { clock, network, random } = this.#world;
    const timeoutMs = this.#options.timeoutMs ?? HEALTH_TIMEOUT_MS;
    const check = new HealthCheck(backend, clock, network, timeoutMs);
    const watch = new HealthWatch(
      {
        clock,
        random,
        run: () => check.run(),
        onCheckup: (checkup) => this.#take(backend, check, checkup),
      },
      { ...healthWatchDefaults, ...this.#options },
    );
    this.#patients.set(backend, { check, watch });
    if (this.#isStarted && !this.#isStopped) watch.start();
  }

  remove(backend: PooledBackend): void {
    const patient = this.#patients.get(backend);
    if (patient === undefined) return;
    this.#patients.delete(backend);
    patient.watch.stop();
    const ended = patient.check.stop().finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
    this.reported.forget(backend.id);
  }

  /** Something has happened to it: ask again now. */
  hurry(backend: PooledBackend): void {
    this.#patients.get(backend)?.watch.hurry();
  }

  /** How many connections it takes from one address; null: it does not say, or any number. */
  connectionsMax(backend: PooledBackend): number | null {
    const most = this.#patients.get(backend)?.check.connectionsMax ?? null;
    return most === null || most <= 0 ? null : most;
  }

  #take(backend: PooledBackend, check: HealthCheck, checkup: Checkup): boolean {
    const { health } = backend;
    const nowMs = this.#world.clock.monotonicMs();
    const known = (): string => `${health.state} ${health.mode ?? ''} ${health.isReadOnly}`;
    const before = known();
    const stateBefore = health.state;
    let lagMs = 0;
    if (checkup.kind === 'figures') {
      const { zxid, version, received } = checkup.figures;
      if (received !== null) this.reported.report(backend.id, received, nowMs);
      lagMs = this.progress.lagMs(zxid, nowMs);
      this.progress.saw(zxid, nowMs);
      backend.sawZxid(Number(BigInt.asUintN(32, zxid >> 32n)), Number(BigInt.asUintN(32, zxid)));
      if (version !== null) backend.kind = version.includes('zabra') ? 'zabra' : 'apache';
      backend.foundReadOnly = false; // what it says now is newer
    }
    health.take(checkup, lagMs);
    if (health.state === 'down') check.forget();
    if (before !== known()) {
      this.#tell(backend, check, checkup);
      this.#onVerdict(backend, stateBefore);
    }
    return health.state === 'healthy';
  }

  #tell(backend: PooledBackend, check: HealthCheck, checkup: Checkup): void {
    const { logger } = this.#world;
    const { state, reason, mode } = backend.health;
    const fields = { server: backend.id, state, role: mode, reason };
    if (state === 'healthy') logger.info('a server is well', fields);
    else logger.warn('a server is not well', fields);
    if (checkup.kind === 'mute') {
      logger.warn('a server does not answer srvr: its role and its zxid are not known', {
        server: backend.id,
      });
    }
    if (state === 'healthy' && backend.connectionsMaxTold !== check.connectionsMax) {
      backend.connectionsMaxTold = check.connectionsMax;
      this.#tellLimit(backend, check);
    }
  }

  /** All sessions of a balancer come from one address, which Apache's servers allow 60 of. */
  #tellLimit(backend: PooledBackend, check: HealthCheck): void {
    const { logger } = this.#world;
    const most = check.connectionsMax;
    if (most !== null && most > 0) {
      logger.warn('a server limits the connections from one address, and all of ours are', {
        server: backend.id,
        maxClientCnxns: most,
      });
    } else if (most === null && backend.kind === 'apache') {
      logger.warn('a server does not say how many connections it takes from one address', {
        server: backend.id,
        'maxClientCnxns unless it is set': 60,
      });
    }
  }
}
