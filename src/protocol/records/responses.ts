/** What servers send: the connect response, headers, watch events, and the body of each answer. */
import { buffer, int, long, record, trailingBool, ustring, vector, type TypeOf } from './codec.js';
import { ACLs, ClientInfo, Stat } from './data.js';

/** Ends before readOnly when the request did. `timeOut` 0 tells that the session has expired. */
export const ConnectResponse = record('ConnectResponse', {
  protocolVersion: int,
  timeOut: int,
  sessionId: long,
  passwd: buffer,
  readOnly: trailingBool,
});
export type ConnectResponse = TypeOf<typeof ConnectResponse>;

/** No body follows when `err` is not 0. */
export const ReplyHeader = record('ReplyHeader', { xid: int, zxid: long, err: int });
export type ReplyHeader = TypeOf<typeof ReplyHeader>;

export const WatcherEvent = record('WatcherEvent', { type: int, state: int, path: ustring });
export type WatcherEvent = TypeOf<typeof WatcherEvent>;

export const ErrorResponse = record('ErrorResponse', { err: int });
export type ErrorResponse = TypeOf<typeof ErrorResponse>;

export const CreateResponse = record('CreateResponse', { path: ustring });
export type CreateResponse = TypeOf<typeof CreateResponse>;

export const Create2Response = record('Create2Response', { path: ustring, stat: Stat });
export type Create2Response = TypeOf<typeof Create2Response>;

export const ExistsResponse = record('ExistsResponse', { stat: Stat });
export type ExistsResponse = TypeOf<typeof ExistsResponse>;

export const GetDataResponse = record('GetDataResponse', { data: buffer, stat: Stat });
export type GetDataResponse = TypeOf<typeof GetDataResponse>;

export const SetDataResponse = record('SetDataResponse', { stat: Stat });
export type SetDataResponse = TypeOf<typeof SetDataResponse>;

export const GetACLResponse = record('GetACLResponse', { acl: ACLs, stat: Stat });
export type GetACLResponse = TypeOf<typeof GetACLResponse>;

export const SetACLResponse = record('SetACLResponse', { stat: Stat });
export type SetACLResponse = TypeOf<typeof SetACLResponse>;

export const GetChildrenResponse = record('GetChildrenResponse', { children: vector(ustring) });
export type GetChildrenResponse = TypeOf<typeof GetChildrenResponse>;

export const GetChildren2Response = record('GetChildren2Response', {
  children: vector(ustring),
  stat: Stat,
});
export type GetChildren2Response = TypeOf<typeof GetChildren2Response>;

export const GetAllChildrenNumberResponse = record('GetAllChildrenNumberResponse', {
  totalNumber: int,
});
export type GetAllChildrenNumberResponse = TypeOf<typeof GetAllChildrenNumberResponse>;

export const GetEphemeralsResponse = record('GetEphemeralsResponse', {
  ephemerals: vector(ustring),
});
export type GetEphemeralsResponse = TypeOf<typeof GetEphemeralsResponse>;

export const SyncResponse = record('SyncResponse', { path: ustring });
export type SyncResponse = TypeOf<typeof SyncResponse>;

export const SetSASLResponse = record('SetSASLResponse', { token: buffer });
export type SetSASLResponse = TypeOf<typeof SetSASLResponse>;

export const WhoAmIResponse = record('WhoAmIResponse', { clientInfo: vector(ClientInfo) });
export type WhoAmIResponse = TypeOf<typeof WhoAmIResponse>;

// In Apache's schema, but no operation uses it: kept so that the schema is whole.
export const GetMaxChildrenResponse = record('GetMaxChildrenResponse', { max: int });
