/** Asks a server, as a client, who belongs to its ensemble: what `/zookeeper/config` holds there. */
import type { Network, Socket, SocketHandler } from '../ports/network.js';
import { FrameDecoder } from '../protocol/frame.js';
import { OpCode } from '../protocol/opcodes.js';
import { Reader } from '../protocol/reader.js';
import {
  ConnectRequest,
  ConnectResponse,
  GetDataRequest,
  GetDataResponse,
  ReplyHeader,
} from '../protocol/records.js';
import { Writer } from '../protocol/writer.js';

const SESSION_TIMEOUT_MS = 10_000;
const FRAME_BYTES_MAX = 16 * 1024 * 1024;

/** Rejects when there is no answer within `timeoutMs`, or the server serves nobody now. */
export async function askMembers(
  network: Network,
  address: { readonly host: string; readonly port: number; readonly timeoutMs: number },
): Promise<string> {
  const where = `${address.host}:${address.port}`;
  let socket: Socket | null = null;
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<string>((done, failed) => {
      timer = setTimeout(() => {
        failed(new Error(`${where} does not answer`));
      }, address.timeoutMs);
      const connecting = network.connect(address, (opened) => {
        socket = opened;
        return new Question(done, (reason) => {
          failed(new Error(`${where} ${reason}`));
        });
      });
      connecting.then(sendAll, failed);
    });
  } finally {
    clearTimeout(timer);
    (socket as Socket | null)?.destroy();
  }
}

/** The session, the question and its end in one go. */
function sendAll(socket: Socket): void {
  const out = new Writer();
  framed(out, () => {
    ConnectRequest.write(out, {
      protocolVersion: 0,
      lastZxidSeen: 0n,
      timeOut: SESSION_TIMEOUT_MS,
      sessionId: 0n,
      passwd: new Uint8Array(16),
      readOnly: false,
    });
  });
  framed(out, () => {
    out.writeInt(1);
    out.writeInt(OpCode.getData);
    GetDataRequest.write(out, { path: '/zookeeper/config', watch: false });
  });
  framed(out, () => {
    out.writeInt(2);
    out.writeInt(OpCode.closeSession);
  });
  socket.write(out.bytes, 0, out.pos);
}

function framed(out: Writer, write: () => void): void {
  const start = out.pos;
  out.writeInt(0);
  write();
  out.patchInt(start, out.pos - start - 4);
}

class Question implements SocketHandler {
  readonly #decoder = new FrameDecoder(FRAME_BYTES_MAX);
  readonly #done: (text: string) => void;
  readonly #failed: (reason: string) => void;
  #frames = 0;
  #text: string | null = null;

  constructor(done: (text: string) => void, failed: (reason: string) => void) {
    this.#done = done;
    this.#failed = failed;
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    this.#decoder.push(bytes, start, end, (frame, from, to) => {
      this.#onFrame(new Reader().reset(frame, from, to));
      return true;
    });
  }

  #onFrame(reader: Reader): void {
    this.#frames++;
    if (this.#frames === 1) {
      ConnectResponse.read(reader);
      return;
    }
    if (this.#frames > 2) {
      // the session has ended: nothing of this question is left there
      if (this.#text !== null) this.#done(this.#text);
      return;
    }
    const { err } = ReplyHeader.read(reader);
    if (err !== 0) {
      this.#failed(`does not tell its configuration (error ${err})`);
      return;
    }
    const { data } = GetDataResponse.read(reader);
    this.#text = new TextDecoder().decode(data ?? new Uint8Array(0));
  }

  onDrain(): void {
    // a few hundred bytes are all that is ever sent
  }

  onClose(): void {
    this.#failed('serves nobody now');
  }
}
