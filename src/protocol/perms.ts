/** What an ACL entry permits: a set of bits. */
export const Perms = { read: 1, write: 2, create: 4, delete: 8, admin: 16, all: 31 } as const;

/** The letters that ACLs are written with in tools: `cdrwa`, in that order. */
export function formatPerms(perms: number): string {
  let text = '';
  if ((perms & Perms.create) !== 0) text += 'c';
  if ((perms & Perms.delete) !== 0) text += 'd';
  if ((perms & Perms.read) !== 0) text += 'r';
  if ((perms & Perms.write) !== 0) text += 'w';
  if ((perms & Perms.admin) !== 0) text += 'a';
  return text;
}

const bitOfLetter: Readonly<Record<string, number>> = {
  r: Perms.read,
  w: Perms.write,
  c: Perms.create,
  d: Perms.delete,
  a: Perms.admin,
};

/** The set that the letters name, in any order; null when one of them is unknown. */
export function parsePerms(letters: string): number | null {
  let perms = 0;
  for (const letter of letters) {
    const bit = bitOfLetter[letter];
    if (bit === undefined) return null;
    perms |= bit;
  }
  return perms;
}
