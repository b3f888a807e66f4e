/** ACLs as they are typed (`scheme:id:perms`, commas between them) and as zkCli shows them. */
import type { Acl } from '../../client/types.js';
import { formatPerms, parsePerms } from '../../protocol/perms.js';
import { CommandUsageError } from './failure.js';

export function aclOf(text: string): Acl[] {
  return text.split(',').map(aclEntryOf);
}

/** An id may have colons of its own: what is before the first is the scheme, behind the last the permissions. */
export function aclEntryOf(text: string): Acl {
  const first = text.indexOf(':');
  const last = text.lastIndexOf(':');
  if (first < 0 || first === last) {
    throw new CommandUsageError(`${text} does not have the form scheme:id:perm`);
  }
  const letters = text.slice(last + 1);
  const perms = parsePerms(letters);
  if (perms === null) {
    const [unknown = ''] = letters.replace(/[cdrwa]/g, '');
    throw new CommandUsageError(`Unknown perm type: ${unknown} (${text}: the letters are cdrwa)`);
  }
  return { scheme: text.slice(0, first), id: text.slice(first + 1, last), perms };
}

/** As it would be typed. */
export function aclEntryText({ scheme, id, perms }: Acl): string {
  return `${scheme}:${id}:${formatPerms(perms)}`;
}

/** zkCli shows an id as its record is written for people, which ends its line before the colon. */
export function aclLines(acl: readonly Acl[]): string {
  return acl
    .map(({ scheme, id, perms }) => `'${escaped(scheme)},'${escaped(id)}\n: ${formatPerms(perms)}`)
    .join('\n');
}

function escaped(text: string): string {
  return text.replace(/[\0\n\r,}%]/g, (one) => {
    return `%${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
  });
}

export function isSameAcl(one: readonly Acl[], other: readonly Acl[]): boolean {
  const sorted = (acl: readonly Acl[]): string => acl.map(aclEntryText).sort().join('\n');
  return sorted(one) === sorted(other);
}
