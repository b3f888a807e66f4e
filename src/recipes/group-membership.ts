/**
 * Who is there: each member has an ephemeral znode in the group's directory.
 *
 * Guarantee: a member that has joined is listed as long as its session lives and until it leaves; it
 * joins again by itself after its session was lost, or its znode deleted. `changes` tells the members
 * at first and after each change (changes in quick succession may be told as one; the last never
 * misses). Data of a member that changes later is seen with the next change of the membership.
 * On SUSPENDED: nothing changes; the list that was told last may be old.
 * On LOST: others see this member leave, and join again in the new session. `changes` goes on.
 * Znode layout: `<path>/<id>`, ephemeral. 'kazoo': `<path>/<uuid in hex>__party__`, data: the id.
 * 'kazoo-shallow': `<path>/<uuid in hex>-<id>`.
 * Interoperates with: Curator's GroupMember; kazoo's Party and ShallowParty.
 */
import { NoNodeError, SessionExpiredError } from '../client/errors.js';
import type { Acl, Data, Watcher, ZkClient } from '../client/types.js';
import { newUuid } from './contender-names.js';
import { join } from './parents.js';
import { acrossSessions, isGivenUp, untilWatched, within, type WaitOptions } from './patience.js';
import { StandingNode } from './standing-node.js';

export type GroupLayout = 'curator' | 'kazoo' | 'kazoo-shallow';

export interface GroupMembershipOptions {
  /** Of this member; a UUID unless given. In Curator's layout nobody else may have the same. */
  readonly id?: string;
  /** What this member tells about itself (Curator's layout only). */
  readonly data?: Data;
  readonly layout?: GroupLayout;
  readonly acl?: readonly Acl[];
}

export interface GroupMember {
  readonly id: string;
  readonly data: Buffer;
  readonly path: string;
}

const partyMark = '__party__';

export class GroupMembership {
  readonly path: string;
  readonly id: string;
  readonly #client: ZkClient;
  readonly #layout: GroupLayout;
  readonly #options: GroupMembershipOptions;
  #node: StandingNode | null = null;

  constructor(client: ZkClient, path: string, options: GroupMembershipOptions = {}) {
    this.path = path;
    this.id = options.id ?? newUuid(client.world.crypto);
    this.#client = client;
    this.#layout = options.layout ?? 'curator';
    this.#options = options;
  }

  /** Resolves when this one is a member. Given up, it goes on trying until `leave`. */
  async join(options: WaitOptions = {}): Promise<void> {
    const { data = '', acl } = this.#options;
    this.#node ??= new StandingNode(this.#client, join(this.path, this.#name()), {
      data: this.#layout === 'kazoo' ? this.id : data,
      acl,
      parents: this.#layout === 'curator' ? 'container' : 'persistent',
    });
    const node = this.#node;
    node.start();
    await within(this.#client, options, `joining the group ${this.path}`, (signal) =>
      node.untilUp(signal),
    );
  }

  /** Resolves when others see that. */
  async leave(): Promise<void> {
    const node = this.#node;
    this.#node = null;
    await node?.close();
  }

  /** Of this member, from now on. */
  async setData(data: Data, options: WaitOptions = {}): Promise<void> {
    if (this.#layout !== 'curator') {
      throw new TypeError(`members of the layout ${this.#layout} have no data of their own`);
    }
    const node = this.#node;
    if (node === null) throw new TypeError('not a member: join first');
    await within(this.#client, options, `the member ${node.path}`, (signal) =>
      node.setData(data, signal),
    );
  }

  async members(options: WaitOptions = {}): Promise<GroupMember[]> {
    return await within(this.#client, options, `the group ${this.path}`, async (signal) => {
      const { names } = await this.#list(signal);
      return await this.#read(names, signal);
    });
  }

  /** The members now, and again after each change, until `signal` aborts. */
  async *changes(options: { readonly signal?: AbortSignal } = {}): AsyncIterable<GroupMember[]> {
    const signal = options.signal ?? new AbortController().signal;
    let told: string | null = null;
    while (!isGivenUp(signal)) {
      try {
        const { names } = await this.#list(signal);
        const seen = JSON.stringify(names);
        if (seen !== told) {
          told = seen;
          yield await this.#read(names, signal);
        }
        await untilWatched(this.#client, signal, async (watch) => {
          const now = await this.#listOnce(watch);
          return JSON.stringify(now) === told;
        });
      } catch (problem) {
        if (isGivenUp(signal)) return;
        if (!(problem instanceof SessionExpiredError)) throw problem;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave();
  }

  #name(): string {
    const hex = newUuid(this.#client.world.crypto).replaceAll('-', '');
    if (this.#layout === 'kazoo') return hex + partyMark;
    return this.#layout === 'kazoo-shallow' ? `${hex}-${this.id}` : this.id;
  }

  async #list(signal: AbortSignal): Promise<{ names: string[] }> {
    return { names: await acrossSessions(this.#client, signal, () => this.#listOnce()) };
  }

  async #listOnce(watch?: Watcher): Promise<string[]> {
    const client = this.#client;
    const isKazoo = this.#layout === 'kazoo';
    try {
      const { children } = await client.getChildren(
        this.path,
        watch === undefined ? {} : { watch },
      );
      return children.filter((name) => !isKazoo || name.includes(partyMark)).sort();
    } catch (problem) {
      if (!(problem instanceof NoNodeError)) throw problem;
      // the group's directory is yet to come: that is what to wait for then
      if (watch !== undefined) await client.exists(this.path, { watch });
      return [];
    }
  }

  async #read(names: readonly string[], signal: AbortSignal): Promise<GroupMember[]> {
    const members = await Promise.all(
      names.map(async (name): Promise<GroupMember | null> => {
        const path = join(this.path, name);
        if (this.#layout === 'kazoo-shallow') {
          return { id: name.slice(name.indexOf('-') + 1), data: Buffer.alloc(0), path };
        }
        try {
          const { data } = await acrossSessions(this.#client, signal, () =>
            this.#client.getData(path),
          );
          return { id: this.#layout === 'kazoo' ? data.toString() : name, data, path };
        } catch (problem) {
          if (problem instanceof NoNodeError) return null;
          throw problem;
        }
      }),
    );
    return members.filter((member) => member !== null);
  }
}
