/**
 * An ephemeral znode that is there for as long as its process wants it to be: created again in a new
 * session when the old one was lost, and when somebody deleted it by mistake.
 *
 * Guarantee: while the client is connected the znode is there, owned by its session, with the latest
 * data. On SUSPENDED: nothing; it is there as long as the session lives. On LOST: it is created again as
 * soon as there is a session. Another process that registers the same path while this one's session
 * lives takes it over: then this registration is over (`onTakenOver`), or they would delete each other's
 * znodes for ever.
 */
import { ErrorCode, NodeExistsError, ZkError } from '../client/errors.js';
import type { Acl, ZkClient } from '../client/types.js';
import { parentOf } from '../protocol/paths.js';
import { acrossSessions, onAbort } from '../recipes/patience.js';

export interface RegistrationOptions {
  readonly acl?: readonly Acl[];
  readonly signal?: AbortSignal;
  readonly onTakenOver?: () => void;
  readonly onWarning?: (text: string) => void;
}

/** Another process has created, changed or deleted the znode in between. */
const LOST_RACES = new Set<number>([ErrorCode.nodeExists, ErrorCode.noNode, ErrorCode.badVersion]);

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

export class RegisteredNode {
  readonly path: string;
  readonly #client: ZkClient;
  readonly #options: RegistrationOptions;
  readonly #end = new AbortController();
  readonly #offState: () => void;
  /** What the znode is to hold. */
  #wanted: Uint8Array;
  /** What it holds as far as this process has written it, and in which session. */
  #written: { readonly data: Uint8Array; readonly sessionId: bigint } | null = null;
  #isStale = true;
  #settling: Promise<void> | null = null;

  /** Resolves when the znode is there; rejects when it cannot be (no permission, say). */
  static async create(
    client: ZkClient,
    path: string,
    data: Uint8Array,
    options: RegistrationOptions = {},
  ): Promise<RegisteredNode> {
    const node = new RegisteredNode(client, path, data, options);
    const { signal } = options;
    const off =
      signal === undefined
        ? null
        : onAbort(signal, () => {
            node.#stop(signal.reason);
          });
    try {
      signal?.throwIfAborted();
      await node.#settle();
      return node;
    } catch (error) {
      node.#stop(error);
      // it may have been created all the same, and would stay as long as the session
      node.#deleteOwn(new AbortController().signal, data).catch(() => undefined);
      throw error;
    } finally {
      off?.();
    }
  }

  private constructor(
    client: ZkClient,
    path: string,
    data: Uint8Array,
    options: RegistrationOptions,
  ) {
    this.path = path;
    this.#client = client;
    this.#wanted = data;
    this.#options = options;
    this.#offState = client.on('state', (state) => {
      if (state === 'connected') this.#look();
    });
  }

  /** Neither removed nor taken over. */
  get isActive(): boolean {
    return !this.#end.signal.aborted;
  }

  /** Resolves when the znode holds `data`. */
  async update(data: Uint8Array): Promise<void> {
    this.#end.signal.throwIfAborted();
    this.#wanted = data;
    this.#isStale = true;
    await this.#settle();
  }

  /** Resolves when the znode is gone, or its session is. */
  async remove(signal?: AbortSignal): Promise<void> {
    if (!this.isActive) return;
    const settling = this.#settling;
    this.#stop(new Error('unregistered'));
    await settling?.catch(() => undefined); // it was stopped
    await this.#deleteOwn(signal ?? new AbortController().signal, null);
  }

  /** Only if it holds `data`, where that is given: another registration's is not this one's to delete. */
  async #deleteOwn(signal: AbortSignal, data: Uint8Array | null): Promise<void> {
    const client = this.#client;
    try {
      await acrossSessions(client, signal, async () => {
        const { data: held, stat } = await client.getData(this.path);
        if (stat.ephemeralOwner !== client.sessionId) return;
        if (data !== null && !isSame(held, data)) return;
        await client.delete(this.path, { version: stat.version });
      });
    } catch (error) {
      // then the session is over, and the znode with it
      if (client.state === 'closed') return;
      // gone, or changed by somebody: whoever has changed it has it now
      if (!(error instanceof ZkError) || !LOST_RACES.has(error.code)) throw error;
    }
  }

  #stop(reason: unknown): void {
    this.#offState();
    this.#end.abort(reason);
  }

  /** Something may have happened to the znode. */
  #look(): void {
    if (!this.isActive) return;
    this.#isStale = true;
    this.#settle().catch((error: unknown) => {
      if (this.isActive) this.#options.onWarning?.(`${this.path}: ${String(error)}`);
    });
  }

  #settle(): Promise<void> {
    if (this.#settling !== null) return this.#settling;
    if (!this.#isStale) return Promise.resolve();
    this.#settling = this.#apply();
    return this.#settling;
  }

  async #apply(): Promise<void> {
    const { signal } = this.#end;
    try {
      while (this.#isStale) {
        this.#isStale = false;
        await acrossSessions(this.#client, signal, () => this.#make(signal));
      }
    } catch (error) {
      this.#isStale = true;
      throw error;
    } finally {
      // in the turn in which the loop ended: nobody waits for one that looks no more
      this.#settling = null;
    }
  }

  async #make(signal: AbortSignal): Promise<void> {
    const client = this.#client;
    const data = this.#wanted;
    const watch = (): void => {
      this.#look();
    };
    const stat = await client.exists(this.path, { signal, watch });
    const { sessionId } = client;
    if (stat !== null && stat.ephemeralOwner === sessionId) {
      if (this.#written?.sessionId === sessionId && this.#written.data === data) return;
      try {
        await client.setData(this.path, data, { signal });
        this.#written = { data, sessionId };
      } catch (error) {
        if (!(error instanceof ZkError) || !LOST_RACES.has(error.code)) throw error;
        this.#isStale = true;
      }
      return;
    }
    if (stat !== null && this.#written?.sessionId === sessionId) {
      // it was this session's, and now it is another's who is alive
      this.#stop(new Error(`${this.path} was taken over`));
      this.#options.onTakenOver?.();
      return;
    }
    // null, or an earlier run's, whose session has not ended yet
    if (!(await this.#create(data, stat?.version ?? null, signal))) {
      this.#isStale = true;
      return;
    }
    this.#written = { data, sessionId };
    // a watch for what becomes of it; whatever happened since then is seen too
    const created = await client.exists(this.path, { signal, watch });
    if (created?.ephemeralOwner !== sessionId) this.#isStale = true;
  }

  /**
   * In the place of another's znode, if there is one: in one step, so that whoever watches it sees who
   * has it now. False: somebody was quicker, and it is to be looked at again.
   */
  async #create(data: Uint8Array, other: number | null, signal: AbortSignal): Promise<boolean> {
    const { acl } = this.#options;
    const withAcl = acl === undefined ? {} : { acl };
    const transaction = this.#client.transaction();
    if (other !== null) transaction.delete(this.path, { version: other });
    transaction.create(this.path, data, { mode: 'ephemeral', ...withAcl });
    try {
      await transaction.commit({ signal });
      return true;
    } catch (error) {
      if (!(error instanceof ZkError)) throw error;
      const isNew = other === null;
      if (isNew && error.code === ErrorCode.noNode) await this.#createParents(withAcl, signal);
      else if (!LOST_RACES.has(error.code)) throw error;
      return false;
    }
  }

  /** As Curator does: the service's own znode is a container and goes when it has been empty a while. */
  async #createParents(
    withAcl: { readonly acl?: readonly Acl[] },
    signal: AbortSignal,
  ): Promise<void> {
    const parent = parentOf(this.path);
    try {
      await this.#client.create(parent, '', {
        ...{ mode: 'container', makePath: true, signal },
        ...withAcl,
      });
    } catch (error) {
      if (!(error instanceof NodeExistsError)) throw error;
    }
  }
}
