/**
 * Dubbo's registry: `<root>/<service>/providers/<URL, percent-encoded>`; the name says everything. An
 * instance is known by its address, path, group and version: the rest of the URL (its time stamp, the
 * pid) changes with every start. Only read.
 */
import { instanceDefaults, type ServiceInstance } from '../instance.js';
import { hostOf, weightOf } from '../json.js';
import { joinPath, type Layout } from '../layout.js';

/** Dubbo's weight of a provider that says nothing. */
const WEIGHT_DEFAULT = 100;

export class DubboLayout implements Layout {
  readonly name = 'dubbo';
  readonly isInNames = true;
  readonly #root: string;

  constructor(root = '/dubbo') {
    this.#root = root;
  }

  directoryOf(service: string): string {
    return joinPath(this.#root, `${service}/providers`);
  }

  read(service: string, child: string): ServiceInstance | null {
    const text = decodeURIComponent(child);
    const match = /^([a-z][a-z0-9+.-]*):\/\/([^/?]+)(\/[^?]*)?(?:\?(.*))?$/iu.exec(text);
    if (match === null) throw new TypeError('its name is no URL');
    const [, protocol = '', authority = '', path = '', query = ''] = match;
    const { host, port } = placeOf(authority.slice(authority.lastIndexOf('@') + 1));
    const metadata = Object.fromEntries(new URLSearchParams(query));
    const { group, version, weight, timestamp } = metadata;
    const isOff = metadata['disabled'] === 'true' || metadata['enabled'] === 'false';
    const kind = [group, version].filter((part) => part !== undefined).join(':');
    return {
      ...instanceDefaults,
      service,
      id: `${protocol}://${authority}${path}${kind === '' ? '' : `?${kind}`}`,
      host,
      port,
      weight: weightOf(numberIn(weight)) ?? WEIGHT_DEFAULT,
      health: isOff ? 'draining' : 'up',
      metadata: { protocol, path: path.slice(1), ...metadata },
      registeredMs: numberIn(timestamp),
      payload: text,
    };
  }
}

function placeOf(authority: string): { readonly host: string; readonly port: number | null } {
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/u.exec(authority);
  const host = hostOf(match?.[1] ?? match?.[2]);
  if (host === null) throw new TypeError('its address is none');
  const port = Number(match?.[3] ?? NaN);
  return { host, port: port > 0 && port < 65_536 ? port : null };
}

function numberIn(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,15}$/u.test(text) ? Number(text) : null;
}
