/**
 * Zabra's blocks behind the handshake, and what they allow, written down field by field: a second
 * opinion beside `src/protocol/continuation.ts`.
 */
import { Reader } from 'zabra/protocol';
import type { Address } from './four-letter.js';
import { bytesOf, connectBytes, type Reply } from './raw-client.js';
import { TestClient } from './test-client.js';

export const fateOp = 0x5a42_0001;
export const catchUpOp = 0x5a42_0002;
/** Everything there is: fates, catching up, sessions that may move. */
export const everything = 7;
export const superseded = 1;

const magic = 0x5a42_5253;
/** Of Apache's response. */
const responseBytes = 37;

export interface Granted {
  readonly capabilities: number;
  readonly status: number;
  readonly generation: bigint;
  readonly zxid: bigint;
}

/** Asks for everything; `generation` 0n: comes by itself. `earlier` null: for a new session. */
export async function attach(
  address: Address,
  earlier: TestClient | null,
  generation = 0n,
): Promise<TestClient> {
  const client = await TestClient.open(address);
  const head = connectBytes({
    ...{ protocolVersion: 0, lastZxidSeen: 0n, timeoutMs: 30_000, readOnly: false },
    sessionId: earlier?.session.sessionId ?? 0n,
    password: earlier?.session.password ?? new Uint8Array(16),
  });
  const payload = bytesOf((writer) => {
    writer.writeBytes(head, 0, head.length);
    writer.writeInt(magic);
    writer.writeInt(12);
    writer.writeInt(everything);
    writer.writeLong(generation);
  });
  if ((await client.handshakeWith(payload)) === null) throw new Error('closed without an answer');
  return client;
}

/** What stands behind the response; null: nothing. */
export function grantedTo(client: TestClient): Granted | null {
  const { handshakeBytes: bytes } = client;
  if (bytes.length === responseBytes) return null;
  const reader = new Reader().reset(bytes, responseBytes, bytes.length);
  if (reader.readInt() !== magic || reader.readInt() !== 24 || reader.remaining !== 24) {
    throw new Error(`what stands behind the response is no block: ${bytes.length} bytes`);
  }
  return {
    capabilities: reader.readInt(),
    status: reader.readInt(),
    generation: reader.readLong(),
    zxid: reader.readLong(),
  };
}

const fateNames = ['never', 'executed', 'unknown'];

/** As words, in the order of the question; of what was executed also its error. */
export async function fatesOf(
  client: TestClient,
  since: bigint,
  cxids: readonly number[],
): Promise<string[]> {
  await client.sync('/');
  const { body } = await client.call(fateOp, (writer) => {
    writer.writeLong(since);
    writer.writeInt(cxids.length);
    for (const cxid of cxids) writer.writeInt(cxid);
  });
  const reader = new Reader().reset(body, 0, body.length);
  return Array.from({ length: reader.readInt() }, () => {
    reader.readInt();
    const fate = fateNames[reader.readInt()] ?? 'none';
    if (fate !== 'executed') return fate;
    reader.readLong();
    const error = reader.readInt();
    reader.readBuffer();
    return `executed ${error}`;
  });
}

/** For one recursive watch. */
export async function catchUp(client: TestClient, since: bigint, path: string): Promise<Reply> {
  return await client.call(catchUpOp, (writer) => {
    writer.writeBool(false);
    writer.writeLong(since);
    for (let list = 0; list < 4; list++) writer.writeInt(0);
    writer.writeInt(1);
    writer.writeString(path);
  });
}
