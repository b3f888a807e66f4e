/**
 * A balancer's options made real: names become sockets, files and clients, and whatever was not said gets
 * its default. Throws OptionError for what only this world can know to be wrong.
 */
import { Resolver } from 'node:dns';
import { hostname } from 'node:os';
import type { AccessLog } from '../balancer/telling/access-log.js';
import type { BackendPoolOptions } from '../balancer/pool/backend-options.js';
import { PooledBackend, type BackendAddress } from '../balancer/pool/backend.js';
import type { BalancerSettings, ListenerSettings } from '../balancer/balancer-settings.js';
import { DownstreamOrigin } from '../balancer/downstream-origin.js';
import { keepingDefaults, type KeepingSettings } from '../balancer/keeping/keeping-types.js';
import {
  ConfigMembership,
  DnsMembership,
  SrvMembership,
  StaticMembership,
  type Membership,
} from '../balancer/pool/membership.js';
import { metricsDefaults } from '../balancer/telling/metrics.js';
import { OptionError, type ReadOptions } from '../balancer/options.js';
import { StaticRegistry, type Registry } from '../balancer/pool/registry.js';
import { balancerWords, openWordsDefault, type BalancerWord } from '../balancer/telling/words.js';
import type { BalancerWorld, ServerNetwork } from '../balancer/world.js';
import { ArgumentError } from '../client/argument-error.js';
import { parseConnectString, parseServer, printServer } from '../client/connect-string.js';
import type { TlsOptions } from '../client/tls.js';
import type { Logger } from '../ports/logger.js';
import type { Network } from '../ports/network.js';
import { encodeProxyHeader, type ProxyProtocolVersion } from '../protocol/proxy-protocol.js';
import { fullVersion } from '../server/version.js';
import { ClientConfigSource } from './balancer-config-source.js';
import { BalancerRegistry } from './balancer-registry.js';
import { listenerNetworks, type ListenerNetworks } from './balancer-tls.js';
import { tlsClientNetwork } from './client-tls.js';
import { nodeClock } from './clock.js';
import { nodeNetwork } from './network.js';
import { proxiedNetwork } from './proxy-port.js';
import { systemHostNames } from './host-names.js';
import { dnsServiceNames } from './service-names.js';

export function worldOf(options: ReadOptions, logger: Logger): BalancerWorld {
  return {
    clock: nodeClock,
    network: upstreamNetwork(options),
    names: systemHostNames(nameServersOf(options)),
    random: () => Math.random(),
    logger,
  };
}

export function settingsOf(
  options: ReadOptions,
  logger: Logger,
  accessLog: AccessLog | null,
): BalancerSettings {
  const { zone = null, origins = [], guards = {}, metrics = {}, classes = {} } = options;
  const { latencyThresholdsMs = metricsDefaults.latencyThresholdsMs } = metrics;
  const servers = serversOf(options);
  return {
    version: fullVersion,
    listeners: listenersOf(options, logger),
    keeping: keepingOf(options),
    pool: poolOf(options, servers, logger),
    membership: membershipOf(options, servers),
    lookUps: given({ refreshMs: options.dns?.refreshMs }),
    rebalancing: { ...options.rebalance, ...given({ spillFactor: options.spillFactor }) },
    classes,
    guards,
    metrics: {
      prefix: metrics.prefix ?? metricsDefaults.prefix,
      latencyThresholdMs: metrics.latencyThresholdMs ?? metricsDefaults.latencyThresholdMs,
      latencyThresholdsMs,
    },
    zone,
    origins,
    words: wordsOf(options),
    accessLog,
    shown: shownOf(options),
  };
}

/** Leaves out what is undefined: not given is not the same as given as nothing. */
function given<T extends object>(fields: T): { [Name in keyof T]?: Exclude<T[Name], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [Name in keyof T]?: Exclude<T[Name], undefined> };
}

// -------------------------------------------------------------------- towards clients

interface Place {
  readonly host: string | undefined;
  readonly port: number;
}

/** `host:port`, `[::1]:port`, `:port` or `port`; port 0 is any free one. Throws OptionError. */
export function listenPlace(address: string, option: string): Place {
  const match = /^(?:(?:\[([^\]]+)\]|([^:[\]]*)):)?(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new OptionError([`${option}: '${address}' is no host:port`]);
  }
  const host = match[1] ?? match[2] ?? '';
  return { host: host === '' || host === '*' ? undefined : host, port };
}

function listenersOf(options: ReadOptions, logger: Logger): ListenerSettings[] {
  let networks: ListenerNetworks | null = null;
  return options.listen.map((one) => {
    const listener = typeof one === 'string' ? { address: one } : one;
    const { tls: isTls = false, readOnly: isReadOnly = false, proxyProtocol } = listener;
    let network: Network = nodeNetwork;
    if (isTls) network = (networks ??= listenerNetworks(options.tls, logger)).secure;
    if (proxyProtocol !== undefined) {
      const proxies = {
        trustedSenders: proxyProtocol.trusted,
        isRequired: proxyProtocol.isRequired ?? true,
        timeoutMs: options.keeping?.handshakeTimeoutMs ?? keepingDefaults.handshakeTimeoutMs,
      };
      network = proxiedNetwork(network, proxies, { clock: nodeClock, logger });
    }
    return { network, ...listenPlace(listener.address, 'listen'), isTls, isReadOnly };
  });
}

function wordsOf({ words }: ReadOptions): ReadonlySet<BalancerWord> {
  if (words === undefined) return new Set(openWordsDefault);
  if (words.includes('*')) return new Set(balancerWords);
  return new Set(words.filter((word): word is BalancerWord => word !== '*'));
}

function keepingOf(options: ReadOptions): KeepingSettings {
  const { mask = 'strict', relistPersistent = false, hasLocalSessions = false } = options;
  const { sendProxy, keeping = {} } = options;
  const preamble =
    sendProxy === undefined ? {} : { preamble: proxyHeaders(sendProxy === 'v1' ? 1 : 2) };
  const told = { mask, relistPersistent, hasLocalSessions };
  return { ...keepingDefaults, ...keeping, ...told, ...preamble };
}

/** For Zabra's servers alone: to others it would be the length of a frame. */
function proxyHeaders(version: ProxyProtocolVersion): NonNullable<KeepingSettings['preamble']> {
  return (backend, origin) => {
    if (!(backend instanceof PooledBackend) || backend.kind !== 'zabra') return null;
    if (!(origin instanceof DownstreamOrigin)) return null;
    return encodeProxyHeader(version, {
      sourceAddress: origin.address,
      sourcePort: origin.port,
      destinationAddress: origin.localAddress,
      destinationPort: origin.localPort,
    });
  };
}

// -------------------------------------------------------------------- towards servers

interface Servers {
  readonly addresses: readonly BackendAddress[];
  readonly srvName: string | null;
  /** Each of its addresses is a server. */
  readonly group: { readonly host: string; readonly port: number } | null;
}

const GROUP = 'dns://';

function serversOf({ servers }: ReadOptions): Servers {
  try {
    if (typeof servers !== 'string') {
      const addresses = servers.map(({ address, zone = null, weight }) => ({
        ...parseServer(address),
        zone,
        ...given({ weight }),
      }));
      return { addresses, srvName: null, group: null };
    }
    if (servers.startsWith(GROUP)) {
      const group = parseServer(servers.substring(GROUP.length));
      return { addresses: [group], srvName: null, group };
    }
    const { servers: addresses, srvName, root } = parseConnectString(servers);
    if (root !== '') {
      throw new OptionError([`servers: the root ${root} belongs to clients, which name it here`]);
    }
    return { addresses, srvName, group: null };
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    throw new OptionError([`servers: ${error.reason}`]);
  }
}

function membershipOf(options: ReadOptions, { addresses, srvName, group }: Servers): Membership {
  if (options.followConfig === true) {
    if (srvName !== null || group !== null) {
      const message =
        'a name in DNS is followed itself: followConfig needs host:port to begin with';
      throw new OptionError([`servers: ${message}`]);
    }
    const source = new ClientConfigSource(connectStringOf(addresses), upstreamTlsOf(options));
    return new ConfigMembership(source, { first: addresses, portElse: null });
  }
  const refresh = given({ refreshMs: options.dns?.refreshMs });
  const nameServers = nameServersOf(options);
  if (group !== null) {
    const { host: name, port } = group;
    return new DnsMembership(systemHostNames(nameServers), nodeClock, { name, port, ...refresh });
  }
  return srvName === null
    ? new StaticMembership(addresses)
    : new SrvMembership(dnsServiceNames(nameServers), nodeClock, { name: srvName, ...refresh });
}

/** Empty: the system's. Throws OptionError. */
function nameServersOf({ dns }: ReadOptions): readonly string[] {
  const servers = dns?.servers ?? [];
  try {
    new Resolver().setServers(servers);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new OptionError([`dns.servers: ${reason}`]);
  }
  return servers;
}

function connectStringOf(addresses: readonly BackendAddress[]): string {
  return addresses.map(printServer).join(',');
}

function upstreamTlsOf({ upstreamTls }: ReadOptions): TlsOptions | true | undefined {
  if (upstreamTls === undefined || upstreamTls === false) return undefined;
  return upstreamTls;
}

function upstreamNetwork(options: ReadOptions): ServerNetwork {
  const tls = upstreamTlsOf(options);
  if (tls === undefined) return nodeNetwork;
  try {
    const encrypted = tlsClientNetwork(tls);
    return {
      connect: (to, accept) => encrypted.connect({ serverName: to.host, ...to }, accept),
      listen: (at, accept) => nodeNetwork.listen(at, accept),
    };
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    throw new OptionError([`upstreamTls: ${error.message}`]);
  }
}

function poolOf(options: ReadOptions, servers: Servers, logger: Logger): BackendPoolOptions {
  const { policy, roles, subset, scope, spillFactor, panicThresholdPercent } = options;
  const { circuit, health, weights, outliers, slowStartMs, subsetRules } = options;
  const registry = registryOf(options, servers, logger);
  return {
    ...given({ policy, roles, subset, scope, spillFactor, panicThresholdPercent }),
    ...given({ circuit, health, weights, registry }),
    ...given({ subsetOptions: subsetRules }),
    ...(outliers === undefined || outliers === true ? {} : { outliers }),
    ...(slowStartMs === undefined
      ? {}
      : { slowStart: slowStartMs === 0 ? (false as const) : { windowMs: slowStartMs } }),
    name: nameOf(options),
    isTransparent: options.sendProxy !== undefined,
  };
}

export function nameOf({ name, listen }: ReadOptions): string {
  if (name !== undefined) return name;
  const [first] = listen;
  const address = typeof first === 'string' ? first : (first?.address ?? '');
  return `${hostname()} ${address} ${process.pid}`;
}

/**
 * Where balancers agree. Nothing is written to the ensemble for nothing: with the subset `all` there is
 * nothing to agree on, unless somebody asks for it.
 */
function registryOf(
  options: ReadOptions,
  { addresses, srvName }: Servers,
  logger: Logger,
): Registry | undefined {
  const { registry, position, subset = 'all', scope } = options;
  if (position !== undefined) return new StaticRegistry(position);
  const isWanted = registry !== undefined || (subset !== 'all' && scope !== 'local');
  if (registry === false || !isWanted) return undefined;
  const tls = upstreamTlsOf(options);
  const { auth, ...more } = registry === undefined || registry === true ? {} : registry;
  return new BalancerRegistry({
    connectString: srvName === null ? connectStringOf(addresses) : `dns-srv://${srvName}`,
    name: nameOf(options),
    logger,
    ...(tls === undefined ? {} : { tls }),
    ...more,
    ...(auth === undefined ? {} : { auth: credentialOf(auth) }),
  });
}

/** `digest:user:password`. Throws OptionError. */
function credentialOf(text: string): { readonly scheme: string; readonly auth: string } {
  const at = text.indexOf(':');
  // the rest is a secret
  if (at <= 0) throw new OptionError(['registry.auth: expected digest:user:password']);
  return { scheme: text.slice(0, at), auth: text.slice(at + 1) };
}

// -------------------------------------------------------------------- for people

/** As `conf` tells it: no secrets, and nothing that was not said. */
function shownOf(options: ReadOptions): string[] {
  const { servers, listen, mask = 'strict', policy = 'auto', subset = 'all' } = options;
  const { roles = 'spare-leader', zone } = options;
  const places = listen.map((one) => (typeof one === 'string' ? one : one.address));
  const named =
    typeof servers === 'string' ? servers : servers.map(({ address }) => address).join(',');
  return [
    `listen=${places.join(',')}`,
    `servers=${named}`,
    `policy=${policy}`,
    `subset=${subset}`,
    `roles=${roles}`,
    `mask=${mask}`,
    ...(zone === undefined ? [] : [`zone=${zone}`]),
    `maxClientCnxns=${options.guards?.perAddress?.connections ?? 0}`,
  ];
}
