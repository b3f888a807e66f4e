/** The fuzzer's short form (npm test); a million frames against a process: test/fuzz/main.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErrorCode, OpCode } from 'zabra/protocol';
import { dutyOf, expectationOf, ReplyCheck } from '../fuzz/expectation.js';
import { reduce } from '../fuzz/reduce.js';
import { runFuzz } from '../fuzz/run.js';
import { inProcessTarget } from '../fuzz/target.js';
import { body } from '../support/requests.js';
import { bytesOf, framed, requestBytes } from '../support/raw-client.js';

const MIB = 1024 * 1024;

test('twenty thousand malformed and odd frames get what they should, and hurt nobody', async () => {
  const target = await inProcessTarget();
  const lines: string[] = [];
  try {
    const verdicts = await runFuzz(target, {
      seed: 20_260_101,
      frames: 20_000,
      connections: 4,
      framesPerBatch: 100,
      rssBytesMax: 1024 * MIB,
      // the clients share this process: a stall of theirs counts as one of the server's
      stallMsMax: 5000,
      log: (line) => lines.push(line),
    });
    const complaints = verdicts.filter(({ complaint }) => complaint !== null);
    assert.deepEqual(complaints, [], lines.join('\n'));
  } finally {
    await target.dispose();
  }
});

test('the oracle knows what is owed', () => {
  const exists = requestBytes(3, OpCode.exists, body.pathAndWatch('/', false));
  assert.deepEqual(dutyOf(exists), { kind: 'reply', xid: 3, op: 3, malformed: false });
  assert.deepEqual(dutyOf(exists.subarray(0, 12)), {
    kind: 'reply',
    xid: 3,
    op: 3,
    malformed: true,
  });
  assert.deepEqual(dutyOf(exists.subarray(0, 7)), { kind: 'close' });
  assert.deepEqual(dutyOf(requestBytes(4, 77)), { kind: 'refuse', xid: 4 });
  assert.deepEqual(dutyOf(requestBytes(4, OpCode.check)), { kind: 'refuse', xid: 4 });
  const wrong = requestBytes(-4, OpCode.auth, body.auth('no such', 'x'));
  assert.deepEqual(dutyOf(wrong), { kind: 'authFailed', xid: -4 });

  const stream = Buffer.concat([framed(exists), framed(requestBytes(4, 77)), framed(exists)]);
  const expected = expectationOf(stream);
  assert.equal(expected.ends, true);
  assert.equal(expected.duties.length, 2);
  assert.equal(expected.consumed, stream.length - exists.length - 4);
  assert.equal(expectationOf(framed(exists).subarray(0, 10)).missing, exists.length - 6);
});

test('the oracle complains of a wrong reply', () => {
  const reply = (xid: number, error: number): Uint8Array =>
    bytesOf((w) => {
      w.writeInt(xid);
      w.writeLong(5n);
      w.writeInt(error);
    });
  const checkOf = (...payloads: Uint8Array[]): ReplyCheck => {
    const check = new ReplyCheck();
    check.expect(payloads.map((payload) => dutyOf(payload)));
    return check;
  };
  const whole = requestBytes(1, OpCode.getData, body.pathAndWatch('/', false));
  const cut = whole.subarray(0, 12);
  const answers = (check: ReplyCheck, frame: Uint8Array): boolean => check.onFrame(frame) === null;

  assert.ok(answers(checkOf(whole), reply(1, ErrorCode.noNode)));
  assert.ok(!answers(checkOf(whole), reply(1, ErrorCode.ok)), 'no body');
  assert.ok(!answers(checkOf(whole), reply(1, -999)), 'no such error');
  assert.ok(!answers(checkOf(whole), reply(2, ErrorCode.noNode)), 'another request');
  assert.ok(answers(checkOf(cut), reply(1, ErrorCode.marshallingError)));
  assert.ok(!answers(checkOf(cut), reply(1, ErrorCode.noNode)), 'malformed');
  assert.ok(!answers(checkOf(requestBytes(9, 77)), reply(9, 0)), 'unknown');
});

test('reduction finds the two frames that matter', async () => {
  const items = Array.from({ length: 40 }, (_, i) => i);
  const found = await reduce(items, (fewer) =>
    Promise.resolve(fewer.includes(7) && fewer.includes(31)),
  );
  assert.deepEqual(found, [7, 31]);
});
