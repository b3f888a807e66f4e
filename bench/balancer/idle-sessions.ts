/**
 * Sessions that do nothing, as many as wanted, at next to no cost: a socket and a handshake each. They
 * ping when asked to, and can all ask for a znode at once, to see when the last of them is served.
 */
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';

const CONNECT_REQUEST_BYTES = 45;
const AT_A_TIME = 100;
const pingFrame = frame(8, (bytes) => {
  bytes.writeInt32BE(-2, 0);
  bytes.writeInt32BE(11, 4);
});
const existsFrame = frame(14, (bytes) => {
  bytes.writeInt32BE(1, 0);
  bytes.writeInt32BE(3, 4);
  bytes.writeInt32BE(1, 8);
  bytes.write('/', 12, 'latin1');
  bytes.writeInt8(0, 13);
});

function frame(length: number, fill: (bytes: Buffer) => void): Buffer {
  const whole = Buffer.alloc(4 + length);
  whole.writeInt32BE(length, 0);
  fill(whole.subarray(4));
  return whole;
}

interface Idler {
  readonly socket: Socket;
  /** Resolves the wait for the next bytes. */
  onBytes: (() => void) | null;
}

export class IdleSessions {
  readonly #idlers: Idler[] = [];
  /** Connections that were ended by the other side. */
  lost = 0;

  static async open(port: number, count: number, timeoutMs: number): Promise<IdleSessions> {
    const sessions = new IdleSessions();
    for (let from = 0; from < count; from += AT_A_TIME) {
      const some = Math.min(AT_A_TIME, count - from);
      await Promise.all(Array.from({ length: some }, () => sessions.#open(port, timeoutMs)));
    }
    return sessions;
  }

  get size(): number {
    return this.#idlers.length;
  }

  async ping(): Promise<void> {
    await this.#ask(pingFrame);
  }

  /** Each asks whether there is a root; resolves to how long the last answer took, in milliseconds. */
  async askAll(): Promise<number> {
    const beginMs = performance.now();
    await this.#ask(existsFrame);
    return performance.now() - beginMs;
  }

  close(): void {
    for (const { socket } of this.#idlers) {
      socket.removeAllListeners('close');
      socket.destroy();
    }
  }

  async #ask(question: Buffer): Promise<void> {
    await Promise.all(
      this.#idlers.map(
        (idler) =>
          new Promise<void>((resolve) => {
            idler.onBytes = resolve;
            idler.socket.write(question);
          }),
      ),
    );
  }

  async #open(port: number, timeoutMs: number): Promise<void> {
    const socket = connect(port, '127.0.0.1');
    socket.setNoDelay();
    await once(socket, 'connect');
    const idler: Idler = { socket, onBytes: null };
    this.#idlers.push(idler);
    const answered = new Promise<void>((resolve, reject) => {
      idler.onBytes = resolve;
      socket.once('close', () => {
        reject(new Error('a session was refused'));
      });
    });
    socket.on('data', () => {
      const { onBytes } = idler;
      idler.onBytes = null;
      onBytes?.();
    });
    socket.on('error', () => {
      // the close that follows says it
    });
    socket.on('close', () => {
      this.lost++;
      idler.onBytes?.();
    });
    const request = frame(CONNECT_REQUEST_BYTES, (bytes) => {
      bytes.writeInt32BE(timeoutMs, 12);
      bytes.writeInt32BE(16, 24);
    });
    socket.write(request);
    await answered;
  }
}
