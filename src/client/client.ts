/**
 * The client: a session that is opened and closed, and the handle on its root. Everything that it
 * needs of the world comes with the third argument, so the same class serves production and
 * simulations; `zabra/client` exports the one that lives on Node.
 */
import { whenAborted } from './abort-group.js';
import { ArgumentError } from './arguments.js';
import { backoffDefault } from './backoff.js';
import { parseConnectString, printConnectString, type ConnectString } from './connect-string.js';
import { ClientClosedError, ConnectionLossError, SessionExpiredError } from './errors.js';
import { Handle } from './handle.js';
import { HostList } from './host-list.js';
import type { LeftSession } from './identity.js';
import { Session, type SessionSettings } from './session.js';
import type { ClientOptions, SessionTicket } from './types.js';
import type { ClientWorld } from './world.js';
import { frameBytesDefault } from '../protocol/limits.js';

const SESSION_TIMEOUT_MS = 30_000;
const REPLY_BYTES_MAX = 16 * 1024 * 1024;

export interface ConnectOptions {
  readonly signal?: AbortSignal;
  /** How long to look for a first server; the session timeout unless given. */
  readonly timeoutMs?: number;
  /** Give up when all servers were tried so often; as often as the time allows unless given. */
  readonly rounds?: number;
}

export class Client extends Handle {
  readonly #session: Session;
  readonly #connectString: ConnectString;
  /** Of the credentials that were given as options: what servers said to them. */
  readonly #shown: readonly Promise<void>[];
  /** What to attach to, instead of opening a session. */
  #left: LeftSession | null = null;
  /** Calls of `connect` that wait. */
  #connecting = 0;

  constructor(connectString: string, options: ClientOptions, world: ClientWorld) {
    const parsed = parseConnectString(connectString);
    const hosts = new HostList(parsed.servers, options.shuffle ?? true, () => world.random());
    const session = new Session(world, settingsOf(options, parsed.srvName), hosts);
    super(session, parsed.root);
    this.#session = session;
    this.#connectString = parsed;
    this.#shown = (options.auth ?? []).map(({ scheme, auth }) => {
      const bytes = typeof auth === 'string' ? Buffer.from(auth) : Uint8Array.from(auth);
      return new Promise((resolve, reject) => {
        const onAnswer = (error: Error | null): void => {
          if (error === null) resolve();
          else reject(error);
        };
        session.greeting.add({ scheme, auth: bytes, onAnswer }, null);
      });
    });
    for (const answer of this.#shown) {
      answer.catch(() => {
        // told by `connect` and by the 'auth' event
      });
    }
  }

  /**
   * Resolves when there is a session and the server has accepted what it was shown. Until then calls
   * wait; afterwards the client finds servers again by itself. When it rejects before there ever was
   * a session nothing is going on any more, and it may be called again.
   */
  async connect(options: ConnectOptions = {}): Promise<this> {
    const { signal } = options;
    const session = this.#session;
    signal?.throwIfAborted();
    if (session.isEnding) throw new ClientClosedError();
    if (session.state === 'connected') return this;
    if (!session.isStarted) session.start(this.#left);
    this.#connecting++;
    try {
      await untilConnected(session, this.#shown, options);
      return this;
    } catch (error) {
      if (this.#connecting === 1 && session.state === 'connecting') session.halt();
      throw error;
    } finally {
      this.#connecting--;
    }
  }

  /** Ends the session, behind all calls made before. Never rejects. */
  close(): Promise<void> {
    return this.#session.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /**
   * Leaves the session to whoever resumes it within its timeout, with everything that belongs to it
   * at the server. This client is closed.
   */
  async detach(): Promise<SessionTicket> {
    const session = this.#session;
    if (session.id === 0n) throw new SessionExpiredError();
    const { id, password, timeoutMs } = session;
    await session.leave();
    return {
      connectString: printConnectString(this.#connectString),
      sessionId: `0x${BigInt.asUintN(64, id).toString(16)}`,
      password: Buffer.from(password).toString('base64'),
      timeoutMs,
      lastZxid: `0x${session.lastZxid.toString(16)}`,
    };
  }

  /** Before `connect`: attach to the session of a ticket instead of opening one. */
  protected adopt(ticket: SessionTicket): void {
    this.#left = {
      id: parseHexId(ticket.sessionId, 'sessionId'),
      password: Buffer.from(ticket.password, 'base64'),
      lastZxid: parseHexId(ticket.lastZxid, 'lastZxid'),
    };
  }

  /** Not connected yet. The node world's `resume` does both. */
  static ofTicket(ticket: SessionTicket, options: ClientOptions, world: ClientWorld): Client {
    const sessionTimeoutMs = ticket.timeoutMs;
    const client = new Client(ticket.connectString, { sessionTimeoutMs, ...options }, world);
    client.adopt(ticket);
    return client;
  }

  /** Other servers of the same ensemble from now on. */
  updateServers(connectString: string): void {
    const { servers, srvName } = parseConnectString(connectString);
    if (srvName !== null) {
      throw new ArgumentError('connectString', connectString, 0, 'expected a list of servers');
    }
    this.#session.updateServers(servers);
  }
}

/** Rejects when it takes longer than that, when a server refuses us, and when the signal says so. */
function untilConnected(
  session: Session,
  shown: readonly Promise<void>[],
  { signal, timeoutMs, rounds = Infinity }: ConnectOptions,
): Promise<void> {
  const limitMs = timeoutMs ?? session.settings.sessionTimeoutMs;
  let roundsLeft = rounds;
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      timer?.cancel();
      offAbort?.();
      offState();
      offAuth();
      offRounds();
    };
    const fail = (reason: Error): void => {
      settle();
      reject(reason);
    };
    const giveUp = (): void => {
      const cause = session.lastFailure;
      fail(
        session.hindrance(limitMs) ??
          new ConnectionLossError(undefined, cause === null ? undefined : { cause }),
      );
    };
    const timer = Number.isFinite(limitMs) ? session.world.clock.after(limitMs, giveUp) : null;
    const offRounds = session.rounds.on('over', () => {
      if (--roundsLeft <= 0) giveUp();
    });
    // whatever it was aborted with
    const onAbort = (reason: unknown): void => {
      fail(reason as Error);
    };
    const offAbort = signal === undefined ? null : whenAborted(signal, onAbort);
    const offState = session.events.on('state', (state, previous) => {
      if (state === 'closed') {
        fail(previous === 'lost' ? new SessionExpiredError() : new ClientClosedError());
      }
      if (state !== 'connected') return;
      Promise.all(shown).then(() => {
        settle();
        resolve();
      }, fail);
    });
    const offAuth = session.events.on('auth', ({ reason }) => {
      fail(reason);
    });
  });
}

function parseHexId(text: unknown, what: string): bigint {
  if (typeof text === 'string' && /^0x[0-9a-f]{1,16}$/iu.test(text)) {
    return BigInt.asIntN(64, BigInt(text));
  }
  throw new ArgumentError(`ticket.${what}`, '', 0, 'expected 0x and hexadecimal digits');
}

function settingsOf(options: ClientOptions, srvName: string | null): SessionSettings {
  return {
    sessionTimeoutMs: checkMs(options.sessionTimeoutMs ?? SESSION_TIMEOUT_MS, 'sessionTimeoutMs'),
    connectTimeoutMs:
      options.connectTimeoutMs === undefined
        ? null
        : checkMs(options.connectTimeoutMs, 'connectTimeoutMs'),
    readOnly: options.readOnly ?? false,
    recreateSession: options.recreateSession ?? true,
    backoff: options.backoff ?? backoffDefault,
    srvName,
    sasl: options.sasl ?? null,
    requestTimeoutMs:
      options.requestTimeoutMs === undefined
        ? 0
        : checkMs(options.requestTimeoutMs, 'requestTimeoutMs'),
    name: options.name ?? '',
    maxReplyBytes: options.maxReplyBytes ?? REPLY_BYTES_MAX,
    maxRequestBytes: options.maxRequestBytes ?? frameBytesDefault,
  };
}

function checkMs(value: number, what: string): number {
  if (Number.isFinite(value) && value > 0 && value <= 0x7fff_ffff) return Math.ceil(value);
  throw new ArgumentError(what, String(value), 0, 'expected milliseconds, more than 0');
}
