/**
 * The client port: accepts connections, decides whom to admit, knows every connection and the
 * session it serves, and sends what a turn produced. Connections reach the rest of the server
 * through it.
 */
import type { Clock } from '../ports/clock.js';
import type { Logger } from '../ports/logger.js';
import type { ListenOptions, Listener, Network, Socket, SocketHandler } from '../ports/network.js';
import { opName } from '../protocol/opcodes.js';
import { formatSessionId, type Session } from '../session/session.js';
import type { Tree } from '../tree/tree.js';
import { isAllowed, type Acl, type Caller } from '../txn/authorize.js';
import type { AuthenticationOptions } from './authenticate.js';
import type { FourLetterWord } from './commands/four-letter-words.js';
import { ConnectionThrottle, type ConnectionThrottleOptions } from './connection-throttle.js';
import { ClientConnection } from './connection.js';
import { Admission, type AdmissionOptions } from './admission.js';
import { OutBuffers } from './out-buffers.js';
import type { Output } from './output.js';
import type { ServerMetrics } from './metrics.js';
import type { PipelineFigures } from './pipeline-figures.js';
import type { Replica } from './replica.js';
import type { ServerStats } from './server-stats.js';
import type { Watches } from './watches.js';

export interface ClientPortOptions {
  readonly minSessionTimeoutMs: number;
  readonly maxSessionTimeoutMs: number;
  /** jute.maxbuffer: longer frames close the connection. */
  readonly frameBytesMax: number;
  readonly globalOutstandingLimit: number;
  /** Per address; 0: no limit. */
  readonly maxClientConnections: number;
  /** In all; 0: no limit. */
  readonly maxConnections: number;
  /** A connection that has no session after this long is closed. */
  readonly sessionlessTimeoutMs: number;
  readonly skipAcl: boolean;
  readonly authentication: AuthenticationOptions;
  readonly throttle: ConnectionThrottleOptions;
  readonly admission: AdmissionOptions;
}

interface Parts {
  readonly options: ClientPortOptions;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stats: ServerStats;
  readonly metrics: ServerMetrics;
  readonly figures: PipelineFigures;
  /** The answer, in pieces that are sent one a turn. */
  answerWord(word: FourLetterWord, argument: bigint | null): string | Iterable<string>;
  /** In [0, 1). */
  fraction(): number;
}

/** Dirty connections that a turn may collect before it sends what they have. */
const DIRTY_MAX = 512;
/** Of a four-letter word's answer, before it waits for its asker to read. */
const ANSWER_BYTES_MAX = 256 * 1024;
/** Events that may wait for one slow client, beyond four of the largest frames. */
const EVENT_BYTES_BASE = 1024 * 1024;

export class ClientPort {
  readonly #parts: Parts;
  /** Limits; replaced when the configuration is loaded again. */
  options: ClientPortOptions;
  readonly #connections = new Set<ClientConnection>();
  readonly #bySession = new Map<bigint, ClientConnection>();
  readonly #perAddress = new Map<string, number>();
  /** Connections that serve no session, and when each must be gone: strangers, askers, the ending. */
  readonly #sessionless = new Map<ClientConnection, number>();
  readonly #paused = new Set<ClientConnection>();
  readonly #dirty: Output[] = [];
  readonly #throttle: ConnectionThrottle;
  readonly admission: Admission;
  readonly #listeners: Listener[] = [];
  /** Whose the connections are that come from now on; 'nobody': that is not known yet. */
  #heir: ClientPort | 'nobody' | null = null;
  readonly buffers = new OutBuffers();
  readonly stats: ServerStats;
  readonly metrics: ServerMetrics;
  readonly figures: PipelineFigures;
  readonly logger: Logger;
  readonly eventBytesMax: number;
  parkedCount = 0;
  readonly replica: Replica;
  readonly tree: Tree;
  readonly watches: Watches;

  constructor(parts: Parts, replica: Replica, watches: Watches) {
    this.#parts = parts;
    this.options = parts.options;
    const { throttle } = parts.options;
    this.admission = new Admission(parts.options.admission);
    this.#throttle = new ConnectionThrottle(throttle, parts.clock.monotonicMs(), () =>
      parts.fraction(),
    );
    this.stats = parts.stats;
    this.metrics = parts.metrics;
    this.figures = parts.figures;
    this.logger = parts.logger;
    this.replica = replica;
    this.tree = replica.tree;
    this.watches = watches;
    this.eventBytesMax = 4 * parts.options.frameBytesMax + EVENT_BYTES_BASE;
  }

  // ------------------------------------------------------------------ life

  async listen(network: Network, options: ListenOptions): Promise<Listener> {
    const listener = await network.listen(options, (socket) => this.accept(socket));
    this.#listeners.push(listener);
    return listener;
  }

  /** Everybody is sent away, and whoever comes: the port stays open for who takes this one's place. */
  leave(): void {
    this.#heir = 'nobody';
    for (const connection of [...this.#connections]) connection.destroy();
  }

  /** Takes the place of one that was left. */
  inherit(earlier: ClientPort): void {
    this.#listeners.push(...earlier.#listeners.splice(0));
    earlier.#heir = this;
  }

  async close(): Promise<void> {
    const closed = this.#listeners.map((listener) => listener.close());
    for (const connection of [...this.#connections]) connection.destroy();
    await Promise.all(closed);
  }

  // ------------------------------------------------------------------ what connections ask

  get authentication(): AuthenticationOptions {
    return this.options.authentication;
  }

  get frameBytesMax(): number {
    return this.options.frameBytesMax;
  }

  get minSessionTimeoutMs(): number {
    return this.options.minSessionTimeoutMs;
  }

  get maxSessionTimeoutMs(): number {
    return this.options.maxSessionTimeoutMs;
  }

  /** Zxid of the last applied transaction: what reads answer with. */
  get zxidHigh(): number {
    return this.tree.lastZxidHigh;
  }

  get zxidLow(): number {
    return this.tree.lastZxidLow;
  }

  /** Too many requests are outstanding in all: clients with any unanswered are not read from. */
  get isOverloaded(): boolean {
    const outstanding = this.replica.outstandingCount + this.parkedCount;
    return outstanding >= this.options.globalOutstandingLimit;
  }

  get connectionDropChance(): number {
    return this.#throttle.dropChance;
  }

  /** At the end of this turn. */
  soon(run: () => void): void {
    this.#parts.clock.soon(run);
  }

  nowMs(): number {
    return this.#parts.clock.monotonicMs();
  }

  allows(acl: readonly Acl[], perms: number, caller: Caller): boolean {
    return this.options.skipAcl || isAllowed(acl, perms, caller);
  }

  touch(session: Session, nowMs: number): void {
    this.replica.touch(session, nowMs);
  }

  /** Handshakes come at a bounded rate where that is configured. */
  admitsHandshake(isResuming: boolean): boolean {
    this.metrics.connectionRequestCount.value++;
    const isAdmitted = this.#throttle.admits(isResuming, this.nowMs());
    this.metrics.connectionTokenDeficit.add(this.#throttle.deficit);
    if (isAdmitted) return true;
    this.metrics.connectionRejected.value++;
    return false;
  }

  /** `argument`: what came behind the word (stmk's mask), or null. */
  answerWord(word: FourLetterWord, argument: bigint | null, connection: ClientConnection): void {
    const encoder = new TextEncoder();
    const answer = this.#parts.answerWord(word, argument);
    const pieces = (typeof answer === 'string' ? [answer] : answer)[Symbol.iterator]();
    const step = (): void => {
      if (!this.#connections.has(connection)) return;
      const next = pieces.next();
      if (next.done === true) {
        connection.socket.end();
        return;
      }
      const bytes = encoder.encode(next.value);
      connection.socket.write(bytes, 0, bytes.length);
      // an asker that does not read is waited for, as long as a connection without a session may stay
      if (connection.socket.pendingBytes > ANSWER_BYTES_MAX) connection.whenDrained = step;
      else this.#parts.clock.soon(step);
    };
    step();
  }

  /** From now on the connection serves this session; one that did before is closed. */
  register(sessionId: bigint, connection: ClientConnection): void {
    this.#sessionless.delete(connection);
    this.#bySession.set(sessionId, connection);
  }

  closeSessionConnection(sessionId: bigint): void {
    this.#bySession.get(sessionId)?.endAfterFlush();
  }

  connectionOf(sessionId: bigint): ClientConnection | undefined {
    return this.#bySession.get(sessionId);
  }

  /** There is about to be output: it is sent at the end of the turn, or earlier. */
  markDirty(output: Output): void {
    if (output.isDirty) return;
    if (this.#dirty.length >= DIRTY_MAX) this.flush();
    output.isDirty = true;
    this.#dirty.push(output);
  }

  /** The connection serves nobody any more; called once or more before its socket is gone. */
  forget(connection: ClientConnection): void {
    this.watches.forget(connection);
    this.#paused.delete(connection);
    const id = connection.session?.id;
    if (id !== undefined && this.#bySession.get(id) === connection) this.#bySession.delete(id);
  }

  onClosed(connection: ClientConnection): void {
    this.metrics.connectionDropCount.value++;
    this.#connections.delete(connection);
    this.#sessionless.delete(connection);
    const address = connection.socket.remoteAddress;
    const left = (this.#perAddress.get(address) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(address, left);
    else this.#perAddress.delete(address);
  }

  /** From now on it has a bounded time to go, or to get a session. */
  linger(connection: ClientConnection): void {
    this.#sessionless.set(connection, this.nowMs() + this.options.sessionlessTimeoutMs);
  }

  onPaused(connection: ClientConnection): void {
    this.#paused.add(connection);
  }

  onBadFrame(connection: ClientConnection, verdict: string): void {
    this.logger.warn('closing a connection that sent a frame of impossible length', {
      client: connection.socket.remoteAddress,
      verdict,
    });
  }

  onMalformed(connection: ClientConnection, op: number): void {
    this.logger.debug('a request could not be read', { ...this.#name(connection), op: opName(op) });
  }

  onRefused(connection: ClientConnection, op: number): void {
    this.logger.warn('refused an operation that clients may not send', {
      ...this.#name(connection),
      op: opName(op),
    });
  }

  onLoginFailed(connection: ClientConnection, reason: string): void {
    this.stats.authFailedCount++;
    this.logger.warn('a client failed to log in by SASL', { ...this.#name(connection), reason });
  }

  onTooLarge(connection: ClientConnection, bytes: number): void {
    this.metrics.largeRequestsRejected.value++;
    this.logger.warn('closing a client: too many bytes of large requests (largeRequestMaxBytes)', {
      ...this.#name(connection),
      bytes,
    });
  }

  onSlowConsumer(connection: ClientConnection): void {
    this.logger.warn(
      'closing a client that does not read its watch events',
      this.#name(connection),
    );
  }

  // ------------------------------------------------------------------ what the server asks

  /** Sends everything that this turn encoded. */
  flush(): void {
    const dirty = this.#dirty;
    // a flush may close connections, which marks nothing dirty: the list does not grow meanwhile
    for (const output of dirty) {
      output.isDirty = false;
      output.flush();
    }
    dirty.length = 0;
  }

  /** Requests were answered: whoever was kept waiting may go on. */
  onRoom(): void {
    if (this.#paused.size === 0 || this.isOverloaded) return;
    for (const connection of [...this.#paused]) {
      this.#paused.delete(connection);
      connection.unthrottle();
    }
  }

  /** The session is over: its connection hears nothing more. */
  onSessionClosed(sessionId: bigint): void {
    const connection = this.#bySession.get(sessionId);
    if (connection === undefined) return;
    // one that asked for the end itself gets its reply first, and closes behind it
    if (connection.asksToEnd) return;
    connection.endAfterFlush();
  }

  /** Closes connections whose time without a session is over. */
  closeSessionless(nowMs: number): number {
    let closed = 0;
    for (const [connection, deadlineMs] of [...this.#sessionless]) {
      if (nowMs < deadlineMs) continue;
      connection.destroy();
      this.metrics.sessionlessConnectionsExpired.value++;
      closed++;
    }
    return closed;
  }

  connections(): ReadonlySet<ClientConnection> {
    return this.#connections;
  }

  /** A new connection; what is returned hears of its bytes and its end. */
  accept(socket: Socket): SocketHandler {
    if (this.#heir instanceof ClientPort) return this.#heir.accept(socket);
    const connection = new ClientConnection(this, socket, this.nowMs());
    const address = socket.remoteAddress;
    const fromThere = (this.#perAddress.get(address) ?? 0) + 1;
    this.#perAddress.set(address, fromThere);
    this.#connections.add(connection);
    const { maxClientConnections, maxConnections } = this.options;
    const refusal =
      this.#heir === 'nobody'
        ? 'a snapshot takes the place of what is here'
        : maxClientConnections > 0 && fromThere > maxClientConnections
          ? `more than ${maxClientConnections} connections from one address (maxClientCnxns)`
          : maxConnections > 0 && this.#connections.size > maxConnections
            ? `more than ${maxConnections} connections (maxCnxns)`
            : null;
    if (refusal === null) {
      this.linger(connection);
      return connection;
    }
    this.metrics.connectionRejected.value++;
    this.logger.warn(`refused a connection: ${refusal}`, { client: address });
    connection.destroy();
    return connection;
  }

  #name(connection: ClientConnection): { client: string; session: string } {
    const id = connection.session?.id;
    return {
      client: connection.socket.remoteAddress,
      session: id === undefined ? 'none' : formatSessionId(id),
    };
  }
}
