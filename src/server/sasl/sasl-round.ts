/**
 * One round of SASL on a client's connection: its token goes to the connection's login, the answer
 * leaves, and who has proven a user is that user from here on. What failure means is the operator's:
 * the end of the connection, or a client that goes on as nobody.
 */
import { ErrorCode } from '../../protocol/errors.js';
import type { Reader } from '../../protocol/reader.js';
import type { AclId, Caller } from '../../txn/authorize.js';
import { withIds, type AuthenticationOptions } from '../authenticate.js';
import { DigestMd5Login } from './digest-md5-login.js';

export interface SaslRound {
  readonly error: number;
  readonly token: Uint8Array | null;
  /** With what has been proven. */
  readonly caller: Caller;
  /** For the log; null: nothing failed. */
  readonly failure: string | null;
}

/** What one connection has of SASL between its rounds. */
export interface SaslState {
  caller: Caller;
  login: DigestMd5Login | null;
}

/** Reads a GetSASLRequest. Throws MalformedError. */
export function saslRound(
  { sasl, crypto }: AuthenticationOptions,
  state: SaslState,
  reader: Reader,
): SaslRound | 'unreadable' {
  const token = reader.readBuffer();
  if (token === null) return 'unreadable';
  const { caller } = state;
  // nobody to log in here: an answer without a token, as Apache's
  if (sasl === null) return { error: ErrorCode.ok, token: null, caller, failure: null };
  state.login ??= new DigestMd5Login(sasl.users, crypto);
  const step = state.login.step(token);
  switch (step.kind) {
    case 'challenge':
      return { error: ErrorCode.ok, token: step.token, caller, failure: null };
    case 'done': {
      const ids: AclId[] = [{ scheme: 'sasl', id: step.user }];
      if (sasl.superUsers.has(step.user)) ids.push({ scheme: 'super', id: '' });
      const proven = withIds(caller, ids) ?? caller;
      return { error: ErrorCode.ok, token: step.token, caller: proven, failure: null };
    }
    case 'failed': {
      const mayStay = sasl.allowsFailed && !sasl.isRequired;
      const ending = sasl.isRequired
        ? ErrorCode.sessionClosedRequireSaslAuth
        : ErrorCode.authFailed;
      const error = mayStay ? ErrorCode.ok : ending;
      return { error, token: null, caller, failure: step.reason };
    }
  }
}
