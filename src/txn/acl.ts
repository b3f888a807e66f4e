/**
 * The ACL a client asks for becomes the one that is stored: duplicates dropped, every id checked,
 * and `auth` replaced by the ids the caller has proven (ZOOKEEPER-1877: an ACL that nobody can read
 * must be refused at the door, not found at the next start).
 */
import { ErrorCode } from '../protocol/errors.js';
import { isAuthenticated, isKnownId, type Acl, type AclSchemes, type Caller } from './authorize.js';

export type SettledAcl =
  | { readonly acl: readonly Acl[] }
  /** INVALIDACL; MARSHALLINGERROR for the texts that Apache stumbles over: null ones. */
  | { readonly error: number };

const INVALID: SettledAcl = { error: ErrorCode.invalidACL };
const UNREADABLE: SettledAcl = { error: ErrorCode.marshallingError };

export function settleAcl(
  wanted: readonly Acl[] | null,
  caller: Caller,
  schemes?: AclSchemes,
): SettledAcl {
  if (wanted === null || wanted.length === 0) return INVALID;
  const unique = withoutDuplicates(wanted);
  if (unique === null) return UNREADABLE;
  const acl: Acl[] = [];
  for (const entry of unique) {
    const { scheme = null, id = null } = entry.id ?? {};
    if (scheme === null) return INVALID;
    if (scheme === 'auth') {
      const proven = caller.authIds.filter((authId) => isAuthenticated(authId, schemes));
      if (proven.length === 0) return INVALID;
      for (const authId of proven) acl.push({ perms: entry.perms, id: authId });
      continue;
    }
    if (scheme === 'world' && id === 'anyone') {
      acl.push(entry);
      continue;
    }
    if (id === null && (TEXT_SCHEMES.has(scheme) || schemes?.has(scheme) === true)) {
      return UNREADABLE;
    }
    if (!isKnownId({ scheme, id }, schemes)) return INVALID;
    acl.push(entry);
  }
  return { acl };
}

/** Schemes that look at the id's text. */
const TEXT_SCHEMES: ReadonlySet<string> = new Set(['world', 'digest', 'ip']);

/** Null: two entries cannot be told apart because a text is missing. */
function withoutDuplicates(wanted: readonly Acl[]): readonly Acl[] | null {
  if (wanted.length === 1) return wanted;
  const seen = new Map<string, Acl>();
  const permsSeen = new Set<number>();
  const permsAndSchemes = new Set<string>();
  for (const entry of wanted) {
    const { scheme = null, id = null } = entry.id ?? {};
    const permsAndScheme = JSON.stringify([entry.perms, scheme]);
    if (scheme === null && permsSeen.has(entry.perms)) return null;
    if (id === null && permsAndSchemes.has(permsAndScheme)) return null;
    permsSeen.add(entry.perms);
    permsAndSchemes.add(permsAndScheme);
    const key = JSON.stringify([entry.perms, scheme, id]);
    if (!seen.has(key)) seen.set(key, entry);
  }
  return [...seen.values()];
}
