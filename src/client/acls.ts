/**
 * Who may do what with a znode, in the words that users write it, and on the wire. An ACL is a list
 * of permissions for identities; the three lists that nearly everybody uses have names.
 */
import { Perms } from '../protocol/perms.js';
import type { ACL } from '../protocol/records.js';
import type { Acl } from './types.js';

export { Perms } from '../protocol/perms.js';

const anyone = { scheme: 'world', id: 'anyone' } as const;

export const Acls = {
  /** Anyone may do anything. */
  open: Object.freeze([Object.freeze({ perms: Perms.all, ...anyone })]),
  /** Anyone may read. */
  readOnly: Object.freeze([Object.freeze({ perms: Perms.read, ...anyone })]),
  /** Whoever creates the znode, by every identity shown to the server before, may do anything. */
  creatorAll: Object.freeze([Object.freeze({ perms: Perms.all, scheme: 'auth', id: '' })]),
} as const satisfies Readonly<Record<string, readonly Acl[]>>;

export function aclsToWire(acls: readonly Acl[]): readonly ACL[] {
  return acls.map(({ perms, scheme, id }) => ({ perms, id: { scheme, id } }));
}

/** The wire's nulls are empty here, as the server treats them. */
export function aclsFromWire(acls: readonly ACL[] | null): Acl[] {
  return (acls ?? []).map(({ perms, id }) => ({
    perms,
    scheme: id.scheme ?? '',
    id: id.id ?? '',
  }));
}
