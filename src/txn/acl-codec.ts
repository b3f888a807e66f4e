/**
 * ACL lists in requests and transactions. Nearly all of them are "world, anyone, everything": that
 * one is recognised by its bytes and carried as one shared list, so that it costs neither parsing
 * nor garbage.
 */
import type { Reader } from '../protocol/reader.js';
import type { Writer } from '../protocol/writer.js';
import type { Acl } from './authorize.js';

export const OPEN_ACL: readonly Acl[] = [{ perms: 31, id: { scheme: 'world', id: 'anyone' } }];

/** count 1, perms 31, "world", "anyone" as they are on the wire. */
const OPEN_BYTES = Uint8Array.from([
  0, 0, 0, 1, 0, 0, 0, 31, 0, 0, 0, 5, 0x77, 0x6f, 0x72, 0x6c, 0x64, 0, 0, 0, 6, 0x61, 0x6e, 0x79,
  0x6f, 0x6e, 0x65,
]);

/** An ACL entry takes at least this many bytes: perms and two lengths. */
const ACL_BYTES_MIN = 12;

/** The list as sent (null stays null); OPEN_ACL itself when that is what was sent. */
export function readAcls(reader: Reader): readonly Acl[] | null {
  if (isOpen(reader)) {
    reader.skip(OPEN_BYTES.length);
    return OPEN_ACL;
  }
  const count = reader.readCount(ACL_BYTES_MIN);
  if (count < 0) return null;
  const acls: Acl[] = [];
  for (let i = 0; i < count; i++) {
    const perms = reader.readInt();
    const scheme = reader.readString();
    const id = reader.readString();
    acls.push({ perms, id: { scheme, id } });
  }
  return acls;
}

export function writeAcls(out: Writer, acls: readonly Acl[]): void {
  if (acls === OPEN_ACL) {
    out.writeBytes(OPEN_BYTES, 0, OPEN_BYTES.length);
    return;
  }
  out.writeInt(acls.length);
  for (const acl of acls) {
    out.writeInt(acl.perms);
    out.writeString(acl.id?.scheme ?? null);
    out.writeString(acl.id?.id ?? null);
  }
}

function isOpen(reader: Reader): boolean {
  const { bytes, pos, end } = reader;
  if (end - pos < OPEN_BYTES.length) return false;
  for (let i = 0; i < OPEN_BYTES.length; i++) if (bytes[pos + i] !== OPEN_BYTES[i]) return false;
  return true;
}
