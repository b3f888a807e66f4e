/** The 16 bytes that begin every log and every snapshot: what it is, its version, a database id. */
export const fileHeaderBytes = 16;
export const formatVersion = 2;

/** `ZKLG` and `ZKSN`. */
export const logMagic = 0x5a4b4c47;
export const snapshotMagic = 0x5a4b534e;

export const logDbId = 0n;
export const snapshotDbId = -1n;

export function fileHeader(magic: number, dbId: bigint): Uint8Array {
  const bytes = new Uint8Array(fileHeaderBytes);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, magic);
  view.setInt32(4, formatVersion);
  view.setBigInt64(8, dbId);
  return bytes;
}
