/**
 * What Zabra's servers tell each other beyond Apache's protocol: a block of trailing bytes where
 * Apache's servers read their own fields and leave the rest alone. That is behind LearnerInfo in
 * FOLLOWERINFO and OBSERVERINFO, behind the epoch in ACKEPOCH, and behind the version in LEADERINFO,
 * where it goes only to a learner that has sent one.
 *
 *   int magic   int length of what follows   int capabilities   int priority   (what later ones add)
 *
 * A reader takes the fields that it knows and ignores what follows them, so the block may grow.
 */
import type { Reader } from '../reader.js';
import type { Writer } from '../writer.js';

/**
 * The registry: a capability is a bit, given once and never again for something else. It is used
 * only while all members that must understand it have it. None changes what is on the disk: the
 * directories stay Apache's.
 */
export const Capability = {
  /** Since 0.1: understands HANDOVER, the end of an epoch that names the next leader. */
  handOver: 1 << 0,
  /**
   * Since 0.1: the blocks of `protocol/continuation.ts` stand behind REVALIDATE, the question's behind
   * the session's timeout and the answer's behind its verdict.
   */
  continuation: 1 << 1,
} as const;

/** All that this release has. */
export const ownCapabilities: number = Capability.handOver | Capability.continuation;

export interface PeerExtension {
  readonly capabilities: number;
  /** Of the server as a leader: a greater one is preferred. */
  readonly priority: number;
}

const MAGIC = 0x5a414252;
const HEAD_BYTES = 8;
const FIELD_BYTES = 8;

export function writeExtension(out: Writer, extension: PeerExtension): void {
  out.writeInt(MAGIC);
  out.writeInt(FIELD_BYTES);
  out.writeInt(extension.capabilities);
  out.writeInt(extension.priority);
}

/** Takes it from where the reader stands; null: what is there, or is not, is no extension. */
export function readExtension(reader: Reader): PeerExtension | null {
  if (reader.remaining < HEAD_BYTES || reader.readInt() !== MAGIC) return null;
  const length = reader.readInt();
  if (length < FIELD_BYTES || length > reader.remaining) return null;
  return { capabilities: reader.readInt(), priority: reader.readInt() };
}

export function hasCapability(extension: PeerExtension | null, capability: number): boolean {
  return extension !== null && (extension.capabilities & capability) !== 0;
}
