/**
 * One four-letter word to one server: a connection of its own, four bytes, and all that comes until
 * the server closes it. What is asked is not trusted: it answers in bounded time and space, or not.
 * The answers are read by protocol/four-letter-words.
 */
import { connect, type Socket } from 'node:net';
import { StringDecoder } from 'node:string_decoder';

export interface AskWordOptions {
  /** Of silence; the whole of an answer may take ten times as long. */
  readonly timeoutMs: number;
  /** More than this is no answer; 256 MiB unless given (`cons` and `wchc` of a big server). */
  readonly answerBytesMax?: number;
}

const ANSWER_BYTES_MAX = 256 * 1024 * 1024;
const WHOLE_ANSWER_FACTOR = 10;

/** The connection stood, and nothing came. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
}

/** Rejects when there is no answer. */
export async function askWord(
  word: string,
  place: { readonly host: string; readonly port: number },
  { timeoutMs, answerBytesMax = ANSWER_BYTES_MAX }: AskWordOptions,
): Promise<string> {
  const socket = connect({ host: place.host, port: place.port });
  const patience = setTimeout(() => {
    socket.destroy(
      new NoAnswerError(`no end of an answer in ${WHOLE_ANSWER_FACTOR * timeoutMs} ms`),
    );
  }, WHOLE_ANSWER_FACTOR * timeoutMs);
  try {
    return await answerOf(socket, word, timeoutMs, answerBytesMax);
  } finally {
    clearTimeout(patience);
    socket.destroy();
  }
}

function answerOf(
  socket: Socket,
  word: string,
  timeoutMs: number,
  bytesMax: number,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const decoder = new StringDecoder('utf8');
    let text = '';
    let byteCount = 0;
    let isConnected = false;
    socket.on('connect', () => {
      isConnected = true;
      socket.write(word);
    });
    socket.setTimeout(timeoutMs, () =>
      socket.destroy(
        isConnected
          ? new NoAnswerError(`no answer in ${timeoutMs} ms`)
          : new Error(`no connection in ${timeoutMs} ms`),
      ),
    );
    socket.on('data', (chunk: Buffer) => {
      byteCount += chunk.length;
      if (byteCount > bytesMax) socket.destroy(new Error(`answers more than ${bytesMax} bytes`));
      else text += decoder.write(chunk);
    });
    socket.on('error', reject);
    socket.on('end', () => {
      text += decoder.end();
      if (text === '') reject(new Error('closed without an answer'));
      else resolve(text);
    });
  });
}
