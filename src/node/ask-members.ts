/** Asks a server, as a client, who belongs to its ensemble: what `/zookeeper/config` holds there. */
import type { Network } from '../ports/network.js';
import { ErrorCode } from '../protocol/errors.js';
import { OpCode } from '../protocol/opcodes.js';
import type { GetDataResponse } from '../protocol/records.js';
import { ClientSession } from './client-session.js';

/** Rejects when the server does not answer within `timeoutMs`, or serves nobody now. */
export async function askMembers(
  network: Network,
  address: { readonly host: string; readonly port: number; readonly timeoutMs: number },
): Promise<string> {
  const session = await ClientSession.open(network, address);
  try {
    const question = { path: '/zookeeper/config', watch: false };
    const { error, body } = await session.request(OpCode.getData, question);
    if (error !== ErrorCode.ok) {
      const where = `${address.host}:${address.port}`;
      throw new Error(`${where} does not tell its configuration (error ${error})`);
    }
    const { data } = body as GetDataResponse;
    return new TextDecoder().decode(data ?? new Uint8Array(0));
  } finally {
    await session.close();
  }
}
