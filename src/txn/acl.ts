/**
 * The ACL a client asks for becomes the one that is stored: duplicates dropped, every id checked,
 * and `auth` replaced by the ids the caller has proven (ZOOKEEPER-1877: an ACL that nobody can read
 * must be refused at the door, not found at the next start).
 */
import { isAuthenticated, isKnownId, type Acl, type Caller } from './authorize.js';

/** Null: the list is not acceptable (INVALIDACL). */
export function settleAcl(wanted: readonly Acl[] | null, caller: Caller): Acl[] | null {
  if (wanted === null || wanted.length === 0) return null;
  const settled: Acl[] = [];
  const seen = new Set<string>();
  for (const acl of wanted) {
    const id = acl.id;
    if (id === null || id.scheme === null) return null;
    const key = JSON.stringify([acl.perms, id.scheme, id.id]);
    if (seen.has(key)) continue;
    seen.add(key);
    if (id.scheme === 'world' && id.id === 'anyone') {
      settled.push(acl);
    } else if (id.scheme === 'auth') {
      const proven = caller.authIds.filter(isAuthenticated);
      if (proven.length === 0) return null;
      for (const authId of proven) settled.push({ perms: acl.perms, id: authId });
    } else if (isKnownId(id)) {
      settled.push(acl);
    } else {
      return null;
    }
  }
  return settled;
}
