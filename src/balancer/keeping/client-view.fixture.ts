/**
 * What one client was told, held against what one server that never failed would have told it: answers
 * in the order of the requests, each true at its zxid, every write executed once, and between the
 * answers exactly the events of the watches that the client then held, in their order.
 */
import assert from 'node:assert/strict';
import { ErrorCode } from '../../protocol/errors.js';
import { OpCode } from '../../protocol/opcodes.js';
import type { FakeEnsemble, FakeTxn } from './fake-ensemble.fixture.js';
import { FakeTree, happeningsOf } from './fake-tree.fixture.js';
import { FakeWatches, type Happening } from './fake-watches.fixture.js';
import type { RawClient, Received } from './raw-client.fixture.js';

export interface Asked {
  readonly xid: number;
  readonly op: number;
  readonly path: string;
  readonly watch: boolean;
  /** Of removeWatches and addWatch: the type, or 1 for recursive. */
  readonly mode: number;
}

interface Fired extends Happening {
  readonly zxid: bigint;
}

type Reply = Extract<Received, { kind: 'reply' }>;

/** Throws what is wrong. `isWhole`: the client is still there and waits for nothing. */
export function checkView(
  client: RawClient,
  asked: readonly Asked[],
  ensemble: FakeEnsemble,
  isWhole: boolean,
): void {
  new View(client, asked, ensemble).check(isWhole);
}

class View {
  readonly #client: RawClient;
  readonly #asked: readonly Asked[];
  readonly #ensemble: FakeEnsemble;
  readonly #watches = new FakeWatches();
  readonly #tree = new FakeTree();
  readonly #happenings: Fired[];
  /** How far the client has been told. */
  #next = 0;
  #applied = 0;
  #zxid = 0n;
  #answered = 0;

  constructor(client: RawClient, asked: readonly Asked[], ensemble: FakeEnsemble) {
    this.#client = client;
    this.#asked = asked;
    this.#ensemble = ensemble;
    this.#happenings = ensemble.log.flatMap(({ changes, zxid }) =>
      happeningsOf(changes).map((happening) => ({ ...happening, zxid })),
    );
  }

  check(isWhole: boolean): void {
    for (const one of this.#client.inbox) {
      if (one.kind === 'event') this.#onEvent(one);
      else if (one.kind === 'reply' && one.xid > 0) this.#onReply(one);
    }
    if (isWhole) assert.equal(this.#answered, this.#asked.length, 'every request has its answer');
    for (const { xid } of this.#asked) {
      assert.ok(this.#executions(xid).length <= 1, `write ${xid} was executed once at most`);
    }
  }

  #executions(xid: number): FakeTxn[] {
    return this.#ensemble.log.filter(
      ({ sessionId, cxid, error }) =>
        sessionId === this.#client.sessionId && cxid === xid && error !== ErrorCode.sessionMoved,
    );
  }

  #onEvent({ zxid, type, path }: Extract<Received, { kind: 'event' }>): void {
    for (;;) {
      const next = this.#happenings[this.#next++];
      assert.ok(next !== undefined, `event ${type}@${path} of ${zxid} that nothing explains`);
      if (!this.#watches.fire(next)) continue;
      assert.deepEqual({ zxid, type, path }, next, 'the next event that its watches tell');
      return;
    }
  }

  #onReply(reply: Reply): void {
    const request = this.#asked[this.#answered++];
    assert.equal(reply.xid, request?.xid, 'answers come in the order of the requests');
    if (request === undefined) return;
    this.#advance(reply.zxid);
    if (isWrite(request.op)) this.#onWriteReply(reply);
    else this.#onReadReply(request, reply);
  }

  /** Everything up to here has been told, when there was somebody to tell. */
  #advance(zxid: bigint): void {
    for (let next = this.#happenings[this.#next]; next !== undefined;) {
      if (next.zxid > zxid) return;
      const isMissed = this.#watches.fire(next);
      assert.ok(!isMissed, `event ${next.type}@${next.path} of ${next.zxid} was not told`);
      next = this.#happenings[++this.#next];
    }
  }

  #onWriteReply({ xid, zxid, error, body }: Reply): void {
    const [txn, ...more] = this.#executions(xid);
    assert.ok(txn !== undefined && more.length === 0, `write ${xid} was executed once`);
    assert.deepEqual(
      { zxid, error, body: [...body] },
      { zxid: txn.zxid, error: txn.error, body: [...txn.body] },
    );
    assert.ok(txn.zxid > this.#zxid || this.#zxid === 0n, 'writes are executed in their order');
    this.#zxid = zxid;
  }

  #onReadReply({ op, path, watch, mode }: Asked, reply: Reply): void {
    assert.ok(reply.zxid >= this.#zxid, 'no read goes back in time');
    this.#zxid = reply.zxid;
    for (let txn = this.#ensemble.log[this.#applied]; txn !== undefined;) {
      if (txn.zxid > reply.zxid) break;
      this.#tree.apply(txn.changes, txn.zxid);
      txn = this.#ensemble.log[++this.#applied];
    }
    if (op === OpCode.addWatch) {
      this.#watches.add(mode === 1 ? 'recursive' : 'persistent', path);
      return;
    }
    if (op === OpCode.removeWatches) {
      const wasHeld = this.#watches.remove(path, mode);
      assert.equal(reply.error, wasHeld ? 0 : ErrorCode.noWatcher, `removal at ${path}`);
      return;
    }
    const { error, body } = this.#tree.read(op, path);
    assert.deepEqual(
      { error: reply.error, body: [...reply.body] },
      { error, body: [...body] },
      `answer ${reply.xid} at ${reply.zxid}`,
    );
    if (!watch) return;
    if (error === 0) this.#watches.add(op === OpCode.getChildren ? 'child' : 'data', path);
    else if (op === OpCode.exists) this.#watches.add('exist', path);
  }
}

function isWrite(op: number): boolean {
  switch (op) {
    case OpCode.create:
    case OpCode.delete:
    case OpCode.setData:
    case OpCode.multi:
      return true;
    default:
      return false;
  }
}
