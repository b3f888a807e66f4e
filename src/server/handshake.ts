/**
 * The first frame of a connection asks for a session: a new one, or the one whose id and password
 * the client shows. What comes back is the session's id, its password and the timeout that counts.
 */
import { readAttachRequest } from '../protocol/continuation.js';
import { OpCode } from '../protocol/opcodes.js';
import { MalformedError, type Reader } from '../protocol/reader.js';
import type { Writer } from '../protocol/writer.js';
import { formatSessionId, OWN_CLIENTS, Session } from '../session/session.js';
import { passwordMatches, sessionPassword } from '../session/session-id.js';
import { Attach, GENERATION_MAX, type Verdict } from './attach.js';
import type { ClientPort } from './client-port.js';
import type { ClientConnection } from './connection.js';
import { PendingWrite } from './pending.js';

type Outcome =
  /** Close without a word: the client shall try another server. */
  | { readonly kind: 'refused' }
  /** The session is gone, the password wrong, or the client too late: say so, then close. */
  | { readonly kind: 'invalid' }
  /** The reply can leave now. */
  | { readonly kind: 'open'; readonly session: Session }
  /** The reply leaves when the session's own transaction has been applied. */
  | { readonly kind: 'creating'; readonly session: Session; readonly pending: PendingWrite };

/** The reader stands at the first frame's content. */
export function onConnectRequest(
  connection: ClientConnection,
  reader: Reader,
  nowMs: number,
): void {
  let outcome: Outcome;
  try {
    outcome = handshake(connection.port, connection, reader, nowMs);
  } catch (problem) {
    if (!(problem instanceof MalformedError)) throw problem;
    connection.endAfterFlush();
    return;
  }
  switch (outcome.kind) {
    case 'refused':
      connection.endAfterFlush();
      return;
    case 'invalid':
      refuse(connection);
      return;
    case 'open':
      connection.session = outcome.session;
      writeConnectResponse(connection.output.begin(), connection, outcome.session);
      return;
    case 'creating':
      connection.session = outcome.session;
      connection.unanswered.push(outcome.pending);
  }
}

/** There is no session for this client: it is told so, and nothing else. */
function refuse(connection: ClientConnection): void {
  writeConnectResponse(connection.output.begin(), connection, null);
  connection.endAfterFlush();
}

function handshake(
  port: ClientPort,
  connection: ClientConnection,
  reader: Reader,
  nowMs: number,
): Outcome {
  reader.readInt(); // protocolVersion: ignored, as everywhere
  const lastZxidSeen = reader.readLong();
  const timeoutMs = reader.readInt();
  const sessionId = reader.readLong();
  const password = reader.readBuffer();
  // clients from before 3.4 do not send the flag, and must not get it back (ZOOKEEPER-4814)
  connection.knowsReadOnly = reader.remaining > 0;
  const canBeReadOnly = connection.knowsReadOnly && reader.readBool();
  const attach = port.replica.grantsContinuation ? readAttachRequest(reader) : null;
  if (attach !== null) connection.attach = new Attach(attach);
  connection.timeoutMs = Math.min(
    Math.max(timeoutMs, port.minSessionTimeoutMs),
    port.maxSessionTimeoutMs,
  );
  if (!port.admitsHandshake(sessionId !== 0n)) return { kind: 'refused' };
  if (port.replica.isReadOnly && !canBeReadOnly) {
    port.logger.info('no quorum: only clients that can be read-only are served', {
      client: connection.socket.remoteAddress,
    });
    return { kind: 'refused' };
  }
  const ours = (BigInt(port.zxidHigh) << 32n) | BigInt(port.zxidLow);
  if (lastZxidSeen > BigInt.asIntN(64, ours)) {
    port.logger.info('client has seen a later zxid than this server, it must try another', {
      client: connection.socket.remoteAddress,
      session: formatSessionId(sessionId),
      seen: `0x${lastZxidSeen.toString(16)}`,
      ours: `0x${ours.toString(16)}`,
    });
    return { kind: 'refused' };
  }
  return sessionId === 0n
    ? createSession(port, connection, nowMs)
    : resumeSession(port, connection, sessionId, password, nowMs);
}

function createSession(port: ClientPort, connection: ClientConnection, nowMs: number): Outcome {
  const { replica } = port;
  if (replica.localSessions !== null) {
    const session = replica.localSessions.create(connection.timeoutMs, nowMs);
    port.register(session.id, connection);
    connection.attach?.grant(replica.attach(session, 0n), 'local');
    return { kind: 'open', session };
  }
  const session = replica.sessions.create(connection.timeoutMs, nowMs);
  session.moveTo(OWN_CLIENTS);
  port.register(session.id, connection);
  connection.attach?.grant(null, 'global');
  const pending = new PendingWrite(connection, OpCode.createSession, 0, nowMs);
  replica.proposeSession(session, pending);
  return { kind: 'creating', session, pending };
}

function resumeSession(
  port: ClientPort,
  connection: ClientConnection,
  sessionId: bigint,
  password: Uint8Array | null,
  nowMs: number,
): Outcome {
  const { replica } = port;
  // whether a session of the ensemble lives cannot be known now: its client is to look elsewhere
  if (replica.mustRefuse(sessionId)) {
    port.logger.info('no quorum: a session of the ensemble cannot go on here', {
      session: formatSessionId(sessionId),
    });
    return { kind: 'refused' };
  }
  const isProven = passwordMatches(sessionId, password);
  if (isProven && isTooLate(connection, sessionId)) return supersede(connection);
  // whoever had the session's connection loses it, even to a client that then fails to prove itself:
  // Apache closes it first, and clients rely on the old socket dying when they come again
  port.closeSessionConnection(sessionId);
  if (!isProven) {
    port.logger.warn('wrong password for a session', {
      session: formatSessionId(sessionId),
      client: connection.socket.remoteAddress,
    });
    return { kind: 'invalid' };
  }
  const shown = connection.attach?.shown ?? 0n;
  const own = replica.localSessions?.resume(sessionId, nowMs) ?? null;
  if (own !== null) {
    const attached = replica.attach(own, shown);
    connection.attach?.grant(attached, replica.ownsSessions ? 'local' : 'local-again');
    return resumed(connection, own);
  }
  if (replica.isReadOnly) return { kind: 'invalid' };
  if (!replica.ownsSessions) return revalidateSession(port, connection, sessionId, nowMs);
  const session = replica.sessions.get(sessionId);
  if (session === undefined || !replica.sessions.touch(session, nowMs)) {
    return { kind: 'invalid' };
  }
  const attached = replica.attach(session, shown);
  connection.attach?.grant(attached, 'global');
  session.moveTo(OWN_CLIENTS);
  return resumed(connection, session);
}

function resumed(connection: ClientConnection, session: Session): Outcome {
  const { port } = connection;
  port.register(session.id, connection);
  port.metrics.connectionRevalidateCount.value++;
  return { kind: 'open', session };
}

/**
 * Whether a later client is known to have the session. Then it keeps the connection that it has, and
 * its time is not extended: nobody but itself may keep a client's session alive.
 */
function isTooLate({ port, attach }: ClientConnection, sessionId: bigint): boolean {
  if (attach === null || attach.shown === 0n) return false;
  const { shown } = attach;
  const present = port.connectionOf(sessionId);
  if (present !== undefined && shown < present.claim) return true;
  const { sessions, localSessions } = port.replica;
  const session = sessions.get(sessionId) ?? localSessions?.tracker.get(sessionId);
  return session !== undefined && !session.isClosing && shown < session.generation;
}

function supersede(connection: ClientConnection): Outcome {
  connection.port.metrics.attachesSuperseded.value++;
  connection.attach?.supersede();
  return { kind: 'invalid' };
}

/** The leader must say whether the session lives; what the client sends meanwhile waits behind it. */
function revalidateSession(
  port: ClientPort,
  connection: ClientConnection,
  sessionId: bigint,
  nowMs: number,
): Outcome {
  const { replica } = port;
  const session = replica.sessions.get(sessionId) ?? new Session(sessionId, connection.timeoutMs);
  port.register(sessionId, connection);
  port.metrics.connectionRevalidateCount.value++;
  const shown = connection.attach?.shown ?? 0n;
  connection.claim = shown === 0n ? GENERATION_MAX : shown;
  const pending = new PendingWrite(connection, OpCode.createSession, 0, nowMs);
  pending.isBarrier = shown !== 0n;
  replica.revalidate(sessionId, connection.timeoutMs, shown, (verdict) => {
    onVerdict(connection, pending, session, verdict);
  });
  return { kind: 'creating', session, pending };
}

function onVerdict(
  connection: ClientConnection,
  pending: PendingWrite,
  session: Session,
  verdict: Verdict,
): void {
  if (verdict.kind === 'valid' && verdict.attached !== null) {
    session.learnGeneration(verdict.attached.generation);
  }
  if (connection.isClosed) return;
  const { port } = connection;
  switch (verdict.kind) {
    case 'valid':
      if (verdict.attached === null) connection.attach = null;
      else connection.attach?.grant(verdict.attached, 'global');
      connection.onApplied(pending, port.zxidHigh, port.zxidLow);
      connection.flush();
      return;
    case 'superseded':
      supersede(connection);
      refuse(connection);
      return;
    case 'invalid':
      refuse(connection);
  }
}

/** A frame of its own kind: no header. `session` null: there is none (any more). */
export function writeConnectResponse(
  out: Writer,
  connection: ClientConnection,
  session: Session | null,
): void {
  const start = out.pos;
  out.writeInt(0);
  out.writeInt(0);
  out.writeInt(session === null ? 0 : connection.timeoutMs);
  out.writeLong(session === null ? 0n : session.id);
  out.writeBuffer(session === null ? new Uint8Array(16) : sessionPassword(session.id));
  if (connection.knowsReadOnly) out.writeBool(connection.port.replica.isReadOnly);
  connection.attach?.write(out, session);
  if (session !== null) connection.claim = session.generation;
  out.patchInt(start, out.pos - start - 4);
  connection.figures.packetsSent++;
  connection.port.stats.onSent(out.pos - start - 4);
}
