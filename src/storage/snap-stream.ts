/**
 * What a leader sends to a learner that cannot be brought up to date in any other way: sessions, ACLs
 * and znodes as in a snapshot's file, without its header and its seals, while transactions go on. It
 * is as fuzzy as the file; the proposals after its zxid make a whole of it. The connection carries
 * `snapSignature` behind it, and then packets again.
 */
import { Writer } from '../protocol/writer.js';
import type { Clock } from '../ports/clock.js';
import type { Zxid } from '../protocol/zxid.js';
import type { Tree } from '../tree/tree.js';
import { Pace } from './pace.js';
import { SnapshotEncoder, type SnapshotBlocks } from './snapshot-encoder.js';

const sliceMs = 2;

/** By which the receiver knows that both mean the same end. Not to be changed. */
export const snapSignature: Uint8Array = signature();

export class SnapStream {
  /** For the SNAP packet: what the stream holds for certain. */
  readonly zxid: Zxid;
  readonly #encoder: SnapshotEncoder;
  readonly #pace: Pace;

  /** Takes note of the moment; `close` must follow. The blocks may take their time. */
  constructor(
    clock: Clock,
    tree: Tree,
    sessions: Iterable<readonly [bigint, number]>,
    blocks: SnapshotBlocks,
  ) {
    this.#pace = new Pace(clock, sliceMs);
    this.#encoder = new SnapshotEncoder(tree, sessions, blocks, this.#pace, null);
    this.zxid = this.#encoder.zxid;
  }

  get nodeCount(): number {
    return this.#encoder.nodeCount;
  }

  /** Resolves when all of it was taken. Rejects when the blocks do, or with an AbandonedError. */
  async run(): Promise<void> {
    await this.#encoder.run();
  }

  /** The learner has gone: `run` rejects soon, unless it waits for the blocks. */
  abandon(): void {
    this.#pace.abandon();
  }

  /** Lets go of the tree. */
  close(): void {
    this.#encoder.close();
  }
}

function signature(): Uint8Array {
  const writer = new Writer();
  writer.writeString('BenWasHere');
  return writer.take();
}
