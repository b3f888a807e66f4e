/**
 * A balancer's data path on stage: virtual time, a simulated network, an ensemble made up by the test
 * (`FakeEnsemble`), and clients that say exactly what they are told to (`RawClient`).
 */
import { SeededRandom } from '../../base/random.js';
import type { Clock } from '../../ports/clock.js';
import type { LogFields, Logger } from '../../ports/logger.js';
import type { Network } from '../../ports/network.js';
import { inTurns } from '../../sim/advance.js';
import { Timeline } from '../../sim/clock.js';
import { SimNetwork, type Host } from '../../sim/network.js';
import type { LinkQuality } from '../../sim/pipe.js';
import { FakeEnsemble } from './fake-ensemble.fixture.js';
import type { FakeServer } from './fake-server.fixture.js';
import {
  keepingDefaults,
  type Backend,
  type BackendNeed,
  type Backends,
  type ClientOrigin,
  type KeepingHooks,
  type KeepingSettings,
  type SessionView,
} from './keeping-types.js';
import { RawClient } from './raw-client.fixture.js';
import type { RequestGate } from './request-share.js';
import { SessionKeeper } from './session-keeper.js';

export const calm: LinkQuality = {
  latencyMs: 1,
  jitterMs: 0,
  loss: 0,
  retransmitMs: 0,
  windowBytes: 1 << 24,
  cut: 0,
  cutToBytes: 0,
  readBytesMax: 1 << 16,
};

export class StageHost implements Host {
  readonly name: string;
  readonly isDead = false;
  readonly #timeline: Timeline;
  /** While this is in the future the process does nothing. */
  busyUntilMs = 0;

  constructor(name: string, timeline: Timeline) {
    this.name = name;
    this.#timeline = timeline;
  }

  post(task: () => void): void {
    this.#timeline.at(Math.max(this.busyUntilMs, this.#timeline.nowMs), () => {
      this.#timeline.mustDrain = true;
      if (this.busyUntilMs > this.#timeline.nowMs) this.post(task);
      else task();
    });
  }
}

/** In the order in which they were given, and every call is remembered. */
export class ListedBackends implements Backends {
  readonly list: Backend[] = [];
  readonly calls: string[] = [];
  readonly needs: BackendNeed[] = [];
  /** The first that is asked for next. */
  preferred: Backend | null = null;
  isBarren = false;

  choose(need: BackendNeed): Backend | null {
    this.needs.push(need);
    if (this.isBarren) return null;
    const fit = this.list.filter((backend) => !need.excluded.has(backend));
    const { preferred } = this;
    return preferred !== null && fit.includes(preferred) ? preferred : (fit[0] ?? null);
  }

  onAttaching(backend: Backend): void {
    this.#note('attaching', backend);
  }

  onAttached(backend: Backend, { isZabra }: { isZabra: boolean }): void {
    this.#note(isZabra ? 'attached zabra' : 'attached apache', backend);
  }

  onAttachFailed(backend: Backend): void {
    this.#note('failed', backend);
  }

  onAttachAbandoned(backend: Backend): void {
    this.#note('abandoned', backend);
  }

  onDetached(backend: Backend): void {
    this.#note('detached', backend);
  }

  onLost(backend: Backend): void {
    this.#note('lost', backend);
  }

  onReply(): void {
    // sampled by the data path; nothing here depends on it
  }

  writes = 0;
  onWrite(): void {
    this.writes++;
  }

  count(what: string): number {
    if (what === 'attached') return this.count('attached zabra') + this.count('attached apache');
    return this.calls.filter((call) => call.startsWith(`${what} `)).length;
  }

  #note(what: string, backend: Backend): void {
    this.calls.push(`${what} ${backend.id}`);
  }
}

export interface StageOptions {
  readonly seed?: number;
  readonly settings?: Partial<KeepingSettings>;
  readonly hooks?: KeepingHooks;
  readonly quality?: Partial<LinkQuality>;
  readonly origin?: Partial<ClientOrigin>;
  readonly requestGate?: RequestGate;
  /** By the client's host: c1, c2, … */
  readonly classOf?: (host: string) => string;
}

export class Stage {
  readonly timeline = new Timeline();
  readonly random: SeededRandom;
  readonly network: SimNetwork;
  readonly ensemble: FakeEnsemble;
  readonly backends = new ListedBackends();
  readonly keeper: SessionKeeper;
  /** Reasons for which clients' connections were ended. */
  readonly dropped: string[] = [];
  readonly masked: string[] = [];
  readonly logged: string[] = [];
  readonly #origin: Partial<ClientOrigin>;
  readonly #host: StageHost;
  #clients = 0;

  constructor(options: StageOptions = {}) {
    this.random = new SeededRandom(options.seed ?? 1);
    const quality = { ...calm, ...options.quality };
    this.network = new SimNetwork(this.timeline, this.random, () => quality);
    this.ensemble = new FakeEnsemble(this.timeline, this.random, this.network);
    this.#origin = options.origin ?? {};
    this.#host = new StageHost('balancer', this.timeline);
    const hooks: KeepingHooks = {
      ...options.hooks,
      onDropped: (session: SessionView, reason: string) => {
        this.dropped.push(reason);
        options.hooks?.onDropped?.(session, reason);
      },
      onMasked: (session, from, to, tookMs) => {
        this.masked.push(`${from.id} ${to.id}`);
        options.hooks?.onMasked?.(session, from, to, tookMs);
      },
    };
    const world = {
      clock: this.clockOf(this.#host),
      network: this.network.portOf(this.#host, 'balancer', null),
      random: () => this.random.fraction(),
      logger: this.#logger(),
    };
    const settings = { ...keepingDefaults, ...options.settings };
    const gate = options.requestGate ?? null;
    this.keeper = new SessionKeeper(world, settings, this.backends, hooks, gate);
  }

  static async start(servers: number, options: StageOptions = {}): Promise<Stage> {
    const stage = new Stage(options);
    const port = stage.network.portOf(stage.#host, 'balancer', null);
    await port.listen({ host: 'balancer', port: 2181 }, (socket) =>
      stage.keeper.accept(socket, {
        address: socket.remoteAddress,
        port: socket.remotePort,
        zone: null,
        class: options.classOf?.(socket.remoteAddress) ?? 'default',
        isTls: false,
        certificateSubject: null,
        ...stage.#origin,
      }),
    );
    for (let i = 1; i <= servers; i++) {
      const server = await stage.ensemble.start(`s${i}`);
      stage.backends.list.push(server.backend);
    }
    return stage;
  }

  get nowMs(): number {
    return this.timeline.nowMs;
  }

  portOf(name: string): Network {
    return this.network.portOf(new StageHost(name, this.timeline), name, null);
  }

  clockOf(host: StageHost): Clock {
    const { timeline } = this;
    return {
      wallMs: () => 1_700_000_000_000 + Math.floor(timeline.nowMs),
      monotonicMs: () => timeline.nowMs,
      after(delayMs, run) {
        let isLive = true;
        timeline.at(timeline.nowMs + delayMs, () => {
          host.post(() => {
            if (isLive) run();
          });
        });
        return {
          cancel() {
            isLive = false;
          },
        };
      },
      soon: (run) => {
        host.post(run);
      },
    };
  }

  /** The balancer's process does nothing for so long. */
  stall(forMs: number): void {
    this.#host.busyUntilMs = this.timeline.nowMs + forMs;
  }

  server(index: number): FakeServer {
    const server = this.ensemble.servers[index];
    if (server === undefined) throw new Error(`no server ${index}`);
    return server;
  }

  /** Connected to the balancer, and nothing said yet. */
  async client(): Promise<RawClient> {
    const client = new RawClient(this.timeline);
    const host = `c${++this.#clients}`;
    const place = { host: 'balancer', port: 2181, timeoutMs: 1000 };
    const connected = this.portOf(host).connect(place, (socket) => client.join(socket));
    let isDone = false;
    void connected.then(() => {
      isDone = true;
    });
    await this.until(() => isDone);
    return client;
  }

  /** With a session that it has just got. */
  async openClient(timeoutMs = 6000): Promise<RawClient> {
    const client = await this.client();
    client.greet({ timeoutMs });
    await this.until(() => client.sessionId !== 0n);
    return client;
  }

  /** The one session there is. */
  get session(): SessionView {
    const [session] = this.keeper.sessions();
    if (session === undefined) throw new Error('there is no session');
    return session;
  }

  async pass(forMs: number): Promise<void> {
    const endMs = this.timeline.nowMs + forMs;
    await inTurns(() => !this.timeline.step(endMs));
  }

  /** Lets time pass until it is so; an error when it is not within `limitMs`. */
  async until(isSo: () => boolean, limitMs = 60_000): Promise<void> {
    const endMs = this.timeline.nowMs + limitMs;
    await inTurns(() => isSo() || !this.timeline.step(endMs));
    if (!isSo()) throw new Error(`not within ${limitMs} ms: ${isSo.toString()}`);
  }

  /** What the promise comes to, letting time pass until then. */
  async outcome<T>(promise: Promise<T>, limitMs = 60_000): Promise<T> {
    let isSettled = false;
    const settle = (): void => {
      isSettled = true;
    };
    promise.then(settle, settle);
    await this.until(() => isSettled, limitMs);
    return await promise;
  }

  #logger(): Logger {
    const note = (message: string, fields?: LogFields): void => {
      this.logged.push(fields === undefined ? message : `${message} ${JSON.stringify(fields)}`);
    };
    return { debug: note, info: note, warn: note, error: note };
  }
}
