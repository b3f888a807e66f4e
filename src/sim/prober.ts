/**
 * Somebody who is no client: asks four-letter words while everything goes on, and sends garbage. A
 * word must be answered whole or not at all; garbage must never be answered, and neither may disturb
 * anybody else (reliability.md 6.2).
 */
import type { SeededRandom } from '../base/random.js';
import type { SocketHandler } from '../ports/network.js';
import { fourLetterWords } from '../server/commands/four-letter-words.js';
import type { Timeline } from './clock.js';
import type { Address, Host, SimNetwork, SimSocket } from './network.js';
import type { Trace } from './trace.js';

export const proberAddress = '10.0.9.9';

interface ProberWorld {
  readonly timeline: Timeline;
  readonly network: SimNetwork;
  readonly trace: Trace;
  readonly server: Address;
  fail(invariant: string, message: string): void;
}

const NOT_SERVING = 'This ZooKeeper instance is not currently serving requests\n';

/** What the beginning of an answer to a word looks like, where that is certain. */
const BEGINNINGS: Readonly<Record<string, RegExp>> = {
  ruok: /^imok$/,
  isro: /^(?:rw|null)$/,
  srvr: /^Zookeeper version: /,
  stat: /^Zookeeper version: /,
  mntr: /^zk_version\t/,
  conf: /^clientPort=/,
  dump: /^SessionTracker dump:/,
};

export class Prober implements Host {
  readonly name = 'prober';
  readonly isDead = false;
  readonly #world: ProberWorld;
  readonly #random: SeededRandom;
  readonly #everyMs: number;
  answers = 0;

  constructor(world: ProberWorld, random: SeededRandom, everyMs: number) {
    this.#world = world;
    this.#random = random;
    this.#everyMs = everyMs;
    if (everyMs !== Infinity) this.#later();
  }

  post(task: () => void): void {
    this.#world.timeline.after(0, task);
  }

  #later(): void {
    const delayMs = -this.#everyMs * Math.log(1 - this.#random.fraction());
    this.#world.timeline.after(delayMs, () => {
      this.#probe();
      this.#later();
    });
  }

  #probe(): void {
    const word = this.#random.chance(0.7) ? this.#random.pick(fourLetterWords) : null;
    const { network, server } = this.#world;
    network.dial(this, proberAddress, server, {
      onOpen: (socket) => {
        if (word === null) this.#sendGarbage(socket);
        else this.#ask(socket, word);
      },
      onRefused: () => undefined,
    });
  }

  #ask(socket: SimSocket, word: string): void {
    let text = '';
    const handler: SocketHandler = {
      onData(bytes, start, end) {
        text += String.fromCharCode(...bytes.subarray(start, end));
      },
      onDrain: () => undefined,
      onClose: (error) => {
        // cut off by a fault: nothing can be said
        if (error !== null || text === '') return;
        this.answers++;
        this.#world.trace.note('M', this.name, word, text.length);
        if (text === NOT_SERVING) return;
        const beginning = BEGINNINGS[word];
        if (beginning !== undefined && !beginning.test(text)) {
          this.#world.fail('4lw', `${word} was answered with ${JSON.stringify(text.slice(0, 60))}`);
        }
      },
    };
    socket.serve(handler);
    // stmk takes eight bytes behind the word
    const bytes = Uint8Array.from(word.padEnd(word === 'stmk' ? 12 : 4, '\0'), (c) =>
      c.charCodeAt(0),
    );
    socket.write(bytes, 0, bytes.length);
  }

  #sendGarbage(socket: SimSocket): void {
    const random = this.#random;
    const handler: SocketHandler = {
      onData: () => {
        this.#world.fail('bad input', 'garbage was answered');
      },
      onDrain: () => undefined,
      onClose: () => undefined,
    };
    socket.serve(handler);
    const bytes = Uint8Array.from({ length: random.between(1, 80) }, () => random.below(256));
    // a first byte that makes the length negative, far too long, or one that never comes
    bytes[0] = random.pick([0x80, 0x7f, 0xff, 0x00]);
    if (bytes[0] === 0) bytes.set([0, 0, random.below(16), 0xff].slice(0, bytes.length));
    socket.write(bytes, 0, bytes.length);
    this.#world.timeline.after(random.below(5000), () => {
      socket.destroy();
    });
  }
}
