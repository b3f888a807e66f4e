/**
 * The part of a configuration that speaks of other servers: `server.N` lines, groups and weights,
 * and the limits of synchronisation. It is read and checked whole, wherever it stands (zoo.cfg or
 * the dynamic file), so that a standalone server tells a mistake in it today and an ensemble finds
 * it ready.
 *
 *   server.3=host:2888:3888[:participant|observer][|host2:2888:3888…][;[clientAddress:]clientPort]
 */
export interface EnsembleAddress {
  readonly host: string;
  readonly quorumPort: number;
  readonly electionPort: number;
}

export interface EnsembleServer {
  readonly sid: number;
  /** At least one; several with multiAddress.enabled. */
  readonly addresses: readonly EnsembleAddress[];
  readonly role: 'participant' | 'observer';
  /** Null: not given here, but by clientPort in zoo.cfg. */
  readonly client: { readonly host: string; readonly port: number } | null;
}

export interface EnsembleConfig {
  readonly servers: ReadonlyMap<number, EnsembleServer>;
  /** sid to group id; empty: majority quorums. */
  readonly groupOf: ReadonlyMap<number, number>;
  readonly weightOf: ReadonlyMap<number, number>;
  readonly version: bigint;
  /** In ticks; 0: not set. */
  readonly initLimit: number;
  readonly syncLimit: number;
  readonly peerType: 'participant' | 'observer';
  readonly standaloneEnabled: boolean;
  readonly reconfigEnabled: boolean;
  readonly quorumListenOnAllIps: boolean;
  /** Sessions are the server's own until they need the ensemble. */
  readonly localSessionsEnabled: boolean;
  /** They need it for ephemerals; false: those are refused. */
  readonly localSessionsUpgradingEnabled: boolean;
  /** The file that says whether one of two servers may go on alone; null: it may not. */
  readonly oraclePath: string | null;
  /** Where followers serve observers; 0: they do not. */
  readonly observerMasterPort: number;
  readonly dynamicConfigFile: string | null;
  /** More than one voting server, or standalone mode forbidden: this is no standalone server. */
  readonly isDistributed: boolean;
  /** Every other key of an ensemble, as text. */
  readonly otherSettings: ReadonlyMap<string, string>;
}

type ServerReading =
  | { readonly ok: true; readonly server: EnsembleServer }
  | { readonly ok: false; readonly reason: string };

const shape = 'host:quorumPort:electionPort[:participant|observer][;[clientAddress:]clientPort]';

export function parseEnsembleServer(sid: number, value: string): ServerReading {
  const [serverPart = '', clientPart, ...rest] = value.split(';');
  if (rest.length > 0) return wrong(value);
  const addresses: EnsembleAddress[] = [];
  const roles = new Set<string>();
  for (const one of serverPart.split('|')) {
    const parts = splitHostAndPorts(one.trim());
    if (parts === null) return wrong(value);
    const [host, quorumPort, electionPort, role, ...more] = parts;
    if (!host || quorumPort === undefined || electionPort === undefined || more.length > 0) {
      return wrong(value);
    }
    const address = {
      host,
      quorumPort: portOf(quorumPort),
      electionPort: portOf(electionPort),
    };
    if (address.quorumPort === null || address.electionPort === null) {
      return { ok: false, reason: `a port of '${one.trim()}' is not between 1 and 65535` };
    }
    if (address.quorumPort === address.electionPort) {
      return { ok: false, reason: 'the quorum port and the election port must differ' };
    }
    addresses.push({ host, quorumPort: address.quorumPort, electionPort: address.electionPort });
    if (role !== undefined) roles.add(role.trim().toLowerCase());
  }
  return withRoleAndClient(sid, addresses, roles, clientPart);
}

function withRoleAndClient(
  sid: number,
  addresses: readonly EnsembleAddress[],
  roles: ReadonlySet<string>,
  clientPart: string | undefined,
): ServerReading {
  const [role = 'participant', secondRole] = [...roles];
  if (secondRole !== undefined) {
    return { ok: false, reason: 'the addresses of one server must have one role' };
  }
  if (role !== 'participant' && role !== 'observer') {
    return { ok: false, reason: `'${role}' is neither 'participant' nor 'observer'` };
  }
  if (clientPart === undefined || clientPart.trim() === '') {
    return { ok: true, server: { sid, addresses, role, client: null } };
  }
  const parts = splitHostAndPorts(clientPart.trim());
  if (parts === null || parts.length > 2) return wrong(clientPart);
  const [first = '', second] = parts;
  const port = portOf(second ?? first);
  if (port === null) {
    return { ok: false, reason: `the client port of '${clientPart}' is not between 1 and 65535` };
  }
  const host = second === undefined ? '0.0.0.0' : first;
  return { ok: true, server: { sid, addresses, role, client: { host, port } } };
}

function wrong(value: string): ServerReading {
  return { ok: false, reason: `'${value}' is not of the form ${shape}` };
}

/** `[::1]:2888:3888` and `host:2888:3888`; null: an unclosed bracket. */
function splitHostAndPorts(text: string): string[] | null {
  if (!text.startsWith('[')) return text.split(':');
  const close = text.indexOf(']');
  if (close < 0) return null;
  const host = text.slice(1, close);
  const rest = text.slice(close + 1);
  if (rest === '') return [host];
  return rest.startsWith(':') ? [host, ...rest.slice(1).split(':')] : null;
}

function portOf(text: string): number | null {
  if (!/^\s*\d{1,5}\s*$/.test(text)) return null;
  const port = Number(text);
  return port >= 1 && port <= 65535 ? port : null;
}

export interface EnsembleEntry {
  readonly key: string;
  readonly value: string;
}

export type ReportEnsembleProblem<E extends EnsembleEntry> = (
  entry: E | null,
  message: string,
) => void;

/** Reads all entries and reports every problem; what could be read is in the result. */
export function parseEnsemble<E extends EnsembleEntry>(
  given: Iterable<E>,
  report: ReportEnsembleProblem<E>,
): EnsembleConfig {
  const entries = [...given];
  const servers = new Map<number, EnsembleServer>();
  const groupOf = new Map<number, number>();
  const weightOf = new Map<number, number>();
  const otherSettings = new Map<string, string>();
  for (const entry of entries) {
    const numbered = /^(server|group|weight)\.(.*)$/.exec(entry.key);
    if (numbered === null) {
      otherSettings.set(entry.key, entry.value);
      continue;
    }
    const [, kind, idText = ''] = numbered;
    const id = wholeOf(idText);
    if (id === null) {
      report(entry, `${entry.key}: '${idText}' is not a number`);
    } else if (kind === 'server') {
      const reading = parseEnsembleServer(id, entry.value);
      if (reading.ok) servers.set(id, reading.server);
      else report(entry, `${entry.key}: ${reading.reason}`);
    } else if (kind === 'group') {
      readGroup(entry, id, groupOf, report);
    } else {
      const weight = wholeOf(entry.value);
      if (weight === null) report(entry, `${entry.key}: '${entry.value}' is not a number`);
      else weightOf.set(id, weight);
    }
  }
  return finish({ servers, groupOf, weightOf, otherSettings }, entries, report);
}

function readGroup<E extends EnsembleEntry>(
  entry: E,
  group: number,
  groupOf: Map<number, number>,
  report: ReportEnsembleProblem<E>,
): void {
  for (const member of entry.value.split(':')) {
    const sid = wholeOf(member);
    if (sid === null) report(entry, `${entry.key}: '${member}' is not a server's number`);
    else if (groupOf.has(sid)) report(entry, `${entry.key}: server ${sid} is in two groups`);
    else groupOf.set(sid, group);
  }
}

function wholeOf(text: string): number | null {
  const value = /^\s*\d+\s*$/.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(value) ? value : null;
}

interface Members {
  readonly servers: ReadonlyMap<number, EnsembleServer>;
  readonly groupOf: ReadonlyMap<number, number>;
  readonly weightOf: ReadonlyMap<number, number>;
  readonly otherSettings: Map<string, string>;
}

function finish<E extends EnsembleEntry>(
  members: Members,
  entries: readonly E[],
  report: ReportEnsembleProblem<E>,
): EnsembleConfig {
  const { servers, groupOf, otherSettings } = members;
  const entryOf = (key: string): E | null => entries.find((entry) => entry.key === key) ?? null;
  const take = (key: string): string | null => {
    const value = otherSettings.get(key) ?? null;
    otherSettings.delete(key);
    return value;
  };
  const takeFlag = (key: string, initial: boolean): boolean => {
    const value = take(key)?.toLowerCase();
    if (value === undefined) return initial;
    if (value !== 'true' && value !== 'false') {
      report(entryOf(key), `${key}: '${value}' is neither 'true' nor 'false'`);
    }
    return value === 'true';
  };
  const takeTicks = (key: string): number => {
    const value = take(key);
    const ticks = value === null ? 0 : wholeOf(value);
    if (ticks === null) report(entryOf(key), `${key}: '${value}' is not a number of ticks`);
    return ticks ?? 0;
  };
  const takePort = (key: string): number => {
    const value = take(key);
    // Apache takes any number; none and less are no port
    const port = value === null || /^(?:-\d+|0+)$/.test(value.trim()) ? 0 : portOf(value);
    if (port === null) report(entryOf(key), `${key}: '${value ?? ''}' is not a port`);
    return port ?? 0;
  };
  const [initLimit, syncLimit] = [takeTicks('initLimit'), takeTicks('syncLimit')];
  const peerType = (take('peerType') ?? 'participant').toLowerCase();
  if (peerType !== 'participant' && peerType !== 'observer') {
    report(entryOf('peerType'), `peerType: '${peerType}' is neither 'participant' nor 'observer'`);
  }
  const algorithm = take('electionAlg');
  if (algorithm !== null && algorithm !== '3') {
    report(entryOf('electionAlg'), `electionAlg: only 3 exists, not '${algorithm}'`);
  }
  const versionText = take('version') ?? '0';
  if (!/^[0-9a-fA-F]{1,16}$/.test(versionText)) {
    report(entryOf('version'), `version: '${versionText}' is not a hexadecimal number`);
  }
  const standaloneEnabled = takeFlag('standaloneEnabled', true);
  const voters = [...servers.values()].filter((server) => server.role === 'participant');
  const isDistributed = !standaloneEnabled || voters.length > 1;
  const ensemble: EnsembleConfig = {
    servers,
    groupOf,
    weightOf: members.weightOf,
    version: /^[0-9a-fA-F]{1,16}$/.test(versionText) ? BigInt(`0x${versionText}`) : 0n,
    initLimit,
    syncLimit,
    peerType: peerType === 'observer' ? 'observer' : 'participant',
    standaloneEnabled,
    reconfigEnabled: takeFlag('reconfigEnabled', false),
    quorumListenOnAllIps: takeFlag('quorumListenOnAllIPs', false),
    localSessionsEnabled: takeFlag('localSessionsEnabled', false),
    localSessionsUpgradingEnabled: takeFlag('localSessionsUpgradingEnabled', false),
    oraclePath: take('oraclePath'),
    observerMasterPort: takePort('observerMasterPort'),
    dynamicConfigFile: take('dynamicConfigFile'),
    isDistributed,
    otherSettings,
  };
  checkMembers(ensemble, voters.length, entryOf, report);
  return ensemble;
}

function checkMembers<E extends EnsembleEntry>(
  ensemble: EnsembleConfig,
  voters: number,
  entryOf: (key: string) => E | null,
  report: ReportEnsembleProblem<E>,
): void {
  const { servers, groupOf, standaloneEnabled, isDistributed } = ensemble;
  if (voters === 0 && !standaloneEnabled) {
    const message = 'standaloneEnabled=false needs at least one server.N that may vote';
    report(entryOf('standaloneEnabled'), message);
  }
  const observers = servers.size - voters;
  if (observers > 0 && !isDistributed) {
    report(null, 'observers need an ensemble of at least two servers that may vote');
  }
  for (const server of servers.values()) {
    const key = `server.${server.sid}`;
    if (groupOf.size > 0 && server.role === 'participant' && !groupOf.has(server.sid)) {
      report(entryOf(key), `${key}: is in no group, though there are groups`);
    }
    if (server.addresses.length > 1 && !multiAddressEnabled(ensemble)) {
      report(entryOf(key), `${key}: several addresses need multiAddress.enabled=true`);
    }
  }
  if (!isDistributed || voters === 0) return;
  if (ensemble.initLimit === 0) report(null, 'initLimit is not set, and an ensemble needs it');
  if (ensemble.syncLimit === 0) report(null, 'syncLimit is not set, and an ensemble needs it');
}

function multiAddressEnabled(ensemble: EnsembleConfig): boolean {
  return ensemble.otherSettings.get('multiAddress.enabled')?.toLowerCase() === 'true';
}
