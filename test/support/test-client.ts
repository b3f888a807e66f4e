/** RawClient with a method for each op: sends one request, waits, and reads the reply's body. */
import { OpCode, Reader } from 'zabra/protocol';
import type { Address } from './four-letter.js';
import { RawClient, xids, type ConnectFields, type Reply } from './raw-client.js';
import {
  body,
  flags,
  openAcl,
  readAcl,
  readMultiResults,
  readStat,
  readStrings,
  type Acl,
  type CreateOptions,
  type Data,
  type MultiPart,
  type MultiResult,
  type Stat,
  type Watches,
} from './requests.js';

/** A reply, and its body read as T when the server answered without an error. */
export interface Answer<T> extends Reply {
  readonly value: T | null;
}

function answer<T>(reply: Reply, read: (reader: Reader) => T): Answer<T> {
  if (reply.err !== 0) return { ...reply, value: null };
  const reader = new Reader().reset(reply.body, 0, reply.body.length);
  const value = read(reader);
  if (reader.remaining > 0) throw new Error(`${reader.remaining} bytes too many in a reply's body`);
  return { ...reply, value };
}

const nothing = (): true => true;

export class TestClient extends RawClient {
  /** A TCP connection with a session on it. */
  static async connect(address: Address, fields: Partial<ConnectFields> = {}): Promise<TestClient> {
    const client = await TestClient.open(address);
    const reply = await client.handshake(fields);
    if (reply === null) throw new Error('the server closed instead of answering the handshake');
    return client;
  }

  /** A second connection that asks for this session by id and password. */
  async reconnect(
    fields: Partial<ConnectFields> = {},
    address: Address = this.address,
  ): Promise<TestClient> {
    const client = await TestClient.open(address);
    const { sessionId, password } = this.session;
    await client.handshake({ sessionId, password, ...fields });
    client.continueFrom(this);
    return client;
  }

  /** `create`, or `createContainer`/`createTTL` as flags and ttl ask for. */
  async create(path: string | null, options: CreateOptions = {}): Promise<Answer<string>> {
    const reply = await this.call(OpCode.create, body.create(path, options));
    return answer(reply, (r) => r.readString() ?? '');
  }

  async create2(
    path: string | null,
    options: CreateOptions = {},
  ): Promise<Answer<{ path: string; stat: Stat }>> {
    return await this.#createWithStat(OpCode.create2, path, options);
  }

  async createContainer(
    path: string | null,
    options: CreateOptions = {},
  ): Promise<Answer<{ path: string; stat: Stat }>> {
    return await this.#createWithStat(OpCode.createContainer, path, {
      flags: flags.container,
      ...options,
    });
  }

  async createTtl(
    path: string | null,
    ttl: bigint,
    options: CreateOptions = {},
  ): Promise<Answer<{ path: string; stat: Stat }>> {
    return await this.#createWithStat(OpCode.createTTL, path, {
      flags: flags.ttl,
      ...options,
      ttl,
    });
  }

  async #createWithStat(
    op: number,
    path: string | null,
    options: CreateOptions,
  ): Promise<Answer<{ path: string; stat: Stat }>> {
    const reply = await this.call(op, body.create(path, options));
    return answer(reply, (r) => ({ path: r.readString() ?? '', stat: readStat(r) }));
  }

  async delete(path: string | null, version = -1): Promise<Answer<true>> {
    return answer(await this.call(OpCode.delete, body.pathAndInt(path, version)), nothing);
  }

  async exists(path: string | null, watch = false): Promise<Answer<Stat>> {
    return answer(await this.call(OpCode.exists, body.pathAndWatch(path, watch)), readStat);
  }

  async getData(
    path: string | null,
    watch = false,
  ): Promise<Answer<{ data: Uint8Array | null; text: string; stat: Stat }>> {
    const reply = await this.call(OpCode.getData, body.pathAndWatch(path, watch));
    return answer(reply, (r) => {
      const data = r.readBuffer();
      const text = data === null ? '' : Buffer.from(data).toString('utf8');
      return { data, text, stat: readStat(r) };
    });
  }

  async setData(path: string | null, data: Data, version = -1): Promise<Answer<Stat>> {
    return answer(await this.call(OpCode.setData, body.setData(path, data, version)), readStat);
  }

  async getAcl(path: string | null): Promise<Answer<{ acl: Acl[]; stat: Stat }>> {
    return answer(await this.call(OpCode.getACL, body.path(path)), (r) => ({
      acl: readAcl(r),
      stat: readStat(r),
    }));
  }

  async setAcl(
    path: string | null,
    acl: readonly Acl[] | null = openAcl,
    version = -1,
  ): Promise<Answer<Stat>> {
    return answer(await this.call(OpCode.setACL, body.setAcl(path, acl, version)), readStat);
  }

  /** Sorted: no order is promised. */
  async getChildren(path: string | null, watch = false): Promise<Answer<string[]>> {
    const reply = await this.call(OpCode.getChildren, body.pathAndWatch(path, watch));
    return answer(reply, (r) => readStrings(r).sort());
  }

  async getChildren2(
    path: string | null,
    watch = false,
  ): Promise<Answer<{ children: string[]; stat: Stat }>> {
    const reply = await this.call(OpCode.getChildren2, body.pathAndWatch(path, watch));
    return answer(reply, (r) => ({ children: readStrings(r).sort(), stat: readStat(r) }));
  }

  async sync(path: string | null): Promise<Answer<string>> {
    const reply = await this.call(OpCode.sync, body.path(path));
    return answer(reply, (r) => r.readString() ?? '');
  }

  async multi(parts: readonly MultiPart[]): Promise<Answer<MultiResult[]>> {
    return answer(await this.call(OpCode.multi, body.multi(parts)), readMultiResults);
  }

  async multiRead(parts: readonly MultiPart[]): Promise<Answer<MultiResult[]>> {
    return answer(await this.call(OpCode.multiRead, body.multi(parts)), readMultiResults);
  }

  async auth(scheme: string | null, credential: Data): Promise<Answer<true>> {
    const reply = await this.call(OpCode.auth, body.auth(scheme, credential), xids.auth);
    return answer(reply, nothing);
  }

  async setWatches(relativeZxid: bigint, watches: Watches): Promise<Answer<true>> {
    const payload = body.setWatches(relativeZxid, watches, false);
    return answer(await this.call(OpCode.setWatches, payload, xids.setWatches), nothing);
  }

  async setWatches2(relativeZxid: bigint, watches: Watches): Promise<Answer<true>> {
    const payload = body.setWatches(relativeZxid, watches, true);
    return answer(await this.call(OpCode.setWatches2, payload, xids.setWatches), nothing);
  }

  async addWatch(path: string | null, mode: number): Promise<Answer<number>> {
    const reply = await this.call(OpCode.addWatch, body.pathAndInt(path, mode));
    return answer(reply, (r) => r.readInt());
  }

  async checkWatches(path: string | null, type: number): Promise<Answer<true>> {
    return answer(await this.call(OpCode.checkWatches, body.pathAndInt(path, type)), nothing);
  }

  async removeWatches(path: string | null, type: number): Promise<Answer<true>> {
    return answer(await this.call(OpCode.removeWatches, body.pathAndInt(path, type)), nothing);
  }

  async getEphemerals(prefix: string | null): Promise<Answer<string[]>> {
    const reply = await this.call(OpCode.getEphemerals, body.path(prefix));
    return answer(reply, (r) => readStrings(r).sort());
  }

  async getAllChildrenNumber(path: string | null): Promise<Answer<number>> {
    const reply = await this.call(OpCode.getAllChildrenNumber, body.path(path));
    return answer(reply, (r) => r.readInt());
  }

  async whoAmI(): Promise<Answer<{ scheme: string; user: string }[]>> {
    return answer(await this.call(OpCode.whoAmI), (r) => {
      const infos: { scheme: string; user: string }[] = [];
      for (let left = r.readInt(); left > 0; left -= 1) {
        infos.push({ scheme: r.readString() ?? '', user: r.readString() ?? '' });
      }
      return infos;
    });
  }

  async reconfig(joining: string | null, id = -1n): Promise<Answer<true>> {
    const reply = await this.call(OpCode.reconfig, body.reconfig(joining, null, null, id));
    return answer(reply, nothing);
  }
}
