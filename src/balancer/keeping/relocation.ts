/**
 * Finds a server for a session: the first one for a client that comes, another one when its server was
 * lost, another one because the operator or the balance wants it so. Exists only as long as that takes.
 *
 * A session that is known to the client may be looked after only within its safety budget: while no
 * server can have expired it, and with a third of its timeout left for the client to act by itself.
 * And only for a client that was heard of late: bringing a session to another server touches it, and
 * must not keep alive whose client is gone.
 */
import { AttachStatus, ContinuationCapability } from '../../protocol/continuation.js';
import { MalformedError, Reader } from '../../protocol/reader.js';
import type { Writer } from '../../protocol/writer.js';
import type { Timer } from '../../ports/clock.js';
import type { Waiting } from './attach-gate.js';
import { Candidates } from './candidates.js';
import { readWelcome, writeGreeting, type Welcome } from './connect-frames.js';
import type { Keeping } from './keeping.js';
import type { Backend, MoveOutcome, MoveReason } from './keeping-types.js';
import type { KeptSession } from './kept-session.js';
import { Recovery, type RecoveryStep } from './recovery.js';
import { Upstream, type UpstreamOwner } from './upstream.js';

export type Cause =
  | { readonly kind: 'first' }
  | { readonly kind: 'loss'; readonly from: Backend }
  | {
      readonly kind: 'planned';
      readonly reason: MoveReason;
      readonly from: Backend;
      readonly resolve: (outcome: MoveOutcome) => void;
    };

const { fate, catchUp, global } = ContinuationCapability;
const CAPABILITIES = fate | catchUp;
/** However little a client asks for: servers grant more than that, as a rule. */
const FIRST_PATIENCE_MS_MIN = 1000;

/**
 * word: the client is to be heard. pause: no server would do just now. quiet: there is a connection to
 * the next server, and answers of the one before are awaited.
 */
type Phase = 'word' | 'pause' | 'connecting' | 'quiet' | 'greeting' | 'recovering' | 'over';

export class Relocation implements UpstreamOwner, Waiting {
  readonly cause: Cause;
  readonly startedMs: number;
  readonly #session: KeptSession;
  readonly #keeping: Keeping;
  readonly #candidates: Candidates;
  #phase: Phase = 'pause';
  /** Grows with each attempt, so that what comes late is known as such. */
  #attempt = 0;
  #backend: Backend | null = null;
  /** Counted among those that ask this server. */
  #isInside = false;
  #upstream: Upstream | null = null;
  #recovery: Recovery | null = null;
  #askedMs = 0;
  #timer: Timer | null = null;
  #budgetTimer: Timer | null = null;

  constructor(session: KeptSession, cause: Cause) {
    this.cause = cause;
    this.#session = session;
    this.#keeping = session.keeping;
    this.startedMs = session.keeping.world.clock.monotonicMs();
    const { backends, gate } = session.keeping;
    const from = cause.kind === 'first' ? null : cause.from;
    this.#candidates = new Candidates(backends, gate, from);
  }

  start(): void {
    switch (this.cause.kind) {
      case 'loss':
        this.#watchBudget();
        break;
      case 'first':
      case 'planned':
    }
    this.#seek();
  }

  /** Requests are not to be sent to the server that the session still has. */
  get isHolding(): boolean {
    return this.#phase === 'quiet';
  }

  /** Answers have come from the server that is to be left. */
  onAnswers(): void {
    if (this.#phase !== 'quiet') return;
    if ((this.#session.exchange.inFlight?.sentCount ?? 0) > 0) return;
    if (this.#session.obstacle !== null) this.#stay();
    else this.#greet();
  }

  /** The server that was to be left is lost. */
  onLoss(): void {
    this.#watchBudget();
    if (this.#phase === 'quiet') this.#greet();
    else if (this.#phase === 'word' || this.#phase === 'pause') this.#seek();
  }

  onRoom(): void {
    if (this.#phase === 'pause') this.#seek();
  }

  onClientHeard(): void {
    if (this.#phase === 'word') this.#seek();
  }

  /** Nobody is interested any more. */
  cancel(): void {
    if (this.#phase === 'over') return;
    this.#abandon();
    this.#finish();
    this.#tell('dropped', null);
  }

  // ------------------------------------------------------------------ one attempt after another

  /** A planned move has not been begun: the session is at its server. */
  get #mayStay(): boolean {
    return this.cause.kind === 'planned' && this.#session.upstream !== null;
  }

  /**
   * The client has not been heard for so long that it may be gone: what it had when it came may be served
   * elsewhere by now, and nothing that a first attach shows says which of the two is the later one.
   */
  get #isSilent(): boolean {
    const { id, heardMs, timeoutMs, greeting } = this.#session;
    const isFirst = this.cause.kind === 'first';
    if (isFirst && id === 0n) return false;
    const patienceMs = isFirst
      ? Math.max(FIRST_PATIENCE_MS_MIN, (greeting?.timeoutMs ?? 0) / 3)
      : timeoutMs / 3;
    return this.#keeping.world.clock.monotonicMs() - heardMs > patienceMs;
  }

  #seek(): void {
    const session = this.#session;
    const { world, settings } = this.#keeping;
    this.#plan(0, null);
    this.#keeping.gate.forget(this);
    if (this.#isSilent) {
      this.#phase = 'word';
      if (this.cause.kind === 'first') {
        session.drop('it may have gone while no server was found for it');
        return;
      }
      const patienceMs = Math.max(settings.quiesceTimeoutMs, session.timeoutMs / 3);
      if (this.#mayStay) this.#plan(patienceMs, () => this.#stay());
      return;
    }
    this.#phase = 'pause';
    const candidates = this.#candidates;
    const found = candidates.next({
      minZxid: session.exchange.delivered.zxid,
      canBeReadOnly: this.cause.kind === 'first' && session.greeting?.canBeReadOnly === true,
      origin: session.origin,
    });
    if ('backend' in found) {
      this.#connect(found.backend);
      return;
    }
    if (found.full.length > 0) this.#keeping.gate.wait(this);
    else if (this.#mayStay) {
      this.#stay();
      return;
    } else if (candidates.forgotten !== null) {
      const last = candidates.lastResort();
      if (last === null) session.drop(candidates.forgotten);
      else this.#connect(last);
      return;
    } else candidates.beginAgain();
    this.#plan(settings.retryDelayMs * (0.5 + world.random()), () => this.#seek());
  }

  #connect(backend: Backend): void {
    const { world, settings, backends } = this.#keeping;
    const attempt = ++this.#attempt;
    this.#phase = 'connecting';
    this.#backend = backend;
    this.#isInside = true;
    this.#keeping.gate.enter(backend);
    backends.onAttaching(backend);
    const place = { host: backend.host, port: backend.port, timeoutMs: settings.connectAttemptMs };
    const connected = world.network.connect(place, (socket) => {
      const isLate = attempt !== this.#attempt;
      const owner = isLate ? null : this;
      const { clock } = world;
      const upstream = new Upstream(backend, socket, clock, settings.replyBytesMax, owner);
      if (isLate) socket.destroy();
      else this.#onConnected(upstream);
      return upstream;
    });
    connected.then(undefined, (error: unknown) => {
      if (attempt !== this.#attempt || this.#phase !== 'connecting') return;
      this.#onFailed(error instanceof Error ? error : new Error(String(error)));
    });
  }

  #onConnected(upstream: Upstream): void {
    this.#upstream = upstream;
    if (!this.#mayStay) {
      this.#greet();
      return;
    }
    // the answers may take long, and cost the next server nothing
    this.#leaveGate();
    this.#phase = 'quiet';
    // pings are answered here meanwhile, and the server has to hear of the session in time
    const { quiesceTimeoutMs } = this.#keeping.settings;
    const quietMs = Math.min(quiesceTimeoutMs, this.#session.timeoutMs / 6);
    this.#plan(quietMs, () => this.#stay());
    this.onAnswers();
  }

  #greet(): void {
    const session = this.#session;
    const upstream = this.#upstream;
    const { greeting } = session;
    const { world, settings } = this.#keeping;
    if (upstream === null || greeting === null) return;
    if (this.#isSilent) {
      // it was not when the connection was begun
      this.#abandon();
      this.#seek();
      return;
    }
    if (this.#mayStay) {
      // from here on there is no way back: whatever the server that is left still says comes too late
      session.leaveUpstream();
      this.#watchBudget();
    }
    this.#phase = 'greeting';
    this.#askedMs = world.clock.monotonicMs();
    this.#plan(settings.attachTimeoutMs, () => {
      this.#onFailed(new Error(`${upstream.backend.id} did not answer in time`));
    });
    const isFirst = this.cause.kind === 'first';
    const speaksExtension = settings.mask !== 'off';
    this.#say((out) => {
      const preamble = settings.preamble?.(upstream.backend, session.origin) ?? null;
      if (preamble !== null) out.writeBytes(preamble, 0, preamble.length);
      writeGreeting(
        out,
        {
          protocolVersion: greeting.protocolVersion,
          lastZxidSeen: isFirst ? greeting.lastZxidSeen : session.exchange.delivered.zxid,
          timeoutMs: isFirst ? greeting.timeoutMs : session.timeoutMs,
          sessionId: session.id,
          password: isFirst ? greeting.password : session.password,
          canBeReadOnly: isFirst && greeting.canBeReadOnly,
        },
        speaksExtension
          ? { capabilities: CAPABILITIES | global, generation: session.generation }
          : null,
      );
    });
  }

  #say = (write: (out: Writer) => void): void => {
    const upstream = this.#upstream;
    if (upstream === null) return;
    const { writers } = this.#keeping;
    const out = writers.take();
    write(out);
    if (upstream.socket.write(out.bytes, 0, out.pos)) writers.give(out);
  };

  onUpstreamFrame(bytes: Uint8Array, start: number, end: number): void {
    if (this.#phase === 'greeting') this.#onWelcome(new Reader(bytes, start + 4, end));
    else if (this.#recovery !== null) this.#onStep(this.#recovery.onFrame(bytes, start, end));
  }

  onUpstreamRead(): void {
    this.#session.flush();
  }

  onUpstreamDrain(): void {
    // what is said here is said once
  }

  onUpstreamClosed(_upstream: Upstream, error: Error): void {
    this.#onFailed(error);
  }

  #onWelcome(reader: Reader): void {
    const upstream = this.#upstream;
    if (upstream === null) return;
    this.#leaveGate();
    let welcome: Welcome;
    try {
      welcome = readWelcome(reader);
    } catch (problem) {
      if (!(problem instanceof MalformedError)) throw problem;
      this.#onFailed(new Error(`${upstream.backend.id} answered with what is no session`));
      return;
    }
    const session = this.#session;
    const granted = welcome.attach?.capabilities ?? 0;
    upstream.isZabra = (granted & CAPABILITIES) === CAPABILITIES;
    if (upstream.isZabra && session.exchange.attachZxid === 0n) {
      session.exchange.attachZxid = welcome.attach?.zxid ?? 0n;
    }
    upstream.isLocal = (granted & CAPABILITIES) !== 0 && (granted & global) === 0;
    if (this.cause.kind === 'first') {
      if (welcome.timeoutMs <= 0) {
        this.#abandonHere();
        session.refuse(welcome);
        return;
      }
      session.contactMs = this.#askedMs;
      this.#arrive(upstream, welcome);
      return;
    }
    const obstacle = this.#obstacleIn(welcome);
    if (obstacle !== null) {
      this.#abandonHere();
      session.onGone(obstacle);
      return;
    }
    session.contactMs = this.#askedMs;
    if (upstream.isZabra) session.generation = welcome.attach?.generation ?? 0n;
    this.#watchBudget();
    this.#phase = 'recovering';
    this.#recovery = new Recovery(session.exchange, upstream.isZabra, this.#say);
    this.#onStep(this.#recovery.start());
  }

  /** Why this is not the session that was asked for. */
  #obstacleIn(welcome: Welcome): string | null {
    const session = this.#session;
    if (welcome.attach?.status === AttachStatus.superseded) return 'a later client has the session';
    if (welcome.timeoutMs <= 0) return 'the session is over';
    if (welcome.sessionId !== session.id) return 'the server gave it another session';
    if (welcome.timeoutMs !== session.timeoutMs) return 'the server gave it another timeout';
    if (welcome.isReadOnly) return 'the server has no quorum';
    return null;
  }

  #onStep(step: RecoveryStep): void {
    const upstream = this.#upstream;
    if (step === 'more' || upstream === null) return;
    if (step === 'done') this.#arrive(upstream, null);
    else if ('lost' in step) this.#onFailed(new Error(`${upstream.backend.id}: ${step.lost}`));
    else if (step.isForgotten === true) this.#onForgotten(upstream.backend, step.obstacle);
    else {
      this.#abandonHere();
      this.#session.drop(step.obstacle);
    }
  }

  /** `welcome`: for the client; null: it has a session and notices nothing. */
  #arrive(upstream: Upstream, welcome: Welcome | null): void {
    const session = this.#session;
    const { backends, hooks, world } = this.#keeping;
    const nowMs = world.clock.monotonicMs();
    const { cause } = this;
    this.#finish();
    upstream.openedMs = nowMs;
    backends.onAttached(upstream.backend, {
      isZabra: upstream.isZabra,
      isReadOnly: welcome?.isReadOnly === true,
      latencyMs: nowMs - this.#askedMs,
    });
    const { backend } = upstream;
    if (welcome !== null) {
      session.open(upstream, welcome);
      hooks.onAttached?.(session, backend, session.isNew);
    } else session.goOn(upstream);
    if (cause.kind === 'loss') {
      hooks.onMasked?.(session, cause.from, backend, nowMs - this.startedMs);
    }
    const isBack = cause.kind !== 'first' && cause.from === backend;
    this.#tell(isBack ? 'stayed' : 'moved', backend);
  }

  // ------------------------------------------------------------------ how it can end

  /** This server will not do. */
  #onFailed(error: Error): void {
    const backend = this.#backend;
    if (backend === null || this.#phase === 'over') return;
    this.#attempt++;
    this.#upstream?.destroy();
    this.#forgetAttempt();
    this.#keeping.backends.onAttachFailed(backend, error);
    this.#keeping.world.logger.debug('a session found no place at a server', {
      server: backend.id,
      session: this.#session.name,
      reason: error.message,
    });
    this.#candidates.onFailed(backend);
    this.#seek();
    // what was held back for the move goes on meanwhile
    if (this.#mayStay) this.#session.forward();
  }

  #onForgotten(backend: Backend, what: string): void {
    this.#abandon();
    this.#candidates.onForgotten(backend, what);
    this.#seek();
  }

  /** The server has done nothing wrong. */
  #abandonHere(): void {
    this.#abandon();
    this.#phase = 'pause';
  }

  #abandon(): void {
    this.#attempt++;
    this.#upstream?.destroy();
    if (this.#backend !== null) this.#keeping.backends.onAttachAbandoned(this.#backend);
    this.#forgetAttempt();
  }

  #leaveGate(): void {
    if (!this.#isInside || this.#backend === null) return;
    this.#isInside = false;
    this.#keeping.gate.leave(this.#backend);
  }

  #forgetAttempt(): void {
    this.#leaveGate();
    this.#backend = null;
    this.#upstream = null;
    this.#recovery = null;
  }

  #stay(): void {
    this.#abandon();
    this.#finish();
    this.#session.stay();
    this.#tell('stayed', this.#session.backend);
  }

  #finish(): void {
    this.#phase = 'over';
    this.#leaveGate();
    this.#keeping.gate.forget(this);
    this.#backend = null;
    this.#plan(0, null);
    this.#budgetTimer?.cancel();
    this.#budgetTimer = null;
  }

  #tell(outcome: MoveOutcome, to: Backend | null): void {
    const { cause } = this;
    if (cause.kind !== 'planned') return;
    const { hooks, world } = this.#keeping;
    const tookMs = world.clock.monotonicMs() - this.startedMs;
    hooks.onMove?.(this.#session, cause.reason, outcome, cause.from, to, tookMs);
    cause.resolve(outcome);
  }

  #plan(delayMs: number, run: (() => void) | null): void {
    this.#timer?.cancel();
    this.#timer = run === null ? null : this.#keeping.world.clock.after(delayMs, run);
  }

  /** From now on, and again when a server has heard of the session. */
  #watchBudget(): void {
    if (this.cause.kind === 'first') return;
    const { clock } = this.#keeping.world;
    this.#budgetTimer?.cancel();
    const leftMs = this.#session.budgetEndMs - clock.monotonicMs();
    this.#budgetTimer = clock.after(Math.max(0, leftMs), () => {
      this.#session.drop('no server was found within the safety budget');
    });
  }
}
