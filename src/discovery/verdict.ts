/**
 * What an error of an attempt means, for the request and for the instance.
 *
 * - 'retry': the instance could not do it, another one may.
 * - 'fail': the instance's fault, but the request may have been carried out: it is not sent again.
 * - 'accept': the instance is well, and this is its answer (a refusal, say). Thrown as it is.
 */
export type Verdict = 'retry' | 'fail' | 'accept';

export interface Judged {
  /** The request may be sent twice without harm. */
  readonly isRepeatable: boolean;
}

export type Judge = (error: unknown, request: Judged) => Verdict;

/** The request has not been sent: the connection did not come about. */
const NOT_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Any error is the instance's; what cannot be repeated is only sent again if it was never sent. */
export function judgeByCode(error: unknown, { isRepeatable }: Judged): Verdict {
  return isRepeatable || wasNotSent(error) ? 'retry' : 'fail';
}

/** Looks into causes: fetch wraps what happened to its socket. */
function wasNotSent(error: unknown): boolean {
  for (let one = error, depth = 0; one instanceof Error && depth < 5; one = one.cause, depth++) {
    if ('code' in one && typeof one.code === 'string' && NOT_SENT.has(one.code)) return true;
    if (one instanceof AggregateError && one.errors.length > 0) return one.errors.every(wasNotSent);
  }
  return false;
}
