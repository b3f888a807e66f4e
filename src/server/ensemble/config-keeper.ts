/**
 * Configurations on the disk: what was seen last before it is acknowledged, what is in force before a
 * leader says so. One write after the other. A file that cannot be written does not stop the server,
 * as it does not stop Apache's: the configuration holds until the next restart.
 */
import type { Logger } from '../../ports/logger.js';
import type { Configuration, ConfigStore, Membership } from './membership.js';

export class ConfigKeeper {
  readonly #membership: Membership;
  readonly #store: ConfigStore | null;
  readonly #logger: Logger;
  readonly #sid: number;
  readonly #comesBack: boolean;
  #tail: Promise<void> = Promise.resolve();
  #committed: bigint;

  /** Without a store, as for servers inside a program, configurations end with the process. */
  constructor(
    membership: Membership,
    store: ConfigStore | null,
    sid: number,
    logger: Logger,
    /** One that this server is not in stays proposed on its disk: it is to start again, and ask. */
    comesBack = false,
  ) {
    this.#comesBack = comesBack;
    this.#membership = membership;
    this.#store = store;
    this.#sid = sid;
    this.#logger = logger;
    this.#committed = membership.inForce.version;
  }

  get lastSeen(): Configuration {
    return this.#membership.lastSeen;
  }

  get mustSave(): boolean {
    return this.#membership.mustSave;
  }

  /** What was seen last is durable, if it can be. */
  saveSeen(): Promise<void> {
    const membership = this.#membership;
    if (!membership.mustSave) return this.#tail;
    const { lastSeen, inForce, isPending } = membership;
    membership.saved(lastSeen);
    const next = isPending || this.#isGuestIn(inForce) ? lastSeen.text : null;
    return this.#then('the configuration that was proposed', (store) => store.saveNext(next));
  }

  /** A restart begins with it, if that can be written. */
  commit(configuration: Configuration): Promise<void> {
    const { version, text, members } = configuration;
    if (version <= this.#committed) return this.#tail;
    this.#committed = version;
    if (this.#isGuestIn(configuration)) {
      return this.#then('the configuration in force', (store) => store.saveNext(text));
    }
    const hasClientAddress = (members.servers.get(this.#sid)?.client ?? null) !== null;
    return this.#then('the configuration in force', (store) =>
      store.commit(text, version, hasClientAddress),
    );
  }

  #isGuestIn({ members }: Configuration): boolean {
    return this.#comesBack && !members.servers.has(this.#sid);
  }

  /** Everything asked for has been written, or has failed. */
  idle(): Promise<void> {
    return this.#tail;
  }

  #then(what: string, write: (store: ConfigStore) => Promise<void>): Promise<void> {
    const store = this.#store;
    if (store === null) return this.#tail;
    this.#tail = this.#tail
      .then(() => write(store))
      .catch((problem: unknown) => {
        const reason = problem instanceof Error ? problem.message : String(problem);
        this.#logger.error(`${what} cannot be written: a restart will not know it`, { reason });
      });
    return this.#tail;
  }
}
