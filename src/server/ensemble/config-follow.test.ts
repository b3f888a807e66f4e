import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../ports/logger.js';
import { OpCode } from '../../protocol/opcodes.js';
import { Writer } from '../../protocol/writer.js';
import { readMembers } from '../config/members.js';
import { ConfigFollow } from './config-follow.js';
import { Membership } from './membership.js';
import type { Surroundings } from './role.js';

const EPOCH = 5;
const line = (sid: number, role = 'participant'): string => `server.${sid}=h${sid}:1:2:${role};3`;
const textOf = (lines: readonly string[], version: bigint): string =>
  [...lines, `version=${version.toString(16)}`].join('\n');
const zxid = (low: number): bigint => (BigInt(EPOCH) << 32n) | BigInt(low);

/** Server 2, which follows server 1. */
function following(isObserver = false): { membership: Membership; follow: ConfigFollow } {
  const reading = readMembers([line(1), line(2), line(3)].join('\n'));
  assert.ok(reading.ok);
  const membership = new Membership(reading.members, { isEnabled: true });
  const around = {
    membership,
    sid: 2,
    logger: silentLogger,
    activate: membership.activate.bind(membership),
  } as unknown as Surroundings;
  return { membership, follow: new ConfigFollow(around, isObserver, 1) };
}

function proposal(text: string, type: number = OpCode.reconfig): Uint8Array {
  const out = new Writer();
  out.writeLongParts(0, 0);
  out.writeInt(0);
  out.writeLong(0n);
  out.writeLong(0n);
  out.writeInt(type);
  const data = new TextEncoder().encode(text);
  out.writeString('/zookeeper/config');
  out.writeInt(data.length);
  out.writeBytes(data, 0, data.length);
  out.writeInt(-1);
  return out.take();
}

function tell(follow: ConfigFollow, text: string): void {
  const bytes = new TextEncoder().encode(text);
  follow.onNewLeader(bytes, 0, bytes.length);
}

test('a proposal that brings a configuration is seen, any other is not', () => {
  const { membership, follow } = following();
  const text = textOf([line(1), line(2)], zxid(3));
  const other = proposal(text, OpCode.setData);
  assert.equal(follow.seesIn(other, 0, other.length), false);
  const bytes = proposal(text);
  assert.equal(follow.seesIn(bytes, 0, bytes.length), true);
  assert.equal(membership.lastSeen.version, zxid(3));
  assert.equal(membership.inForce.version, 0n);
});

test('what the leader completes is in force with UPTODATE', () => {
  const { membership, follow } = following();
  tell(follow, textOf([line(1), line(2), line(3)], zxid(0)));
  assert.equal(membership.inForce.version, 0n);
  assert.equal(follow.onUpToDate(EPOCH, { high: 4, low: 9 }), null);
  assert.equal(membership.inForce.version, zxid(0));
});

test('what is only proposed in this epoch is not', () => {
  const { membership, follow } = following();
  tell(follow, textOf([line(1), line(2)], zxid(7)));
  assert.equal(follow.onUpToDate(EPOCH, { high: EPOCH, low: 6 }), null);
  assert.equal(membership.inForce.version, 0n);
  assert.equal(membership.isPending, true);
  assert.equal(follow.onActivated(zxid(7), 1), null);
  assert.equal(membership.inForce.version, zxid(7));
});

test('another role, another leader, or a leader that has moved end the role', () => {
  const activated = (lines: readonly string[], leader: number): unknown => {
    const { follow } = following();
    const bytes = proposal(textOf(lines, zxid(1)));
    follow.seesIn(bytes, 0, bytes.length);
    return follow.onActivated(zxid(1), leader)?.leader ?? 'stays';
  };
  assert.equal(activated([line(1), line(2), line(3, 'observer')], 1), 'stays');
  assert.equal(activated([line(1), line(3)], 1), 'stays', 'taken out, it goes on until it stops');
  assert.equal(activated([line(1), line(2, 'observer'), line(3)], 1), 1);
  assert.equal(activated([line(2), line(3)], 3), 3);
  const { follow } = following();
  tell(follow, textOf(['server.1=elsewhere:1:2;3', line(2), line(3)], zxid(0)));
  assert.deepEqual(follow.onUpToDate(EPOCH, { high: 4, low: 9 }), {
    reason: 'the leader is not where it was',
    leader: null,
  });
});
