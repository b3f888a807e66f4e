/**
 * Twitter's ServerSets, as Finagle and Aurora write them: `<base>/<service>/member_NNNNNNNNNN` holds a
 * JSON object with `serviceEndpoint`, `additionalEndpoints` and `status`. Only read.
 */
import { instanceDefaults, type Health, type ServiceInstance } from '../instance.js';
import { hostOf, isObject, numberOf, parseObject, portOf, textOf, textsOf } from '../json.js';
import { joinPath, type Layout } from '../layout.js';

const memberPrefix = 'member_';

const healthOfStatus: Readonly<Record<string, Health>> = {
  ALIVE: 'up',
  WARNING: 'up',
  STARTING: 'starting',
  STOPPING: 'draining',
  STOPPED: 'draining',
  DEAD: 'down',
};

export interface ServerSetOptions {
  /** Which of the `additionalEndpoints` to use instead of the `serviceEndpoint`. */
  readonly endpoint?: string;
}

export class ServerSetLayout implements Layout {
  readonly name = 'server-set';
  readonly isInNames = false;
  readonly #base: string;
  readonly #endpoint: string | null;

  constructor(basePath: string, options: ServerSetOptions = {}) {
    this.#base = basePath;
    this.#endpoint = options.endpoint ?? null;
  }

  directoryOf(service: string): string {
    return joinPath(this.#base, service);
  }

  /** Null for other children, and for members without the endpoint that is wanted. */
  read(service: string, child: string, data: Uint8Array): ServiceInstance | null {
    if (!child.startsWith(memberPrefix)) return null;
    const json = parseObject(data);
    const additional = isObject(json['additionalEndpoints']) ? json['additionalEndpoints'] : {};
    const endpoint = this.#endpoint === null ? json['serviceEndpoint'] : additional[this.#endpoint];
    if (this.#endpoint !== null && endpoint === undefined) return null;
    const host = isObject(endpoint) ? hostOf(endpoint['host']) : null;
    if (!isObject(endpoint) || host === null) throw new TypeError('it has no endpoint');
    const metadata = textsOf(json['metadata']);
    const shard = numberOf(json['shard']);
    return {
      ...instanceDefaults,
      service,
      id: child,
      host,
      port: portOf(endpoint['port']),
      health: healthOfStatus[textOf(json['status']) ?? 'ALIVE'] ?? 'down',
      metadata: shard === null ? metadata : { ...metadata, shard: `${shard}` },
      payload: json,
    };
  }
}
