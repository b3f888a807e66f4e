/**
 * A session: the lease a client holds with the ensemble. It outlives connections; ephemeral znodes
 * live exactly as long as it does. Which connection serves it is the server's knowledge, not ours.
 */
/** Whoever is connected to this server itself; learners are numbered from 1. */
export const OWN_CLIENTS = 0;
const NOBODY = -1;

/**
 * Who knows a session: the whole ensemble, which a transaction told; this server alone; or, as its
 * leader meets it in a request, another server alone. Only the ensemble's can own ephemerals.
 */
export type Locality = 'global' | 'here' | 'elsewhere';

export class Session {
  readonly id: bigint;
  readonly idHigh: number;
  readonly idLow: number;
  readonly timeoutMs: number;
  /** The end of the expiry bucket this session is in, on the monotonic clock. */
  bucketMs = 0;
  /** A closeSession has been proposed (by the client or by expiry): nothing else may be. */
  isClosing = false;
  /** Its createSession has been applied: snapshots know it from then on. */
  isEstablished = false;
  locality: Locality = 'global';
  /**
   * Of the client that has it: the greatest that any showed or was given, as far as this server knows;
   * 0n: nothing is known. A client shows its own to go on with the session somewhere else.
   */
  #generation = 0n;
  /** Over which server its client comes, as the leader knows it. */
  #servedBy = NOBODY;

  constructor(id: bigint, timeoutMs: number) {
    this.id = id;
    this.idHigh = Number(BigInt.asUintN(32, id >> 32n));
    this.idLow = Number(BigInt.asUintN(32, id));
    this.timeoutMs = timeoutMs;
  }

  get generation(): bigint {
    return this.#generation;
  }

  /** Somebody who knows has said so. */
  learnGeneration(generation: bigint): void {
    if (generation > this.#generation) this.#generation = generation;
  }

  /**
   * For whoever owns the session: a client takes it up. `shown` 0n: it comes by itself, and its
   * generation is greater than all that the session had; `floor` is at least what may have been
   * forgotten. False: it shows one, and a later client has the session.
   */
  attach(shown: bigint, floor: bigint): boolean {
    if (shown !== 0n) {
      if (shown < this.#generation) return false;
      this.#generation = shown;
      return true;
    }
    const next = this.#generation + 1n;
    this.#generation = next > floor ? next : floor;
    return true;
  }

  /** Its client came over there last, by making the session or taking it up again. */
  moveTo(server: number): void {
    this.#servedBy = server;
  }

  /**
   * Whether a request over that server is its client's. False: the client has moved since, and what it
   * left behind must not be executed after what it asked for elsewhere.
   */
  isServedBy(server: number): boolean {
    if (this.#servedBy === NOBODY) this.#servedBy = server;
    return this.#servedBy === server;
  }
}

/** As Apache prints session ids: hexadecimal of the 64 bits, no leading zeros. */
export function formatSessionId(id: bigint): string {
  return `0x${BigInt.asUintN(64, id).toString(16)}`;
}
