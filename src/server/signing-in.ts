/**
 * A client says who it is: by a credential, or by the steps of a login. Both act at once, ahead of
 * requests that are unanswered, as in Apache's server; when their answers leave differs, and is kept.
 */
import { ErrorCode } from '../protocol/errors.js';
import { OpCode } from '../protocol/opcodes.js';
import { MalformedError, type Reader } from '../protocol/reader.js';
import { prove } from './authenticate.js';
import type { ClientConnection } from './connection.js';
import { saslRound } from './sasl/sasl-round.js';

export function onAuth(connection: ClientConnection, xid: number, reader: Reader): void {
  const { output, port } = connection;
  const proven = prove(port, connection.caller, reader);
  if (proven === 'malformed') {
    connection.endAfterFlush();
    return;
  }
  if (proven === 'failed') {
    output.reply(xid, 0, 0, ErrorCode.authFailed);
    port.stats.authFailedCount++;
    connection.endAfterFlush();
    return;
  }
  const answer = (): void => output.reply(xid, 0, 0, ErrorCode.ok);
  // clients send their credentials without waiting for the session, and expect its reply first
  if (connection.unanswered.isHandshaking) connection.replyBehind(OpCode.auth, xid, answer);
  else answer();
  connection.caller = proven;
}

/** The answer comes behind those to what was asked before. */
export function onSasl(connection: ClientConnection, xid: number, reader: Reader): void {
  const { output, port } = connection;
  let round: ReturnType<typeof saslRound>;
  try {
    round = saslRound(port.authentication, connection, reader);
  } catch (problem) {
    if (!(problem instanceof MalformedError)) throw problem;
    round = 'unreadable';
  }
  if (round === 'unreadable') {
    // written now and sent later: a zxid of now would be older than those before it
    const refusal = (): void => output.reply(xid, 0, 0, ErrorCode.marshallingError);
    connection.replyInTurn(OpCode.sasl, xid, refusal);
    return;
  }
  const { error, token, caller, failure } = round;
  if (failure !== null) port.onLoginFailed(connection, failure);
  connection.caller = caller;
  const answer = (): void => {
    const out = output.beginReply(xid, 0, 0, error);
    out.writeBuffer(token);
    output.endReply(out);
  };
  if (error === ErrorCode.ok) connection.replyInTurn(OpCode.sasl, xid, answer);
  else {
    answer();
    connection.endAfterFlush();
  }
}
