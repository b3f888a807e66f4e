/**
 * The one request that no client makes: a container that has become empty is deleted by the server
 * that found it so. It goes the way of every write, because all replicas must delete the same.
 */
import { OpCode } from '../protocol/opcodes.js';
import { Writer } from '../protocol/writer.js';
import { PendingWrite } from './pending.js';
import type { Replica } from './replica.js';

/** Nobody waits for the answer: a container that is in use again is left where it is. */
export function deleteContainer(replica: Replica, path: string, nowMs: number): void {
  const writer = new Writer(path.length + 16);
  writer.writeString(path);
  const request = replica.request;
  request.op = OpCode.deleteContainer;
  request.cxid = 0;
  request.session = null;
  request.sessionHigh = 0;
  request.sessionLow = 0;
  request.bytes = writer.bytes;
  request.start = 0;
  request.end = writer.pos;
  replica.submit(new PendingWrite(null, OpCode.deleteContainer, 0, nowMs));
}
