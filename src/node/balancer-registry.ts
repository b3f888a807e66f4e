/**
 * How balancers agree, in the ensemble that they are in front of:
 *
 *   /zabra/balancers/members/<name>     ephemeral, one for each: who is there, and that its clients write
 *   /zabra/balancers/agreed/subset      what the elected one has published
 *
 * The first of the members by name is elected. Only who has a member znode at that moment can publish (one
 * transaction checks both), so that a balancer that has lost its session and does not know it yet changes
 * nothing any more. Of two who both think for a moment that they are elected, one soon sees the other.
 *
 * On SUSPENDED and on LOST: nothing is forgotten, and `isConnected` is false until all of it was read
 * again. Requests of this client go to the servers directly; they are no clients' writes.
 */
import { Acls } from '../client/acls.js';
import { ErrorCode, ZkError } from '../client/errors.js';
import { printServer } from '../client/connect-string.js';
import type { TlsOptions } from '../client/tls.js';
import type { Acl } from '../client/types.js';
import { ChildCache } from '../discovery/child-cache.js';
import { RegisteredNode } from '../discovery/registered-node.js';
import type { BackendAddress } from '../balancer/pool/backend.js';
import type { PublishedSubset, Registry, RegistryView } from '../balancer/pool/registry.js';
import type { Logger } from '../ports/logger.js';
import { Client } from './client.js';

export interface BalancerRegistryOptions {
  /** Of the servers, not of balancers. */
  readonly connectString: string;
  /** Where balancers meet; '/zabra/balancers' unless given. */
  readonly path?: string;
  /** The znodes are then open to this identity alone. */
  readonly auth?: { readonly scheme: string; readonly auth: string };
  readonly sessionTimeoutMs?: number;
  readonly tls?: TlsOptions | true;
  /** What others call this balancer. */
  readonly name: string;
  readonly logger: Logger;
}

export const balancersPathDefault = '/zabra/balancers';
const SESSION_TIMEOUT_MS = 10_000;
const RETRY_MS = 1_000;
/** How long leaving may take: it is a courtesy to the others. */
const LEAVE_MS = 2_000;

interface Member {
  readonly name: string;
  readonly writes: number;
}

export class BalancerRegistry implements Registry {
  readonly canAgree = true;
  readonly #options: BalancerRegistryOptions;
  readonly #path: string;
  readonly #acl: readonly Acl[];
  readonly #client: Client;
  readonly #own: string;
  readonly #end = new AbortController();
  #onChange: (view: RegistryView) => void = () => undefined;
  #node: RegisteredNode | null = null;
  #caches: readonly ChildCache[] = [];
  #joining: Promise<void> = Promise.resolve();
  #hasMembers = false;
  #hasSubset = false;
  #members: ReadonlyMap<string, Member> = new Map();
  #published: PublishedSubset | null = null;
  #writes = 0;
  #foreignWrites = 0;
  /** What is being written now, and what is to be written next. */
  #publishing: string | null = null;
  #next: string | null = null;
  #warned = '';

  constructor(options: BalancerRegistryOptions) {
    this.#options = options;
    this.#path = options.path ?? balancersPathDefault;
    this.#acl = options.auth === undefined ? Acls.open : Acls.creatorAll;
    const { auth, tls, sessionTimeoutMs = SESSION_TIMEOUT_MS } = options;
    this.#client = new Client(options.connectString, {
      ...{ name: 'balancer-registry', sessionTimeoutMs },
      ...(auth === undefined ? {} : { auth: [auth] }),
      ...(tls === undefined ? {} : { tls }),
    });
    const bytes = this.#client.world.crypto.randomBytes(12);
    this.#own = `b-${Buffer.from(bytes).toString('hex')}`;
  }

  start(onChange: (view: RegistryView) => void): void {
    this.#onChange = onChange;
    this.#joining = this.#join();
  }

  publish(subset: PublishedSubset): void {
    const text = JSON.stringify(subset);
    if (text === this.#publishing || text === this.#next) return;
    this.#next = text;
    if (this.#publishing === null) void this.#publishAll();
  }

  reportWrite(): void {
    this.#writes++;
    this.#node?.update(this.#memberData()).catch((error: unknown) => {
      this.#warn('a write of clients could not be told', error);
    });
  }

  follow(servers: readonly BackendAddress[]): void {
    // who looks for it in the DNS finds it there himself
    if (!this.#options.connectString.includes('://')) {
      this.#client.updateServers(servers.map(printServer).join());
    }
  }

  async stop(): Promise<void> {
    this.#onChange = () => undefined;
    this.#end.abort(new Error('stopped'));
    await this.#joining;
    await Promise.all(this.#caches.map((cache) => cache.close()));
    // in vain: then the znode goes with the session
    await this.#node?.remove(AbortSignal.timeout(LEAVE_MS)).catch(() => undefined);
    await this.#client.close();
  }

  /** Never rejects: a balancer serves without others, too. */
  async #join(): Promise<void> {
    const { signal } = this.#end;
    const client = this.#client;
    while (!isAborted(signal)) {
      try {
        await client.connect({ signal });
        const data = this.#memberData();
        const onWarning = (text: string): void => {
          this.#options.logger.warn(`other balancers: ${text}`);
        };
        const path = `${this.#path}/members/${this.#own}`;
        await this.#makeDirectory('agreed');
        this.#node = await RegisteredNode.create(client, path, data, {
          ...{ acl: this.#acl, signal, onWarning },
        });
        this.#follow(onWarning);
        return;
      } catch (error) {
        if (isAborted(signal)) return;
        this.#warn('this balancer knows of no others', error);
        await this.#pause();
      }
    }
  }

  #follow(onWarning: (text: string) => void): void {
    const cacheOf = (
      name: string,
      onChildren: (children: ReadonlyMap<string, Uint8Array>) => void,
      onReachable: (isReachable: boolean) => void,
    ): ChildCache =>
      new ChildCache(this.#client, `${this.#path}/${name}`, {
        ...{ isInNames: false, onWarning },
        onChildren: (children) => {
          onChildren(children);
          this.#tell();
        },
        onReachable: (isReachable) => {
          onReachable(isReachable);
          if (!isReachable) this.#tell();
        },
      });
    this.#caches = [
      cacheOf(
        'members',
        (children) => {
          this.#takeMembers(children);
        },
        (isReachable) => {
          this.#hasMembers = isReachable;
        },
      ),
      cacheOf(
        'agreed',
        (children) => {
          this.#published = publishedIn(children.get('subset'));
        },
        (isReachable) => {
          this.#hasSubset = isReachable;
        },
      ),
    ];
  }

  #takeMembers(children: ReadonlyMap<string, Uint8Array>): void {
    const members = new Map<string, Member>();
    for (const [name, data] of children) {
      const member = memberIn(data);
      members.set(name, member);
      const before = this.#members.get(name);
      const isNew = before !== undefined && before.writes !== member.writes;
      if (name !== this.#own && isNew) this.#foreignWrites++;
    }
    this.#members = members;
  }

  #tell(): void {
    if (this.#end.signal.aborted) return;
    const names = [...this.#members.keys()].sort();
    const index = names.indexOf(this.#own);
    const isConnected = this.#hasMembers && this.#hasSubset && index >= 0;
    this.#onChange({
      isConnected,
      position: index < 0 ? null : { index, count: names.length },
      isElected: isConnected && index === 0,
      published: this.#published,
      foreignWrites: this.#foreignWrites,
    });
  }

  /** One after the other, the last word last. */
  async #publishAll(): Promise<void> {
    while (this.#next !== null && !isAborted(this.#end.signal)) {
      this.#publishing = this.#next;
      this.#next = null;
      try {
        await this.#publish(this.#publishing);
        this.#warned = '';
      } catch (error) {
        // whoever is elected then says it again
        this.#warn('what is awake could not be told to other balancers', error);
        await this.#pause();
      }
    }
    this.#publishing = null;
  }

  async #publish(text: string): Promise<void> {
    const own = `${this.#path}/members/${this.#own}`;
    const path = `${this.#path}/agreed/subset`;
    const { signal } = this.#end;
    try {
      await this.#client.transaction().check(own).setData(path, text).commit({ signal });
    } catch (error) {
      if (!(error instanceof ZkError) || error.code !== ErrorCode.noNode) throw error;
      const acl = this.#acl;
      await this.#client.transaction().check(own).create(path, text, { acl }).commit({ signal });
    }
  }

  async #makeDirectory(name: string): Promise<void> {
    const path = `${this.#path}/${name}`;
    const { signal } = this.#end;
    try {
      await this.#client.create(path, '', { makePath: true, acl: this.#acl, signal });
    } catch (error) {
      if (!(error instanceof ZkError) || error.code !== ErrorCode.nodeExists) throw error;
    }
  }

  #memberData(): Uint8Array {
    const member: Member = { name: this.#options.name, writes: this.#writes };
    return Buffer.from(JSON.stringify(member));
  }

  #warn(what: string, error: unknown): void {
    const text = String(error);
    // it is tried again every second, and once is enough to be told
    if (isAborted(this.#end.signal) || text === this.#warned) return;
    this.#warned = text;
    this.#options.logger.warn(what, { error: text });
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const { signal } = this.#end;
      const timer = this.#client.world.clock.after(RETRY_MS, done);
      function done(): void {
        timer.cancel();
        signal.removeEventListener('abort', done);
        resolve();
      }
      signal.addEventListener('abort', done);
      if (isAborted(signal)) done();
    });
  }
}

/** Asked anew: it may have changed meanwhile. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** Whoever may write there may write anything; what is not understood was not said. */
function fieldsIn(data: Uint8Array | undefined): Readonly<Record<string, unknown>> {
  if (data === undefined) return {};
  try {
    const parsed: unknown = JSON.parse(Buffer.from(data).toString('utf8'));
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {};
  } catch {
    return {};
  }
}

function memberIn(data: Uint8Array): Member {
  const { name, writes } = fieldsIn(data);
  return {
    name: typeof name === 'string' ? name : '',
    writes: typeof writes === 'number' ? writes : 0,
  };
}

function publishedIn(data: Uint8Array | undefined): PublishedSubset | null {
  const { awake, rule, by } = fieldsIn(data);
  if (!Array.isArray(awake)) return null;
  return {
    awake: awake.filter((id) => typeof id === 'string'),
    rule: typeof rule === 'string' ? rule : '',
    by: typeof by === 'string' ? by : '',
  };
}
