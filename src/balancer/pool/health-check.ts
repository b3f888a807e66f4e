/**
 * Asks one server how it is: four-letter words, each over a connection of its own, as that is how they
 * work. `srvr` always; `isro` and `mntr` as long as the server's whitelist names them; `conf` once, for
 * how many connections it takes from one address, because all sessions of a balancer come from one.
 */
import {
  figureOf,
  readConf,
  readIsro,
  readMntr,
  readSrvr,
  refusalIn,
} from '../../protocol/four-letter-words.js';
import { decodeUtf8 } from '../../protocol/utf8.js';
import type { Clock } from '../../ports/clock.js';
import type { Network, Socket, SocketHandler } from '../../ports/network.js';
import type { Checkup } from './health.js';

/** An answer that is longer is none. */
const ANSWER_BYTES_MAX = 256 * 1024;

export interface CheckedServer {
  readonly host: string;
  readonly port: number;
}

export class HealthCheck {
  readonly #server: CheckedServer;
  readonly #clock: Clock;
  readonly #network: Network;
  readonly #timeoutMs: number;
  /** Words that its whitelist does not name, as far as is known. */
  readonly #refused = new Set<string>();
  #connectionsMax: number | null = null;
  /** What has not been answered. */
  readonly #open = new Set<Answer>();
  /** Connections that are being made: nothing can stop these before their time. */
  readonly #connecting = new Set<Promise<unknown>>();
  #isStopped = false;

  constructor(server: CheckedServer, clock: Clock, network: Network, timeoutMs: number) {
    this.#server = server;
    this.#clock = clock;
    this.#network = network;
    this.#timeoutMs = timeoutMs;
  }

  /** Its maxClientCnxns; null: it has no such limit, or does not say. */
  get connectionsMax(): number | null {
    return this.#connectionsMax;
  }

  /** It may be another one from now on. */
  forget(): void {
    this.#refused.clear();
    this.#connectionsMax = null;
  }

  /** For good: what is asked now fails, and every socket is closed when this resolves. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const answer of [...this.#open]) answer.fail(new Error(STOPPED));
    await Promise.all(this.#connecting);
  }

  /** Never rejects. */
  async run(): Promise<Checkup> {
    const startMs = this.#clock.monotonicMs();
    let text: string;
    try {
      text = await this.#ask('srvr');
    } catch (error) {
      return failure(error);
    }
    const tookMs = this.#clock.monotonicMs() - startMs;
    switch (refusalIn(text)) {
      case 'not-serving':
        return { kind: 'not-serving' };
      case 'not-whitelisted':
        this.#refused.add('srvr');
        return { kind: 'mute', tookMs };
      case null:
        break;
    }
    const figures = readSrvr(text);
    if (figures === null) return { kind: 'failed', error: 'no answer to srvr', isSure: false };
    const [isro, mntr, conf] = await Promise.all([
      this.#askMaybe('isro'),
      this.#askMaybe('mntr'),
      this.#refused.has('conf') || this.#connectionsMax !== null ? null : this.#askMaybe('conf'),
    ]);
    if (conf !== null) {
      this.#connectionsMax = figureOf(readConf(conf), 'maxClientCnxns');
      this.#refused.add('conf');
    }
    const outstanding = mntr === null ? null : figureOf(readMntr(mntr), 'outstanding_requests');
    return {
      kind: 'figures',
      figures: outstanding === null ? figures : { ...figures, outstanding },
      isReadOnly: isro === null ? null : readIsro(isro) === 'ro',
      tookMs,
    };
  }

  /** Null: it does not answer this word. */
  async #askMaybe(word: string): Promise<string | null> {
    if (this.#refused.has(word)) return null;
    try {
      const text = await this.#ask(word);
      if (refusalIn(text) === null) return text;
      if (refusalIn(text) === 'not-whitelisted') this.#refused.add(word);
      return null;
    } catch {
      return null; // `srvr` was answered: what this one adds is not worth more
    }
  }

  /** The whole answer. Rejects when it is not there in time, connecting included. */
  async #ask(word: string): Promise<string> {
    if (this.#isStopped) throw new Error(STOPPED);
    const { host, port } = this.#server;
    const timeoutMs = this.#timeoutMs;
    const answer = new Answer();
    const timer = this.#clock.after(timeoutMs, () => {
      answer.fail(new Error(`no answer to ${word} within ${timeoutMs} ms`));
    });
    this.#open.add(answer);
    try {
      const place = { host, port, timeoutMs };
      const connecting = this.#network
        .connect(place, (socket) => answer.listen(socket))
        .then(
          (socket) => {
            // who answers too late is not waited for, and not left open
            if (answer.isOver) socket.destroy();
            else socket.write(bytesOf(word), 0, word.length);
          },
          (error: unknown) => {
            answer.fail(error);
          },
        )
        .finally(() => this.#connecting.delete(connecting));
      this.#connecting.add(connecting);
      return await answer.whole;
    } finally {
      this.#open.delete(answer);
      timer.cancel();
    }
  }
}

const STOPPED = 'it is not asked any more';

function failure(error: unknown): Checkup {
  const text = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? error.code : null;
  const isSure = code === 'ECONNREFUSED' || text.includes('ECONNREFUSED');
  return { kind: 'failed', error: text, isSure };
}

function bytesOf(word: string): Uint8Array {
  return Uint8Array.from(word, (letter) => letter.charCodeAt(0));
}

/** Collects until the server closes. */
class Answer implements SocketHandler {
  readonly whole: Promise<string>;
  #resolve: (text: string) => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;
  #socket: Socket | null = null;
  #bytes = new Uint8Array(2048);
  #length = 0;
  #isOver = false;

  constructor() {
    this.whole = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  listen(socket: Socket): this {
    this.#socket = socket;
    if (this.#isOver) socket.destroy();
    return this;
  }

  fail(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket?.destroy();
    this.#reject(error instanceof Error ? error : new Error(String(error)));
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isOver) return;
    const length = this.#length + end - start;
    if (length > ANSWER_BYTES_MAX) {
      this.fail(new Error(`an answer of more than ${ANSWER_BYTES_MAX} bytes`));
      return;
    }
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(length, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes.subarray(start, end), this.#length);
    this.#length = length;
  }

  onDrain(): void {
    // four bytes are never pending for long
  }

  onClose(error: Error | null): void {
    if (this.#isOver) return;
    // a reset behind the whole answer is how some servers hang up
    if (this.#length === 0) {
      this.fail(error ?? new Error('hung up without an answer'));
      return;
    }
    this.#isOver = true;
    this.#resolve(decodeUtf8(this.#bytes, 0, this.#length));
  }
}
