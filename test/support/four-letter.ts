/** The four-letter words, as `nc` speaks them: four bytes, then text until the server closes. */
import { connect } from 'node:net';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Resolves with everything the server sent until it closed; a reset counts as the end too. */
export async function fourLetterWord(
  address: Address,
  word: string,
  timeoutMs = 10_000,
): Promise<string> {
  return await new Promise<string>((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(address.port, address.host);
    const text = (): string => Buffer.concat(chunks).toString('utf8');
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`${word}: the server did not close within ${timeoutMs} ms`));
    }, timeoutMs);
    let connected = false;
    socket.on('connect', () => {
      connected = true;
      socket.write(word, 'latin1');
    });
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', (error) => {
      clearTimeout(timer);
      if (connected) resolve(text());
      else reject(error);
    });
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(text());
    });
  });
}
