/**
 * Servers that lie, on real sockets. Between the client and an honest server stands somebody who
 * changes, swallows, cuts, invents and delays what the server says. Whatever that is: every call ends
 * in bounded time with a value or a typed error, nothing is thrown where nobody catches it, and when
 * the lies end the same client works again.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { Client, ZkError } from 'zabra/client';
import { TestServer } from 'zabra/testing';
import { framed, Gate, lying, type Lie } from '../support/gate.js';

const sessionTimeoutMs = 1200;
/** No call may take longer: the session's timeout, and what a busy machine adds. */
const boundMs = 30_000;

interface Scene {
  readonly server: TestServer;
  readonly gate: Gate;
  readonly client: Client;
  lie(lie: Lie): void;
  honest(): void;
}

async function scene(t: TestContext): Promise<Scene> {
  const server = await TestServer.start({ settings: { tickTimeMs: 100 } });
  const gate = await Gate.before(server.port);
  const client = new Client(gate.connectString, {
    sessionTimeoutMs,
    backoff: { minMs: 1, maxMs: 20 },
  });
  t.after(async () => {
    await client.close();
    await gate.close();
    await server.stop();
  });
  await client.connect();
  await client.create('/a', 'data');
  return {
    ...{ server, gate, client },
    lie: (lie) => {
      gate.liarOf = () => lying(lie);
    },
    honest: () => {
      gate.liarOf = null;
      gate.cut();
    },
  };
}

/** A call of each kind. */
function calls(client: Client): Promise<unknown>[] {
  return [
    client.getData('/a', { watch: () => undefined }),
    client.exists('/none', { watch: () => undefined }),
    client.getChildren('/', { watch: () => undefined }),
    client.setData('/a', 'x'),
    client.create('/q-', '', { mode: 'ephemeral-sequential' }),
    client.getACL('/a'),
    client.sync('/'),
    client.multiRead([
      { type: 'getData', path: '/a' },
      { type: 'getChildren', path: '/' },
    ]),
    client.transaction().check('/a').setData('/a', 'y').commit(),
    client.addWatch('/a', {}, () => undefined),
    client.whoAmI(),
    client.getEphemerals(),
    client.getAllChildrenNumber('/'),
  ];
}

/** How each ended; late ones are a failure of the test. */
async function outcomes(all: readonly Promise<unknown>[]): Promise<(ZkError | null)[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`a call has not ended within ${boundMs} ms`));
    }, boundMs);
  });
  const settled = await Promise.race([Promise.allSettled(all), late]);
  clearTimeout(timer);
  return settled.map((one) => {
    if (one.status === 'fulfilled') return null;
    assert.ok(one.reason instanceof ZkError, `not typed: ${String(one.reason)}`);
    return one.reason;
  });
}

/** The same client, on the same server, without the lies: at the latest in a new session. */
async function recovers(stage: Scene): Promise<void> {
  const { client } = stage;
  stage.honest();
  const end = performance.now() + boundMs;
  for (;;) {
    const [failure] = await outcomes([client.setData('/a', 'well')]);
    if (failure === null) break;
    assert.ok(performance.now() < end, `it does not recover: ${String(failure)}`);
  }
  const all = await outcomes(calls(client));
  assert.deepEqual(
    all.filter((one) => one !== null),
    [],
  );
}

const frameOf = (...parts: readonly Buffer[]): Buffer[] => [framed(Buffer.concat(parts))];
const header = (xid: number, zxid: bigint, err: number): Buffer => {
  const bytes = Buffer.alloc(16);
  bytes.writeInt32BE(xid, 0);
  bytes.writeBigInt64BE(zxid, 4);
  bytes.writeInt32BE(err, 12);
  return bytes;
};
const text = (content: string): Buffer => framed(Buffer.from(content));
const ints = (...numbers: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(4 * numbers.length);
  for (const [i, number] of numbers.entries()) bytes.writeInt32BE(number, 4 * i);
  return bytes;
};

const lies: Readonly<Record<string, Lie>> = {
  'frames cut short': (frame) => frameOf(frame.subarray(0, frame.length >> 1)),
  'empty frames': () => [ints(0)],
  'wrong xids': (frame, i) => {
    if (i > 0) frame.writeInt32BE(frame.readInt32BE(0) + 1, 0);
    return frameOf(frame);
  },
  'negative xids': (frame, i) => {
    if (i > 0) frame.writeInt32BE(-77, 0);
    return frameOf(frame);
  },
  'huge lengths': () => [ints(0x7fffffff, 1, 2, 3)],
  'negative lengths': () => [ints(-5, 1, 2, 3)],
  garbage: (frame) => [Buffer.from(frame.map((byte, i) => (byte * 31 + i * 17) & 0xff))],
  'a web page': () => [Buffer.from('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')],
  'a silent accept': () => [],
  'silence after the greeting': (frame, i) => (i === 0 ? frameOf(frame) : []),
  'a connection cut at every answer': (frame, i) => (i === 0 ? frameOf(frame) : 'cut'),
  'answers to nothing': (frame, i) => [
    framed(frame),
    ...(i === 0 ? frameOf(header(5, 1n, 0)) : frameOf(header(123456, 1n, 0), ints(0))),
  ],
  'every answer twice': (frame, i) => (i === 0 ? frameOf(frame) : [framed(frame), framed(frame)]),
  'pongs to no ping': (frame) => [framed(frame), ...frameOf(header(-2, 1n, 0))],
  'every answer an error that nobody knows': (frame, i) =>
    i === 0 ? frameOf(frame) : frameOf(frame.subarray(0, 12), ints(-9999)),
  'errors where there are none': (frame, i) =>
    i === 0 ? frameOf(frame) : frameOf(frame.subarray(0, 12), ints(-101)),
  'answers without a body': (frame, i) =>
    i === 0 ? frameOf(frame) : frameOf(frame.subarray(0, 16)),
  'a truncated stat': (frame, i) =>
    i === 0 || frame.length < 84 ? frameOf(frame) : frameOf(frame.subarray(0, -7)),
  'negative lengths inside': (frame, i) => {
    if (i > 0 && frame.length >= 20) frame.writeInt32BE(-9, 16);
    return frameOf(frame);
  },
  'huge lengths inside': (frame, i) => {
    if (i > 0 && frame.length >= 20) frame.writeInt32BE(0x7ffffff0, 16);
    return frameOf(frame);
  },
  'zxids of a far future': (frame, i) => {
    if (i > 0) frame.writeBigInt64BE(0x70_0000_0000_0000n, 4);
    return frameOf(frame);
  },
  'no session to a new client': (frame, i) => {
    if (i === 0) frame.fill(0, 8, 16);
    return frameOf(frame);
  },
  'a negative timeout': (frame, i) => {
    if (i === 0) frame.writeInt32BE(-1, 4);
    return frameOf(frame);
  },
  'another session each time': (frame, i) => {
    if (i === 0) frame.writeBigInt64BE(BigInt(frame.readInt32BE(12) ^ 0x5a5a5a), 8);
    return frameOf(frame);
  },
};

for (const [what, lie] of Object.entries(lies)) {
  test(`${what}: calls end in time, and the client goes on afterwards`, async (t) => {
    const stage = await scene(t);
    stage.lie(lie);
    stage.gate.cut();
    await outcomes(calls(stage.client));
    await outcomes(calls(stage.client));
    await recovers(stage);
  });
}

test('slow bytes: what is not answered in time fails in time', async (t) => {
  const stage = await scene(t);
  stage.gate.liarOf = () => (bytes) => {
    stage.gate.drip(bytes);
    return Buffer.alloc(0);
  };
  stage.gate.cut();
  await outcomes(calls(stage.client));
  await recovers(stage);
});

test('events of watches that nobody left, and of paths that are none, are dropped', async (t) => {
  const stage = await scene(t);
  const told: string[] = [];
  await stage.client.chroot('/a').addWatch('/', { recursive: true }, ({ type, path }) => {
    told.push(`${type} ${path}`);
  });
  const events = ['/unknown', '', 'x', '/a/../b', '/ab', '/a/in', '/'].flatMap((path) =>
    [1, 2, 3, 4, 5, -1, 99].map((type) =>
      framed(Buffer.concat([header(-1, 7n, 0), ints(type, 3), text(path)])),
    ),
  );
  let isTold = false;
  stage.lie((frame, i) => {
    if (i === 0 || isTold) return frameOf(frame);
    isTold = true;
    return [...events, framed(frame)];
  });
  stage.gate.cut();
  while (!isTold) await outcomes([stage.client.exists('/')]);
  assert.deepEqual(
    told.filter((line) => line !== 'gap /'),
    ['created /in', 'deleted /in', 'changed /in'],
  );
  await recovers(stage);
});

test('names outside of the root that a handle asked about do not break it', async (t) => {
  const stage = await scene(t);
  const handle = stage.client.chroot('/a');
  stage.lie((frame, i) => {
    if (i === 0) return frameOf(frame);
    const stat = Buffer.alloc(68);
    return frameOf(frame.subarray(0, 16), text('/elsewhere/x'), stat);
  });
  stage.gate.cut();
  while (stage.client.state === 'connected') await outcomes([handle.exists('/')]);
  const [failure] = await outcomes([
    handle.create('/x').then(({ path }) => assert.equal(typeof path, 'string')),
  ]);
  assert.ok(failure === null || failure instanceof ZkError);
  await recovers(stage);
});

// ------------------------------------------------------------------ honest answers, mutated

interface Mutation {
  readonly frame: number;
  readonly how: 'flip' | 'set' | 'cut' | 'insert' | 'drop' | 'double' | 'end';
  readonly at: number;
  readonly byte: number;
}

const mutation: fc.Arbitrary<Mutation> = fc.record({
  frame: fc.nat(18),
  how: fc.constantFrom('flip', 'set', 'cut', 'insert', 'drop', 'double', 'end'),
  at: fc.nat(120),
  byte: fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.nat(255)),
});

/** The bytes with their length, changed at one place. */
function mutate(frame: Buffer, { how, at, byte }: Mutation): readonly Buffer[] | 'cut' {
  const bytes = framed(frame);
  const place = at % bytes.length;
  switch (how) {
    case 'flip':
      bytes[place] = (bytes[place] ?? 0) ^ (byte === 0 ? 1 : byte);
      return [bytes];
    case 'set':
      bytes[place] = byte;
      return [bytes];
    case 'cut':
      return frameOf(frame.subarray(0, at % frame.length));
    case 'insert':
      return [bytes.subarray(0, place), Buffer.of(byte), bytes.subarray(place)];
    case 'drop':
      return [];
    case 'double':
      return [bytes, bytes];
    case 'end':
      return 'cut';
  }
}

test('any byte of honest answers may be wrong', { timeout: 120_000 }, async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const all = fc.sample(fc.array(mutation, { minLength: 1, maxLength: 2 }), { numRuns: 60, seed });
  const lanes = 6;
  const failures: unknown[] = [];
  await Promise.all(
    Array.from({ length: lanes }, async (_, lane) => {
      const stage = await scene(t);
      for (const mutations of all.filter((_mutation, i) => i % lanes === lane)) {
        try {
          stage.lie((frame, i) => {
            const mine = mutations.find((one) => one.frame === i);
            return mine === undefined ? frameOf(frame) : mutate(frame, mine);
          });
          stage.gate.cut();
          await outcomes(calls(stage.client));
          await recovers(stage);
        } catch (error) {
          failures.push(`seed ${seed}, ${JSON.stringify(mutations)}: ${String(error)}`);
          return;
        }
      }
    }),
  );
  assert.deepEqual(failures, []);
});
