/**
 * Random load for a server that is about to be killed: sessions with ephemerals, every kind of znode,
 * ACLs, quotas, multis, and always requests in flight.
 */
import { OpCode } from 'zabra/protocol';
import { ClosedError } from '../../support/raw-client.js';
import type { ServerProcess } from '../../support/server-process.js';
import { body, flags, openAcl, part, type Acl, type MultiPart } from '../../support/requests.js';
import { TestClient } from '../../support/test-client.js';
import type { SeededRandom } from '../differential/random.js';

const acls: readonly (readonly Acl[])[] = [
  openAcl,
  openAcl,
  openAcl,
  [{ perms: 31, scheme: 'auth', id: '' }],
  [...openAcl, { perms: 3, scheme: 'ip', id: '10.0.0.0/8' }],
  [
    { perms: 1, scheme: 'world', id: 'anyone' },
    { perms: 31, scheme: 'digest', id: 'x:y=' },
  ],
];

interface Request {
  readonly op: number;
  readonly body: Uint8Array;
}

export class Load {
  readonly #random: SeededRandom;
  readonly #clients: TestClient[] = [];
  #quotas = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  get clients(): readonly TestClient[] {
    return this.#clients;
  }

  /** Takes up the sessions of an earlier life of the server, and opens more. */
  async attach(server: ServerProcess): Promise<void> {
    for (const [index, client] of this.#clients.entries()) {
      const again = await client.reconnect({ timeoutMs: 60_000 }, server);
      if (again.session.sessionId !== 0n) this.#clients[index] = again;
      else this.#clients[index] = await TestClient.connect(server, { timeoutMs: 60_000 });
    }
    while (this.#clients.length < 5) {
      this.#clients.push(await TestClient.connect(server, { timeoutMs: 60_000 }));
    }
    for (const client of this.#clients) await client.auth('digest', 'load:er');
  }

  /** `rounds` times a burst of requests from each session; waits for all but the last burst. */
  async run(rounds: number): Promise<void> {
    const random = this.#random;
    for (let round = 0; round < rounds; round += 1) {
      const isLast = round === rounds - 1;
      const posted: [TestClient, number][] = [];
      for (const client of this.#clients) {
        for (let count = random.between(5, 40); count > 0; count -= 1) {
          const { op, body: payload } = this.#request();
          posted.push([client, client.post(op, payload)]);
        }
      }
      if (isLast) return;
      for (const [client, xid] of posted) await client.reply(xid);
      if (random.chance(0.1)) await this.#replaceOne();
    }
  }

  /** After the kill: how far the answers came. */
  async highestAnswered(): Promise<bigint> {
    let highest = 0n;
    for (const client of this.#clients) {
      try {
        await client.untilClosed();
      } catch (error) {
        if (!(error instanceof ClosedError)) throw error;
      }
      for (const { zxid } of client.replies) if (zxid > highest) highest = zxid;
    }
    return highest;
  }

  async #replaceOne(): Promise<void> {
    const at = this.#random.below(this.#clients.length);
    const client = this.#clients[at];
    if (client === undefined) return;
    await client.close();
    const fresh = await TestClient.connect(client.address, { timeoutMs: 60_000 });
    await fresh.auth('digest', 'load:er');
    this.#clients[at] = fresh;
  }

  #request(): Request {
    const random = this.#random;
    const dice = random.below(100);
    if (dice < 35) return this.#part(this.#create());
    if (dice < 60) return this.#part(part.setData(this.#path(), this.#data(), this.#version()));
    if (dice < 75) return this.#part(part.delete(this.#path(), this.#version()));
    if (dice < 82) {
      return { op: OpCode.setACL, body: body.setAcl(this.#path(), random.pick(acls), -1) };
    }
    if (dice < 92) {
      const parts = Array.from({ length: random.below(5) }, () => this.#member());
      return { op: OpCode.multi, body: body.multi(parts) };
    }
    if (dice < 94) return this.#quota();
    // Apache logs its error under the zxid before it, once more
    if (dice < 96) return { op: OpCode.setData, body: Uint8Array.of(0, 0) };
    return { op: OpCode.getData, body: body.pathAndWatch(this.#path(), false) };
  }

  #part(one: MultiPart): Request {
    return { op: one.type, body: one.body };
  }

  #member(): MultiPart {
    const random = this.#random;
    const dice = random.below(4);
    if (dice === 0) return part.setData(this.#path(), this.#data());
    if (dice === 1) return part.delete(this.#path());
    if (dice === 2) return part.check(this.#path(), this.#version());
    return this.#create();
  }

  #create(): MultiPart {
    const random = this.#random;
    const options = { data: this.#data(), acl: random.pick(acls) };
    const path = this.#path();
    const dice = random.below(20);
    if (dice < 2) return part.createContainer(path, options);
    if (dice < 4) return part.createTtl(path, BigInt(random.between(100_000, 1_000_000)), options);
    if (dice < 9) return part.create(path, { ...options, flags: flags.ephemeral });
    if (dice < 11) {
      return part.create(`${path}/s-`, { ...options, flags: flags.persistentSequential });
    }
    return dice < 15 ? part.create(path, options) : part.create2(path, options);
  }

  /** A quota's znodes, one after the other over the run. */
  #quota(): Request {
    const steps = ['', '/a', '/a/zookeeper_limits', '/a/zookeeper_stats'];
    const step = steps[this.#quotas % steps.length] ?? '';
    this.#quotas += 1;
    const path = step === '' ? '/zookeeper/quota/n1' : `/zookeeper/quota/n1${step}`;
    const data = step.endsWith('limits') ? 'count=100000,bytes=100000000' : 'count=0,bytes=0';
    return { op: OpCode.create, body: body.create(path, { data }) };
  }

  #path(): string {
    const random = this.#random;
    let path = `/n${random.below(4)}`;
    for (let depth = random.below(4); depth > 0; depth -= 1) {
      path = `${path}/${random.pick(['a', 'b', 'cc', 'ü', 'long-name-of-a-znode'])}`;
    }
    return path;
  }

  #data(): string | null {
    const random = this.#random;
    const dice = random.below(10);
    if (dice === 0) return null;
    if (dice === 1) return '';
    if (dice === 2) return 'x'.repeat(random.below(20_000));
    return `value ${random.below(1_000_000)}`;
  }

  #version(): number {
    return this.#random.chance(0.7) ? -1 : this.#random.below(3);
  }
}
