/**
 * What live servers of Apache's said to each other, taken apart here and put together again to the
 * byte. The files were captured by test/support/golden-peer; nothing of it is needed to run this.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { FrameDecoder } from '../frame.js';
import { Writer } from '../writer.js';
import { HelloDecoder, writeHello, type Hello } from './hello.js';
import { readNotification, writeNotification, type Notification } from './notification.js';
import {
  PacketType,
  QuorumPacketDecoder,
  writePacket,
  writePacketWithData,
  type PacketView,
} from './quorum-packet.js';

type Speaker = 'caller' | 'called';

interface Line {
  readonly what: string;
  readonly channel: 'election' | 'quorum';
  readonly caller: number;
  readonly called: number;
  readonly said: readonly (readonly [Speaker, string])[];
}

const linesOf = (release: string): Line[] =>
  readFileSync(new URL(`../../../test/golden/peer/${release}.jsonl`, import.meta.url), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

const chunksOf = (line: Line, speaker: Speaker): Uint8Array[] =>
  line.said
    .filter(([who]) => who === speaker)
    .map(([, hex]) => Uint8Array.from(Buffer.from(hex, 'hex')));

const joined = (chunks: readonly Uint8Array[]): Uint8Array =>
  Uint8Array.from(Buffer.concat(chunks));

/** As it was captured, whole, and byte by byte. */
function cutsOf(chunks: readonly Uint8Array[]): (readonly Uint8Array[])[] {
  const whole = joined(chunks);
  return [chunks, [whole], Array.from(whole, (byte) => Uint8Array.of(byte))];
}

/** Of Apache's packets. */
const names = new Map(
  Object.entries(PacketType)
    .filter(([, type]) => type !== PacketType.handOver)
    .map(([name, type]) => [type as number, name]),
);

interface Taken {
  /** Names of packets, in order; 'raw' for a snapshot. */
  readonly types: string[];
  readonly again: Uint8Array;
}

/** A stream of packets taken apart, and written again from what was found. */
function takeApart(chunks: readonly Uint8Array[]): Taken {
  const types: string[] = [];
  const out = new Writer();
  const mark = Uint8Array.from(Buffer.from('\0\0\0\nBenWasHere', 'latin1'));
  let rawStart = 0;
  const decoder = new QuorumPacketDecoder({ dataBytesMax: 4096 }, (bytes, start, end) => {
    for (let i = start; i < end; i++) {
      if (out.pos - rawStart >= mark.length) {
        const tail = out.bytes.subarray(out.pos - mark.length, out.pos);
        if (tail.every((byte, at) => byte === mark[at])) return i - start;
      }
      out.writeBytes(bytes, i, i + 1);
    }
    return end - start;
  });
  const take = (packet: PacketView): 'packets' | 'raw' => {
    const { zxidHigh, zxidLow, bytes, dataStart, dataEnd, authinfo } = packet;
    const type = packet.type as PacketType;
    types.push(names.get(type) ?? `type ${type}`);
    if (dataStart < 0) {
      assert.equal(authinfo, null);
      writePacket(out, type, zxidHigh, zxidLow);
    } else {
      writePacketWithData(out, type, zxidHigh, zxidLow, bytes, dataStart, dataEnd, authinfo);
    }
    if (type !== PacketType.snap) return 'packets';
    types.push('raw');
    rawStart = out.pos;
    return 'raw';
  };
  for (const chunk of chunks) {
    assert.equal(decoder.push(chunk, 0, chunk.length, take), 'ok');
    // lent for the call only
    chunk.fill(0xdb);
  }
  assert.equal(decoder.hasPartial, false);
  return { types, again: out.take() };
}

interface Heard {
  readonly hello: Hello | null;
  readonly notifications: Notification[];
  readonly again: Uint8Array;
}

function hear(chunks: readonly Uint8Array[], speaker: Speaker, isMulti: boolean): Heard {
  const out = new Writer();
  const notifications: Notification[] = [];
  const frames = new FrameDecoder(512 * 1024);
  const greeting = new HelloDecoder();
  let hello: Hello | null = null;
  for (const chunk of chunks) {
    let start = 0;
    if (speaker === 'caller' && hello === null) {
      const outcome = greeting.push(chunk, 0, chunk.length);
      assert.notEqual(outcome, 'malformed');
      if (typeof outcome === 'string') continue;
      hello = outcome;
      start = greeting.consumed;
      writeHello(out, hello.sid, hello.addresses, isMulti);
    }
    const status = frames.push(chunk, start, chunk.length, (bytes, from, to) => {
      const notification = readNotification(bytes, from, to);
      assert.ok(notification);
      notifications.push(notification);
      out.writeInt(to - from);
      writeNotification(out, notification);
      return true;
    });
    assert.equal(status, 'ok');
  }
  assert.equal(frames.hasPartial, false);
  return { hello, notifications, again: out.take() };
}

/** How a learner's life begins: what it says, and what it is told. */
const beginnings: Readonly<Record<string, readonly [said: string, told: string]>> = {
  'a follower of an empty ensemble, and its requests': ['followerInfo', 'diff newLeader'],
  'a follower that has nothing: SNAP': ['followerInfo', 'snap raw newLeader'],
  'an observer: SNAP': ['observerInfo', 'snap raw newLeader'],
  'a follower that was away: DIFF': ['followerInfo', 'diff proposal commit proposal commit'],
  'a follower that has everything: an empty DIFF': ['followerInfo', 'diff newLeader'],
  'a follower with a proposal that nobody has: TRUNC': ['followerInfo', 'trunc newLeader'],
  // it returns when it likes, before or after transactions of the new epoch
  'an observer follows the next leader': ['observerInfo', 'diff'],
};

for (const release of ['3.9.5', '3.8.0']) {
  const lines = linesOf(release);
  const learners = lines.filter(({ channel }) => channel === 'quorum');
  const elections = lines.filter(({ channel }) => channel === 'election');

  test(`${release}: every kind of packet was captured`, () => {
    const seen = new Set(
      learners.flatMap((line) =>
        (['caller', 'called'] as const).flatMap((who) => takeApart(chunksOf(line, who)).types),
      ),
    );
    assert.deepEqual([...seen].sort(), [...names.values(), 'raw'].sort());
    assert.deepEqual(learners.map(({ what }) => what).sort(), Object.keys(beginnings).sort());
  });

  for (const line of learners) {
    test(`${release}: ${line.what}`, () => {
      for (const who of ['caller', 'called'] as const) {
        const original = joined(chunksOf(line, who));
        for (const chunks of cutsOf(chunksOf(line, who))) {
          const { types, again } = takeApart(chunks);
          assert.deepEqual(again, original);
          const [said, told] = beginnings[line.what] ?? ['', ''];
          const beginning = who === 'caller' ? `${said} ackEpoch ack ` : `leaderInfo ${told} `;
          assert.ok(types.join(' ').startsWith(beginning), types.join(' '));
        }
      }
    });
  }

  for (const line of elections) {
    test(`${release}: ${line.what}`, () => {
      const isMulti = line.what.startsWith('a server with several addresses');
      for (const who of ['caller', 'called'] as const) {
        const original = joined(chunksOf(line, who));
        for (const chunks of cutsOf(chunksOf(line, who))) {
          const { hello, notifications, again } = hear(chunks, who, isMulti);
          assert.deepEqual(again, original);
          if (who === 'caller') assert.equal(hello?.sid, BigInt(line.caller));
          for (const { version, config } of notifications) {
            assert.equal(version, 2);
            assert.match(config ?? '', /^server\.1=zk1\.test:\d+:\d+:participant/);
          }
        }
      }
    });
  }

  test(`${release}: votes were captured in every state`, () => {
    const states = elections.flatMap((line) =>
      (['caller', 'called'] as const).flatMap((who) =>
        hear(chunksOf(line, who), who, false).notifications.map(({ state }) => state),
      ),
    );
    for (const state of ['looking', 'following', 'leading']) {
      assert.ok(
        states.some((one) => one === state),
        state,
      );
    }
  });
}
