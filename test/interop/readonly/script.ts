/**
 * One conversation with a server that has lost its quorum, line by line, the same for Apache's and for
 * ours: whom it serves, what it answers, what becomes of everybody when the quorum is back.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { OpCode } from 'zabra/protocol';
import type { Members } from '../../cluster/members.js';
import { body, flags, part } from '../../support/requests.js';
import type { Body, RawClient, Reply } from '../../support/raw-client.js';
import { TestClient } from '../../support/test-client.js';

const home = 1;
const others = [2, 3];
const mild = { readOnly: true, timeoutMs: 20_000 } as const;

export class ReadOnlyScript {
  readonly lines: string[] = [];
  readonly #members: Members;

  constructor(members: Members) {
    this.#members = members;
  }

  async run(): Promise<readonly string[]> {
    const members = this.#members;
    await members.startAll([2, 3]);
    await members.start(home);
    await members.untilAllServe();
    const global = await this.#connect({ timeoutMs: 30_000 });
    this.#note(
      'an ephemeral makes it global',
      await global.create('/e', { flags: flags.ephemeral }),
    );
    await global.create('/a', { data: 'before' });
    await global.create('/a/b', { data: 'child' });
    const local = await this.#connect(mild);
    this.#note('a local session reads', await local.getData('/a'));
    await Promise.all(others.map((sid) => members.end(sid)));
    await Promise.all([global.untilClosed(), local.untilClosed()]);
    this.lines.push(`isro at first: ${await members.word(home, 'isro')}`);
    await this.#untilIsro('ro');
    await this.#words();
    await this.#admission(global, local);
    await this.#operations();
    await this.#sessions();
    await this.#quorumAgain(global);
    return this.lines;
  }

  async #connect(fields: Parameters<typeof TestClient.connect>[1]): Promise<TestClient> {
    return await TestClient.connect(this.#members.addressOf(home), fields);
  }

  #note(what: string, { err, zxid }: { readonly err: number; readonly zxid?: bigint }): void {
    const after = zxid === undefined ? '' : zxid > 0n ? ', with a zxid' : `, zxid ${zxid}`;
    this.lines.push(`${what}: ${err}${after}`);
  }

  async #untilIsro(wanted: string): Promise<void> {
    const startedMs = Date.now();
    while ((await this.#members.word(home, 'isro')) !== wanted) {
      if (Date.now() - startedMs > 30_000) throw new Error(`isro does not become ${wanted}`);
      await sleep(20);
    }
    if (wanted === 'ro') this.lines.push(`after the grace period: ${Date.now() - startedMs > 500}`);
  }

  async #words(): Promise<void> {
    for (const word of ['srvr', 'stat', 'mntr', 'ruok', 'conf']) {
      const text = await this.#members.word(home, word);
      const telling = text
        .split('\n')
        .filter((line) => /^Mode|READ-ONLY|server_state|imok|serverId/.test(line));
      this.lines.push(`${word}: ${telling.join(' | ')}`);
    }
  }

  /** What a connect request is answered: in the fields that do not differ from run to run. */
  async #ask(what: string, fields: Parameters<RawClient['handshake']>[0]): Promise<TestClient> {
    const client = await TestClient.open(this.#members.addressOf(home));
    const reply = await client.handshake(fields);
    const shown =
      reply === null
        ? 'closed'
        : `timeout ${reply.timeoutMs}, session ${reply.sessionId !== 0n}, read-only ${reply.readOnly ?? 'left out'}`;
    this.lines.push(`${what}: ${shown}`);
    return client;
  }

  async #admission(global: TestClient, local: TestClient): Promise<void> {
    await this.#ask('a client that must write', { readOnly: false });
    await this.#ask('a client from before 3.4', { readOnly: undefined });
    await this.#ask('a new client that can read only', mild);
    await this.#ask('one that has seen more', { ...mild, lastZxidSeen: 1n << 40n });
    const { sessionId, password } = global.session;
    await this.#ask('a global session', { ...mild, sessionId, password });
    await this.#ask('a global session that must write', { sessionId, password });
    const other = local.session;
    await this.#ask('the local session of before', {
      ...mild,
      sessionId: other.sessionId,
      password: other.password,
    });
    await this.#ask('a wrong password', { ...mild, sessionId: 5n, password: new Uint8Array(16) });
  }

  async #operations(): Promise<void> {
    const client = await this.#connect(mild);
    this.#note('auth', await client.auth('digest', 'a:b'));
    const data = await client.getData('/a', true);
    this.#note(`getData ${data.value?.text ?? ''}`, data);
    this.#note('getData of nothing', await client.getData('/none'));
    this.#note('exists', await client.exists('/later', true));
    this.#note('getChildren', await client.getChildren('/', true));
    this.#note('getChildren2', await client.getChildren2('/a'));
    this.#note('getACL', await client.getAcl('/a'));
    this.#note('getAllChildrenNumber', await client.getAllChildrenNumber('/a'));
    this.#note('getEphemerals', await client.getEphemerals('/'));
    this.#note('whoAmI', await client.whoAmI());
    this.#note('addWatch', await client.addWatch('/a', 1));
    this.#note('checkWatches', await client.checkWatches('/a', 3));
    this.#note('removeWatches', await client.removeWatches('/later', 3));
    this.#note('setWatches', await client.setWatches(1n << 40n, { data: ['/a'] }));
    this.#note('ping', await client.ping());
    const reads = await client.multiRead([part.getData('/a'), part.getChildren('/a')]);
    this.#note('multiRead', reads);
    this.#note('sync', await client.sync('/a'));
    this.#note('create', await client.create('/new'));
    this.#note('create2', await client.create2('/new'));
    this.#note('an ephemeral', await client.create('/new', { flags: flags.ephemeral }));
    this.#note('createTTL', await client.createTtl('/new', 1000n));
    this.#note('createContainer', await client.createContainer('/new'));
    this.#note('delete', await client.delete('/a/b'));
    this.#note('setData', await client.setData('/a', 'x'));
    this.#note('setACL', await client.setAcl('/a'));
    this.#note('multi', await client.multi([part.create('/new'), part.check('/a', 0)]));
    this.#note('reconfig', await client.reconfig('server.9=127.0.0.1:1:2;3'));
    this.#note('setData that cannot be read', await client.call(OpCode.setData, new Uint8Array(2)));
    const order = [client.post(OpCode.getData, body.pathAndWatch('/a', false))];
    order.push(client.post(OpCode.setData, body.setData('/a', 'x', -1)));
    order.push(client.post(OpCode.exists, body.pathAndWatch('/a', false)));
    const replies: Reply[] = [];
    for (const xid of order) replies.push(await client.reply(xid));
    this.lines.push(`in order: ${replies.map(({ err }) => err).join(' ')}`);
    await this.#lastWord('closeSession', OpCode.closeSession);
    await this.#lastWord('check outside a multi', OpCode.check, body.pathAndInt('/a', 0));
    await this.#lastWord('deleteContainer', OpCode.deleteContainer, body.path('/a'));
    await this.#lastWord('an operation that nobody knows', 4711);
    await client.close();
  }

  /** On a connection of its own: its answer, and whether the server closes behind it. */
  async #lastWord(what: string, op: number, bytes?: Body): Promise<void> {
    const client = await this.#connect(mild);
    const xid = client.post(op, bytes);
    const err = await client.reply(xid, 3000).then(
      (reply) => String(reply.err),
      () => 'no reply',
    );
    const end = await client.untilClosed(500).then(
      () => 'closed',
      () => 'goes on',
    );
    this.lines.push(`${what}: ${err}, ${end}`);
    client.destroy();
  }

  async #sessions(): Promise<void> {
    const first = await this.#connect(mild);
    const { sessionId, password } = first.session;
    const own = { ...mild, sessionId, password };
    const again = await this.#ask('its own session again', own);
    await first.untilClosed();
    await this.#ask('its own session, wrong password', { ...own, password: new Uint8Array(16) });
    await again.untilClosed();
    const quiet = await this.#connect({ ...mild, timeoutMs: 1000 });
    const startedMs = Date.now();
    await quiet.untilClosed();
    const tookMs = Date.now() - startedMs;
    this.lines.push(`a silent session ends in its time: ${tookMs > 900 && tookMs < 5000}`);
    const ended = quiet.session;
    await this.#ask('a session that has expired', {
      ...mild,
      sessionId: ended.sessionId,
      password: ended.password,
    });
  }

  async #quorumAgain(global: TestClient): Promise<void> {
    const last = await this.#connect(mild);
    await this.#members.start(2);
    await last.untilClosed(30_000);
    await this.#untilIsro('rw');
    const { sessionId, password } = last.session;
    await this.#ask('the read-only session at a server with a quorum', {
      ...mild,
      sessionId,
      password,
    });
    const writer = await this.#ask('a new client that could do without writing', mild);
    this.#note('and it writes', await writer.create('/after'));
    this.#note('ephemerals too', await writer.create('/after/e', { flags: flags.ephemeral }));
    const back = await global.reconnect({ timeoutMs: 30_000 });
    this.lines.push(`the global session lives: ${back.hasSession}`);
    this.#note('with its ephemeral', await back.exists('/e'));
    await Promise.all([back.close(), writer.close()]);
  }
}
