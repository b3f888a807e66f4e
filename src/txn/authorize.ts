/**
 * May this caller do that to this znode? ACLs are lists of (permissions, scheme, id); a caller is a
 * list of ids it has proven. Pure: proving an identity (hashing a password, reading a certificate)
 * is the server's business, which then hands the ids in.
 */
import { addressMatches, isAddressExpression } from '../protocol/ip-address.js';

export interface AclId {
  readonly scheme: string | null;
  readonly id: string | null;
}

export interface Acl {
  readonly perms: number;
  readonly id: AclId | null;
}

/** What a connection has proven about itself; its list only grows. */
export interface Caller {
  readonly authIds: readonly AclId[];
}

/** The server's own doings (expiry, container collection) ask nobody. */
export const NOBODY: Caller = { authIds: [] };

/** An absent or empty list allows everything, as Apache's does. */
export function isAllowed(acls: readonly Acl[], perms: number, caller: Caller): boolean {
  if (acls.length === 0) return true;
  for (const authId of caller.authIds) if (authId.scheme === 'super') return true;
  for (const acl of acls) {
    if ((acl.perms & perms) === 0 || acl.id === null) continue;
    if (acl.id.scheme === 'world' && acl.id.id === 'anyone') return true;
    for (const authId of caller.authIds) if (idMatches(authId, acl.id)) return true;
  }
  return false;
}

function idMatches(proven: AclId, wanted: AclId): boolean {
  if (proven.scheme !== wanted.scheme || proven.id === null || wanted.id === null) return false;
  switch (wanted.scheme) {
    case 'digest':
      return proven.id === wanted.id;
    case 'ip':
      return addressMatches(proven.id, wanted.id);
    case 'sasl':
      return proven.id === wanted.id || proven.id === 'super';
    case 'x509':
      return proven.id === wanted.id;
    default:
      return false;
  }
}

/** Schemes beyond digest and ip that ACLs may name, and which ids each takes. */
export type AclSchemes = ReadonlyMap<string, (id: string) => boolean>;

const NO_MORE_SCHEMES: AclSchemes = new Map();

/** Whether an ACL may name this id: a known scheme, and an id of its form. */
export function isKnownId(id: AclId, more: AclSchemes = NO_MORE_SCHEMES): boolean {
  if (id.id === null) return false;
  switch (id.scheme) {
    case 'digest':
      return javaSplit(id.id).length === 2;
    case 'ip':
      return isAddressExpression(id.id);
    default:
      return id.scheme !== null && more.get(id.scheme)?.(id.id) === true;
  }
}

/** Schemes whose proven ids the `auth` scheme expands to. */
export function isAuthenticated(id: AclId, more: AclSchemes = NO_MORE_SCHEMES): boolean {
  return id.scheme === 'digest' || (id.scheme !== null && more.has(id.scheme));
}

/** The parts between colons, trailing empty ones dropped: `a:` has one part, `a:b` two. */
function javaSplit(text: string): string[] {
  const parts = text.split(':');
  while (parts.length > 1 && parts[parts.length - 1] === '') parts.pop();
  return parts;
}
