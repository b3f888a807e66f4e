/** Asks an AdminServer: one request, one answer in JSON. */
import { request } from 'node:http';
import type { HostAndPort } from './place-argument.js';

export interface AdminReply {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

const TIMEOUT_MS = 10_000;
const BODY_CHARS_MAX = 1_000_000;

export interface AskOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** For a command that takes its time; ten seconds unless given. */
  readonly timeoutMs?: number;
}

/** Rejects with one sentence when there is no answer, or none of an AdminServer. */
export function askAdmin(
  { host, port }: HostAndPort,
  method: 'GET' | 'POST',
  path: string,
  { headers = {}, timeoutMs = TIMEOUT_MS }: AskOptions = {},
): Promise<AdminReply> {
  const where = `${host}:${port}`;
  return new Promise((resolve, reject) => {
    const options = { host, port, method, path, headers, timeout: timeoutMs };
    const asked = request(options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > BODY_CHARS_MAX) response.destroy(new Error('the answer is too long'));
      });
      response.on('error', reject);
      response.on('end', () => {
        const body = objectIn(text);
        if (body === null) reject(new Error(`${where} is no AdminServer`));
        else resolve({ status: response.statusCode ?? 0, body });
      });
    });
    asked.on('timeout', () => asked.destroy(new Error(`no answer in ${timeoutMs} ms`)));
    asked.on('error', (error: NodeJS.ErrnoException) => {
      const reason = error.code === 'ECONNREFUSED' ? 'nobody listens there' : error.message;
      reject(new Error(`${where}: ${reason}: is it the AdminServer?`));
    });
    asked.end();
  });
}

function objectIn(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}
