/**
 * Curator's x-discovery: `<base>/<service>/<id>` holds a ServiceInstance in JSON. Java programs with
 * curator-x-discovery and Spring Cloud Zookeeper read what is written here, and the other way round.
 *
 * What Curator has no field for (weight, priority, health, metadata) goes into its payload, which stays
 * null where all of them are as usual: a reader whose payload class is Void casts it. Spring's payload
 * carries metadata under the same name. `enabled` is false while an instance is not up: Curator's own
 * readers know no more about health than that.
 */
import { instanceDefaults, type Health, type ServiceInstance } from '../instance.js';
import {
  hostOf,
  isObject,
  numberOf,
  parseObject,
  portOf,
  textOf,
  textsOf,
  weightOf,
} from '../json.js';
import { joinPath, type Layout } from '../layout.js';

const healths: readonly Health[] = ['up', 'starting', 'draining', 'down'];

export class CuratorLayout implements Layout {
  readonly name = 'curator';
  readonly isInNames = false;
  readonly #base: string;

  constructor(basePath: string) {
    this.#base = basePath;
  }

  directoryOf(service: string): string {
    return joinPath(this.#base, service);
  }

  read(service: string, child: string, data: Uint8Array): ServiceInstance | null {
    const json = parseObject(data);
    const host = hostOf(json['address']);
    if (host === null) throw new TypeError('it has no address');
    const payload = json['payload'] ?? null;
    const own = isObject(payload) ? payload : {};
    return {
      service,
      // the znode's name is what Curator updates and unregisters by
      id: child,
      host,
      port: portOf(json['port']),
      sslPort: portOf(json['sslPort']),
      weight: weightOf(own['weight']) ?? instanceDefaults.weight,
      priority: numberOf(own['priority']) ?? instanceDefaults.priority,
      health: healthOf(own['health'], json['enabled']),
      metadata: textsOf(own['metadata']),
      registeredMs: numberOf(json['registrationTimeUTC']),
      payload,
      uriTemplate: templateOf(json['uriSpec']),
    };
  }

  write(instance: ServiceInstance): Uint8Array {
    const { service, id, host, port, sslPort, registeredMs, health, uriTemplate } = instance;
    const json = {
      ...{ name: service, id, address: host, port, sslPort },
      payload: instance.payload ?? payloadOf(instance),
      registrationTimeUTC: registeredMs ?? 0,
      serviceType: 'DYNAMIC',
      uriSpec: uriTemplate === null ? null : { parts: partsOf(uriTemplate) },
      // left out where it is true: readers before Curator 3.2 refuse what they do not know
      ...(health === 'up' ? {} : { enabled: false }),
    };
    return new TextEncoder().encode(JSON.stringify(json));
  }
}

function payloadOf({ weight, priority, health, metadata }: ServiceInstance): unknown {
  const isUsual =
    weight === instanceDefaults.weight &&
    priority === instanceDefaults.priority &&
    health === instanceDefaults.health &&
    Object.keys(metadata).length === 0;
  return isUsual ? null : { weight, priority, health, metadata };
}

function healthOf(told: unknown, enabled: unknown): Health {
  const health = healths.find((one) => one === told) ?? 'up';
  return enabled === false && health === 'up' ? 'draining' : health;
}

interface UriPart {
  readonly value: string;
  readonly variable: boolean;
}

/** `{scheme}://{address}` is a variable, a text, a variable. */
function partsOf(template: string): UriPart[] {
  const parts: UriPart[] = [];
  for (const [, variable, text] of template.matchAll(/\{([^{}]*)\}|([^{}]+)/gu)) {
    if (variable !== undefined) parts.push({ value: variable, variable: true });
    else if (text !== undefined) parts.push({ value: text, variable: false });
  }
  return parts;
}

function templateOf(spec: unknown): string | null {
  if (!isObject(spec) || !Array.isArray(spec['parts'])) return null;
  const parts = spec['parts'] as readonly unknown[];
  return parts
    .filter(isObject)
    .map((part) => {
      const value = textOf(part['value']) ?? '';
      return part['variable'] === true ? `{${value}}` : value;
    })
    .join('');
}
