/**
 * Who may begin when not all can: slots, divided among classes of clients by their weights. First come,
 * first served lets one tenant that asks a thousand times wait a thousand times in front of another that
 * asks once. Here each class has a queue of its own, and a free slot goes to the class that has the least
 * in use for its weight; among equals, to the one that has had the least for its weight so far. What one
 * class does not want the others may use.
 *
 * Slots are held for a while, so a storm that came first could hold them all: a class beyond its share
 * leaves one for each named class that has none.
 */
export interface FairAdmissionOptions<T> {
  /** So much may be in use at once. */
  readonly capacity: number;
  /** By name. Others weigh 1 each. */
  readonly weights: Readonly<Record<string, number>>;
  /** So many may wait in each class; more are refused. */
  readonly queueMax: number;
  /** Called for each one that had to wait, when it may begin; from inside `release`. */
  readonly onAdmit: (item: T, className: string) => void;
}

export type Admission = 'admitted' | 'queued' | 'refused';

export interface ClassStatus {
  readonly weight: number;
  readonly inUse: number;
  readonly waiting: number;
  readonly admitted: number;
  readonly refused: number;
}

/** Names beyond these count as one. */
const CLASSES_MAX = 1000;
const OTHERS = '';

class ClientClass<T> {
  readonly name: string;
  readonly weight: number;
  readonly isNamed: boolean;
  /** With what each costs; the oldest first. */
  readonly queue = new Map<T, number>();
  inUse = 0;
  /** What it has had so far, over its weight; like a clock that runs slower for heavy ones. */
  served = 0;
  admitted = 0;
  refused = 0;

  constructor(name: string, weight: number, isNamed: boolean) {
    this.name = name;
    this.weight = weight;
    this.isNamed = isNamed;
  }
}

export class FairAdmission<T> {
  readonly #options: FairAdmissionOptions<T>;
  readonly #classes = new Map<string, ClientClass<T>>();
  #capacity: number;
  #inUse = 0;
  /** `served` of the class that was admitted last: who comes back from a pause begins there. */
  #clock = 0;

  constructor(options: FairAdmissionOptions<T>) {
    this.#options = options;
    this.#capacity = options.capacity;
    for (const [name, weight] of Object.entries(options.weights)) {
      if (!(weight > 0)) throw new RangeError(`the class ${name} needs a weight above 0`);
      this.#classes.set(name, new ClientClass(name, weight, true));
    }
  }

  get inUse(): number {
    return this.#inUse;
  }

  /** More or less from now on; what is in use stays so. */
  setCapacity(capacity: number): void {
    this.#capacity = capacity;
    this.#admitAll();
  }

  /** An item is in at most one queue, once. What was admitted is ended by `release` with its cost. */
  offer(className: string, item: T, cost = 1): Admission {
    const it = this.#classOf(className);
    if (it.queue.size === 0 && this.#mayBegin(it)) {
      this.#begin(it, cost);
      return 'admitted';
    }
    if (it.queue.size >= this.#options.queueMax) {
      it.refused++;
      return 'refused';
    }
    it.queue.set(item, cost);
    return 'queued';
  }

  release(className: string, cost = 1): void {
    const it = this.#classOf(className);
    it.inUse = Math.max(0, it.inUse - cost);
    this.#inUse = 0;
    for (const { inUse } of this.#classes.values()) this.#inUse += inUse;
    this.#admitAll();
  }

  /** It does not want to begin any more. False: it does not wait. */
  withdraw(className: string, item: T): boolean {
    return this.#classOf(className).queue.delete(item);
  }

  status(): ReadonlyMap<string, ClassStatus> {
    return new Map(
      [...this.#classes].map(([name, { weight, inUse, queue, admitted, refused }]) => [
        name,
        { weight, inUse, waiting: queue.size, admitted, refused },
      ]),
    );
  }

  #classOf(name: string): ClientClass<T> {
    const known = this.#classes.get(name);
    if (known !== undefined) return known;
    if (this.#classes.size >= CLASSES_MAX && name !== OTHERS) return this.#classOf(OTHERS);
    const added = new ClientClass<T>(name, 1, false);
    this.#classes.set(name, added);
    return added;
  }

  #mayBegin(it: ClientClass<T>): boolean {
    const free = this.#capacity - this.#inUse;
    if (free <= 0) return false;
    let reserved = 0;
    let weights = 0;
    for (const other of this.#classes.values()) {
      if (other.isNamed || other.inUse > 0 || other.queue.size > 0 || other === it) {
        weights += other.weight;
      }
      if (other !== it && other.isNamed && other.inUse === 0) reserved++;
    }
    const share = (this.#capacity * it.weight) / weights;
    return free > reserved || it.inUse < Math.max(1, Math.floor(share));
  }

  #admitAll(): void {
    for (;;) {
      let next: ClientClass<T> | null = null;
      for (const it of this.#classes.values()) {
        if (it.queue.size === 0 || !this.#mayBegin(it)) continue;
        if (next === null || isBefore(it, next)) next = it;
      }
      if (next === null) return;
      for (const [item, cost] of next.queue) {
        next.queue.delete(item);
        this.#begin(next, cost);
        this.#options.onAdmit(item, next.name);
        break;
      }
    }
  }

  #begin(it: ClientClass<T>, cost: number): void {
    // a pause saves nothing up: otherwise who comes back would keep all others waiting
    this.#clock = Math.max(this.#clock, it.served);
    if (it.inUse === 0) it.served = Math.max(it.served, this.#clock - 1 / it.weight);
    it.served += cost / it.weight;
    it.inUse += cost;
    it.admitted++;
    this.#inUse += cost;
  }
}

function isBefore<T>(a: ClientClass<T>, b: ClientClass<T>): boolean {
  const difference = a.inUse / a.weight - b.inUse / b.weight;
  return difference !== 0 ? difference < 0 : a.served < b.served;
}
