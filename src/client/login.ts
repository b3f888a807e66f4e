/** Logging in by SASL on a connection that has a session and sends no calls yet. */
import type { Crypto } from '../ports/crypto.js';
import { OpCode } from '../protocol/opcodes.js';
import type { Connection } from './connection.js';
import { Request, type Operation } from './request.js';
import { logIn, saslMechanismOf, type SaslOptions } from './sasl.js';

const saslStep: Operation<Uint8Array | null> = {
  opCode: OpCode.sasl,
  isWrite: false,
  write(writer, request) {
    writer.writeBuffer(request.extra as Uint8Array);
  },
  read: (reader) => (reader.remaining === 0 ? null : reader.readBuffer()),
};

/** Rejects with what ended it; the connection is of no use then. */
export async function logInTo(
  connection: Connection,
  options: SaslOptions,
  crypto: Crypto,
): Promise<void> {
  const mechanism = saslMechanismOf(options, crypto);
  await logIn(mechanism, connection.server.host, (token) => {
    const request = new Request(saslStep, '', '', null, 0, token);
    connection.sendFirst(request);
    return request.promise;
  });
}
