/**
 * The first frame of a connection asks for a session: a new one, or the one whose id and password
 * the client shows. What comes back is the session's id, its password and the timeout that counts.
 */
import { OpCode } from '../protocol/opcodes.js';
import type { Reader } from '../protocol/reader.js';
import type { Writer } from '../protocol/writer.js';
import { formatSessionId, OWN_CLIENTS, Session } from '../session/session.js';
import { passwordMatches, sessionPassword } from '../session/session-id.js';
import type { ClientPort } from './client-port.js';
import type { ClientConnection } from './connection.js';
import { PendingWrite } from './pending.js';

export type HandshakeOutcome =
  /** Close without a word: the client shall try another server. */
  | { readonly kind: 'refused' }
  /** The session is gone or the password wrong: say so, then close. */
  | { readonly kind: 'invalid' }
  /** The reply can leave now. */
  | { readonly kind: 'open'; readonly session: Session }
  /** The reply leaves when the session's own transaction has been applied. */
  | { readonly kind: 'creating'; readonly session: Session; readonly pending: PendingWrite };

export function handshake(
  port: ClientPort,
  connection: ClientConnection,
  reader: Reader,
  nowMs: number,
): HandshakeOutcome {
  reader.readInt(); // protocolVersion: ignored, as everywhere
  const lastZxidSeen = reader.readLong();
  const timeoutMs = reader.readInt();
  const sessionId = reader.readLong();
  const password = reader.readBuffer();
  // clients from before 3.4 do not send the flag, and must not get it back (ZOOKEEPER-4814)
  connection.knowsReadOnly = reader.remaining > 0;
  const canBeReadOnly = connection.knowsReadOnly && reader.readBool();
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

function createSession(
  port: ClientPort,
  connection: ClientConnection,
  nowMs: number,
): HandshakeOutcome {
  const { replica } = port;
  if (replica.localSessions !== null) {
    const session = replica.localSessions.create(connection.timeoutMs, nowMs);
    port.register(session.id, connection);
    return { kind: 'open', session };
  }
  const session = replica.sessions.create(connection.timeoutMs, nowMs);
  session.moveTo(OWN_CLIENTS);
  port.register(session.id, connection);
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
): HandshakeOutcome {
  const { replica } = port;
  const session = replica.sessions.get(sessionId);
  // whether a session of the ensemble lives cannot be known now: its client is to look elsewhere
  if (replica.mustRefuse(sessionId)) {
    port.logger.info('no quorum: a session of the ensemble cannot go on here', {
      session: formatSessionId(sessionId),
    });
    return { kind: 'refused' };
  }
  // whoever had the session's connection loses it, even to a client that then fails to prove itself:
  // Apache closes it first, and clients rely on the old socket dying when they come again
  port.closeSessionConnection(sessionId);
  if (!passwordMatches(sessionId, password)) {
    port.logger.warn('wrong password for a session', {
      session: formatSessionId(sessionId),
      client: connection.socket.remoteAddress,
    });
    return { kind: 'invalid' };
  }
  const own = replica.localSessions?.resume(sessionId, nowMs) ?? null;
  if (own !== null) {
    port.register(sessionId, connection);
    port.metrics.connectionRevalidateCount.value++;
    return { kind: 'open', session: own };
  }
  if (replica.isReadOnly) return { kind: 'invalid' };
  if (!replica.ownsSessions) return revalidateSession(port, connection, sessionId, nowMs);
  if (session === undefined || !replica.sessions.touch(session, nowMs)) {
    return { kind: 'invalid' };
  }
  session.moveTo(OWN_CLIENTS);
  port.register(sessionId, connection);
  port.metrics.connectionRevalidateCount.value++;
  return { kind: 'open', session };
}

/** The leader must say whether the session lives; what the client sends meanwhile waits behind it. */
function revalidateSession(
  port: ClientPort,
  connection: ClientConnection,
  sessionId: bigint,
  nowMs: number,
): HandshakeOutcome {
  const { replica } = port;
  const session = replica.sessions.get(sessionId) ?? new Session(sessionId, connection.timeoutMs);
  port.register(sessionId, connection);
  port.metrics.connectionRevalidateCount.value++;
  const pending = new PendingWrite(connection, OpCode.createSession, 0, nowMs);
  replica.revalidate(sessionId, connection.timeoutMs, (isValid) => {
    if (connection.isClosed) return;
    if (!isValid) {
      connection.session = null;
      writeConnectResponse(connection.output.begin(), connection, null);
      connection.endAfterFlush();
      return;
    }
    connection.onApplied(pending, port.zxidHigh, port.zxidLow);
    connection.flush();
  });
  return { kind: 'creating', session, pending };
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
  out.patchInt(start, out.pos - start - 4);
  connection.figures.packetsSent++;
  connection.port.stats.onSent(out.pos - start - 4);
}
