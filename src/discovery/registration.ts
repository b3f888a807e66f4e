/**
 * One instance of a service in the registry, for as long as it wants to be there: registered again in a
 * new session after LOST, changed (weight, health, metadata) while it runs, and taken out at the end.
 */
import { instanceDefaults, type InstanceSpec, type ServiceInstance } from './instance.js';
import { hostOf, weightMax } from './json.js';
import { joinPath, type Layout } from './layout.js';
import { RegisteredNode, type RegistrationOptions } from './registered-node.js';
import type { ZkClient } from '../client/types.js';

/** What may change while an instance is registered. */
export type InstanceChange = Partial<
  Pick<ServiceInstance, 'weight' | 'priority' | 'health' | 'metadata' | 'payload'>
>;

export class Registration {
  readonly #node: RegisteredNode;
  readonly #write: (instance: ServiceInstance) => Uint8Array;
  #instance: ServiceInstance;

  /** Resolves when it is registered. */
  static async create(
    client: ZkClient,
    layout: Layout,
    spec: InstanceSpec,
    options: RegistrationOptions = {},
  ): Promise<Registration> {
    const write = layout.write?.bind(layout);
    if (write === undefined) throw new TypeError(`the layout ${layout.name} is only read`);
    const { crypto, clock } = client.world;
    const instance: ServiceInstance = {
      ...instanceDefaults,
      id: uuidOf(crypto.randomBytes(16)),
      ...spec,
      registeredMs: clock.wallMs(),
    };
    check(instance);
    const path = joinPath(layout.directoryOf(instance.service), instance.id);
    const node = await RegisteredNode.create(client, path, write(instance), options);
    return new Registration(node, write, instance);
  }

  private constructor(
    node: RegisteredNode,
    write: (instance: ServiceInstance) => Uint8Array,
    instance: ServiceInstance,
  ) {
    this.#node = node;
    this.#write = write;
    this.#instance = instance;
  }

  get instance(): ServiceInstance {
    return this.#instance;
  }

  get path(): string {
    return this.#node.path;
  }

  /** Not unregistered, and not taken over by another process with the same id. */
  get isActive(): boolean {
    return this.#node.isActive;
  }

  /** Resolves when the registry has it; watchers see it a moment later. */
  async update(change: InstanceChange): Promise<void> {
    const instance = { ...this.#instance, ...change };
    check(instance);
    this.#instance = instance;
    await this.#node.update(this.#write(instance));
  }

  /**
   * Takes it out. A server that stops sets its health to 'draining' first, finishes what it has, and
   * then calls this.
   */
  async unregister(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#node.remove(options.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unregister();
  }
}

function check({ service, id, host, port, sslPort, weight }: ServiceInstance): void {
  if (service === '') throw new TypeError('an instance has the name of its service');
  if (id === '' || id.includes('/')) throw new TypeError(`no id of an instance: '${id}'`);
  if (hostOf(host) === null) throw new TypeError(`no host: '${host}'`);
  for (const one of [port, sslPort]) {
    if (one !== null && !(Number.isInteger(one) && one > 0 && one < 65_536)) {
      throw new TypeError(`no port: ${one}`);
    }
  }
  if (!(weight >= 0 && weight <= weightMax)) throw new TypeError(`no weight: ${weight}`);
}

/** Version 4, as Java's UUID.randomUUID writes it. */
function uuidOf(bytes: Uint8Array): string {
  const own = Uint8Array.from(bytes);
  own[6] = ((own[6] ?? 0) & 0x0f) | 0x40;
  own[8] = ((own[8] ?? 0) & 0x3f) | 0x80;
  const hex = [...own].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)];
  return [...parts, hex.slice(20)].join('-');
}
