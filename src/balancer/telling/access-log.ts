/**
 * Who came, to which server, what became of it: one event, one line of JSON. What is written where is the
 * world's; the balancer only says what happened. Requests are logged where that is asked for: each is a
 * line, and there are many.
 */
import type { LogFields } from '../../ports/logger.js';
import type { SessionView } from '../keeping/keeping-types.js';

export type AccessEvent =
  | 'open'
  | 'close'
  | 'moved'
  | 'masked'
  | 'dropped'
  | 'refused-connection'
  | 'refused-request'
  | 'malformed'
  | 'request';

export interface AccessLog {
  /** Requests too, not only what happens to sessions. */
  readonly logsRequests: boolean;
  write(event: AccessEvent, fields: LogFields): void;
}

/** What every line about a session has. */
export function accessFields(
  session: SessionView,
): Record<string, string | number | boolean | null> {
  const { id, origin, backend } = session;
  return {
    session: `0x${BigInt.asUintN(64, id).toString(16)}`,
    client: `${origin.address}:${origin.port}`,
    backend: backend?.id ?? null,
  };
}
