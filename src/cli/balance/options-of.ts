/** A balancer's options out of its command line, over those of a configuration file. */
import { readFileSync } from 'node:fs';
import { UsageError, type Arguments } from '../arguments.js';

/** Options of the command that take a value. */
export const balanceValues = [
  ...['config', 'policy', 'subset', 'scope', 'mask', 'roles', 'zone', 'name'],
  ...['send-proxy', 'control', 'control-file', 'metrics', 'access-log'],
  ...['max-connections', 'max-client-connections', 'max-client-watches', 'rate', 'rate-wait'],
  'max-outstanding',
  ...['tls-key-store', 'tls-trust-store', 'tls-client-auth', 'upstream-ca'],
] as const;

export const balanceLists = [
  ...['listen', 'listen-tls', 'listen-read-only', 'servers', 'dns-server', 'proxy-from'],
  ...['words', 'deny'],
] as const;

export const balanceFlags = [
  ...['follow-config', 'relist-persistent', 'access-log-requests', 'upstream-tls'],
] as const;

type Given = Record<string, unknown>;

/** What was given, not checked yet. Throws UsageError. */
export function givenOptions(args: Arguments): Given {
  const file = args.values.get('config');
  const options: Given = file === undefined ? {} : readConfig(file);
  setListeners(options, args);
  const servers = args.lists.get('servers');
  if (servers !== undefined) options['servers'] = servers.join(',');
  for (const name of ['policy', 'subset', 'scope', 'mask', 'roles', 'zone', 'name'] as const) {
    const value = args.values.get(name);
    if (value !== undefined) options[name] = value;
  }
  const nameServers = args.lists.get('dns-server');
  if (nameServers !== undefined) {
    options['dns'] = merged(options['dns'], { servers: nameServers });
  }
  if (args.flags.has('follow-config')) options['followConfig'] = true;
  if (args.flags.has('relist-persistent')) options['relistPersistent'] = true;
  const sendProxy = args.values.get('send-proxy');
  if (sendProxy !== undefined) options['sendProxy'] = sendProxy;
  const words = args.lists.get('words');
  if (words !== undefined) options['words'] = words;
  setGuards(options, args);
  const requestsMax = countOf(args, 'max-outstanding');
  if (requestsMax !== null) options['classes'] = merged(options['classes'], { requestsMax });
  setTls(options, args);
  setPlaces(options, args);
  return options;
}

function readConfig(file: string): Given {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`--config: ${(error as Error).message}`);
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return { ...value };
  } catch (error) {
    throw new UsageError(`--config ${file}: ${(error as Error).message}`);
  }
  throw new UsageError(`--config ${file}: expected an object`);
}

/** Those of the command line are instead of those in the file. */
function setListeners(options: Given, args: Arguments): void {
  const trusted = args.lists.get('proxy-from');
  const proxies = trusted === undefined ? {} : { proxyProtocol: { trusted } };
  const of = (name: string, more: Given): Given[] =>
    (args.lists.get(name) ?? []).map((address) => ({ address, ...more }));
  const listeners = [
    ...of('listen', proxies),
    ...of('listen-tls', { tls: true }),
    ...of('listen-read-only', { readOnly: true, ...proxies }),
  ];
  if (listeners.length > 0) options['listen'] = listeners;
  else if (trusted !== undefined) throw new UsageError('--proxy-from belongs to --listen');
}

function setGuards(options: Given, args: Arguments): void {
  const connections = countOf(args, 'max-connections');
  const ofClient = countOf(args, 'max-client-connections');
  const watches = countOf(args, 'max-client-watches');
  const rate = rateOf(args.values.get('rate'), countOf(args, 'rate-wait'));
  const deny = args.lists.get('deny');
  const perAddress = {
    ...(ofClient === null ? {} : { connections: ofClient }),
    ...(watches === null ? {} : { watches }),
    ...(rate === null ? {} : { rate }),
  };
  const guards = {
    ...(connections === null ? {} : { connections }),
    ...(deny === undefined ? {} : { denyOps: deny }),
    ...(Object.keys(perAddress).length === 0 ? {} : { perAddress }),
  };
  if (Object.keys(guards).length > 0) options['guards'] = merged(options['guards'], guards);
}

function countOf(args: Arguments, name: string): number | null {
  const text = args.values.get(name);
  if (text === undefined) return null;
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`--${name} is a whole number, not '${text}'`);
  return Number(text);
}

interface GivenRate {
  readonly perSecond: number;
  readonly burst?: number;
  readonly waitMs?: number;
}

/** `1000`, or `1000/5000` with a burst. */
function rateOf(text: string | undefined, waitMs: number | null): GivenRate | null {
  if (text === undefined) {
    if (waitMs !== null) throw new UsageError('--rate-wait belongs to --rate');
    return null;
  }
  const [, perSecond, burst] = /^(\d+(?:\.\d+)?)(?:\/(\d+))?$/.exec(text) ?? [];
  if (perSecond === undefined) {
    throw new UsageError(`--rate is requests a second, or requests/burst, not '${text}'`);
  }
  return {
    perSecond: Number(perSecond),
    ...(burst === undefined ? {} : { burst: Number(burst) }),
    ...(waitMs === null ? {} : { waitMs }),
  };
}

function setTls(options: Given, args: Arguments): void {
  const keyStore = args.values.get('tls-key-store');
  const trustStore = args.values.get('tls-trust-store');
  const clientAuth = args.values.get('tls-client-auth');
  const tls = {
    ...(keyStore === undefined ? {} : { keyStore }),
    ...(trustStore === undefined ? {} : { trustStore }),
    ...(clientAuth === undefined ? {} : { clientAuth }),
  };
  if (Object.keys(tls).length > 0) options['tls'] = merged(options['tls'], tls);
  const ca = args.values.get('upstream-ca');
  if (ca !== undefined) options['upstreamTls'] = merged(options['upstreamTls'], { caFile: ca });
  else if (args.flags.has('upstream-tls')) options['upstreamTls'] ??= true;
}

function setPlaces(options: Given, args: Arguments): void {
  const metrics = args.values.get('metrics');
  if (metrics !== undefined) options['metrics'] = merged(options['metrics'], { listen: metrics });
  const control = args.values.get('control');
  const file = args.values.get('control-file');
  if (control === 'off') options['control'] = false;
  else if (control !== undefined || file !== undefined) {
    options['control'] = merged(options['control'], {
      ...(control === undefined ? {} : { listen: control }),
      ...(file === undefined ? {} : { file }),
    });
  }
  const log = args.values.get('access-log');
  const requests = args.flags.has('access-log-requests');
  if (log !== undefined) options['accessLog'] = { file: log, requests };
  else if (requests) throw new UsageError('--access-log-requests needs --access-log');
}

function merged(before: unknown, over: Given): Given {
  return typeof before === 'object' && before !== null ? { ...before, ...over } : over;
}
