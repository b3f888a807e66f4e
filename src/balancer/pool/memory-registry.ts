/**
 * The registry of balancers that live in one process: those of `npm start`, and those of tests, which can
 * cut one off. The one that has been there longest is elected.
 */
import type { PublishedSubset, Registry, RegistryView } from './registry.js';

export class MemoryCouncil {
  readonly #seats: Seat[] = [];
  #published: PublishedSubset | null = null;

  /** One for each balancer. */
  seat(): Seat {
    return new Seat({
      enter: (seat) => {
        this.#seats.push(seat);
        this.#tell();
      },
      leave: (seat) => {
        const at = this.#seats.indexOf(seat);
        if (at >= 0) this.#seats.splice(at, 1);
        this.#tell();
      },
      publish: (seat, subset) => {
        if (!seat.isConnected || this.#elected() !== seat) return;
        this.#published = subset;
        this.#tell();
      },
      reportWrite: (seat) => {
        if (!seat.isConnected) return;
        for (const other of this.#seats) if (other !== seat) other.foreignWrites++;
        this.#tell();
      },
    });
  }

  #elected(): Seat | undefined {
    return this.#seats.find(({ isConnected }) => isConnected);
  }

  #tell(): void {
    const present = this.#seats.filter(({ isConnected }) => isConnected);
    for (const [index, seat] of present.entries()) {
      seat.hear({
        isConnected: true,
        position: { index, count: present.length },
        isElected: index === 0,
        published: this.#published,
        foreignWrites: seat.foreignWrites,
      });
    }
  }
}

interface Hub {
  enter(seat: Seat): void;
  leave(seat: Seat): void;
  publish(seat: Seat, subset: PublishedSubset): void;
  reportWrite(seat: Seat): void;
}

export class Seat implements Registry {
  readonly canAgree = true;
  readonly #hub: Hub;
  #onChange: ((view: RegistryView) => void) | null = null;
  #last: RegistryView | null = null;
  #isTelling = false;
  isConnected = true;
  foreignWrites = 0;

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  start(onChange: (view: RegistryView) => void): void {
    this.#onChange = onChange;
    this.#hub.enter(this);
  }

  publish(subset: PublishedSubset): void {
    this.#hub.publish(this, subset);
  }

  reportWrite(): void {
    this.#hub.reportWrite(this);
  }

  stop(): Promise<void> {
    this.#onChange = null;
    this.#hub.leave(this);
    return Promise.resolve();
  }

  /** For tests: the others see it go, and it hears nothing any more. */
  disconnect(): void {
    this.#hub.leave(this);
    this.isConnected = false;
    if (this.#last !== null) this.hear({ ...this.#last, isConnected: false, isElected: false });
  }

  reconnect(): void {
    this.isConnected = true;
    this.#hub.enter(this);
  }

  /** Told later, and only the last word: nobody is called from inside a call of theirs. */
  hear(view: RegistryView): void {
    this.#last = view;
    if (this.#isTelling) return;
    this.#isTelling = true;
    queueMicrotask(() => {
      this.#isTelling = false;
      if (this.#last !== null) this.#onChange?.(this.#last);
    });
  }
}
