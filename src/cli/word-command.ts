/**
 * `zabra word srvr [host:port]`: asks a running server a four-letter word and prints the answer. For
 * health checks and scripts, where there is no nc.
 */
import { connect } from 'node:net';
import { parseArguments, UsageError } from './arguments.js';
import { exitCodes } from './terminal.js';
import type { Terminal } from './terminal.js';

export const wordUsage = `zabra word WORD [HOST:PORT]

Asks a server a four-letter word (ruok, srvr, mntr …) and prints its answer; 127.0.0.1:2181 unless
given. Ends with 1 when there is no answer.

  zabra word srvr 10.0.0.1:2181`;

const answerTimeoutMs = 5000;
const defaultAddress = '127.0.0.1:2181';

export async function runWordCommand(argv: readonly string[], terminal: Terminal): Promise<number> {
  const { positionals } = parseArguments(argv, { positionals: 2 });
  const [word, address = defaultAddress] = positionals;
  if (word?.length !== 4)
    throw new UsageError('a word of four letters is missing: zabra word ruok');
  const at = address.lastIndexOf(':');
  const host = address.slice(0, at).replace(/^\[|\]$/g, '');
  const port = Number(address.slice(at + 1));
  if (at < 0 || !Number.isInteger(port)) throw new UsageError(`'${address}' is not host:port`);
  try {
    terminal.print(await askWord(word, host, port, answerTimeoutMs));
    return exitCodes.finished;
  } catch (error) {
    terminal.complain(`${address}: ${(error as Error).message}`);
    return exitCodes.unexpected;
  }
}

/** The connection stood, and nothing came. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
}

/** Rejects when there is no answer. */
export function askWord(
  word: string,
  host: string,
  port: number,
  timeoutMs: number,
): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    let isConnected = false;
    const socket = connect({ host, port }, () => {
      isConnected = true;
      socket.write(word);
    });
    socket.setEncoding('utf8');
    socket.setTimeout(timeoutMs, () =>
      socket.destroy(
        isConnected
          ? new NoAnswerError(`no answer in ${timeoutMs} ms`)
          : new Error(`no connection in ${timeoutMs} ms`),
      ),
    );
    socket.on('data', (chunk: string) => (text += chunk));
    socket.on('error', reject);
    socket.on('end', () => {
      if (text === '') reject(new Error('closed without an answer'));
      else resolve(text);
    });
  });
}
