/** `zabra/client`: the client for Node, and everything that its callers name. */
export { Client } from './node/client.js';
export type { ConnectOptions } from './client/client.js';
export { Acls, Perms } from './client/acls.js';
export { ArgumentError } from './client/argument-error.js';
export { DeleteTreeError } from './client/delete-tree.js';
export * from './client/errors.js';
export { SaslError, type SaslMechanism, type SaslOptions, type SaslUser } from './client/sasl.js';
export type { TlsOptions } from './client/tls.js';
export { gssapi, type GssapiOptions } from './node/client-gssapi.js';
export {
  Transaction,
  TransactionError,
  type CheckResult,
  type CreateResult,
  type DeleteResult,
  type FailedResults,
  type SetDataResult,
  type TransactionCreateOptions,
  type TransactionResult,
  type TransactionVersionOptions,
} from './client/transaction.js';
export type * from './client/types.js';
export type { ClientWorld, HostNames } from './client/world.js';
