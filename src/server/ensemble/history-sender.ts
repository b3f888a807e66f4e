/**
 * Brings one learner as far as memory reaches: with committed history from the log on disk, or with a
 * snapshot where the log does not go back to what it has. A cursor, never a queue: what is read is what
 * the connection has room for, so a slow learner costs a slow learner.
 */
import { PacketType, writePacket } from '../../protocol/peer/quorum-packet.js';
import { formatZxid, zxidOfParts } from '../../protocol/zxid.js';
import { AbandonedError } from '../../storage/pace.js';
import { SnapStream, snapSignature } from '../../storage/snap-stream.js';
import type { ZxidPair } from '../../zab/sync-choice.js';
import * as packets from './packets.js';
import type { QuorumLink } from './quorum-link.js';
import type { Surroundings } from './role.js';

/** On its way to one learner, before its connection must take some. */
const WAITING_BYTES_MAX = 4 * 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;
/** So much goes to the connection as it lies, and is awaited; less is copied. */
const WHOLE_BLOCK_BYTES = 64 * 1024;

export class HistorySender {
  readonly #around: Surroundings;
  readonly #link: QuorumLink;
  #isStopped = false;
  #drained: (() => void) | null = null;
  #onProgress: () => void = () => undefined;
  /** The last block of a snapshot has not left whole. */
  #isBlockLeaving = false;

  constructor(around: Surroundings, link: QuorumLink) {
    this.#around = around;
    this.#link = link;
  }

  /** The learner is gone. */
  stop(): void {
    this.#isStopped = true;
    this.onDrain();
  }

  onDrain(): void {
    this.#isBlockLeaving = false;
    const drained = this.#drained;
    this.#drained = null;
    drained?.();
  }

  /**
   * Sends what comes after `from` (null: a snapshot). `isFirst`: nothing has been said to the learner.
   * Resolves with what it has then; null when it cannot be brought there.
   */
  async run(
    from: ZxidPair | null,
    isFirst: boolean,
    onProgress: () => void,
  ): Promise<ZxidPair | null> {
    this.#onProgress = onProgress;
    try {
      const at = from === null ? null : await this.#sendLog(from, isFirst);
      if (at !== null || this.#isStopped || !isFirst) return at;
      return await this.#sendSnapshot();
    } catch (problem) {
      if (problem instanceof AbandonedError) return null;
      const reason = problem instanceof Error ? problem.message : String(problem);
      this.#around.logger.error('a learner cannot be synchronised', {
        server: this.#link.sid,
        reason,
      });
      return null;
    }
  }

  /** Null: the log does not reach back to it, or breaks off. */
  async #sendLog(from: ZxidPair, isFirst: boolean): Promise<ZxidPair | null> {
    const { storage, applier } = this.#around;
    const { lastZxidHigh: high, lastZxidLow: low } = applier().tree;
    const cursor = await storage.historyFrom(
      zxidOfParts(from.high, from.low),
      zxidOfParts(high, low),
    );
    if (cursor === null) return null;
    let hasBegun = !isFirst;
    try {
      for (;;) {
        const batch = await cursor.next(CHUNK_BYTES);
        if (this.#isStopped) return null;
        if (batch === 'gap') {
          if (!hasBegun) return null;
          throw new Error('the log on disk breaks off');
        }
        if (!hasBegun) writePacket(this.#link.begin(), PacketType.diff, high, low);
        hasBegun = true;
        if (batch === 'end') {
          this.#link.flush();
          return { high, low };
        }
        packets.writeHistory(this.#link.begin(), batch, 0, batch.count);
        await this.#room();
      }
    } finally {
      cursor.close();
    }
  }

  async #sendSnapshot(): Promise<ZxidPair | null> {
    const { clock, applier, logger } = this.#around;
    const { tree, sessions } = applier();
    const link = this.#link;
    const living: [bigint, number][] = [];
    for (const session of sessions.all()) {
      if (session.isEstablished) living.push([session.id, session.timeoutMs]);
    }
    const stream: SnapStream = new SnapStream(clock, tree, living, {
      put: async (bytes, length) => {
        if (this.#isStopped) stream.abandon();
        else await this.#putBlock(bytes, length);
      },
      end: () => Promise.resolve(),
    });
    const at = { high: tree.lastZxidHigh, low: tree.lastZxidLow };
    logger.info('sending a snapshot', { server: link.sid, zxid: formatZxid(stream.zxid) });
    writePacket(link.begin(), PacketType.snap, at.high, at.low);
    try {
      await stream.run();
    } finally {
      stream.close();
    }
    if (this.#isStopped) return null;
    link.begin().writeBytes(snapSignature, 0, snapSignature.length);
    link.flush();
    return at;
  }

  /**
   * Two blocks of the encoder are all that a snapshot takes of memory, however large: one is filled
   * while the other leaves. Resolves when the one before has left.
   */
  async #putBlock(bytes: Uint8Array, length: number): Promise<void> {
    const link = this.#link;
    if (this.#isBlockLeaving) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
      });
    }
    this.#onProgress();
    link.flush();
    if (length < WHOLE_BLOCK_BYTES) {
      link.begin().writeBytes(bytes, 0, length);
      link.flush();
    } else this.#isBlockLeaving = !link.writeBlock(bytes, length);
  }

  /** Resolves when the connection has room for more, or is gone. */
  async #room(): Promise<void> {
    this.#link.flush();
    this.#onProgress();
    if (this.#isStopped || this.#link.waitingBytes <= WAITING_BYTES_MAX) return;
    await new Promise<void>((resolve) => {
      this.#drained = resolve;
    });
  }
}
