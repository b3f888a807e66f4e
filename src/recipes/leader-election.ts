/**
 * Runs a function while this process leads, and lines up again afterwards.
 *
 * Guarantee: at most one participant's function runs with a signal that has not aborted; the function
 * gets a `Hold`, whose token, guard and signal are those of Lock. Leadership ends when the function
 * settles; the next one leads only after that, or after the session of this one is over. A function
 * that ignores its signal may overlap with the next leader's: then only `guard` and the token protect.
 * On SUSPENDED: the hold's signal aborts (`errorPolicy: 'session'`: not yet). Leadership is given back
 * when the function has settled.
 * On LOST: leadership is gone; a participant in line enters again at its end.
 * Znode layout: that of Lock, data: the id.
 * Interoperates with: Curator's LeaderSelector, kazoo's Election (`layout: 'kazoo'`).
 */
import type { Acl, ZkClient } from '../client/types.js';
import { newUuid, prefixOf, type Claim, type Layout } from './contender-names.js';
import type { Entry } from './contenders.js';
import { readParticipants, type Participant } from './leader-latch.js';
import { Lock } from './lock.js';
import { onAbort, reasonOf, within, type WaitOptions } from './patience.js';
import type { ErrorPolicy, Hold } from './tenure.js';

export interface LeaderElectionOptions {
  /** How others see this one; a UUID unless given. */
  readonly id?: string;
  readonly layout?: Layout;
  readonly errorPolicy?: ErrorPolicy;
  readonly acl?: readonly Acl[];
}

export class LeaderElection {
  readonly path: string;
  readonly id: string;
  readonly #client: ZkClient;
  readonly #entry: Pick<Entry, 'directory' | 'claims' | 'prefix'>;
  readonly #lock: Lock;
  #hold: Hold | null = null;

  constructor(client: ZkClient, path: string, options: LeaderElectionOptions = {}) {
    const { id = newUuid(client.world.crypto), ...more } = options;
    this.path = path;
    this.id = id;
    this.#client = client;
    this.#lock = new Lock(client, path, { ...more, data: id });
    this.#entry = {
      directory: path,
      prefix: (uuid) => prefixOf(more.layout ?? 'curator', 'lock', uuid),
      claims: new Set<Claim>(['exclusive']),
    };
  }

  get hasLeadership(): boolean {
    return this.#hold?.signal.aborted === false;
  }

  /** Leads once: resolves with what the function answers, after leadership was given back. */
  async runOnce<T>(lead: (hold: Hold) => Promise<T>, options: WaitOptions = {}): Promise<T> {
    const hold = await this.#lock.acquire(options);
    this.#hold = hold;
    try {
      return await lead(hold);
    } finally {
      this.#hold = null;
      await hold.release();
    }
  }

  /**
   * Leads again and again until `signal` aborts (then it resolves, after the function has settled; the
   * function is told by its hold's signal) or the function fails (then it rejects with that).
   */
  async run(
    lead: (hold: Hold) => Promise<void>,
    options: { signal?: AbortSignal } = {},
  ): Promise<void> {
    const { signal } = options;
    const isStopped = (): boolean => signal?.aborted === true;
    while (!isStopped()) {
      let hold: Hold;
      try {
        hold = await this.#lock.acquire(signal === undefined ? {} : { signal });
      } catch (problem) {
        if (isStopped()) return;
        throw problem;
      }
      await this.#leadUntil(hold, lead, signal);
    }
  }

  /** Everybody who takes part, the leader first. */
  async participants(options: WaitOptions = {}): Promise<Participant[]> {
    return await within(this.#client, options, `participants of ${this.path}`, (signal) =>
      readParticipants(this.#client, this.#entry, signal),
    );
  }

  async #leadUntil(
    hold: Hold,
    lead: (hold: Hold) => Promise<void>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const off =
      signal === undefined
        ? null
        : onAbort(signal, () => {
            hold.tell(reasonOf(signal));
          });
    this.#hold = hold;
    try {
      await lead(hold);
    } finally {
      this.#hold = null;
      off?.();
      await hold.release();
    }
  }
}
