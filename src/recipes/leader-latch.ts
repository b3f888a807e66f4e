/**
 * A leader among those who keep trying: a latch holds its place in line until it is closed, leads
 * while it is the first, and takes part again by itself after whatever happened.
 *
 * Guarantee: at any time at most one latch's znode is the first, and it leads only while that is so;
 * leadership goes in the order of arrival. Each time of leading is a `Hold` of its own, whose token,
 * guard and signal are those of Lock. Each change of leader wakes one latch.
 * On SUSPENDED: the hold's signal aborts (`errorPolicy: 'session'`: not yet). When the connection is
 * back in time, the place in line is still its own, and the first leads again with a new hold (and the
 * same token: nobody has led in between).
 * On LOST: the place is gone; it enters again at the end of the line, in the new session.
 * Znode layout: `<path>/_c_<uuid>-latch-<sequence>`, ephemeral sequential, data: the id.
 * Interoperates with: Curator's LeaderLatch. (kazoo's Election and Curator's LeaderSelector are locks:
 * see LeaderElection.)
 */
import { Emitter } from '../client/emitter.js';
import { NoNodeError } from '../client/errors.js';
import type { Acl, ZkClient } from '../client/types.js';
import { newUuid, prefixOf, type Claim } from './contender-names.js';
import { afterAll, enter, readLine, type Contender, type Entry } from './contenders.js';
import { NotHeldError } from './errors.js';
import { join } from './parents.js';
import {
  inBackground,
  isGivenUp,
  patiently,
  untilConnected,
  untilEvent,
  within,
  type WaitOptions,
} from './patience.js';
import { Tenure, type ErrorPolicy, type Hold } from './tenure.js';

export interface LeaderLatchOptions {
  /** How others see this one; a UUID unless given. */
  readonly id?: string;
  readonly errorPolicy?: ErrorPolicy;
  readonly acl?: readonly Acl[];
}

export interface LeaderLatchEvents {
  leader: [hold: Hold];
  /** It was the leader until now. */
  follower: [];
  /** It has given up: the znodes here cannot be used (no permission, for instance). */
  error: [problem: unknown];
}

export interface Participant {
  readonly id: string;
  readonly path: string;
  readonly isLeader: boolean;
}

export class LeaderLatch {
  readonly path: string;
  readonly id: string;
  readonly #client: ZkClient;
  readonly #entry: Entry;
  readonly #errorPolicy: ErrorPolicy;
  readonly #listeners = new Emitter<LeaderLatchEvents>();
  #stop: AbortController | null = null;
  #running: Promise<void> = Promise.resolve();
  #hold: Hold | null = null;

  constructor(client: ZkClient, path: string, options: LeaderLatchOptions = {}) {
    this.path = path;
    this.id = options.id ?? newUuid(client.world.crypto);
    this.#client = client;
    this.#errorPolicy = options.errorPolicy ?? 'standard';
    this.#entry = {
      directory: path,
      prefix: (id) => prefixOf('curator', 'latch', id),
      claims: new Set<Claim>(['latch']),
      data: this.id,
      acl: options.acl,
      parents: 'container',
    };
  }

  on<E extends keyof LeaderLatchEvents>(
    name: E,
    listener: (...args: LeaderLatchEvents[E]) => void,
  ): () => void {
    return this.#listeners.on(name, listener);
  }

  get hasLeadership(): boolean {
    return this.#hold !== null;
  }

  /** Not null while it leads. */
  get hold(): Hold | null {
    return this.#hold;
  }

  /** Takes part from now on. */
  start(): this {
    if (this.#stop !== null) return this;
    const stop = new AbortController();
    this.#stop = stop;
    this.#running = this.#run(stop.signal).catch((problem: unknown) => {
      if (!stop.signal.aborted) this.#listeners.emit('error', problem);
    });
    return this;
  }

  /** Resolves when this one leads. Rejects at once when it does not take part. */
  async untilLeader(options: WaitOptions = {}): Promise<Hold> {
    const { signal: stop } = this.#stop ?? {};
    if (stop === undefined) throw new NotHeldError(this.path, 'released');
    return await within(this.#client, options, `leadership of ${this.path}`, async (signal) => {
      for (;;) {
        if (this.#hold !== null) return this.#hold;
        await untilEvent(signal, (wake, fail) => {
          const end = (): void => {
            fail(new NotHeldError(this.path, 'released'));
          };
          if (stop.aborted) end();
          stop.addEventListener('abort', end, { once: true });
          const off = [this.on('leader', wake), this.on('error', end)];
          return () => {
            stop.removeEventListener('abort', end);
            for (const unsubscribe of off) unsubscribe();
          };
        });
      }
    });
  }

  /** Everybody who takes part, the leader first. */
  async participants(options: WaitOptions = {}): Promise<Participant[]> {
    return await within(this.#client, options, `participants of ${this.path}`, async (signal) =>
      readParticipants(this.#client, this.#entry, signal),
    );
  }

  /** Does not take part any more; resolves when somebody else can lead. */
  async close(): Promise<void> {
    this.#stop?.abort(new NotHeldError(this.path, 'released'));
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!isGivenUp(signal)) {
      const contender = await enter(this.#client, this.#entry, signal);
      try {
        while (await contender.untilTurn(afterAll, signal)) {
          if (!(await this.#lead(contender, signal))) break;
          await untilConnected(this.#client, signal);
        }
      } finally {
        const leaving = contender.leave();
        if (isGivenUp(signal)) await leaving;
        else inBackground(leaving);
      }
    }
  }

  /** Until leadership ends; true: the place in line may still be there. */
  async #lead(contender: Contender, signal: AbortSignal): Promise<boolean> {
    const tenure = new Tenure(this.#client, contender, { errorPolicy: this.#errorPolicy });
    // closed at just this moment: nobody would tell it later
    if (!tenure.isHeld || signal.aborted) {
      tenure.abandon();
      return !signal.aborted;
    }
    const hold = tenure.share();
    this.#hold = hold;
    const onStop = (): void => {
      inBackground(tenure.leave());
    };
    signal.addEventListener('abort', onStop, { once: true });
    this.#listeners.emit('leader', hold);
    const reason = await tenure.ended;
    signal.removeEventListener('abort', onStop);
    this.#hold = null;
    this.#listeners.emit('follower');
    tenure.abandon();
    return reason === 'suspended';
  }
}

/** Whoever left while they were read is left out. */
export async function readParticipants(
  client: ZkClient,
  entry: Pick<Entry, 'directory' | 'claims'>,
  signal: AbortSignal,
): Promise<Participant[]> {
  const line = await readLine(client, entry, signal);
  const participants: Participant[] = [];
  for (const { name } of line) {
    const path = join(entry.directory, name);
    try {
      const { data } = await patiently(client, signal, () => client.getData(path));
      participants.push({ id: data.toString(), path, isLeader: participants.length === 0 });
    } catch (problem) {
      if (!(problem instanceof NoNodeError)) throw problem;
    }
  }
  return participants;
}
