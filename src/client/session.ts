/**
 * The session: what outlives connections. It attaches to a server with what only the session knows,
 * and says what becomes of it to those who depend on it: 'suspended' as soon as nobody can be sure
 * any more, 'lost' when it is over. A session is over when a server says so, when a server answers
 * with another one in its place (some do, and say nothing), or when no server has heard of it for so
 * long that it cannot live.
 */
import type { Socket, SocketHandler } from '../ports/network.js';
import { ErrorCode } from '../protocol/errors.js';
import { opName } from '../protocol/opcodes.js';
import type { ConnectResponse } from '../protocol/records.js';
import { SpecialXid } from '../protocol/xid.js';
import type { BackoffBounds } from './backoff.js';
import { Calls } from './calls.js';
import { Connection } from './connection.js';
import { Emitter } from './emitter.js';
import {
  AuthFailedError,
  ClientClosedError,
  ProtocolViolationError,
  SessionExpiredError,
  UnimplementedError,
} from './errors.js';
import { Greeting } from './greeting.js';
import type { HostList } from './host-list.js';
import { Identity, type LeftSession } from './identity.js';
import { KnownOps } from './known-ops.js';
import { Liveness } from './liveness.js';
import * as operations from './operations.js';
import { ReadWriteSearch } from './read-write-search.js';
import { Request } from './request.js';
import { Login } from './login.js';
import type { SaslOptions } from './sasl.js';
import { Seeker } from './seeker.js';
import { Telling } from './telling.js';
import type { ClientState, ServerAddress } from './types.js';
import { WatchBook } from './watches/watch-book.js';
import type { ClientWorld } from './world.js';

export interface SessionSettings {
  readonly sessionTimeoutMs: number;
  readonly connectTimeoutMs: number | null;
  readonly readOnly: boolean;
  readonly recreateSession: boolean;
  readonly backoff: BackoffBounds;
  readonly srvName: string | null;
  readonly sasl: SaslOptions | null;
  /** 0: none. */
  readonly requestTimeoutMs: number;
  /** For people; may be empty. */
  readonly name: string;
  readonly maxReplyBytes: number;
  readonly maxRequestBytes: number;
}

/** An attempt has at least this long, however many servers share the session's timeout. */
const ATTEMPT_MS_MIN = 500;

export class Session {
  readonly world: ClientWorld;
  readonly events = new Emitter();
  /** Each time all servers have been tried, and none gave a session. */
  readonly rounds = new Emitter<{ over: [] }>();
  readonly telling = new Telling();
  readonly watches: WatchBook;
  readonly hosts: HostList;
  readonly settings: SessionSettings;
  readonly greeting: Greeting;
  readonly known = new KnownOps();
  readonly #identity = new Identity();
  readonly #calls: Calls;
  readonly #seeker: Seeker;
  readonly #liveness: Liveness;
  readonly #readWriteSearch: ReadWriteSearch;
  #state: ClientState = 'connecting';
  #isReadOnly = false;
  #isStarted = false;
  #isEnding = false;
  /** Attached to the session, or on its way there. */
  #connection: Connection | null = null;
  /** On this connection, under way or done. */
  #login: Login | null = null;
  #isAttached = false;
  #connectionCount = 0;
  #lastFailure: Error | null = null;
  #ended: (() => void) | null = null;

  constructor(world: ClientWorld, settings: SessionSettings, hosts: HostList) {
    this.world = world;
    this.settings = settings;
    this.hosts = hosts;
    this.watches = new WatchBook(this.telling.tell);
    this.greeting = new Greeting(this.watches, this.known);
    this.#liveness = new Liveness(world.clock, settings.sessionTimeoutMs, {
      onStall: (lateMs) => {
        this.events.emit('stall', { lateMs });
      },
      onDoubt: () => {
        if (this.#isAttached) this.#setState('suspended');
      },
      onSilence: (reason) => {
        this.#connection?.destroy(new Error(reason));
      },
      onOver: () => {
        this.#lose('expired');
      },
      onSweep: (nowMs) => {
        const sentMs = this.#connection?.sweep(nowMs, settings.requestTimeoutMs) ?? Infinity;
        return Math.min(sentMs, this.#calls.sweep(nowMs));
      },
    });
    this.#calls = new Calls(world.clock, settings.requestTimeoutMs, this.#callsOwner());
    this.#seeker = new Seeker(world, hosts, settings, this.#seekerOwner());
    this.#readWriteSearch = new ReadWriteSearch(world, hosts, (server) => {
      this.#moveTo(server);
    });
  }

  get state(): ClientState {
    return this.#state;
  }

  get id(): bigint {
    return this.#identity.id;
  }

  get password(): Uint8Array {
    return this.#identity.password;
  }

  get timeoutMs(): number {
    return this.#liveness.timeoutMs;
  }

  get isReadOnly(): boolean {
    return this.#isAttached && this.#isReadOnly;
  }

  get server(): ServerAddress | null {
    return this.#isAttached ? (this.#connection?.server ?? null) : null;
  }

  get lastZxid(): bigint {
    const seen = this.#connection?.lastZxid ?? 0n;
    const { lastZxid } = this.#identity;
    return seen > lastZxid ? seen : lastZxid;
  }

  /** How often it has come to a server. */
  get connectionCount(): number {
    return this.#connectionCount;
  }

  get isStarted(): boolean {
    return this.#isStarted;
  }

  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** To show credentials on. */
  get attached(): Connection | null {
    return this.#isAttached ? this.#connection : null;
  }

  /** Why there was no connection, or none any more, the last time. */
  get lastFailure(): Error | null {
    return this.#lastFailure;
  }

  // ------------------------------------------------------------------ its life

  /** Begins to look for a server, for `left` if there is one. Once, or again after `halt`. */
  start(left: LeftSession | null): void {
    this.#isStarted = true;
    if (left !== null) this.#identity.resume(left);
    this.#seeker.seek();
  }

  /** Gives up looking for a first server; calls that wait fail. */
  halt(): void {
    this.#isStarted = false;
    this.#seeker.stop();
    this.#seeker.proven();
    this.hosts.beginRound();
    this.#drop(null);
    this.#liveness.stop();
    this.#calls.failAll((request) => this.#calls.lossOf(request));
  }

  /** Ends the session at the server, behind all calls made before. Resolves in bounded time. */
  async close(): Promise<void> {
    if (this.#isEnding) return;
    await this.#finish(new Request(operations.closeSession, '', ''));
  }

  /** Leaves the server without a word, after the answers to all calls made before. */
  async leave(): Promise<void> {
    if (this.#isEnding) return;
    await this.#finish(new Request(operations.exists, '/', ''));
  }

  async #finish(last: Request): Promise<void> {
    if (this.#isAttached) {
      const answered = this.submit(last).catch(() => undefined);
      this.#isEnding = true;
      await this.#within(answered);
    }
    this.#end();
  }

  #within(answered: Promise<unknown>): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.world.clock.after(this.timeoutMs, resolve);
      const done = (): void => {
        timer.cancel();
        resolve();
      };
      this.#ended = done;
      void answered.then(done);
    });
  }

  /** `refusal`: why no server can be had any more. */
  #end(refusal: AuthFailedError | null = null): void {
    if (this.#state === 'closed') return;
    this.#isEnding = true;
    this.#seeker.stop();
    this.#readWriteSearch.stop();
    this.#liveness.stop();
    const connection = this.#connection;
    if (connection !== null) this.#identity.note(connection.lastZxid);
    this.#connection = null;
    this.#isAttached = false;
    this.watches.clear();
    this.#setState('closed');
    if (connection !== null) {
      connection.end();
      const closed = new ClientClosedError();
      for (const request of connection.takeInFlight()) request.failUnanswered(closed);
    }
    this.greeting.end(new ClientClosedError());
    this.#calls.failAll(({ shownPath }) =>
      refusal === null
        ? new ClientClosedError(shownPath)
        : new AuthFailedError(shownPath, { cause: refusal.cause }),
    );
    this.#ended?.();
  }

  // ------------------------------------------------------------------ calls

  submit<T>(request: Request<T>, signal?: AbortSignal): Promise<T> {
    if (signal?.aborted === true) {
      request.fail(signal.reason);
      return request.promise;
    }
    if (signal !== undefined) request.listen(signal);
    if (this.#isEnding || !this.#isStarted) {
      request.fail(new ClientClosedError(request.shownPath));
    } else if (this.known.isAnyMissing && this.known.isMissing(request.operation.opCode)) {
      request.fail(new UnimplementedError(request.shownPath));
    } else {
      this.known.learnFrom(request.operation.opCode, request.promise);
      this.#calls.add(request, this.#isAttached);
      this.#connection?.wake();
    }
    return request.promise;
  }

  #callsOwner(): ConstructorParameters<typeof Calls>[2] {
    return {
      timeoutMs: () => this.timeoutMs,
      lastFailure: () => this.#lastFailure,
      lookAt: (timeMs) => {
        this.#liveness.lookAt(timeMs);
      },
    };
  }

  // ------------------------------------------------------------------ coming to a server

  #seekerOwner(): ConstructorParameters<typeof Seeker>[3] {
    return {
      attemptMs: () => this.#attemptMs,
      onSocket: (server, socket) => this.#greet(server, socket),
      onAttemptFailed: (reason) => {
        this.#fail(this.hindrance() ?? reason);
      },
      onServers: (servers) => {
        this.updateServers(servers);
      },
      onRoundOver: () => {
        this.rounds.emit('over');
      },
    };
  }

  get #attemptMs(): number {
    const { connectTimeoutMs } = this.settings;
    const shareMs = (this.timeoutMs * 2) / 3 / Math.max(1, this.hosts.size);
    return connectTimeoutMs ?? Math.max(ATTEMPT_MS_MIN, Math.floor(shareMs));
  }

  #greet(server: ServerAddress, socket: Socket): SocketHandler {
    const { clock } = this.world;
    const { waiting } = this.#calls;
    const { maxReplyBytes, sessionTimeoutMs, readOnly } = this.settings;
    const connection = new Connection(server, socket, this, clock, waiting, maxReplyBytes);
    this.#connection = connection;
    this.greeting.begin(connection, this.#identity.introduction(sessionTimeoutMs, readOnly));
    return connection;
  }

  onConnectResponse(connection: Connection, response: ConnectResponse): void {
    if (connection !== this.#connection) return;
    const { wantedId } = this.#identity;
    if (response.timeOut <= 0 || response.sessionId === 0n) {
      this.#lastFailure = new Error('the server gives no session');
      this.#drop(null);
      if (wantedId === 0n) this.#seeker.failed();
      else this.#lose('expired');
      return;
    }
    if (wantedId !== 0n && response.sessionId !== wantedId) {
      this.#lose('replaced');
      if (this.#isEnding) return;
    }
    const { sasl } = this.settings;
    if (sasl === null) {
      this.#attach(connection, response);
      return;
    }
    const allottedMs = Math.min(this.#attemptMs, response.timeOut);
    this.#login = new Login(this.world, connection, sasl, allottedMs);
    void this.#login.run().then((reason) => {
      if (connection !== this.#connection) return;
      if (reason === null) this.#attach(connection, response);
      else this.#onLoginFailed(reason);
    });
  }

  #onLoginFailed(reason: AuthFailedError): void {
    this.#fail(reason);
    if (this.#isEnding || !this.#isStarted) return;
    if (Login.isTemporary(reason)) this.#seeker.failed();
    // the same password fails everywhere, and again: no server is asked any more
    else if (this.#state === 'connecting') this.halt();
    else this.#end(reason);
  }

  /** What there is no session for yet, if that is neither a server nor the way to one. */
  hindrance(limitMs?: number): AuthFailedError | null {
    return this.#login?.hindrance(limitMs) ?? null;
  }

  /** No session came of this attempt. */
  #fail(reason: Error): void {
    this.#lastFailure = reason;
    this.#drop(reason);
    if (reason instanceof AuthFailedError) this.events.emit('auth', { scheme: 'sasl', reason });
  }

  #attach(connection: Connection, response: ConnectResponse): void {
    this.#seeker.succeeded();
    const session = this.#identity.adopt(response);
    this.#isReadOnly = response.readOnly === true;
    this.#isAttached = true;
    this.#connectionCount++;
    this.known.onServer(connection.server);
    this.greeting.complete(connection, this.#identity.lastZxid);
    connection.open();
    this.#liveness.attach(connection, response.timeOut);
    if (this.#isReadOnly) this.#readWriteSearch.start(connection.server);
    if (session !== null) this.events.emit('session', session);
    this.events.emit('server', { ...connection.server, isReadOnly: this.#isReadOnly });
    this.#setState('connected');
  }

  /** Other servers of the same ensemble from now on. */
  updateServers(servers: readonly ServerAddress[]): void {
    const mustMove = this.hosts.update(servers, this.server);
    if (mustMove && this.#isAttached) this.#connection?.retire();
  }

  #moveTo(server: ServerAddress): void {
    this.hosts.prefer(server);
    if (this.#isAttached) this.#connection?.retire();
  }

  // ------------------------------------------------------------------ what a connection tells

  onNotification(type: number, path: string, zxid: bigint): void {
    this.watches.dispatch(type, path, zxid);
  }

  onSpecialReply(_connection: Connection, xid: number, error: number): void {
    if (xid === SpecialXid.setWatches) {
      this.greeting.onWatchesSet(error);
      return;
    }
    const scheme = this.greeting.onAuthAnswer(error);
    if (scheme === null || error === ErrorCode.ok) return;
    this.events.emit('auth', { scheme, reason: new AuthFailedError(scheme) });
  }

  takeXid(): number {
    return this.#identity.takeXid();
  }

  onWord(connection: Connection): void {
    if (connection === this.#connection && this.#isAttached) this.#setState('connected');
  }

  onUnimplemented(connection: Connection, opCode: number): void {
    // the server closes the connection next: what is not sent yet had better not be
    if (!this.known.refuse(opCode)) return;
    const { host, port } = connection.server;
    this.#warn(`${host}:${port} does not know ${opName(opCode)}, and closes the connection on it`);
    connection.retire();
  }

  #warn(text: string): void {
    const { name } = this.settings;
    this.events.emit('warning', name === '' ? text : `${name}: ${text}`);
  }

  onClosed(connection: Connection, cause: Error | null): void {
    this.#identity.note(connection.lastZxid);
    const { host, port } = connection.server;
    const why = cause ?? new Error(`${host}:${port} closed the connection`);
    const unanswered = connection.takeInFlight();
    for (const request of unanswered) request.failUnanswered(why);
    if (connection !== this.#connection) return;
    this.#connection = null;
    this.#lastFailure = why;
    if (why instanceof ProtocolViolationError) this.#warn(why.message);
    if (!this.#isAttached) {
      this.#fail(this.hindrance() ?? why);
      if (!this.#isEnding) this.#seeker.failed();
      return;
    }
    this.#isAttached = false;
    this.known.onClosed(unanswered[0]?.operation.opCode ?? this.greeting.unansweredOpCode);
    this.greeting.onClosed();
    this.#readWriteSearch.stop();
    this.#liveness.detach();
    if (this.#isEnding) {
      this.#end();
      return;
    }
    this.#calls.onDisconnected();
    this.#setState('suspended');
    if (this.#isOver()) return;
    if (connection.answers === 0) {
      this.#seeker.failedLate();
      return;
    }
    this.#seeker.proven();
    this.#seeker.seek();
  }

  /** Who was told of a change may have closed the client. */
  #isOver(): boolean {
    return this.#isEnding;
  }

  /** Lets go of a connection that is of no use; what it tells from now on is not heard. */
  #drop(reason: Error | null): void {
    const connection = this.#connection;
    this.#connection = null;
    this.#login = null;
    this.#isAttached = false;
    connection?.destroy(reason);
  }

  #lose(reason: 'expired' | 'replaced'): void {
    this.#identity.lose(reason);
    this.#liveness.forget();
    this.known.forget();
    if (reason === 'expired') {
      this.#drop(null);
      this.#seeker.stop();
    }
    this.#calls.failAll((request) => new SessionExpiredError(request.shownPath));
    this.watches.lost();
    this.#setState('lost');
    if (this.#isEnding) return;
    if (!this.settings.recreateSession) this.#end();
    else if (reason === 'expired') this.#seeker.seek();
  }

  #setState(state: ClientState): void {
    const previous = this.#state;
    if (state === previous || previous === 'closed') return;
    this.#state = state;
    this.events.emit('state', state, previous);
  }
}
