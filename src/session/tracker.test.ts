import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SessionTracker } from './tracker.js';
import { firstSessionId, passwordMatches, serverOfSession, sessionPassword } from './session-id.js';

const tracker = (): SessionTracker =>
  new SessionTracker({ tickTimeMs: 2000, serverId: 1, wallMs: 1_700_000_000_000 });

test('a session expires in the bucket after its timeout, never before it', () => {
  const sessions = tracker();
  const session = sessions.create(4000, 1000);
  const expired: bigint[] = [];
  const run = (now: number): void => sessions.expire(now, 0, (s) => expired.push(s.id) > 0);
  run(5000);
  run(5999);
  assert.equal(expired.length, 0);
  run(6000);
  assert.deepEqual(expired, [session.id]);
  assert.equal(session.isClosing, true);
  assert.equal(
    sessions.get(session.id),
    session,
    'it is tracked until its closeSession is applied',
  );
});

test('a touch moves the deadline, and a closing session cannot be touched back to life', () => {
  const sessions = tracker();
  const session = sessions.create(4000, 0);
  assert.equal(sessions.touch(session, 3999), true);
  const expired: bigint[] = [];
  sessions.expire(6000, 0, (s) => expired.push(s.id) > 0);
  assert.equal(expired.length, 0);
  sessions.expire(8000, 0, (s) => expired.push(s.id) > 0);
  assert.deepEqual(expired, [session.id]);
  assert.equal(sessions.touch(session, 8001), false);
});

test('a stall of the server expires nobody who was alive when it began', () => {
  const sessions = tracker();
  sessions.create(4000, 0);
  const expired: bigint[] = [];
  sessions.expire(60_000, 55_000, (s) => expired.push(s.id) > 0);
  assert.equal(expired.length, 0);
});

test('a bucket earlier than all others is found, also after the tracker was empty', () => {
  const sessions = tracker();
  const first = sessions.create(40_000, 0);
  sessions.remove(first.id);
  const expired: bigint[] = [];
  sessions.expire(100_000, 0, (s) => expired.push(s.id) > 0);
  const long = sessions.create(40_000, 100_000);
  const short = sessions.create(4000, 100_000);
  sessions.expire(107_000, 0, (s) => expired.push(s.id) > 0);
  assert.deepEqual(expired, [short.id]);
  sessions.expire(150_000, 0, (s) => expired.push(s.id) > 0);
  assert.deepEqual(expired, [short.id, long.id]);
});

test('a session that its judge spares gets its whole timeout again', () => {
  const sessions = tracker();
  const session = sessions.create(4000, 0);
  sessions.expire(6000, 0, () => false);
  assert.equal(session.isClosing, false);
  const expired: bigint[] = [];
  sessions.expire(10_000, 0, (s) => expired.push(s.id) > 0);
  assert.equal(expired.length, 0);
  sessions.expire(12_000, 0, (s) => expired.push(s.id) > 0);
  assert.deepEqual(expired, [session.id]);
});

test('new ids skip those of living sessions after the clock was set back', () => {
  const sessions = tracker();
  const id = firstSessionId(1_700_000_000_000, 1);
  sessions.track(id, 4000, 0);
  assert.equal(sessions.create(4000, 0).id, id + 1n);
});

test('ids carry the server in the top byte and stay within 64 signed bits', () => {
  assert.equal(firstSessionId(1_700_000_000_000, 255) >> 56n, -1n);
  assert.equal(firstSessionId(1_700_000_000_000, 3) >> 56n, 3n);
});

test('the password is the one java.util.Random gives', () => {
  // new Random(0x1000000000000001L ^ 0xB3415C00L).nextBytes(new byte[16]), printed by a JDK 17
  const password = sessionPassword(0x1000000000000001n);
  assert.equal(Buffer.from(password).toString('hex'), JDK17_PASSWORD);
  assert.equal(passwordMatches(0x1000000000000001n, password), true);
  assert.equal(passwordMatches(0x1000000000000002n, password), false);
  assert.equal(passwordMatches(0x1000000000000001n, null), false);
});

const JDK17_PASSWORD = '054cc74a37327db215e702e20c73f005';

test('a session goes from one tracker to another, and only the second one ends it', () => {
  const [local, global] = [tracker(), tracker()];
  const session = local.create(4000, 0);
  local.release(session);
  assert.equal(local.get(session.id), undefined);
  assert.equal(session.isClosing, false);
  global.adopt(session, 1000);
  assert.equal(global.get(session.id), session);
  local.expire(60_000, 0, () => assert.fail('it is not here any more'));
  const expired: bigint[] = [];
  global.expire(60_000, 0, (s) => expired.push(s.id) > 0);
  assert.deepEqual(expired, [session.id]);
});

test('releasing what another tracker has changes nothing', () => {
  const [one, other] = [tracker(), tracker()];
  const session = one.create(4000, 0);
  other.release(session);
  assert.notEqual(session.bucketMs, 0);
  assert.equal(one.touch(session, 1000), true);
});

test('a tracker knows the ids that it gave out, also of sessions that are gone', () => {
  const sessions = tracker();
  const first = sessions.create(4000, 0);
  sessions.remove(first.id);
  assert.equal(sessions.hasCreated(first.id), true);
  assert.equal(sessions.hasCreated(first.id + 1n), false);
  assert.equal(sessions.hasCreated(first.id - 1n), false);
});

test('of sessions that ended so many are remembered at least, and at most twice as many', () => {
  const sessions = new SessionTracker({
    tickTimeMs: 2000,
    serverId: 1,
    wallMs: 1_700_000_000_000,
    endedKept: 3,
  });
  const ids = Array.from({ length: 10 }, () => sessions.create(4000, 0).id);
  for (const id of ids) sessions.remove(id);
  assert.deepEqual(
    ids.filter((id) => sessions.hasEnded(id)),
    ids.slice(6),
  );
  assert.equal(sessions.hasEnded(5n), false);
  const forgetful = tracker();
  const { id } = forgetful.create(4000, 0);
  forgetful.remove(id);
  assert.equal(forgetful.hasEnded(id), false, 'nobody asked for it');
});

test('the server that gave an id out is in its highest byte', () => {
  for (const sid of [1, 5, 127, 128, 254]) {
    assert.equal(serverOfSession(firstSessionId(1_700_000_000_000, sid)), sid);
  }
});
