/**
 * Where session ids and passwords come from. Both are part of the protocol between servers: in a
 * mixed ensemble every server must recompute the password of a session that another one created, so
 * the generator is java.util.Random's, seeded with the id and a constant (zookeeper.md section 1).
 * That makes passwords guessable for whoever knows an id; it is the price of compatibility.
 */
const signed64 = (value: bigint): bigint => BigInt.asIntN(64, value);

/** The owner value that marks container znodes; no session may have it. */
const CONTAINER_OWNER = -(1n << 63n);

/** The first id of a server's reign: time in the middle bits, the server's id in the top byte. */
export function firstSessionId(nowMs: number, serverId: number): bigint {
  const time = BigInt.asUintN(64, BigInt(Math.floor(nowMs)) << 24n) >> 8n;
  return skipReserved(signed64(time | (BigInt(serverId) << 56n)));
}

export function nextSessionId(id: bigint): bigint {
  return skipReserved(signed64(id + 1n));
}

/** The number of the server that gave the id out. */
export function serverOfSession(id: bigint): number {
  return Number(BigInt.asUintN(8, id >> 56n));
}

function skipReserved(id: bigint): bigint {
  // 0 on the wire asks for a new session, so no session can be called that either
  return id === CONTAINER_OWNER || id === 0n ? id + 1n : id;
}

const SECRET = 0xb3415c00n;
const MULTIPLIER = 0x5deece66dn;
const MASK48 = (1n << 48n) - 1n;

/** The 16 bytes that prove to any server that a client owns the session. */
export function sessionPassword(id: bigint): Uint8Array {
  const password = new Uint8Array(16);
  let state = (id ^ SECRET ^ MULTIPLIER) & MASK48;
  for (let at = 0; at < 16; at += 4) {
    state = (state * MULTIPLIER + 0xbn) & MASK48;
    const word = Number(state >> 16n);
    password[at] = word;
    password[at + 1] = word >>> 8;
    password[at + 2] = word >>> 16;
    password[at + 3] = word >>> 24;
  }
  return password;
}

/** Takes the same time whatever differs. */
export function passwordMatches(id: bigint, given: Uint8Array | null): boolean {
  const expected = sessionPassword(id);
  let difference = given === null || given.length !== expected.length ? 1 : 0;
  for (let i = 0; i < expected.length; i++) difference |= (expected[i] ?? 0) ^ (given?.[i] ?? 0);
  return difference === 0;
}
