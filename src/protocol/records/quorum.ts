/** What servers send to each other on the quorum channel, which has no frames: records back to back. */
import { buffer, int, long, record, vector, type TypeOf } from './codec.js';
import { Id } from './data.js';

export const QuorumPacket = record('QuorumPacket', {
  type: int,
  zxid: long,
  data: buffer,
  authinfo: vector(Id),
});
export type QuorumPacket = TypeOf<typeof QuorumPacket>;

/** The data of FOLLOWERINFO and OBSERVERINFO. */
export const LearnerInfo = record('LearnerInfo', {
  serverid: long,
  protocolVersion: int,
  configVersion: long,
});
export type LearnerInfo = TypeOf<typeof LearnerInfo>;

/** A round of SASL between servers, on the quorum and election channels. */
export const QuorumAuthPacket = record('QuorumAuthPacket', {
  magic: long,
  status: int,
  token: buffer,
});
export type QuorumAuthPacket = TypeOf<typeof QuorumAuthPacket>;
