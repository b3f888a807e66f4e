/** Who may do what, as the model sees it: written anew, because the checker must not err alike. */
import { Perms } from '../protocol/perms.js';
import type { ACL } from '../protocol/records.js';
import type { AuthId } from './history.js';

export function allows(acl: readonly ACL[], perms: number, caller: readonly AuthId[]): boolean {
  if (caller.some(({ scheme }) => scheme === 'super')) return true;
  if (acl.length === 0) return true;
  return acl.some((entry) => {
    if ((entry.perms & perms) === 0) return false;
    const { scheme, id } = entry.id;
    if (scheme === 'world' && id === 'anyone') return true;
    return caller.some((one) => one.scheme === scheme && one.id === id);
  });
}

/** The list that is stored for the list that was asked for; null: it is not a valid one. */
export function settled(asked: readonly ACL[] | null, caller: readonly AuthId[]): ACL[] | null {
  if (asked === null || asked.length === 0) return null;
  const result: ACL[] = [];
  const seen: string[] = [];
  for (const entry of asked) {
    const { scheme, id } = entry.id;
    const key = `${entry.perms} ${scheme ?? ''} ${id ?? ''}`;
    if (seen.includes(key)) continue;
    seen.push(key);
    switch (scheme) {
      case 'world':
        if (id !== 'anyone') return null;
        result.push(entry);
        break;
      case 'auth': {
        const proven = caller.filter((one) => one.scheme === 'digest');
        if (proven.length === 0) return null;
        for (const one of proven) result.push({ perms: entry.perms, id: one });
        break;
      }
      case 'digest':
        if ((id ?? '').split(':').length !== 2) return null;
        result.push(entry);
        break;
      case 'ip':
        if (!/^\d+\.\d+\.\d+\.\d+$/.test(id ?? '')) return null;
        result.push(entry);
        break;
      default:
        return null;
    }
  }
  return result;
}

/** What somebody without the right to administer gets to see. */
export function redacted(acl: readonly ACL[], caller: readonly AuthId[]): readonly ACL[] {
  if (allows(acl, Perms.admin, caller)) return acl;
  return acl.map((entry) => {
    if (entry.id.scheme !== 'digest') return entry;
    const user = (entry.id.id ?? '').split(':')[0] ?? '';
    return { perms: entry.perms, id: { scheme: 'digest', id: `${user}:x` } };
  });
}
