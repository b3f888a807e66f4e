import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../ports/clock.js';
import { silentLogger } from '../ports/logger.js';
import type { Socket, SocketHandler } from '../ports/network.js';
import {
  AttachStatus,
  readAttachResponse,
  writeAttachRequest,
  type AttachResponse,
} from '../protocol/continuation.js';
import { OpCode } from '../protocol/opcodes.js';
import { Reader } from '../protocol/reader.js';
import { ConnectRequest, ConnectResponse } from '../protocol/records.js';
import { Writer } from '../protocol/writer.js';
import { sessionPassword } from '../session/session-id.js';
import { SessionTracker } from '../session/tracker.js';
import { Tree } from '../tree/tree.js';
import { nodeCrypto } from '../node/crypto.js';
import { Applier } from './applier.js';
import type { Verdict } from './attach.js';
import { clientPortOptions } from './client-port-options.js';
import { ClientPort } from './client-port.js';
import { configOf } from './config/config.js';
import { createBody, everything, requestOf } from './continuing-client.fixture.js';
import { ForwardingReplica } from './ensemble/forwarding-replica.js';
import { ServerMetrics } from './metrics.js';
import { PipelineFigures } from './pipeline-figures.js';
import { RecentHistory } from './recent/recent-history.js';
import { ServerStats } from './server-stats.js';
import { Watches } from './watches.js';

const id = 0x1_0000_0001n;
const valid: Verdict = { kind: 'valid', attached: { generation: 9n, zxid: 4n } };

interface Arrived {
  /** Null: it was closed without an answer. */
  readonly answer: { readonly sessionId: bigint; readonly attach: AttachResponse | null } | null;
  readonly isClosed: boolean;
}

interface Learner {
  /** What went to the leader, in order. */
  readonly sent: string[];
  /** A client comes with the session, and says this behind. */
  readonly comes: (shown: bigint | null, ...behind: readonly Uint8Array[]) => () => Arrived;
  readonly verdict: (verdict: Verdict) => void;
}

/** A learner that has not heard of the session yet. */
function learner(grantsContinuation = true): Learner {
  const clock: Clock = {
    ...{ monotonicMs: () => 0, wallMs: () => 0, soon: () => undefined },
    after: () => ({ cancel: () => undefined }),
  };
  const sessions = new SessionTracker({ tickTimeMs: 1000, serverId: 1, wallMs: 0 });
  const tree = new Tree();
  const sent: string[] = [];
  const replica = new ForwardingReplica(
    new Applier(tree, sessions, new RecentHistory(0), () => 0),
    {
      grantsContinuation,
      forward: ({ op }) => sent.push(op === OpCode.sync ? 'sync' : 'write'),
      revalidate: (_session, _timeoutMs, shown) => sent.push(`revalidate ${shown}`),
    },
  );
  const metrics = new ServerMetrics();
  const watches = new Watches({
    ...{ metrics, tree, allows: () => true, applyingZxid: () => ({ high: 0, low: 0 }) },
  });
  const port = new ClientPort(
    {
      options: clientPortOptions(configOf({ dataDir: '/d', clientPort: 1 }), nodeCrypto),
      ...{ clock, logger: silentLogger, stats: new ServerStats(), metrics },
      figures: new PipelineFigures(metrics, clock, 1, () => 'follower'),
      answerWord: () => '',
      fraction: () => 0,
    },
    replica,
    watches,
  );
  return {
    sent,
    comes: (shown, ...behind) => {
      const socket = new Ear();
      const handler = port.accept(socket);
      say(handler, connectRequest(shown));
      for (const frame of behind) say(handler, frame);
      return () => {
        port.flush();
        return socket.arrived;
      };
    },
    verdict: (verdict) => replica.onRevalidated(id, verdict),
  };
}

/** What a client hears. */
class Ear implements Socket {
  readonly remoteAddress = '127.0.0.1';
  readonly remotePort = 1;
  readonly localAddress = '127.0.0.1';
  readonly localPort = 2;
  readonly pendingBytes = 0;
  readonly #out = new Writer();
  #isClosed = false;

  get arrived(): Arrived {
    const { bytes, pos } = this.#out;
    const isClosed = this.#isClosed;
    if (pos === 0) return { answer: null, isClosed };
    const reader = new Reader().reset(bytes, 4, 4 + new DataView(bytes.buffer).getInt32(0));
    const { sessionId } = ConnectResponse.read(reader);
    return { answer: { sessionId, attach: readAttachResponse(reader) }, isClosed };
  }

  write(bytes: Uint8Array, start: number, end: number): boolean {
    this.#out.writeBytes(bytes, start, end);
    return true;
  }

  pause(): void {
    assert.fail('there is room');
  }

  resume(): void {
    assert.fail('nobody paused it');
  }

  end(): void {
    this.#isClosed = true;
  }

  destroy(): void {
    this.#isClosed = true;
  }
}

function say(handler: SocketHandler, bytes: Uint8Array): void {
  handler.onData(bytes, 0, bytes.length);
}

function connectRequest(shown: bigint | null): Uint8Array {
  const out = new Writer();
  out.writeInt(0);
  ConnectRequest.write(out, {
    ...{ protocolVersion: 0, lastZxidSeen: 0n, timeOut: 4000, sessionId: id },
    ...{ passwd: sessionPassword(id), readOnly: false },
  });
  if (shown !== null) writeAttachRequest(out, { capabilities: everything, generation: shown });
  out.patchInt(0, out.pos - 4);
  return out.take();
}

const write = requestOf(1, OpCode.create, createBody('/a'));
const sync = requestOf(2, OpCode.sync, (out) => {
  out.writeString('/');
});

test('of who may be refused nothing is sent to the leader but a sync, until it has answered', () => {
  const { sent, comes, verdict } = learner();
  const client = comes(9n, sync, write);
  assert.deepEqual(sent, ['revalidate 9', 'sync']);
  verdict(valid);
  assert.deepEqual(client().answer, {
    sessionId: id,
    attach: { capabilities: everything, status: AttachStatus.ok, generation: 9n, zxid: 4n },
  });
  assert.deepEqual(sent, ['revalidate 9', 'sync'], 'the write waits behind the sync');
});

test('the writes of who is refused are never sent', () => {
  const { sent, comes, verdict } = learner();
  const client = comes(9n, write);
  verdict({ kind: 'superseded' });
  assert.deepEqual(sent, ['revalidate 9']);
  const { answer, isClosed } = client();
  assert.deepEqual(answer, {
    sessionId: 0n,
    attach: { capabilities: 0, status: AttachStatus.superseded, generation: 0n, zxid: 0n },
  });
  assert.equal(isClosed, true);
});

test('the writes of who is accepted are sent at once then', () => {
  const { sent, comes, verdict } = learner();
  comes(9n, write);
  assert.deepEqual(sent, ['revalidate 9']);
  verdict(valid);
  assert.deepEqual(sent, ['revalidate 9', 'write']);
});

test('who comes by itself waits for nothing, as ever', () => {
  for (const shown of [0n, null]) {
    const { sent, comes } = learner();
    comes(shown, write, sync);
    assert.deepEqual(sent, ['revalidate 0', 'write', 'sync']);
  }
});

test('under a leader that knows no generations nothing is shown to it, and nothing granted', () => {
  const { sent, comes, verdict } = learner(false);
  const client = comes(9n, write);
  assert.deepEqual(sent, ['revalidate 0', 'write']);
  verdict({ kind: 'valid', attached: null });
  assert.deepEqual(client(), { answer: { sessionId: id, attach: null }, isClosed: false });
});

test('a leader that does not tell of generations grants nothing', () => {
  const { comes, verdict } = learner();
  const client = comes(9n);
  verdict({ kind: 'valid', attached: null });
  assert.deepEqual(client().answer, { sessionId: id, attach: null });
});

test('the one before is closed by who may have the session, and left alone by who is late', () => {
  const { sent, comes, verdict } = learner();
  const first = comes(9n);
  verdict(valid);
  const late = comes(8n);
  assert.equal(late().answer?.attach?.status, AttachStatus.superseded);
  assert.deepEqual(sent, ['revalidate 9'], 'that much is known here');
  assert.equal(first().isClosed, false);
  const next = comes(9n);
  assert.equal(first().isClosed, true);
  const itself = comes(0n);
  assert.deepEqual(next(), { answer: null, isClosed: true });
  verdict(valid);
  verdict({ kind: 'valid', attached: { generation: 12n, zxid: 12n } });
  assert.deepEqual(next().answer, null, 'nobody is there to be answered');
  assert.equal(itself().answer?.attach?.generation, 12n);
});

test('who found no session leaves no claim behind', () => {
  const { comes, verdict } = learner();
  const first = comes(0n);
  verdict({ kind: 'invalid' });
  assert.equal(first().answer?.sessionId, 0n);
  const second = comes(3n);
  assert.deepEqual(second(), { answer: null, isClosed: false }, 'it is asked for');
});
