/**
 * One server that tools ask as clients do: this one and no other, tried once, in bounded time. Who
 * cannot be asked is told why in a sentence that names the server.
 */
import type { Client } from './client.js';

export interface AskedServer {
  readonly host: string;
  readonly port: number;
  /** For a session, and for each answer. */
  readonly timeoutMs: number;
}

/** A session that ends with its connection is over: none is made in its place. */
const SESSION_TIMEOUT_MS = 40_000;
/** The attempt is to end by itself, because then it is known why. */
const GRACE_MS = 1000;

/** A session there; to be closed. Rejects when there is none to be had. */
export async function sessionAt({ host, port, timeoutMs }: AskedServer): Promise<Client> {
  // servers ask too, and most of them never do
  const { Client } = await import('./client.js');
  const client = new Client(`${host.includes(':') ? `[${host}]` : host}:${port}`, {
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
    connectTimeoutMs: timeoutMs,
    requestTimeoutMs: timeoutMs,
    recreateSession: false,
  });
  try {
    return await client.connect({ timeoutMs: timeoutMs + GRACE_MS, rounds: 1 });
  } catch (error) {
    await client.close();
    throw new Error(whyOf(error), { cause: error });
  }
}

/** What was behind it, where that is known: a refusal, silence, an answer that is none. */
export function whyOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
