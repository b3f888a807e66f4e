/**
 * The requests that simulated clients make: an operation with its record, so that the model and the
 * checker can look at both without guessing.
 */
import { OpCode, opName } from '../protocol/opcodes.js';
import {
  requestCodecOf,
  type AddWatchRequest,
  type AuthPacket,
  type CheckVersionRequest,
  type CheckWatchesRequest,
  type Codec,
  type CreateRequest,
  type CreateTTLRequest,
  type DeleteRequest,
  type ExistsRequest,
  type GetACLRequest,
  type GetAllChildrenNumberRequest,
  type GetChildrenRequest,
  type GetDataRequest,
  type GetEphemeralsRequest,
  type MultiRequest,
  type RemoveWatchesRequest,
  type SetACLRequest,
  type SetDataRequest,
  type SetWatches,
  type SetWatches2,
  type SyncRequest,
} from '../protocol/records.js';
import type { Writer } from '../protocol/writer.js';

type Op<Type extends number, Value> = { readonly op: Type; readonly value: Value };
type Empty = Readonly<Record<string, never>>;

export type RequestBody =
  | Op<typeof OpCode.create | typeof OpCode.create2 | typeof OpCode.createContainer, CreateRequest>
  | Op<typeof OpCode.createTTL, CreateTTLRequest>
  | Op<typeof OpCode.delete, DeleteRequest>
  | Op<typeof OpCode.setData, SetDataRequest>
  | Op<typeof OpCode.setACL, SetACLRequest>
  | Op<typeof OpCode.multi | typeof OpCode.multiRead, MultiRequest>
  | Op<typeof OpCode.exists, ExistsRequest>
  | Op<typeof OpCode.getData, GetDataRequest>
  | Op<typeof OpCode.getACL, GetACLRequest>
  | Op<typeof OpCode.getChildren | typeof OpCode.getChildren2, GetChildrenRequest>
  | Op<typeof OpCode.sync, SyncRequest>
  | Op<typeof OpCode.check, CheckVersionRequest>
  | Op<typeof OpCode.addWatch, AddWatchRequest>
  | Op<typeof OpCode.checkWatches, CheckWatchesRequest>
  | Op<typeof OpCode.removeWatches, RemoveWatchesRequest>
  | Op<typeof OpCode.setWatches, SetWatches>
  | Op<typeof OpCode.setWatches2, SetWatches2>
  | Op<typeof OpCode.getEphemerals, GetEphemeralsRequest>
  | Op<typeof OpCode.getAllChildrenNumber, GetAllChildrenNumberRequest>
  | Op<typeof OpCode.whoAmI, Empty>
  | Op<typeof OpCode.closeSession, Empty>
  | Op<typeof OpCode.auth, AuthPacket>;

/** Header and record behind a length; returns where the frame began. */
export function writeFrame(
  out: Writer,
  xid: number,
  body: RequestBody,
  isMangled: boolean,
): number {
  const start = out.pos;
  out.writeInt(0);
  out.writeInt(xid);
  out.writeInt(body.op);
  const codec = requestCodecOf(body.op as number) as Codec<unknown>;
  const bodyAt = out.pos;
  codec.write(out, body.value);
  // the half of a record is never a record: strings and vectors say how long they would be
  if (isMangled) out.pos = bodyAt + ((out.pos - bodyAt) >> 1);
  out.patchInt(start, out.pos - start - 4);
  return start;
}

export function describeRequest(xid: number, body: RequestBody): string {
  const text = JSON.stringify(body.value, (_key, value: unknown) => {
    if (typeof value === 'bigint') return value.toString();
    if (value instanceof Uint8Array) return `<${value.length}>`;
    return value;
  });
  return `${opName(body.op)} xid=${xid} ${text}`;
}
