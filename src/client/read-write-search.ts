/**
 * While a read-only server serves us: asking the others, one after the other, whether one of them has
 * a quorum again. Asked with the word `isro`, which every server answers without a session, at first
 * often and then less and less.
 */
import type { Timer } from '../ports/clock.js';
import type { Socket, SocketHandler } from '../ports/network.js';
import { isSame, type HostList } from './host-list.js';
import type { ServerAddress } from './types.js';
import type { ClientWorld } from './world.js';

const INTERVAL_MS_MIN = 100;
const INTERVAL_MS_MAX = 60_000;
const PATIENCE_MS = 1_000;
const QUESTION = new TextEncoder().encode('isro');
const READ_WRITE = 'rw';

export class ReadWriteSearch {
  readonly #world: ClientWorld;
  readonly #hosts: HostList;
  readonly #onFound: (server: ServerAddress) => void;
  #timer: Timer | null = null;
  #intervalMs = INTERVAL_MS_MIN;
  #next = 0;
  #generation = 0;

  constructor(world: ClientWorld, hosts: HostList, onFound: (server: ServerAddress) => void) {
    this.#world = world;
    this.#hosts = hosts;
    this.#onFound = onFound;
  }

  start(current: ServerAddress): void {
    this.stop();
    this.#intervalMs = INTERVAL_MS_MIN;
    this.#plan(current);
  }

  stop(): void {
    this.#generation++;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #plan(current: ServerAddress): void {
    this.#timer = this.#world.clock.after(this.#intervalMs, () => {
      this.#intervalMs = Math.min(INTERVAL_MS_MAX, this.#intervalMs * 2);
      const others = this.#hosts.servers.filter((server) => !isSame(server, current));
      const server = others[this.#next++ % Math.max(1, others.length)];
      if (server === undefined) {
        this.#plan(current);
        return;
      }
      const generation = this.#generation;
      void this.#isReadWrite(server).then((isFound) => {
        if (generation !== this.#generation) return;
        if (isFound) this.#onFound(server);
        else this.#plan(current);
      });
    });
  }

  /** Never rejects: who does not answer is not one. */
  async #isReadWrite({ host, port }: ServerAddress): Promise<boolean> {
    try {
      const [address] = await this.#world.names.addresses(host);
      if (address === undefined) return false;
      return await new Promise<boolean>((resolve, reject) => {
        const answer = new Answer(resolve);
        const timer = this.#world.clock.after(PATIENCE_MS, () => {
          answer.end();
        });
        const options = { host: address, port, timeoutMs: PATIENCE_MS, serverName: host };
        this.#world.network
          .connect(options, (socket) => answer.of(socket, timer))
          .catch((error: unknown) => {
            timer.cancel();
            reject(error instanceof Error ? error : new Error(String(error)));
          });
      });
    } catch {
      // refused, unknown, silent: not now
      return false;
    }
  }
}

/** The first two letters of what a server says. */
class Answer implements SocketHandler {
  readonly #resolve: (isReadWrite: boolean) => void;
  #socket: Socket | null = null;
  #timer: Timer | null = null;
  #text = '';

  constructor(resolve: (isReadWrite: boolean) => void) {
    this.#resolve = resolve;
  }

  of(socket: Socket, timer: Timer): this {
    this.#socket = socket;
    this.#timer = timer;
    socket.write(QUESTION, 0, QUESTION.length);
    return this;
  }

  end(): void {
    this.#timer?.cancel();
    this.#socket?.destroy();
    this.#resolve(this.#text === READ_WRITE);
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    for (let i = start; i < end && this.#text.length < READ_WRITE.length; i++) {
      this.#text += String.fromCharCode(bytes[i]!);
    }
    if (this.#text.length === READ_WRITE.length) this.end();
  }

  onDrain(): void {
    // four bytes are all that is sent
  }

  onClose(): void {
    this.end();
  }
}
