/** A leader under test, and what is done with what it wants done. */
import { TxnBatch } from '../protocol/txn-batch.js';
import { CommittedLog } from './committed-log.js';
import { Leader } from './leader.js';
import { majorityQuorum } from './quorum.js';
import type { Ready } from './ready.js';

/** Everything that the leader wants done now, and what of it persists. */
export function drain(leader: Leader): Ready[] {
  const readys: Ready[] = [];
  for (let next = leader.takeReady(); next !== null; next = leader.takeReady()) readys.push(next);
  return readys;
}

export const said = (readys: readonly Ready[]): string[] =>
  readys.flatMap(({ messages, messagesAfterPersist }) =>
    [...messages, ...messagesAfterPersist].map((message) =>
      'link' in message
        ? `${message.kind} ${message.link}`
        : `${message.kind} ${message.links.join()}`,
    ),
  );
export const committed = (readys: readonly Ready[]): number =>
  readys.flatMap((ready) => ready.committed).reduce((sum, { from, to }) => sum + to - from, 0);

export function newLeader(sids: readonly number[]): Leader {
  const quorum = majorityQuorum(sids, 0n);
  return new Leader({
    sid: 1,
    tickMs: 100,
    initLimit: 10,
    syncLimit: 5,
    acceptedEpoch: 4,
    currentEpoch: 4,
    lastLogged: { high: 4, low: 9 },
    committedLog: new CommittedLog(500, () => undefined),
    quorums: () => [quorum],
    nowMs: 0,
  });
}

/** Persists what is to be persisted, again and again, until nothing is said any more. */
export function settle(leader: Leader): Ready[] {
  const all: Ready[] = [];
  for (let readys = drain(leader); readys.length > 0; readys = drain(leader)) {
    all.push(...readys);
    for (const { seq, persist } of readys) if (persist !== null) leader.persisted(seq);
  }
  return all;
}

export function follow(leader: Leader, link: number, sid: number): Ready[] {
  leader.onLearnerInfo(link, { sid, isObserver: false, acceptedEpoch: 4 }, 0);
  const all = settle(leader);
  leader.onAckEpoch(link, 4, { high: 4, low: 9 }, 0);
  all.push(...settle(leader));
  const isStreaming = [...leader.links()].some(
    (one) => one.id === link && one.phase === 'streaming',
  );
  if (isStreaming) leader.streamed(link, { high: leader.epoch, low: leader.committedLow });
  all.push(...settle(leader));
  leader.onAck(link, leader.epoch, 0, 0);
  all.push(...settle(leader));
  return all;
}

export function propose(leader: Leader, count: number): TxnBatch {
  const batch = new TxnBatch();
  for (let i = 0; i < count; i++) {
    const writer = batch.begin();
    writer.writeLongParts(0, 1);
    writer.writeInt(0);
    writer.writeLongParts(leader.nextZxidHigh(), leader.nextZxidLow());
    writer.writeLongParts(0, 0);
    writer.writeInt(-1);
    writer.writeInt(-101);
    batch.finish();
    leader.proposed();
  }
  leader.handOver(batch);
  return batch;
}
