/** The replica of a server that is alone: the protocol's loop with a quorum of itself. */
import type { Clock } from '../ports/clock.js';
import { TxnBatch } from '../protocol/txn-batch.js';
import type { PrepareOptions } from '../txn/context.js';
import { Standalone } from '../zab/standalone.js';
import type { Applier } from './applier.js';
import { ProposingReplica } from './proposing-replica.js';
import { ReadyLoop } from './ready-loop.js';

/** Sessions are not taken up more often than that. */
const GENERATIONS_PER_MS_BITS = 10n;

/** The part of the storage that the loop needs. */
export interface Log {
  append(batch: TxnBatch): void;
  /** Calls `done` when all that was appended is durable; never, if the disk failed. */
  flush(done: () => void): void;
  /** How many flushes are worth asking for at once. */
  readonly flushesMax: number;
}

export function standaloneReplica(
  applier: Applier,
  parts: {
    readonly clock: Clock;
    readonly log: Log;
    readonly prepare: PrepareOptions;
    /** After a batch has been applied and its replies encoded: send them. */
    readonly onTurnEnd: () => void;
  },
): ProposingReplica {
  const { clock, log, prepare, onTurnEnd } = parts;
  const { tree } = applier;
  const spare: TxnBatch[] = [];
  const zab = new Standalone(tree.lastZxidHigh, tree.lastZxidLow, () => log.flushesMax);
  const loop = new ReadyLoop(zab, {
    prepare() {
      replica.handOver();
    },
    persist({ batch }, _rebase, done) {
      if (batch !== null) log.append(batch);
      log.flush(done);
    },
    apply(range) {
      replica.apply(range);
      range.batch.reset();
      spare.push(range.batch);
      onTurnEnd();
    },
    stop: () => undefined,
    send: () => undefined,
    depart: () => undefined,
    answer: () => undefined,
    start: () => undefined,
    rest: () => undefined,
  });
  const replica = new ProposingReplica(applier, {
    clock,
    proposer: zab,
    prepare,
    pump: () => {
      loop.pump();
    },
    takeBatch: () => spare.pop() ?? new TxnBatch(),
    onSync: null,
    // no epoch begins with it, so only time tells its generations from those of before
    generationFloor: BigInt(Math.floor(clock.wallMs())) << GENERATIONS_PER_MS_BITS,
  });
  return replica;
}
