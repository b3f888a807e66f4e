/**
 * A TCP proxy between two servers of an ensemble that writes down what they say, in the order in
 * which it saw it. It can also swallow: take what one side says and pass nothing on, as a network does
 * whose other end has died.
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Address } from '../four-letter.js';

export type Speaker = 'caller' | 'called';

/** One connection: who said what, neighbouring chunks of one speaker put together. */
export interface Conversation {
  readonly said: { readonly speaker: Speaker; bytes: Buffer }[];
  isOver: boolean;
}

export class RecordingProxy {
  readonly conversations: Conversation[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** What this side says is lost from now on. */
  swallows: Speaker | null = null;
  /** Callers are listened to for a moment and never put through. */
  isDeaf = false;

  private constructor(target: Address) {
    this.#server = createServer({ pauseOnConnect: true }, (caller) => {
      caller.on('error', () => undefined);
      if (this.isDeaf) {
        this.#serve(caller, null);
        caller.resume();
        setTimeout(() => caller.destroy(), 300);
        return;
      }
      void reach(target).then((called) => {
        if (called === null || caller.destroyed) {
          called?.destroy();
          caller.destroy();
        } else {
          this.#serve(caller, called);
          caller.resume();
        }
      });
    });
  }

  /** Puts callers of `at` through to `target`. */
  static async listen(at: Address, target: Address): Promise<RecordingProxy> {
    const proxy = new RecordingProxy(target);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', reject);
      proxy.#server.listen(at.port, at.host, resolve);
    });
    return proxy;
  }

  /** The connection that began last. */
  get latest(): Conversation | null {
    return this.conversations.at(-1) ?? null;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(caller: Socket, called: Socket | null): void {
    const conversation: Conversation = { said: [], isOver: false };
    const sides = called === null ? [caller] : [caller, called];
    const end = (): void => {
      conversation.isOver = true;
      for (const side of sides) side.destroy();
    };
    for (const side of sides) {
      side.setNoDelay(true);
      this.#sockets.add(side);
      // whatever happens to one side happens to the other; 'close' follows every error
      side.on('error', () => undefined);
      side.on('close', () => {
        this.#sockets.delete(side);
        end();
      });
      const speaker = side === caller ? 'caller' : 'called';
      const other = side === caller ? called : caller;
      side.on('data', (bytes: Buffer) => {
        if (this.swallows === speaker) return;
        if (conversation.said.length === 0) this.conversations.push(conversation);
        append(conversation, speaker, bytes);
        other?.write(bytes);
      });
    }
  }
}

function append(conversation: Conversation, speaker: Speaker, bytes: Buffer): void {
  const last = conversation.said.at(-1);
  if (last?.speaker === speaker) last.bytes = Buffer.concat([last.bytes, bytes]);
  else conversation.said.push({ speaker, bytes });
}

/**
 * Who calls a port that is not there yet is refused and tries again; through a proxy he cannot be
 * refused any more, so it tries for him. Null: nobody is there for longer than callers are patient.
 */
async function reach(target: Address): Promise<Socket | null> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const socket = connect(target.port, target.host);
    try {
      await once(socket, 'connect');
      return socket;
    } catch {
      await sleep(20);
    }
  }
  return null;
}
