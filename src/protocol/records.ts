/** Every record of the protocol under one roof, and which of them an operation takes and answers. */
import { OpCode } from './opcodes.js';
import type { Codec } from './records/codec.js';
import { MultiRequest, MultiResponse } from './records/multi.js';
import * as requests from './records/requests.js';
import * as responses from './records/responses.js';

export { readWhole, type Codec, type TypeOf } from './records/codec.js';
export * from './records/data.js';
export * from './records/requests.js';
export * from './records/responses.js';
export * from './records/multi.js';
export * from './records/quorum.js';
export * from './records/txns.js';

const requestOf = {
  [OpCode.create]: requests.CreateRequest,
  [OpCode.create2]: requests.CreateRequest,
  [OpCode.createContainer]: requests.CreateRequest,
  [OpCode.createTTL]: requests.CreateTTLRequest,
  [OpCode.delete]: requests.DeleteRequest,
  [OpCode.deleteContainer]: requests.DeleteContainerRequest,
  [OpCode.exists]: requests.ExistsRequest,
  [OpCode.getData]: requests.GetDataRequest,
  [OpCode.setData]: requests.SetDataRequest,
  [OpCode.getACL]: requests.GetACLRequest,
  [OpCode.setACL]: requests.SetACLRequest,
  [OpCode.getChildren]: requests.GetChildrenRequest,
  [OpCode.getChildren2]: requests.GetChildren2Request,
  [OpCode.getAllChildrenNumber]: requests.GetAllChildrenNumberRequest,
  [OpCode.getEphemerals]: requests.GetEphemeralsRequest,
  [OpCode.sync]: requests.SyncRequest,
  [OpCode.check]: requests.CheckVersionRequest,
  [OpCode.multi]: MultiRequest,
  [OpCode.multiRead]: MultiRequest,
  [OpCode.reconfig]: requests.ReconfigRequest,
  [OpCode.setWatches]: requests.SetWatches,
  [OpCode.setWatches2]: requests.SetWatches2,
  [OpCode.addWatch]: requests.AddWatchRequest,
  [OpCode.checkWatches]: requests.CheckWatchesRequest,
  [OpCode.removeWatches]: requests.RemoveWatchesRequest,
  [OpCode.auth]: requests.AuthPacket,
  [OpCode.sasl]: requests.GetSASLRequest,
  [OpCode.ping]: requests.Nothing,
  [OpCode.whoAmI]: requests.Nothing,
  [OpCode.closeSession]: requests.Nothing,
} as const;

const responseOf = {
  [OpCode.notification]: responses.WatcherEvent,
  [OpCode.create]: responses.CreateResponse,
  [OpCode.create2]: responses.Create2Response,
  [OpCode.createContainer]: responses.Create2Response,
  [OpCode.createTTL]: responses.Create2Response,
  [OpCode.delete]: requests.Nothing,
  [OpCode.deleteContainer]: requests.Nothing,
  [OpCode.exists]: responses.ExistsResponse,
  [OpCode.getData]: responses.GetDataResponse,
  [OpCode.setData]: responses.SetDataResponse,
  [OpCode.getACL]: responses.GetACLResponse,
  [OpCode.setACL]: responses.SetACLResponse,
  [OpCode.getChildren]: responses.GetChildrenResponse,
  [OpCode.getChildren2]: responses.GetChildren2Response,
  [OpCode.getAllChildrenNumber]: responses.GetAllChildrenNumberResponse,
  [OpCode.getEphemerals]: responses.GetEphemeralsResponse,
  [OpCode.sync]: responses.SyncResponse,
  [OpCode.check]: requests.Nothing,
  [OpCode.multi]: MultiResponse,
  [OpCode.multiRead]: MultiResponse,
  [OpCode.reconfig]: responses.GetDataResponse,
  [OpCode.setWatches]: requests.Nothing,
  [OpCode.setWatches2]: requests.Nothing,
  [OpCode.addWatch]: responses.ErrorResponse,
  [OpCode.checkWatches]: requests.Nothing,
  [OpCode.removeWatches]: requests.Nothing,
  [OpCode.auth]: requests.Nothing,
  [OpCode.sasl]: responses.SetSASLResponse,
  [OpCode.ping]: requests.Nothing,
  [OpCode.whoAmI]: responses.WhoAmIResponse,
  [OpCode.closeSession]: requests.Nothing,
} as const;

type Table = Readonly<Record<number, Codec<unknown>>>;

/** What follows the request header; `Nothing` for an empty body, undefined for no such request. */
export function requestCodecOf<Op extends keyof typeof requestOf>(op: Op): (typeof requestOf)[Op];
export function requestCodecOf(op: number): Codec<unknown> | undefined;
export function requestCodecOf(op: number): Codec<unknown> | undefined {
  return (requestOf as Table)[op];
}

/** What follows the reply header when it says ok; for notification, the event. */
export function responseCodecOf<Op extends keyof typeof responseOf>(
  op: Op,
): (typeof responseOf)[Op];
export function responseCodecOf(op: number): Codec<unknown> | undefined;
export function responseCodecOf(op: number): Codec<unknown> | undefined {
  return (responseOf as Table)[op];
}
