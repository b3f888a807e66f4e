/** What clients send: the connect request, headers, and the body of each operation. */
import {
  bool,
  buffer,
  int,
  long,
  record,
  trailingBool,
  ustring,
  vector,
  type TypeOf,
} from './codec.js';
import { ACLs } from './data.js';

/** An operation without a body. */
export const Nothing = record('Nothing', {});

/** The first packet of a connection; clients before 3.4 end it before readOnly. */
export const ConnectRequest = record('ConnectRequest', {
  protocolVersion: int,
  lastZxidSeen: long,
  timeOut: int,
  sessionId: long,
  passwd: buffer,
  readOnly: trailingBool,
});
export type ConnectRequest = TypeOf<typeof ConnectRequest>;

export const RequestHeader = record('RequestHeader', { xid: int, type: int });
export type RequestHeader = TypeOf<typeof RequestHeader>;

export const AuthPacket = record('AuthPacket', { type: int, scheme: ustring, auth: buffer });
export type AuthPacket = TypeOf<typeof AuthPacket>;

export const CreateRequest = record('CreateRequest', {
  path: ustring,
  data: buffer,
  acl: ACLs,
  flags: int,
});
export type CreateRequest = TypeOf<typeof CreateRequest>;

export const CreateTTLRequest = record('CreateTTLRequest', {
  path: ustring,
  data: buffer,
  acl: ACLs,
  flags: int,
  ttl: long,
});
export type CreateTTLRequest = TypeOf<typeof CreateTTLRequest>;

export const DeleteRequest = record('DeleteRequest', { path: ustring, version: int });
export type DeleteRequest = TypeOf<typeof DeleteRequest>;

/** Between servers only: the leader's collector of empty containers. */
export const DeleteContainerRequest = record('DeleteContainerRequest', { path: ustring });
export type DeleteContainerRequest = TypeOf<typeof DeleteContainerRequest>;

export const ExistsRequest = record('ExistsRequest', { path: ustring, watch: bool });
export type ExistsRequest = TypeOf<typeof ExistsRequest>;

export const GetDataRequest = record('GetDataRequest', { path: ustring, watch: bool });
export type GetDataRequest = TypeOf<typeof GetDataRequest>;

export const SetDataRequest = record('SetDataRequest', {
  path: ustring,
  data: buffer,
  version: int,
});
export type SetDataRequest = TypeOf<typeof SetDataRequest>;

export const GetACLRequest = record('GetACLRequest', { path: ustring });
export type GetACLRequest = TypeOf<typeof GetACLRequest>;

/** `version` is the ACL's, not the data's. */
export const SetACLRequest = record('SetACLRequest', { path: ustring, acl: ACLs, version: int });
export type SetACLRequest = TypeOf<typeof SetACLRequest>;

export const GetChildrenRequest = record('GetChildrenRequest', { path: ustring, watch: bool });
export type GetChildrenRequest = TypeOf<typeof GetChildrenRequest>;

export const GetChildren2Request = record('GetChildren2Request', { path: ustring, watch: bool });
export type GetChildren2Request = TypeOf<typeof GetChildren2Request>;

export const GetAllChildrenNumberRequest = record('GetAllChildrenNumberRequest', {
  path: ustring,
});
export type GetAllChildrenNumberRequest = TypeOf<typeof GetAllChildrenNumberRequest>;

export const GetEphemeralsRequest = record('GetEphemeralsRequest', { prefixPath: ustring });
export type GetEphemeralsRequest = TypeOf<typeof GetEphemeralsRequest>;

export const SyncRequest = record('SyncRequest', { path: ustring });
export type SyncRequest = TypeOf<typeof SyncRequest>;

/** Only inside a multi. */
export const CheckVersionRequest = record('CheckVersionRequest', { path: ustring, version: int });
export type CheckVersionRequest = TypeOf<typeof CheckVersionRequest>;

export const ReconfigRequest = record('ReconfigRequest', {
  joiningServers: ustring,
  leavingServers: ustring,
  newMembers: ustring,
  curConfigId: long,
});
export type ReconfigRequest = TypeOf<typeof ReconfigRequest>;

export const SetWatches = record('SetWatches', {
  relativeZxid: long,
  dataWatches: vector(ustring),
  existWatches: vector(ustring),
  childWatches: vector(ustring),
});
export type SetWatches = TypeOf<typeof SetWatches>;

export const SetWatches2 = record('SetWatches2', {
  relativeZxid: long,
  dataWatches: vector(ustring),
  existWatches: vector(ustring),
  childWatches: vector(ustring),
  persistentWatches: vector(ustring),
  persistentRecursiveWatches: vector(ustring),
});
export type SetWatches2 = TypeOf<typeof SetWatches2>;

export const AddWatchRequest = record('AddWatchRequest', { path: ustring, mode: int });
export type AddWatchRequest = TypeOf<typeof AddWatchRequest>;

export const CheckWatchesRequest = record('CheckWatchesRequest', { path: ustring, type: int });
export type CheckWatchesRequest = TypeOf<typeof CheckWatchesRequest>;

export const RemoveWatchesRequest = record('RemoveWatchesRequest', { path: ustring, type: int });
export type RemoveWatchesRequest = TypeOf<typeof RemoveWatchesRequest>;

/** A round of SASL, named from the server's point of view. */
export const GetSASLRequest = record('GetSASLRequest', { token: buffer });
export type GetSASLRequest = TypeOf<typeof GetSASLRequest>;

// In Apache's schema, but no operation uses them: kept so that the schema is whole.
export const SetSASLRequest = record('SetSASLRequest', { token: buffer });
export const GetMaxChildrenRequest = record('GetMaxChildrenRequest', { path: ustring });
export const SetMaxChildrenRequest = record('SetMaxChildrenRequest', { path: ustring, max: int });
