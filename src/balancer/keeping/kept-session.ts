/**
 * One client and its session. The client's connection belongs to the balancer and stays; the server
 * behind it may change. While there is one, bytes pass: all whole frames of a read event go to the
 * other side with one write, and on the way it is noted what another server would have to be told
 * (`Exchange`). While there is none (`Relocation` looks for one) requests wait here and pings are
 * answered here, as long as the session cannot have expired.
 */
import type { Socket, SocketHandler } from '../../ports/network.js';
import { OpCode } from '../../protocol/opcodes.js';
import { MalformedError, Reader } from '../../protocol/reader.js';
import { readGreeting, writeWelcome, type Greeting, type Welcome } from './connect-frames.js';
import { Exchange } from './exchange.js';
import { FrameSplitter, type FrameSink } from './frames.js';
import type { InFlight } from './in-flight.js';
import { Intake } from './intake.js';
import type { Keeping } from './keeping.js';
import type {
  Backend,
  ClientOrigin,
  MoveOutcome,
  MoveReason,
  SessionState,
  SessionView,
} from './keeping-types.js';
import { hasUnansweredWrite } from './masking.js';
import { obstacleToLeaving } from './obstacles.js';
import { Outlet } from './outlet.js';
import { Relocation } from './relocation.js';
import type { Sharing } from './request-share.js';
import type { Upstream, UpstreamOwner } from './upstream.js';

/** A request that ends one server's connection after another is its sender's affair. */
const LOSSES_IN_A_ROW_MAX = 5;
/** A server that leaves a question unanswered for this part of the timeout, and says nothing, is lost. */
const SILENCE_SHARE = 1 / 6;
const SILENCE_MS_MIN = 500;
/** So long, of its timeout, its class may keep a session waiting for its turn. */
const WAIT_SHARE = 1 / 6;
const NOTHING: readonly never[] = [];

type Phase = 'greeting' | 'attaching' | 'open' | 'closed';

export class KeptSession implements SocketHandler, FrameSink, UpstreamOwner, SessionView, Sharing {
  readonly keeping: Keeping;
  readonly socket: Socket;
  readonly origin: ClientOrigin;
  readonly establishedMs: number;
  readonly exchange: Exchange;
  id = 0n;
  timeoutMs = 0;
  password: Uint8Array | null = null;
  /** Which of the session's clients this one is; 0n: no server has said. */
  generation = 0n;
  greeting: Greeting | null = null;
  upstream: Upstream | null = null;
  isReadOnly = false;
  bytesIn = 0;
  bytesOut = 0;
  mark: unknown = null;
  /** The client itself was heard then. */
  heardMs: number;
  /** A server has surely heard of the session then: a question that was sent then was answered. */
  contactMs: number;
  #phase: Phase = 'greeting';
  readonly #splitter: FrameSplitter;
  readonly #outlet: Outlet;
  readonly #intake: Intake;
  #relocation: Relocation | null = null;
  #lossesInARow = 0;

  constructor(keeping: Keeping, socket: Socket, origin: ClientOrigin) {
    this.keeping = keeping;
    this.socket = socket;
    this.origin = origin;
    this.establishedMs = keeping.world.clock.monotonicMs();
    this.heardMs = this.establishedMs;
    this.contactMs = this.establishedMs;
    this.#splitter = new FrameSplitter(keeping.settings.requestBytesMax);
    this.#outlet = new Outlet(keeping.writers, socket);
    this.exchange = new Exchange(this, keeping, this.#outlet);
    this.#intake = new Intake(keeping, socket, origin.class, this);
  }

  // ------------------------------------------------------------------ what others see

  /** For people. */
  get name(): string {
    return `0x${BigInt.asUintN(64, this.id).toString(16)}`;
  }

  get isNew(): boolean {
    return this.greeting?.sessionId === 0n;
  }

  get backend(): Backend | null {
    return this.upstream?.backend ?? null;
  }

  get state(): SessionState {
    if (this.#phase === 'closed') return 'closed';
    if (this.#phase !== 'open') return 'attaching';
    if (this.#relocation === null) return 'open';
    return this.upstream === null ? 'moving' : 'quiescing';
  }

  get isOpen(): boolean {
    return this.#phase === 'open';
  }

  get isClosed(): boolean {
    return this.#phase === 'closed';
  }

  get watches(): number {
    return this.exchange.ledger?.size ?? 0;
  }

  get outstanding(): number {
    return this.exchange.inFlight?.size ?? 0;
  }

  get requestCount(): number {
    return this.exchange.requestCount;
  }

  get authSchemes(): readonly string[] {
    return this.exchange.credentials?.schemes ?? NOTHING;
  }

  get budgetMs(): number | null {
    if (this.state !== 'moving') return null;
    return Math.max(0, this.budgetEndMs - this.keeping.world.clock.monotonicMs());
  }

  /** Until then no server can have expired it, and a third of its timeout is left behind that. */
  get budgetEndMs(): number {
    return this.contactMs + (this.timeoutMs * 2) / 3;
  }

  get obstacle(): string | null {
    return this.#obstacleAt(this.upstream);
  }

  /** Why it could not be brought elsewhere from that server. */
  #obstacleAt(upstream: Upstream | null): string | null {
    const { settings } = this.keeping;
    return obstacleToLeaving(settings, this.origin, this.exchange, this.isReadOnly, upstream);
  }

  hasPassword(shown: Uint8Array | null): boolean {
    const { password } = this;
    if (password === null || shown?.length !== password.length) return false;
    return shown.every((byte, index) => byte === password[index]);
  }

  move(reason: MoveReason): Promise<MoveOutcome> {
    const { upstream } = this;
    const mayMove =
      this.#phase === 'open' && this.#relocation === null && !this.exchange.endsWithServer;
    if (upstream === null || !mayMove || this.obstacle !== null) return Promise.resolve('stayed');
    const from = upstream.backend;
    return new Promise((resolve) => {
      this.#relocate(new Relocation(this, { kind: 'planned', reason, from, resolve }));
    });
  }

  drop(reason: string, cause: Error | null = null): void {
    if (this.#phase === 'closed') return;
    this.keeping.world.logger.info('a client’s connection was ended', {
      session: this.name,
      client: this.origin.address,
      reason,
      cause: cause?.message ?? null,
    });
    this.keeping.hooks.onDropped?.(this, reason);
    this.#end();
  }

  // ------------------------------------------------------------------ from the client

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.#phase === 'closed') return;
    this.heardMs = this.keeping.world.clock.monotonicMs();
    this.bytesIn += end - start;
    const status = this.#splitter.push(bytes, start, end, this);
    if (this.isClosed) return;
    this.forward();
    if (status !== 'ok') {
      this.#refuseMalformed(`a request whose length is ${status}`);
      return;
    }
    this.#relocation?.onClientHeard();
    this.flush();
  }

  onFrame(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#phase === 'greeting') return this.#onGreeting(new Reader(bytes, start + 4, end));
    const { heardMs } = this;
    const answersPings = !this.#isServed && heardMs < this.budgetEndMs;
    const fault = this.exchange.onRequest(bytes, start, end, heardMs, answersPings);
    return fault === null ? this.#phase !== 'closed' : this.#refuseMalformed(fault);
  }

  #refuseMalformed(what: string): false {
    this.keeping.hooks.onMalformed?.(this, what);
    this.drop(what);
    return false;
  }

  #onGreeting(reader: Reader): boolean {
    try {
      this.greeting = readGreeting(reader);
    } catch (problem) {
      if (!(problem instanceof MalformedError)) throw problem;
      return this.#refuseMalformed('a connect request that cannot be read');
    }
    this.#phase = 'attaching';
    this.id = this.greeting.sessionId;
    this.exchange.delivered.start(this.greeting.lastZxidSeen);
    // who had the session before must not take it back from here
    const before = this.id === 0n ? null : this.keeping.namesake(this);
    if (before?.hasPassword(this.greeting.password) === true) {
      before.drop('its client has come again');
    }
    this.#relocate(new Relocation(this, { kind: 'first' }));
    return !this.isClosed;
  }

  onDrain(): void {
    if (this.#phase !== 'closed') this.upstream?.resume();
  }

  onClose(): void {
    if (this.#phase !== 'closed') this.#close();
  }

  /** There is a server, and what the client asks may go there. */
  get #isServed(): boolean {
    if (this.#relocation === null) return this.upstream !== null;
    return this.upstream !== null && !this.#relocation.isHolding;
  }

  /** Sends what waits, if there is somebody to send it to. */
  forward(): void {
    const { inFlight } = this.exchange;
    if (inFlight === null) return;
    inFlight.seal();
    const { upstream } = this;
    if (upstream !== null && !upstream.isCongested && this.#isServed) {
      if (inFlight.unsentBytes > 0 && this.#intake.admits(inFlight)) this.#send(inFlight, upstream);
      if (this.exchange.hasWritten) {
        this.exchange.hasWritten = false;
        this.keeping.backends.onWrite();
      }
    }
    this.#intake.adjust(inFlight);
  }

  onTurn(): void {
    if (this.isClosed) return;
    if (this.exchange.inFlight?.sentCount === 0) this.upstream?.excuse();
    this.forward();
  }

  #send(inFlight: InFlight, upstream: Upstream): void {
    const { high, low } = this.exchange.delivered;
    const start = inFlight.takeUnsent(high, low);
    if (upstream.socket.write(inFlight.bytes, start, inFlight.tail)) return;
    upstream.isCongested = true;
    inFlight.lend();
  }

  // ------------------------------------------------------------------ from the server

  onUpstreamFrame(bytes: Uint8Array, start: number, end: number): void {
    const { upstream } = this;
    if (upstream === null) return;
    const fault = this.exchange.onFrame(bytes, start, end, upstream.heardMs);
    if (fault === null) return;
    this.keeping.world.logger.warn('a server sent what is no answer', {
      server: upstream.backend.id,
      session: this.name,
      fault,
    });
    upstream.fail(new Error(`${upstream.backend.id} sent ${fault}`));
  }

  onUpstreamRead(upstream: Upstream): void {
    const { exchange } = this;
    if (exchange.hasAnswer) {
      exchange.hasAnswer = false;
      this.#lossesInARow = 0;
      // what was asked before this server had the session was sent later than it came
      const askedMs = Math.max(exchange.askedMs, upstream.openedMs);
      if (askedMs > this.contactMs) this.contactMs = askedMs;
      const { high, low } = exchange.delivered;
      this.keeping.backends.onReply(upstream.backend, upstream.heardMs - askedMs, high, low);
      exchange.release();
    }
    if (exchange.picture?.wantsToAsk === true) this.#survey();
    this.#intake.onAnswers(exchange.inFlight);
    this.flush();
    if (this.socket.pendingBytes > this.keeping.settings.pauseBytesMax) upstream.pause();
    if (exchange.endsWithServer && exchange.inFlight === null) this.#end();
    else this.#relocation?.onAnswers();
  }

  /** Not for a client that may be gone: a question keeps the session alive. */
  #survey(): void {
    const nowMs = this.keeping.world.clock.monotonicMs();
    if (!this.#isServed || nowMs - this.heardMs > this.timeoutMs / 3) return;
    if (this.exchange.survey(nowMs)) this.forward();
  }

  onUpstreamDrain(): void {
    this.exchange.inFlight?.onDrained();
    this.forward();
  }

  onUpstreamClosed(upstream: Upstream, error: Error): void {
    const { backends } = this.keeping;
    this.upstream = null;
    if (!this.exchange.endsWithServer) backends.onLost(upstream.backend);
    backends.onDetached(upstream.backend);
    if (this.exchange.endsWithServer) {
      this.#end();
      return;
    }
    const obstacle = this.#obstacleToLosing(upstream);
    if (obstacle !== null) {
      this.drop(obstacle, error);
      return;
    }
    if (this.keeping.world.clock.monotonicMs() < this.budgetEndMs) this.exchange.answerPings();
    this.exchange.release();
    this.#intake.onServerGone(this.exchange.inFlight);
    this.flush();
    if (this.#relocation === null) {
      this.#relocate(new Relocation(this, { kind: 'loss', from: upstream.backend }));
    } else this.#relocation.onLoss();
  }

  #obstacleToLosing(lost: Upstream): string | null {
    const obstacle = this.#obstacleAt(lost);
    if (obstacle !== null) return obstacle;
    const { inFlight, isHalfSet } = this.exchange;
    if (inFlight === null || inFlight.sentCount === 0) return null;
    if (++this.#lossesInARow > LOSSES_IN_A_ROW_MAX) return 'the same requests were lost before';
    if (isHalfSet) return 'its watches were half set';
    return !lost.isZabra && hasUnansweredWrite(inFlight) ? 'a write has no answer' : null;
  }

  /** What the client is to get leaves. */
  flush(): void {
    this.bytesOut += this.#outlet.flush();
  }

  // ------------------------------------------------------------------ between two servers

  #relocate(relocation: Relocation): void {
    this.#relocation = relocation;
    relocation.start();
  }

  /** The first server has it. */
  open(upstream: Upstream, welcome: Welcome): void {
    this.#phase = 'open';
    this.id = welcome.sessionId;
    this.timeoutMs = welcome.timeoutMs;
    this.password = welcome.password;
    this.isReadOnly = welcome.isReadOnly;
    this.generation = upstream.isZabra ? (welcome.attach?.generation ?? 0n) : 0n;
    this.keeping.onNamed(this);
    const out = this.#outlet.begin();
    const start = out.pos;
    writeWelcome(out, welcome, this.greeting?.knowsReadOnly === true);
    const latencyMs = upstream.openedMs - this.establishedMs;
    this.keeping.hooks.onReply?.(this, OpCode.createSession, latencyMs, out.pos - start - 4, 0);
    this.#settleAt(upstream);
  }

  /** Another server has it, and the client has been told everything it missed. */
  goOn(upstream: Upstream): void {
    const { exchange } = this;
    exchange.inFlight?.rewind();
    exchange.release();
    this.#settleAt(upstream);
  }

  /** It was not moved: what waited goes to the server that it has. */
  stay(): void {
    this.#relocation = null;
    this.forward();
  }

  #settleAt(upstream: Upstream): void {
    this.#relocation = null;
    this.upstream = upstream;
    this.exchange.serve(upstream.isZabra);
    upstream.owner = this;
    this.flush();
    this.forward();
    if (this.socket.pendingBytes > this.keeping.settings.pauseBytesMax) upstream.pause();
  }

  /** A planned move has begun. */
  leaveUpstream(): void {
    const { upstream } = this;
    if (upstream === null) return;
    this.upstream = null;
    upstream.leave();
    this.keeping.backends.onDetached(upstream.backend);
    this.#intake.onServerGone(this.exchange.inFlight);
  }

  /** A client that comes with a session which is no more is told so. */
  refuse(welcome: Welcome): void {
    writeWelcome(this.#outlet.begin(), welcome, this.greeting?.knowsReadOnly === true);
    this.#end();
  }

  /** No server would have it as it was. */
  onGone(reason: string): void {
    if (this.exchange.answerEnd()) this.#end();
    else this.drop(reason);
  }

  // ------------------------------------------------------------------ time

  /** Called every so often. `isLate`: this process was, so that others may have answered meanwhile. */
  sweep(nowMs: number, isLate: boolean): void {
    const { settings } = this.keeping;
    const ageMs = nowMs - this.establishedMs;
    switch (this.#phase) {
      case 'greeting':
        if (ageMs > settings.handshakeTimeoutMs) this.drop('it did not say what it wants');
        return;
      case 'attaching':
        if (ageMs > settings.firstAttachTimeoutMs) this.drop('no server was found for it');
        return;
      case 'open':
        this.#sweepClient(nowMs);
        this.#intake.sweep(this.timeoutMs * WAIT_SHARE);
        if (!isLate) this.#sweepServer(nowMs);
        return;
      case 'closed':
    }
  }

  #sweepClient(nowMs: number): void {
    if (this.#outlet.blockedMs(nowMs) <= this.keeping.settings.slowClientTimeoutMs) return;
    this.drop('it does not read what it is sent');
    this.socket.destroy();
  }

  #sweepServer(nowMs: number): void {
    const { upstream } = this;
    const { inFlight } = this.exchange;
    if (upstream === null || upstream.isPaused || inFlight === null) return;
    if (inFlight.sentCount === 0) return;
    const limitMs = Math.max(SILENCE_MS_MIN, this.timeoutMs * SILENCE_SHARE);
    const askedMs = Math.max(inFlight.cameMsOf(inFlight.head), upstream.openedMs);
    const silentMs = nowMs - Math.max(askedMs, upstream.heardMs);
    if (silentMs < limitMs) return;
    upstream.fail(new Error(`${upstream.backend.id} was silent for ${Math.round(silentMs)} ms`));
  }

  // ------------------------------------------------------------------ the end

  /** What was delivered still leaves. */
  #end(): void {
    if (this.#phase === 'closed') return;
    this.flush();
    if (this.socket.pendingBytes > 0) this.keeping.linger(this.socket);
    this.socket.end();
    this.#close();
  }

  #close(): void {
    this.#phase = 'closed';
    const relocation = this.#relocation;
    this.#relocation = null;
    relocation?.cancel();
    const { upstream } = this;
    this.upstream = null;
    if (upstream !== null) {
      // a server that takes nothing would keep what is pending, and the socket with it
      if (upstream.socket.pendingBytes > 0) this.keeping.linger(upstream.socket);
      upstream.leave();
      this.keeping.backends.onDetached(upstream.backend);
    }
    const { inFlight } = this.exchange;
    this.exchange.inFlight = null;
    if (inFlight !== null) this.keeping.inFlights.give(inFlight);
    this.#intake.close();
    this.exchange.forgetPicture();
    this.keeping.onClosed(this);
    this.keeping.hooks.onClosed?.(this);
  }
}
