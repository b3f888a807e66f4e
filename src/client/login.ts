/**
 * Logging in by SASL on a connection that has a session and sends no calls yet. It knows whom it waits
 * for: when the time for a session is over, that may be the mechanism (a ticket that does not come)
 * and not the server, and then this is what has to be told.
 */
import { OpCode } from '../protocol/opcodes.js';
import type { Connection } from './connection.js';
import { AuthFailedError } from './errors.js';
import { Request, type Operation } from './request.js';
import { logIn, SaslError, saslMechanismOf, type SaslMechanism, type SaslOptions } from './sasl.js';
import type { ClientWorld } from './world.js';

const saslStep: Operation<Uint8Array | null> = {
  opCode: OpCode.sasl,
  isWrite: false,
  write(writer, request) {
    writer.writeBuffer(request.extra as Uint8Array);
  },
  read: (reader) => (reader.remaining === 0 ? null : reader.readBuffer()),
};

export class Login {
  readonly #world: ClientWorld;
  readonly #connection: Connection;
  readonly #mechanism: SaslMechanism;
  readonly #allottedMs: number;
  /** Since when the server waits for us; null: we wait for the server. */
  #sinceMs: number | null = null;

  /** `allottedMs`: how long the server, and whoever wants the session, wait at most. */
  constructor(
    world: ClientWorld,
    connection: Connection,
    options: SaslOptions,
    allottedMs: number,
  ) {
    this.#world = world;
    this.#connection = connection;
    this.#mechanism = saslMechanismOf(options, world.crypto);
    this.#allottedMs = allottedMs;
  }

  /** Never rejects: null, or for what it came to an end; the connection is of no use then. */
  async run(): Promise<AuthFailedError | null> {
    const { clock } = this.#world;
    this.#sinceMs = clock.monotonicMs();
    try {
      await logIn(this.#mechanism, this.#connection.server.host, async (token) => {
        const request = new Request(saslStep, '', '', null, 0, token);
        this.#sinceMs = null;
        this.#connection.sendFirst(request);
        const answer = await request.promise;
        this.#sinceMs = clock.monotonicMs();
        return answer;
      });
      return null;
    } catch (error) {
      return new AuthFailedError('sasl', { cause: error });
    } finally {
      this.#sinceMs = null;
    }
  }

  /**
   * To be asked when the connection is given up, or has ended, before this has: the mechanism, where
   * it has kept everybody waiting for half of the time that there was, or of `limitMs`. Else null:
   * nobody but the server, or the way there, is to blame.
   */
  hindrance(limitMs = Infinity): AuthFailedError | null {
    if (this.#sinceMs === null) return null;
    const waitedMs = this.#world.clock.monotonicMs() - this.#sinceMs;
    if (waitedMs < Math.min(this.#allottedMs, limitMs) / 2) return null;
    const { name } = this.#mechanism;
    const ms = Math.floor(waitedMs);
    const cause =
      this.#mechanism.giveUp?.(ms) ??
      new SaslError(`${name}: not ready within ${ms} ms`, { isTemporary: true });
    return new AuthFailedError('sasl', { cause });
  }

  /** Whether it may succeed another time, at this server or at another one. */
  static isTemporary({ cause }: AuthFailedError): boolean {
    return cause instanceof SaslError && cause.isTemporary;
  }
}
