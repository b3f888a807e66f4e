/** Runs a script against one server and returns its transcript. */
import { OpCode } from 'zabra/protocol';
import type { Address } from '../../support/four-letter.js';
import { bytesOf, ClosedError, xids, type Body } from '../../support/raw-client.js';
import { body, type MultiPart } from '../../support/requests.js';
import { TestClient } from '../../support/test-client.js';
import { superPassword } from '../suite.js';
import type { Part, Request, Script, Step } from './script.js';
import { linesOf, Masks } from './transcript.js';

interface Encoded {
  readonly op: number;
  readonly body: Body;
  readonly xid?: number;
}

class Encoder {
  readonly #base: string;
  readonly #firstZxid: bigint;

  constructor(base: string, firstZxid: bigint) {
    this.#base = base;
    this.#firstZxid = firstZxid;
  }

  #path(path: string): string {
    return path.replace('~', this.#base);
  }

  encode(request: Request): Encoded {
    switch (request.op) {
      case 'create':
      case 'create2':
      case 'createContainer':
      case 'createTTL':
      case 'delete':
      case 'setData': {
        const { type, body: bytes } = this.#part(request);
        return { op: type, body: bytes };
      }
      case 'exists':
      case 'getData':
      case 'getChildren':
      case 'getChildren2':
        return {
          op: OpCode[request.op],
          body: body.pathAndWatch(this.#path(request.path), request.watch),
        };
      case 'getACL':
      case 'sync':
      case 'getAllChildrenNumber':
      case 'getEphemerals':
        return { op: OpCode[request.op], body: body.path(this.#path(request.path)) };
      case 'setACL': {
        const { path, acl, version } = request;
        return { op: OpCode.setACL, body: body.setAcl(this.#path(path), acl, version) };
      }
      case 'multi':
      case 'multiRead':
        return {
          op: OpCode[request.op],
          body: body.multi(request.parts.map((part) => this.#part(part))),
        };
      case 'setWatches':
      case 'setWatches2':
        return {
          op: OpCode[request.op],
          xid: xids.setWatches,
          body: (w) => {
            w.writeLong(this.#firstZxid + BigInt(request.since));
            for (const list of request.lists) {
              w.writeInt(list.length);
              for (const path of list) w.writeString(this.#path(path));
            }
          },
        };
      case 'addWatch':
      case 'checkWatches':
      case 'removeWatches':
        return {
          op: OpCode[request.op],
          body: body.pathAndInt(this.#path(request.path), request.type),
        };
      case 'ping':
        return { op: OpCode.ping, body: undefined, xid: xids.ping };
      case 'whoAmI':
        return { op: OpCode.whoAmI, body: undefined };
      case 'reconfig':
        return { op: OpCode.reconfig, body: body.reconfig(null, null, 'x', -1n) };
      case 'damaged':
        return this.#damage(request);
      case 'unknown':
        return { op: request.code, body: body.path(this.#base) };
    }
  }

  #damage(request: Extract<Request, { op: 'damaged' }>): Encoded {
    const inner = this.encode(request.inner);
    const whole = bytesOf(inner.body);
    const at = request.at % (whole.length + 1);
    if (request.xor === 0 || at === whole.length) return { ...inner, body: whole.slice(0, at) };
    const damaged = whole.slice();
    damaged[at] = (damaged[at] ?? 0) ^ request.xor;
    return { ...inner, body: damaged };
  }

  #part(part: Part): MultiPart {
    const path = this.#path(part.path);
    const type = OpCode[part.op];
    switch (part.op) {
      case 'create':
      case 'create2':
      case 'createContainer':
        return { type, body: body.create(path, { ...part, ttl: undefined }) };
      case 'createTTL':
        return { type, body: body.create(path, { ...part, ttl: BigInt(part.ttl) }) };
      case 'delete':
      case 'check':
        return { type, body: body.pathAndInt(path, part.version) };
      case 'setData':
        return { type, body: body.setData(path, part.data, part.version) };
      case 'getData':
      case 'getChildren':
        return { type, body: body.pathAndWatch(path, false) };
    }
  }
}

export class Execution {
  readonly #address: Address;
  readonly #base: string;
  readonly #lines: string[] = [];
  readonly #clients = new Map<number, TestClient>();
  readonly #ops = new Map<TestClient, Map<number, number>>();
  #masks = new Masks(0n);
  #encoder = new Encoder('', 0n);

  constructor(address: Address, base: string) {
    this.#address = address;
    this.#base = base;
  }

  async run(script: Script): Promise<string[]> {
    const keeper = await TestClient.connect(this.#address);
    await keeper.auth('digest', superPassword);
    const made = await keeper.create(this.#base);
    this.#masks = new Masks(made.zxid);
    this.#encoder = new Encoder(this.#base, made.zxid);
    for (const [index, step] of script.entries()) {
      this.#lines.push(`step ${index}`);
      await this.#step(step);
      await this.#fence(step.kind === 'close');
    }
    for (const client of this.#clients.values()) await this.#finish(client);
    this.#lines.push('the tree at the end');
    await this.#dump(keeper, this.#base);
    await keeper.close();
    return this.#lines;
  }

  async #step(step: Step): Promise<void> {
    if (step.kind === 'connect') {
      if (this.#clients.has(step.session)) return;
      const client = await TestClient.connect(this.#address, { timeoutMs: 60_000 });
      this.#masks.learnSession(client.session.sessionId);
      this.#attach(step.session, client);
      return;
    }
    const client = await this.#connected(step.session);
    if (client === null) return;
    switch (step.kind) {
      case 'close':
        this.#clients.delete(step.session);
        this.#post(client, step.requests);
        client.post(OpCode.closeSession);
        await client.untilClosed();
        this.#show(step.session, client, true);
        return;
      case 'reconnect':
        this.#attach(step.session, await this.#again(client));
        return;
      case 'wrongPassword': {
        const thief = await client.reconnect({ password: new Uint8Array(16) });
        this.#lines.push(`thief ${JSON.stringify(thief.session.timeoutMs)}`);
        await thief.untilClosed();
        await client.untilClosed();
        return;
      }
      case 'auth': {
        const reply = await client.auth('digest', step.user);
        this.#lines.push(`auth ${reply.err}`);
        return;
      }
      case 'requests':
        await this.#requests(client, step.requests);
    }
  }

  async #requests(client: TestClient, requests: readonly Request[]): Promise<void> {
    const posted = this.#post(client, requests);
    try {
      for (const xid of posted) await client.reply(xid);
      if (requests.some((request) => request.op === 'unknown')) await client.untilClosed();
    } catch (error) {
      if (!(error instanceof ClosedError)) throw error;
    }
  }

  #post(client: TestClient, requests: readonly Request[]): number[] {
    const ops = this.#ops.get(client);
    return requests.map((request) => {
      const { op, body: payload, xid } = this.#encoder.encode(request);
      const used = client.post(op, payload, xid);
      ops?.set(used, op);
      return used;
    });
  }

  #attach(session: number, client: TestClient): void {
    this.#clients.set(session, client);
    this.#ops.set(client, new Map());
  }

  async #again(client: TestClient): Promise<TestClient> {
    client.destroy();
    const again = await client.reconnect();
    const { sessionId, timeoutMs, readOnly } = again.session;
    this.#lines.push(
      `again ${this.#masks.owner(sessionId)} timeout ${timeoutMs} readOnly ${String(readOnly)}`,
    );
    return again;
  }

  /** The client of that session; one that the server closed is connected again. */
  async #connected(session: number): Promise<TestClient | null> {
    const client = this.#clients.get(session);
    if (client === undefined || !client.isClosed) return client ?? null;
    const again = await this.#again(client);
    this.#attach(session, again);
    return again;
  }

  /** After it, everything that the step caused has arrived everywhere. */
  async #fence(sortEvents: boolean): Promise<void> {
    for (const [session, client] of this.#clients) {
      if (!client.isClosed) {
        try {
          await client.ping();
        } catch (error) {
          if (!(error instanceof ClosedError)) throw error;
        }
      }
      this.#show(session, client, sortEvents);
    }
  }

  #show(session: number, client: TestClient, sortEvents: boolean): void {
    const ops = this.#ops.get(client) ?? new Map<number, number>();
    for (const line of linesOf(client.takeArrived(), ops, this.#masks, sortEvents)) {
      this.#lines.push(`  ${session}: ${line}`);
    }
    if (client.isClosed) this.#lines.push(`  ${session}: closed`);
  }

  async #finish(client: TestClient): Promise<void> {
    const last = client.isClosed ? await client.reconnect() : client;
    await last.close();
  }

  async #dump(keeper: TestClient, path: string): Promise<void> {
    const read = await keeper.getData(path);
    if (read.value === null) return;
    const acl = await keeper.getAcl(path);
    const { mtime, ...stat } = read.value.stat;
    this.#lines.push(
      `${path} ${JSON.stringify([
        Buffer.from(read.value.data ?? []).toString('hex'),
        read.value.data === null,
        { ...(this.#masks.stat({ ...stat, mtime }) as object), mtime: 0 },
        acl.value?.acl,
      ])}`,
    );
    const children = await keeper.getChildren(path);
    for (const name of children.value ?? []) await this.#dump(keeper, `${path}/${name}`);
  }
}
