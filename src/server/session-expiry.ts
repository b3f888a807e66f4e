/**
 * The clock that sessions end by: twice a tick it hands over those that were silent for too long, and
 * closes connections that never began one. A stall of this process is no client's silence, so what
 * clients sent meanwhile is read before anybody is judged.
 */
import type { Clock, Timer } from '../ports/clock.js';
import type { Logger } from '../ports/logger.js';
import { formatSessionId, type Session } from '../session/session.js';
import type { SessionTracker } from '../session/tracker.js';
import type { ClientPort } from './client-port.js';
import type { ServerMetrics } from './metrics.js';
import type { Replica } from './replica.js';

export interface SessionExpiryParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: ServerMetrics;
  readonly port: ClientPort;
  readonly replica: Replica;
  /** Judged only where the replica owns them. */
  readonly sessions: SessionTracker;
  /** As it is configured now. */
  readonly tickTimeMs: () => number;
  /** Begins the end of a session that has expired. */
  readonly end: (session: Session) => void;
}

export class SessionExpiry {
  readonly #parts: SessionExpiryParts;
  #tick: Timer | null = null;
  #tickDueMs = 0;
  #isStopped = false;

  constructor(parts: SessionExpiryParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#scheduleTick(this.#parts.clock.monotonicMs());
  }

  /** For good. */
  stop(): void {
    this.#isStopped = true;
    this.#tick?.cancel();
  }

  /** Half a tick: late expiry costs clients' failover time, early expiry would be wrong. */
  #scheduleTick(nowMs: number): void {
    const { clock, tickTimeMs } = this.#parts;
    const dueMs = nowMs + tickTimeMs() / 2;
    this.#tickDueMs = dueMs;
    this.#tick = clock.after(Math.max(0, dueMs - clock.monotonicMs()), () => this.#onTick());
  }

  #onTick(): void {
    const { clock, tickTimeMs } = this.#parts;
    const lateMs = clock.monotonicMs() - this.#tickDueMs;
    if (lateMs > tickTimeMs() / 2) clock.soon(() => clock.soon(() => this.#expire(lateMs)));
    else this.#expire(0);
  }

  #expire(lateMs: number): void {
    if (this.#isStopped) return;
    const { clock, port, replica, sessions } = this.#parts;
    const nowMs = clock.monotonicMs();
    if (replica.ownsSessions) this.#expireSessions(sessions, nowMs, lateMs);
    const local = replica.localSessions;
    if (local !== null) this.#expireSessions(local.tracker, nowMs, lateMs);
    port.closeSessionless(nowMs);
    this.#scheduleTick(nowMs);
  }

  #expireSessions(sessions: SessionTracker, nowMs: number, lateMs: number): void {
    const { logger, metrics, port, end } = this.#parts;
    sessions.expire(nowMs, lateMs, (session) => {
      // its pings may lie unread because we do not read: that is not the client's silence
      if (port.connectionOf(session.id)?.isHeldBack === true) return false;
      logger.debug('session expired', {
        session: formatSessionId(session.id),
        timeoutMs: session.timeoutMs,
      });
      metrics.staleSessionsExpired.value++;
      end(session);
      return true;
    });
  }
}
