/**
 * What the data path tells, for everybody who wants it: guards judge the requests, metrics count them,
 * the access log and the listeners hear what becomes of sessions. On the way of every request this is a
 * few additions; what costs more is done only where it was asked for.
 */
import type { Clock } from '../../ports/clock.js';
import type { Logger } from '../../ports/logger.js';
import { errorName } from '../../protocol/errors.js';
import { OpCode } from '../../protocol/opcodes.js';
import { Reader } from '../../protocol/reader.js';
import { accessFields, type AccessEvent, type AccessLog } from './access-log.js';
import { DownstreamOrigin } from '../downstream-origin.js';
import type { BalancerEmitter } from './events.js';
import type { Guards } from '../guards/guards.js';
import type {
  Backend,
  KeepingHooks,
  MoveOutcome,
  MoveReason,
  SessionView,
} from '../keeping/keeping-types.js';
import type { LossReport } from './loss-report.js';
import type { BalancerMetrics } from './metrics.js';
import { metricNameOf } from './op-names.js';
import { isWriteOp, pathOfRequest } from '../keeping/request-facts.js';

export interface SessionWatchParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly guards: Guards;
  readonly metrics: BalancerMetrics;
  readonly accessLog: AccessLog | null;
  readonly emitter: BalancerEmitter;
  readonly losses: LossReport;
}

type Fields = Record<string, string | number | boolean | null>;

/** Type and scheme of an auth packet stand behind its header. */
const AUTH_SCHEME_AT = 12;

export class SessionWatch implements Required<KeepingHooks> {
  readonly #parts: SessionWatchParts;
  readonly #reader = new Reader();
  /** Null: requests are not logged. */
  readonly #requestLog: AccessLog | null;

  constructor(parts: SessionWatchParts) {
    this.#parts = parts;
    this.#requestLog = parts.accessLog?.logsRequests === true ? parts.accessLog : null;
  }

  // ------------------------------------------------------------------ on the way of requests

  onRequest(
    session: SessionView,
    op: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): number {
    const { metrics, guards } = this.#parts;
    metrics.onRequest(op, end - start);
    if (op === OpCode.auth) this.#onAuth(bytes, start, end);
    const { origin } = session;
    if (!(origin instanceof DownstreamOrigin)) return 0;
    const verdict = guards.judge(origin.guarded, session, op, bytes, start, end);
    if (verdict !== 0) this.#onRefused(session, op, verdict, bytes, start, end);
    return verdict;
  }

  onReply(
    session: SessionView,
    op: number,
    latencyMs: number,
    bytesLength: number,
    error: number,
  ): void {
    const { metrics, guards } = this.#parts;
    metrics.onReply(op, latencyMs, bytesLength);
    if (op === OpCode.auth && session.origin instanceof DownstreamOrigin) {
      this.#enforce(session, guards.onAuthAnswered(session.origin.guarded, error));
    }
    // a session that opens has a line of its own
    if (this.#requestLog === null || op === OpCode.ping || op === OpCode.createSession) return;
    this.#requestLog.write('request', {
      ...accessFields(session),
      op: metricNameOf(op),
      write: isWriteOp(op),
      latencyMs: Math.round(latencyMs * 1000) / 1000,
      bytes: bytesLength,
      error: error === 0 ? null : errorName(error),
    });
  }

  onEvent(_session: SessionView, _type: number, bytesLength: number): void {
    this.#parts.metrics.onEvent(bytesLength);
  }

  // ------------------------------------------------------------------ what becomes of sessions

  onAttached(session: SessionView, backend: Backend, isNew: boolean): void {
    const { origin } = session;
    if (origin instanceof DownstreamOrigin) {
      origin.ticket.settle();
      const { certificateSubject: subject, guarded } = origin;
      const { guards } = this.#parts;
      if (subject !== null) this.#enforce(session, guards.onCertificate(guarded, subject));
    }
    this.#log('open', session, {
      backend: backend.id,
      new: isNew,
      timeoutMs: session.timeoutMs,
      zone: origin.zone,
      class: origin.class,
      tls: origin.isTls,
    });
    this.#parts.emitter.emit('attached', {
      session: hexId(session),
      client: clientOf(session),
      server: backend.id,
    });
  }

  onMasked(session: SessionView, from: Backend, to: Backend, tookMs: number): void {
    const { metrics, emitter, losses } = this.#parts;
    metrics.onMasked(tookMs, session.timeoutMs);
    losses.onMasked(from.id, tookMs);
    this.#log('masked', session, { from: from.id, to: to.id, tookMs: rounded(tookMs) });
    emitter.emit('masked', { session: hexId(session), from: from.id, to: to.id, tookMs });
  }

  onMove(
    session: SessionView,
    reason: MoveReason,
    outcome: MoveOutcome,
    from: Backend | null,
    to: Backend | null,
    tookMs: number,
  ): void {
    const { metrics, emitter } = this.#parts;
    metrics.onMove(reason, outcome, tookMs);
    const places = { from: from?.id ?? null, to: to?.id ?? null };
    this.#log('moved', session, { reason, outcome, ...places, tookMs: rounded(tookMs) });
    emitter.emit('move', { session: hexId(session), reason, outcome, ...places, tookMs });
  }

  onDropped(session: SessionView, reason: string): void {
    const { metrics, emitter, losses } = this.#parts;
    metrics.dropped.add({ reason });
    losses.onDropped(reason);
    this.#log('dropped', session, { reason });
    emitter.emit('dropped', { session: hexId(session), client: clientOf(session), reason });
  }

  onClosed(session: SessionView): void {
    const lifeMs = this.#parts.clock.monotonicMs() - session.establishedMs;
    this.#log('close', session, {
      requests: session.requestCount,
      bytesIn: session.bytesIn,
      bytesOut: session.bytesOut,
      lifeMs: Math.round(lifeMs),
    });
  }

  onMalformed(session: SessionView, what: string): void {
    this.#parts.metrics.decoderErrors++;
    this.#parts.logger.warn('a client sent what is no frame', { client: clientOf(session), what });
    this.#log('malformed', session, { what });
  }

  // ------------------------------------------------------------------ parts

  #onAuth(bytes: Uint8Array, start: number, end: number): void {
    const at = start + AUTH_SCHEME_AT;
    const reader = this.#reader.reset(bytes, at, end);
    if (reader.remaining < 4) return;
    const length = reader.readInt();
    if (length < 0 || length > reader.remaining) return;
    let scheme = '';
    for (let i = 0; i < Math.min(length, 16); i++) {
      scheme += String.fromCharCode(bytes[at + 4 + i] ?? 0);
    }
    this.#parts.metrics.onAuth(scheme);
  }

  #onRefused(
    session: SessionView,
    op: number,
    error: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const { metrics, guards, accessLog } = this.#parts;
    const { reason } = guards;
    metrics.refusedRequests.add({ reason });
    accessLog?.write('refused-request', {
      ...accessFields(session),
      op: metricNameOf(op),
      path: pathOfRequest(op, bytes, start, end),
      reason,
      error: errorName(error),
    });
  }

  /** A guard wants the connection to end; not while the data path has it in its hands. */
  #enforce(session: SessionView, complaint: string | null): void {
    if (complaint === null) return;
    this.#parts.clock.soon(() => session.drop(complaint));
  }

  #log(event: AccessEvent, session: SessionView, fields: Fields): void {
    this.#parts.accessLog?.write(event, { ...accessFields(session), ...fields });
  }
}

function hexId({ id }: SessionView): string {
  return `0x${BigInt.asUintN(64, id).toString(16)}`;
}

function clientOf({ origin }: SessionView): string {
  return `${origin.address}:${origin.port}`;
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
