/**
 * One attempt to reach one server: its name is resolved anew, so that a server that moved is found,
 * and each of its addresses is tried. Over within its time whatever the resolver and the network do.
 */
import type { Timer } from '../ports/clock.js';
import type { Socket, SocketHandler } from '../ports/network.js';
import { shuffled } from './host-list.js';
import type { ServerAddress } from './types.js';
import type { ClientWorld } from './world.js';

const deaf: SocketHandler = {
  onData() {
    // an attempt that was given up
  },
  onDrain() {
    // nothing was sent
  },
  onClose() {
    // nobody waits
  },
};

export interface AttemptOwner {
  /** There is a connection; the attempt's time runs on until `settle`. */
  onSocket(attempt: Attempt, socket: Socket): SocketHandler;
  /** Once at most, and never after `settle`. */
  onFailed(attempt: Attempt, reason: Error): void;
}

export class Attempt {
  readonly server: ServerAddress;
  readonly #world: ClientWorld;
  readonly #owner: AttemptOwner;
  readonly #deadlineMs: number;
  readonly #timer: Timer;
  #isOver = false;

  constructor(world: ClientWorld, server: ServerAddress, timeoutMs: number, owner: AttemptOwner) {
    this.server = server;
    this.#world = world;
    this.#owner = owner;
    this.#deadlineMs = world.clock.monotonicMs() + timeoutMs;
    this.#timer = world.clock.after(timeoutMs, () => {
      this.fail(new Error(`${server.host}:${server.port}: no session within ${timeoutMs} ms`));
    });
    this.#run().catch((error: unknown) => {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    });
  }

  /** It has come to an end that its owner knows of. */
  settle(): void {
    this.#isOver = true;
    this.#timer.cancel();
  }

  fail(reason: Error): void {
    if (this.#isOver) return;
    this.settle();
    this.#owner.onFailed(this, reason);
  }

  async #run(): Promise<void> {
    const { host, port } = this.server;
    const addresses = await this.#world.names.addresses(host);
    let last: unknown = new Error(`${host}: no address`);
    for (const address of shuffled(addresses, () => this.#world.random())) {
      const timeoutMs = this.#deadlineMs - this.#world.clock.monotonicMs();
      if (this.#hasEnded() || timeoutMs <= 0) return;
      try {
        const options = { host: address, port, timeoutMs, serverName: host };
        await this.#world.network.connect(options, (socket) => this.#accept(socket));
        return;
      } catch (error) {
        last = error;
      }
    }
    throw last;
  }

  #hasEnded(): boolean {
    return this.#isOver;
  }

  #accept(socket: Socket): SocketHandler {
    if (!this.#isOver) return this.#owner.onSocket(this, socket);
    socket.destroy();
    return deaf;
  }
}
