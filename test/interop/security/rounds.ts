/** What a server answers to rounds of SASL that no client of good will sends, in lines to compare. */
import { OpCode, Reader } from 'zabra/protocol';
import { ClosedError, RawClient, type Reply } from '../../support/raw-client.js';
import { startSecure, type Kind } from './servers.js';

/** Kinds of servers by what they do about logins. */
export const policies: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'as it is': {},
  'SASL is required': { sessionRequireClientSASLAuth: 'true' },
  'sasl or digest is required': {
    'enforce.auth.enabled': 'true',
    'enforce.auth.schemes': 'sasl,digest',
  },
  'who fails may stay': { allowSaslFailedClients: 'true' },
  'who fails may stay, and SASL is required': {
    allowSaslFailedClients: 'true',
    sessionRequireClientSASLAuth: 'true',
  },
};

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const response =
  'username="bob",realm="zk-sasl-md5",nonce="x",nc=00000001,cnonce="y",digest-uri="zookeeper/zk-sasl-md5",response=00000000000000000000000000000000,qop=auth';

/** Tokens one after the other, then a read. */
const scripts: Readonly<Record<string, readonly Uint8Array[]>> = {
  'no login': [],
  'a challenge and no answer': [bytes('')],
  'a first token that is not empty': [bytes('username="bob"')],
  'two empty tokens': [bytes(''), bytes('')],
  garbage: [bytes(''), Uint8Array.of(0xff, 0, 1, 2)],
  'a wrong response': [bytes(''), bytes(response)],
  'a response twice': [bytes(''), bytes(`${response},nc=00000001`)],
  'a token too long': [bytes(''), bytes(`${response},x="${'y'.repeat(5000)}"`)],
  'again after failing': [bytes(''), bytes(response), bytes('')],
};

export async function roundsOf(kind: Kind, policy: string): Promise<string[]> {
  const server = await startSecure(kind, policies[policy]);
  const lines: string[] = [];
  try {
    for (const [name, tokens] of Object.entries(scripts)) {
      lines.push(`${name}: ${await play(server.process, tokens)}`);
    }
    lines.push(`digest instead: ${await digest(server.process)}`);
  } finally {
    await server.dispose();
  }
  return lines;
}

async function play(
  address: { readonly host: string; readonly port: number },
  tokens: readonly Uint8Array[],
): Promise<string> {
  const client = await RawClient.open(address);
  const seen: string[] = [];
  try {
    await client.handshake();
    for (const token of tokens) {
      const reply = await answer(client, OpCode.sasl, (writer) => writer.writeBuffer(token));
      seen.push(reply === null ? 'closed' : described(reply));
      if (reply === null) return seen.join(', ');
    }
    seen.push(await read(client));
  } finally {
    client.destroy();
  }
  return seen.join(', ');
}

async function digest(address: { readonly host: string; readonly port: number }): Promise<string> {
  const client = await RawClient.open(address);
  try {
    await client.handshake();
    const shown = await answer(client, OpCode.auth, (writer) => {
      writer.writeInt(0);
      writer.writeString('digest');
      writer.writeBuffer(bytes('bob:secret'));
    });
    return `${shown === null ? 'closed' : shown.err}, ${await read(client)}`;
  } finally {
    client.destroy();
  }
}

async function read(client: RawClient): Promise<string> {
  const reply = await answer(client, OpCode.exists, (writer) => {
    writer.writeString('/');
    writer.writeBool(false);
  });
  return reply === null ? 'closed' : `exists ${reply.err}`;
}

/** Null: the connection was closed instead. */
async function answer(
  client: RawClient,
  op: number,
  body: Parameters<RawClient['post']>[1],
): Promise<Reply | null> {
  try {
    return await client.call(op, body);
  } catch (error) {
    if (error instanceof ClosedError) return null;
    throw error;
  }
}

function described({ err, zxid, body }: Reply): string {
  if (body.length === 0) return `${err} at ${zxid} without a body`;
  const token = new Reader(body).readBuffer();
  if (token === null) return `${err} at ${zxid} without a token`;
  const names =
    new TextDecoder().decode(token).match(/\b(?:realm|algorithm|charset)=[^,]*/gu) ?? [];
  return `${err} at ${zxid} with ${names.sort().join(' ')}`;
}
