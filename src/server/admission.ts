/**
 * What a request must pass before anybody looks at what it asks: the sum of large requests under way
 * (`largeRequestMaxBytes`), and, where the operator enforces it, that the client has said who it is.
 */
import type { Caller } from '../txn/authorize.js';

export interface AdmissionOptions {
  /** Requests longer than this are large; -1: none are. */
  readonly largeRequestThresholdBytes: number;
  readonly largeRequestMaxBytes: number;
  /** Null: anybody may ask; else one of these schemes must have been proven. */
  readonly enforcedSchemes: readonly string[] | null;
}

export class Admission {
  readonly #options: AdmissionOptions;
  /** Of large requests that are not answered yet. */
  #largeBytes = 0;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** What the request weighs until it is answered; null: one too many. */
  weigh(bytes: number): number | null {
    const { largeRequestThresholdBytes: threshold, largeRequestMaxBytes: max } = this.#options;
    if (threshold === -1 || bytes <= threshold) return 0;
    if (this.#largeBytes + bytes > max) return null;
    this.#largeBytes += bytes;
    return bytes;
  }

  release(bytes: number): void {
    this.#largeBytes -= bytes;
  }

  knows(caller: Caller): boolean {
    const { enforcedSchemes } = this.#options;
    if (enforcedSchemes === null) return true;
    return caller.authIds.some(({ scheme }) => scheme !== null && enforcedSchemes.includes(scheme));
  }
}
