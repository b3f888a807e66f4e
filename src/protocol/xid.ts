/**
 * A client numbers its requests on a connection and answers come back in that order. A few negative
 * numbers stand outside of the count; they say what a packet is before its type is known.
 */
export const SpecialXid = { notification: -1, ping: -2, auth: -4, setWatches: -8 } as const;

export const FIRST_XID = 1;
const LAST_XID = 0x7fffffff;

/** The number after `xid`: from the last one back to the first. */
export function nextXid(xid: number): number {
  return xid >= LAST_XID ? FIRST_XID : xid + 1;
}
