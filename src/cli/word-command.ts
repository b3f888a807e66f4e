/**
 * `zabra word srvr [host:port]`: asks a running server a four-letter word and prints the answer. For
 * health checks and scripts, where there is no nc.
 */
import { parseArguments, UsageError } from './arguments.js';
import { exitCodes } from './terminal.js';
import type { Terminal } from './terminal.js';
import { askWord } from './words/ask-word.js';

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
    terminal.print(await askWord(word, { host, port }, { timeoutMs: answerTimeoutMs }));
    return exitCodes.finished;
  } catch (error) {
    terminal.complain(`${address}: ${(error as Error).message}`);
    return exitCodes.unexpected;
  }
}
