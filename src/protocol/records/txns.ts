/** Transactions, as the log holds them and proposals carry them: header, body by type, digest. */
import { MalformedError, type Reader } from '../reader.js';
import { OpCode } from '../opcodes.js';
import {
  bool,
  buffer,
  int,
  long,
  record,
  ustring,
  vector,
  type Codec,
  type TypeOf,
} from './codec.js';
import { ACLs } from './data.js';

/** Begins every log and snapshot file. */
export const FileHeader = record('FileHeader', { magic: int, version: int, dbid: long });
export type FileHeader = TypeOf<typeof FileHeader>;

/** `time` in ms, by the leader's clock. */
export const TxnHeader = record('TxnHeader', {
  clientId: long,
  cxid: int,
  zxid: long,
  time: long,
  type: int,
});
export type TxnHeader = TypeOf<typeof TxnHeader>;

/** The digest of the whole tree after the transaction. */
export const TxnDigest = record('TxnDigest', { version: int, treeDigest: long });
export type TxnDigest = TypeOf<typeof TxnDigest>;

/** Before 3.4 the parent's version was not part of the transaction. */
export const CreateTxnV0 = record('CreateTxnV0', {
  path: ustring,
  data: buffer,
  acl: ACLs,
  ephemeral: bool,
});
export type CreateTxnV0 = TypeOf<typeof CreateTxnV0>;

export const CreateTxn = record('CreateTxn', {
  path: ustring,
  data: buffer,
  acl: ACLs,
  ephemeral: bool,
  parentCVersion: int,
});
export type CreateTxn = TypeOf<typeof CreateTxn>;

export const CreateTTLTxn = record('CreateTTLTxn', {
  path: ustring,
  data: buffer,
  acl: ACLs,
  parentCVersion: int,
  ttl: long,
});
export type CreateTTLTxn = TypeOf<typeof CreateTTLTxn>;

export const CreateContainerTxn = record('CreateContainerTxn', {
  path: ustring,
  data: buffer,
  acl: ACLs,
  parentCVersion: int,
});
export type CreateContainerTxn = TypeOf<typeof CreateContainerTxn>;

export const DeleteTxn = record('DeleteTxn', { path: ustring });
export type DeleteTxn = TypeOf<typeof DeleteTxn>;

export const SetDataTxn = record('SetDataTxn', { path: ustring, data: buffer, version: int });
export type SetDataTxn = TypeOf<typeof SetDataTxn>;

/** Only inside a MultiTxn. */
export const CheckVersionTxn = record('CheckVersionTxn', { path: ustring, version: int });
export type CheckVersionTxn = TypeOf<typeof CheckVersionTxn>;

export const SetACLTxn = record('SetACLTxn', { path: ustring, acl: ACLs, version: int });
export type SetACLTxn = TypeOf<typeof SetACLTxn>;

export const CreateSessionTxn = record('CreateSessionTxn', { timeOut: int });
export type CreateSessionTxn = TypeOf<typeof CreateSessionTxn>;

/** What the session leaves behind to be deleted; logs of older servers have no such body. */
export const CloseSessionTxn = record('CloseSessionTxn', { paths2Delete: vector(ustring) });
export type CloseSessionTxn = TypeOf<typeof CloseSessionTxn>;

/** A request that failed after it had a zxid. */
export const ErrorTxn = record('ErrorTxn', { err: int });
export type ErrorTxn = TypeOf<typeof ErrorTxn>;

/** A member of a MultiTxn: the body of its type, encoded. */
export const Txn = record('Txn', { type: int, data: buffer });
export type Txn = TypeOf<typeof Txn>;

export const MultiTxn = record('MultiTxn', { txns: vector(Txn) });
export type MultiTxn = TypeOf<typeof MultiTxn>;

// In Apache's schema, but no operation uses it: kept so that the schema is whole.
export const SetMaxChildrenTxn = record('SetMaxChildrenTxn', { path: ustring, max: int });

const bodyOf = {
  [OpCode.createSession]: CreateSessionTxn,
  [OpCode.closeSession]: CloseSessionTxn,
  [OpCode.create]: CreateTxn,
  [OpCode.create2]: CreateTxn,
  [OpCode.createTTL]: CreateTTLTxn,
  [OpCode.createContainer]: CreateContainerTxn,
  [OpCode.delete]: DeleteTxn,
  [OpCode.deleteContainer]: DeleteTxn,
  [OpCode.setData]: SetDataTxn,
  [OpCode.reconfig]: SetDataTxn,
  [OpCode.setACL]: SetACLTxn,
  [OpCode.check]: CheckVersionTxn,
  [OpCode.multi]: MultiTxn,
  [OpCode.error]: ErrorTxn,
} as const;

/** The body of a transaction of this type; undefined when there is no such type. */
export function txnCodecOf(type: number): Codec<unknown> | undefined {
  return (bodyOf as Readonly<Record<number, Codec<unknown>>>)[type];
}

type Body = {
  [T in keyof typeof bodyOf]: { readonly type: T; readonly txn: TypeOf<(typeof bodyOf)[T]> };
}[keyof typeof bodyOf];

/** A body with its type; a closeSession of an old log has none. */
export type TxnBody = Body | { readonly type: typeof OpCode.closeSession; readonly txn: null };

export interface TxnPayload {
  readonly header: TxnHeader;
  readonly body: TxnBody;
  readonly digest: TxnDigest | null;
}

/**
 * Reads a whole payload, of any age: creates without the parent's version get -1 for it, as Apache
 * reads them, sessions closed without a list get null, and the digest may be missing.
 */
export function readTxnPayload(reader: Reader): TxnPayload {
  const header = TxnHeader.read(reader);
  const body = readTxnBody(reader, header.type);
  const digest = reader.remaining >= TxnDigest.minBytes ? TxnDigest.read(reader) : null;
  return { header, body, digest };
}

/** Reads the body alone, as for a member of a MultiTxn. */
export function readTxnBody(reader: Reader, type: number): TxnBody {
  const codec = txnCodecOf(type);
  if (codec === undefined) throw new MalformedError(`transaction of unknown type ${type}`);
  const start = reader.pos;
  try {
    // bodyOf, which txnCodecOf reads, is the table that TxnBody is made from
    return { type, txn: codec.read(reader) } as TxnBody;
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    reader.pos = start;
    if (type === OpCode.closeSession) return { type, txn: null };
    if (type !== OpCode.create) throw error;
    return { type, txn: { ...CreateTxnV0.read(reader), parentCVersion: -1 } };
  }
}
