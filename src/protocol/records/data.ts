/** What a znode carries beside its bytes: who may do what, and its history in numbers. */
import { int, long, record, ustring, vector, type TypeOf } from './codec.js';

export const Id = record('Id', { scheme: ustring, id: ustring });
export type Id = TypeOf<typeof Id>;

export const ACL = record('ACL', { perms: int, id: Id });
export type ACL = TypeOf<typeof ACL>;

export const ACLs = vector(ACL);

/** As clients see it, 68 bytes. */
export const Stat = record('Stat', {
  czxid: long,
  mzxid: long,
  ctime: long,
  mtime: long,
  version: int,
  cversion: int,
  aversion: int,
  ephemeralOwner: long,
  dataLength: int,
  numChildren: int,
  pzxid: long,
});
export type Stat = TypeOf<typeof Stat>;

/** As it is stored, 60 bytes; cversion and ephemeralOwner mean other things than in Stat. */
export const StatPersisted = record('StatPersisted', {
  czxid: long,
  mzxid: long,
  ctime: long,
  mtime: long,
  version: int,
  cversion: int,
  aversion: int,
  ephemeralOwner: long,
  pzxid: long,
});
export type StatPersisted = TypeOf<typeof StatPersisted>;

export const ClientInfo = record('ClientInfo', { authScheme: ustring, user: ustring });
export type ClientInfo = TypeOf<typeof ClientInfo>;
